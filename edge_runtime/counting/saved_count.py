"""A count that is saved now and then, and that another process can resume."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..errors import StateError

SAVE_INTERVAL_S = 5.0
# A count of a still scene is saved at least so often: frames and the time of the last one change.
IDLE_INTERVAL_S = 600.0

# Its keys, in their order, with the values of what is not there. Their names are a contract.
DOCUMENT: dict[str, Any] = {
    "source": None,
    "class_names": [],
    "next_index": 0,
    "last_ns": None,
    "epoch_ns": None,
    "events_bytes": 0,
    "frames": 0,
    "dropped": 0,
    "skipped": 0,
    "reset_ns": None,
    "period_ns": None,
    "periods": [],
    "tally": {},
    "history": {},
}


class StateStore(Protocol):
    """Where a count is saved: a file, or a row of a database."""

    @property
    def name(self) -> str:
        """Its name in messages, such as the file's path."""
        ...

    def load(self) -> dict[str, Any] | None:
        """The document saved last, None if there is none.

        Raises:
            StateError: it is damaged.
        """
        ...

    def save(self, document: dict[str, Any]) -> None:
        """Replace the document, whole or not at all."""
        ...


class SavedCount:
    """A saved count, and when it is saved again.

    Args:
        store: where it is.
        interval_s: minimum seconds between two saves while counting.
        clock: seconds from any origin; None takes the machine's monotonic clock.

    Attributes:
        document: what was saved by the process before; empty for a new count.

    Raises:
        StateError: the saved count is damaged.
    """

    def __init__(
        self,
        store: StateStore,
        interval_s: float = SAVE_INTERVAL_S,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        self.document: Mapping[str, Any] = store.load() or {}
        self._interval_s, self._given_clock = interval_s, clock
        self._next = self._clock() + interval_s
        self._next_idle = self._clock() + max(interval_s, IDLE_INTERVAL_S)

    def _clock(self) -> float:
        return time.monotonic() if self._given_clock is None else self._given_clock()

    def is_due(self, *, changed: bool = True) -> bool:
        """Whether it is time to save again; without a change that is after IDLE_INTERVAL_S."""
        now = self._clock()
        return now >= self._next and (changed or now >= self._next_idle)

    def save(self, values: Mapping[str, Any]) -> None:
        """Save the values in the order of `DOCUMENT`."""
        self.store.save({**DOCUMENT, **values})
        self._next = self._clock() + self._interval_s
        self._next_idle = self._clock() + max(self._interval_s, IDLE_INTERVAL_S)

    @property
    def frames(self) -> int:
        """How many frames the processes before have counted."""
        return whole_number(self.document, "frames")

    @property
    def next_index(self) -> int:
        """Index of the first frame that was not counted."""
        return whole_number(self.document, "next_index")

    @property
    def last_ns(self) -> int:
        """Capture time of the last frame that was counted; -1 if there was none."""
        return whole_number(self.document, "last_ns", -1)

    @property
    def epoch_ns(self) -> int | None:
        """Wall clock of timestamp 0, if it was known."""
        found = self.document.get("epoch_ns")
        return found if isinstance(found, int) else None

    @contextmanager
    def reading(self) -> Iterator[Mapping[str, Any]]:
        """The document, for code that restores from it; its errors become StateErrors.

        Raises:
            StateError: the document is damaged, or of another count.
        """
        try:
            yield self.document
        except StateError as error:
            raise self.error(error.reason) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.error("it is damaged") from error

    def error(self, reason: str) -> StateError:
        """The error that the count cannot be resumed from here."""
        return StateError(reason, self.store.name)


def source_identity(name: str) -> dict[str, Any]:
    """The identity of a source: its name, and a file's length."""
    path = Path(name)
    try:
        if path.is_file():
            return {"name": path.name, "bytes": path.stat().st_size}
    except OSError:
        pass
    return {"name": os.fspath(name), "bytes": None}


def whole_number(document: Mapping[str, Any], key: str, minimum: int = 0) -> int:
    """A whole number of at least `minimum`; `minimum` if it is missing."""
    value = document.get(key)
    return value if isinstance(value, int) and value >= minimum else minimum
