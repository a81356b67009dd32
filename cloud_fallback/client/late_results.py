"""Answers that came too late: where the objects were is old, what they are is not."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from ...edge_runtime.types import Detections, FloatArray

KEEP_S = 2.0
SAME_IOU = 0.5
SURE = 0.5


class LateResults:
    """Gives local detections the class that the bigger model saw in their place.

    The counter's own vote over the life of a track does the rest. Times are seconds.
    """

    def __init__(self) -> None:
        self.noted = 0
        self.applied = 0
        self._lock = threading.Lock()
        self._known: list[tuple[float, Detections]] = []

    def note(self, late: Detections, now: float) -> None:
        """An answer to a frame that was counted already."""
        sure = late.confidence >= SURE
        kept = Detections(late.xyxy[sure], late.confidence[sure], late.class_id[sure])
        with self._lock:
            self.noted += 1
            self._known = [one for one in self._known if now - one[0] < KEEP_S][-8:]
            self._known.append((now, kept))

    def apply(self, found: Detections, now: float) -> Detections:
        """`found` with the classes that are known better; boxes and scores stay."""
        with self._lock:
            known = [one for when, one in self._known if now - when < KEEP_S and len(one)]
            if not known or not len(found):
                return found
            class_id = found.class_id.copy()
            for one in known:
                overlap = iou(found.xyxy, one.xyxy)
                best = overlap.argmax(1)
                same = overlap[np.arange(len(found)), best] >= SAME_IOU
                class_id[same] = one.class_id[best[same]]
            self.applied += int((class_id != found.class_id).sum())
        return replace(found, class_id=class_id)


def iou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Overlap of each of n boxes with each of m, (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - common
    return np.asarray(common / np.maximum(union, 1e-9), np.float32)
