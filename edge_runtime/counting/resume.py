"""Going on with a count that another process has begun."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import StateError
from .history import History
from .report import Period
from .state_file import EVERY_S, StateFile
from .totals import Totals


class Resume:
    """What a state file holds, and when it is written again.

    Args:
        path: the file; a count begins where there is none.
        every_s: least seconds between two saves.

    Raises:
        UsageError: no file can be kept there.
        StateError: what is there is damaged.
    """

    def __init__(self, path: Path, every_s: float = EVERY_S) -> None:
        self.file = StateFile(path, every_s)
        self.saved: dict[str, Any] = self.file.load() or {}

    @property
    def next_index(self) -> int:
        """The first frame that was not counted."""
        return _whole(self.saved.get("next_index"), 0)

    @property
    def last_ns(self) -> int:
        """Capture time of the last frame that was counted; -1 where none was."""
        return _whole(self.saved.get("last_ns"), -1)

    @property
    def epoch_ns(self) -> int | None:
        """Wall clock of timestamp 0, where it was known."""
        found = self.saved.get("epoch_ns")
        return found if isinstance(found, int) else None

    @property
    def events_bytes(self) -> int:
        """How much of the file of events was written."""
        return _whole(self.saved.get("events_bytes"), 0)

    def number(self, name: str) -> int:
        """One of the other whole numbers, 0 where it is missing."""
        return _whole(self.saved.get(name), 0)

    def check_source(self, name: str) -> None:
        """Refuse to go on in another source.

        Raises:
            StateError: it is another.
        """
        before = self.saved.get("source")
        if before is not None and before != identity(name):
            raise self.file.bad(f"it is of the source {str(before.get('name'))[:200]!r}")

    def restore(self, totals: Totals, history: History) -> list[Period]:
        """Bring both to where they were; returns the periods closed before.

        Raises:
            StateError: the state is of other places, classes or options.
        """
        if not self.saved:
            return []
        try:
            if list(totals.class_names) != self.saved["class_names"]:
                raise self.file.bad("it is of a model with other classes")
            totals.restore(self.saved["tally"])
            history.restore(self.saved["history"])
            return [Period.from_dict(period) for period in self.saved["periods"]]
        except StateError as error:
            raise self.file.bad(error.problem.partition("from it: ")[2] or error.problem) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.file.bad("it is damaged") from error


def identity(name: str) -> dict[str, Any]:
    """What tells one source from another: its name, and a file's length."""
    path = Path(name)
    try:
        if path.is_file():
            return {"name": path.name, "bytes": path.stat().st_size}
    except OSError:
        pass
    return {"name": os.fspath(name), "bytes": None}


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value >= default else default
