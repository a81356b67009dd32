"""Refusals of a server: which of them are final, how often each came, and sentences for the user.

A server that has never accepted this client will not do so later: a wrong key stays wrong. One that
has is retried without end, because keys, certificates and proxies get repaired.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from ...edge_runtime.errors import CloudError

log = logging.getLogger("tallylens.cloud")
# Enough for every reason there is; a message of a certificate may be part of it.
MAX_REASONS = 16


class Refusals:
    """The refusals of one client, in the order in which they came; not thread-safe by itself.

    Args:
        on_notice: receives a sentence when the server starts to refuse, for each new reason, and
            when it accepts again.
    """

    def __init__(self, on_notice: Callable[[str], None]) -> None:
        self._on_notice = on_notice
        self._times: Counter[str] = Counter()
        self._current = ""

    def refused(self, error: CloudError, *, final: bool, quiet: bool = False) -> None:
        """Note a refusal; `final` if it is not tried again, `quiet` if it is raised as an error."""
        reason = str(error)
        if reason in self._times or len(self._times) < MAX_REASONS:
            self._times[reason] += 1
        if reason != self._current and not quiet:
            then = "the cloud is not asked again" if final else "it is tried again"
            self._notify(f"{reason}. Counting on this device alone; {then}")
        self._current = reason

    def accepted(self, url: str) -> None:
        """Note a welcome."""
        if self._current:
            self._notify(f"{url}: the server accepts this device again")
        self._current = ""

    @property
    def current(self) -> str:
        """Why the last attempt was refused; "" if it was not."""
        return self._current

    def report(self) -> list[dict[str, str | int]]:
        """Each reason and how often it came."""
        return [{"reason": reason, "times": times} for reason, times in self._times.items()]

    def _notify(self, notice: str) -> None:
        try:
            self._on_notice(notice)
        except Exception:
            # It is the caller's code; the connection must outlive it.
            log.exception("on_notice failed")
