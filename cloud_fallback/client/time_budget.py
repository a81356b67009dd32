"""How long a file may wait for the cloud, so that it ends little later than without one. No clock.

The device's time is lost while a frame waits for the cloud and engines have nothing to do; with one
of two engines idle, half of it. All other time is work that the device alone would have to do too,
and a frame that only the cloud computed has saved some. Lost time stays below SHARE of that work.
"""

from __future__ import annotations

import threading

# The device alone would need at most 1.2 times less; the rest is for encoding and sending.
SHARE = 0.12


class TimeBudget:
    """Accounts for the time of one file; any thread. Times are monotonic seconds.

    Args:
        engines: how many frames the device can compute at a time.
    """

    def __init__(self, engines: int) -> None:
        self._engines = engines
        self._lock = threading.Lock()
        self._started: float | None = None
        self._at = 0.0
        self._waiting = self._computing = 0
        self._lost_s = self._saved_s = 0.0

    def start(self, now: float) -> None:
        """Note a frame; the time of the file starts with the first."""
        with self._lock:
            if self._started is None:
                self._started = self._at = now

    def wait(self, now: float, change: int) -> None:
        """Note that a frame starts (1) or ends (-1) to wait for the cloud."""
        with self._lock:
            self._advance(now)
            self._waiting += change

    def compute(self, now: float, change: int) -> None:
        """Note that an engine starts (1) or ends (-1) to compute a frame."""
        with self._lock:
            self._advance(now)
            self._computing += change

    def saved(self, seconds: float) -> None:
        """Note a frame that no engine had to compute, for `seconds` of all engines together."""
        with self._lock:
            self._saved_s += seconds

    def left_s(self, now: float) -> float:
        """How much longer frames may wait; 0 if they may not."""
        with self._lock:
            self._advance(now)
            if self._started is None:
                return 0.0
            lost_s = self._lost_s - self._saved_s
            return max(0.0, SHARE * (now - self._started - lost_s) - lost_s)

    def _advance(self, now: float) -> None:
        if self._started is not None and now > self._at:
            idle = max(0, self._engines - self._computing) / self._engines
            self._lost_s += (now - self._at) * idle if self._waiting else 0.0
            self._at = now
