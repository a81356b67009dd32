"""How long a file may wait for the cloud, so that it ends little later than without one. No clock.

The device's time is lost while a frame waits for the cloud and engines have nothing to do; with one
of two engines idle, half of it. All other time is work that the device alone would have to do too,
and a frame that only the cloud computed has saved some. Lost time stays below SHARE of that work.
The core keeps the account (`tally_waiting` in tally.h).
"""

from __future__ import annotations

import threading

from ...edge_runtime.core.native import Handle, default, ffi, lib
from ...edge_runtime.core.native import options as core_options

SHARE: float = default("waiting", "share")


class TimeBudget:
    """Accounts for the time of one file; any thread. Times are monotonic seconds.

    Args:
        engines: how many frames the device can compute at a time.
    """

    def __init__(self, engines: int) -> None:
        self._handle = Handle("waiting", core_options("waiting", engines=engines))
        self._lock = threading.Lock()
        self._seconds = ffi.new("double *")

    def start(self, now: float) -> None:
        """Note a frame; the time of the file starts with the first."""
        with self._lock:
            self._handle.call(lib.tally_waiting_start, now)

    def wait(self, now: float, change: int) -> None:
        """Note that a frame starts (1) or ends (-1) to wait for the cloud."""
        with self._lock:
            self._handle.call(lib.tally_waiting_wait, now, change)

    def compute(self, now: float, change: int) -> None:
        """Note that an engine starts (1) or ends (-1) to compute a frame."""
        with self._lock:
            self._handle.call(lib.tally_waiting_compute, now, change)

    def saved(self, seconds: float) -> None:
        """Note a frame that no engine had to compute, for `seconds` of all engines together."""
        with self._lock:
            self._handle.call(lib.tally_waiting_saved, seconds)

    def left_s(self, now: float) -> float:
        """How much longer frames may wait; 0 if they may not."""
        with self._lock:
            self._handle.call(lib.tally_waiting_left, now, self._seconds)
            return float(self._seconds[0])
