"""Signals that end a count: Ctrl-C, SIGTERM and SIGHUP end it between two frames."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """A signal that ended a command before there was anything to report."""

    def __init__(self, signal_number: int) -> None:
        self.exit_status = exit_status(signal_number)
        super().__init__(signal.Signals(signal_number).name)


def exit_status(signal_number: int) -> int:
    """The exit status of a command that a signal ended, as shells report it: 130, 143, 129."""
    return 128 + signal_number


class Interruption:
    """Context manager that hands the signals of SIGNALS to `stop`, a function that must not wait.

    Where `stop` is not set yet, or returns False because nothing is counted yet, the signal raises
    `Interrupted`. A second Ctrl-C raises it in any case; further SIGTERM and SIGHUP, which service
    managers and terminals repeat, do not disturb the writing of the report. A signal that is
    ignored (`nohup`) stays ignored.

    Attributes:
        received: the number of the first signal, or None.
        stop: ends the count after the frames in progress.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.stop: Callable[[], bool] | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for name in SIGNALS:
            number = getattr(signal, name, None)
            # SIGHUP is missing on Windows; None is a handler that was not set from Python.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        repeated = self.received is not None
        if self.received is None:
            self.received = number
        if repeated and number != signal.SIGINT:
            return
        if repeated or self.stop is None or not self.stop():
            raise Interrupted(number)
