"""Progress of long tasks on stderr: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time

QUIET_S = 2.0
EVERY_S = 10.0


class Progress:
    """Context manager that shows how much is done; without a terminal only after two seconds."""

    def __init__(self, what: str, total: float | None = None, unit: str = "") -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._started_s = time.monotonic()
        self._next_line_s = self._started_s + QUIET_S
        self._bar = _Bar(what, total, unit) if sys.stderr.isatty() else None

    def update(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Report the amount done so far, and optionally a new total or a new stage `what`."""
        self._total = total if total is not None else self._total
        if self._bar is not None:
            self._bar.update(done, self._total, what)
            return
        now = time.monotonic()
        if what is not None:
            if _stage(what) != _stage(self._what):
                self._next_line_s = min(self._next_line_s, max(now, self._started_s + QUIET_S))
            self._what = what
        if now >= self._next_line_s:
            self._next_line_s = now + EVERY_S
            so_far = f"{done:.0f} {self._unit}".rstrip()
            share = f"{100 * done / self._total:.0f}%" if self._total else so_far
            print(f"{self._what}: {share}", file=sys.stderr)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _stage(what: str) -> str:
    """`recover` of `recover, loss 0.123`: changing figures do not start a stage."""
    return what.partition(",")[0]


class _Bar:
    """A bar of rich, which is imported only if stderr is a terminal."""

    def __init__(self, what: str, total: float | None, unit: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._unit = unit
        self._started_s = time.monotonic()
        self._task = self._rich.add_task(what, total=total, note="")

    def start(self) -> None:
        self._rich.start()

    def stop(self) -> None:
        self._rich.stop()

    def update(self, done: float, total: float | None, what: str | None) -> None:
        rate = done / max(time.monotonic() - self._started_s, 1e-9)
        note = f"{rate:.0f} {self._unit}/s" if self._unit else ""
        self._rich.update(self._task, completed=done, total=total, description=what, note=note)
