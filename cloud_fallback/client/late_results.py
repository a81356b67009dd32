"""Classes from results that came too late: their boxes are old, their classes are not."""

from __future__ import annotations

import threading
from dataclasses import replace

from ...edge_runtime.core.native import Handle, default, detection_rows, ffi, lib
from ...edge_runtime.core.native import options as core_options
from ...edge_runtime.types import Detections

KEEP_S: float = default("late", "keep_s")


class LateResults:
    """Gives local detections the class that the bigger model found in the same place.

    The counter's own vote over the life of a track does the rest. Times are seconds. The core
    keeps the results (`tally_late` in tally.h); any thread.
    """

    def __init__(self) -> None:
        self.noted = 0
        self.applied = 0
        self._lock = threading.Lock()
        self._handle = Handle("late", core_options("late"))
        self._changed = ffi.new("int32_t *")

    def note(self, late: Detections, now: float) -> None:
        """Keep the result of a frame that was counted already."""
        rows = detection_rows(late)
        with self._lock:
            self.noted += 1
            pointer = ffi.from_buffer("tally_detection[]", rows)
            self._handle.call(lib.tally_late_note, pointer, len(rows), now)

    def apply(self, found: Detections, now: float) -> Detections:
        """`found` with the classes of late results; boxes and scores stay."""
        rows = detection_rows(found)
        with self._lock:
            pointer = ffi.from_buffer("tally_detection[]", rows)
            self._handle.call(lib.tally_late_apply, pointer, len(rows), now, self._changed)
            changed = int(self._changed[0])
            self.applied += changed
        return replace(found, class_id=rows["class_id"].copy()) if changed else found
