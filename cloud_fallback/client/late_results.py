"""Classes from results that came too late: their boxes are old, their classes are not."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from ...edge_runtime.boxes import box_iou
from ...edge_runtime.types import Detections

KEEP_S = 2.0
MAX_KEPT = 8
MIN_IOU = 0.5
MIN_CONFIDENCE = 0.5


class LateResults:
    """Gives local detections the class that the bigger model found in the same place.

    The counter's own vote over the life of a track does the rest. Times are seconds.
    """

    def __init__(self) -> None:
        self.noted = 0
        self.applied = 0
        self._lock = threading.Lock()
        self._known: list[tuple[float, Detections]] = []

    def note(self, late: Detections, now: float) -> None:
        """Keep the result of a frame that was counted already."""
        sure = late.confidence >= MIN_CONFIDENCE
        kept = Detections(late.xyxy[sure], late.confidence[sure], late.class_id[sure])
        with self._lock:
            self.noted += 1
            self._known = [one for one in self._known if now - one[0] < KEEP_S][-MAX_KEPT:]
            self._known.append((now, kept))

    def apply(self, found: Detections, now: float) -> Detections:
        """`found` with the classes of late results; boxes and scores stay."""
        with self._lock:
            known = [one for when, one in self._known if now - when < KEEP_S and len(one)]
            if not known or not len(found):
                return found
            class_id = found.class_id.copy()
            for one in known:
                overlap = box_iou(found.xyxy, one.xyxy)
                best = overlap.argmax(1)
                same = overlap[np.arange(len(found)), best] >= MIN_IOU
                class_id[same] = one.class_id[best[same]]
            self.applied += int((class_id != found.class_id).sum())
        return replace(found, class_id=class_id)
