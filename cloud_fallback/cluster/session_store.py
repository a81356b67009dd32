"""The saved sessions of a cluster, in memory; one Ray actor holds them for all processes."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from dataclasses import replace

from ..server.sessions import MAX_SESSIONS, SavedSession
from ..wire.constants import RESUME_SECONDS


class MemorySessionStore:
    """The last state of each session, for as long as a client may resume it."""

    def __init__(self) -> None:
        self._saved: OrderedDict[str, tuple[float, SavedSession]] = OrderedDict()

    def claim(self, session: str, resume_hash: str) -> SavedSession | None:
        """Give a session to another process; the one that had it cannot save it again."""
        self._forget()
        _, saved = self._saved.get(session, (0.0, None))
        if saved is None or not hmac.compare_digest(saved.resume_hash, resume_hash):
            return None
        saved = replace(saved, generation=saved.generation + 1)
        self._saved[session] = (time.monotonic(), saved)
        self._saved.move_to_end(session)
        return saved

    def save(self, saved: SavedSession) -> bool:
        """Write a session down; False where another process has claimed it."""
        _, before = self._saved.get(saved.id, (0.0, None))
        if before is not None and before.generation > saved.generation:
            return False
        self._saved[saved.id] = (time.monotonic(), saved)
        self._saved.move_to_end(saved.id)
        self._forget()
        return True

    def _forget(self) -> None:
        """Delete the sessions that waited too long, and the oldest of too many."""
        limit = time.monotonic() - RESUME_SECONDS
        while self._saved:
            oldest = next(iter(self._saved))
            if len(self._saved) <= MAX_SESSIONS and self._saved[oldest][0] >= limit:
                return
            del self._saved[oldest]
