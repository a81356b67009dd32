"""Sessions outside of the processes that serve them; an actor holds one of these."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from dataclasses import replace

from ..wire.frames import RESUME_SECONDS
from .sessions import MAX_SESSIONS, Saved


class MemorySessionStore:
    """The last state of each session, for as long as a client may come back to it."""

    def __init__(self) -> None:
        self._saved: OrderedDict[str, tuple[float, Saved]] = OrderedDict()

    def take(self, session: str, resume_hash: str) -> Saved | None:
        """Hand a session to another process; the one that had it may keep it no longer."""
        self._forget()
        _, saved = self._saved.get(session, (0.0, None))
        if saved is None or not hmac.compare_digest(saved.resume_hash, resume_hash):
            return None
        saved = replace(saved, generation=saved.generation + 1)
        self._saved[session] = (time.monotonic(), saved)
        return saved

    def keep(self, saved: Saved) -> bool:
        """Write a session down; False where another process has taken it."""
        _, before = self._saved.get(saved.id, (0.0, None))
        if before is not None and before.generation > saved.generation:
            return False
        self._saved[saved.id] = (time.monotonic(), saved)
        self._saved.move_to_end(saved.id)
        self._forget()
        return True

    def _forget(self) -> None:
        """Those that nobody came back to, and the oldest of too many."""
        limit = time.monotonic() - RESUME_SECONDS
        while self._saved:
            oldest = next(iter(self._saved))
            if len(self._saved) <= MAX_SESSIONS and self._saved[oldest][0] >= limit:
                return
            del self._saved[oldest]
