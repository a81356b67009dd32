"""The values that pass from stage to stage.

Boxes are `xyxy`: float32 left, top, right, bottom in pixels of the source frame as it is shown
(after rotation), origin in the top left corner, y down. Times are capture times in nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from .metadata import Layout

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
Image = npt.NDArray[np.uint8]

HeadDtype = Literal["float32", "uint8", "int8"]
EventKind = Literal["confirmed", "crossed_in", "crossed_out", "entered", "left", "reclassified"]


@dataclass(frozen=True)
class Frame:
    """One picture, (height, width, 3) uint8 BGR, and when it was taken.

    `arrived_ns` is when a live picture came in, by this machine's monotonic clock; else 0.
    """

    image: Image
    timestamp_ns: int
    index: int = 0
    arrived_ns: int = 0


@dataclass(frozen=True)
class Detections:
    """`xyxy` (n, 4) float32, `confidence` (n,) float32 in 0..1, `class_id` (n,) int32."""

    xyxy: FloatArray
    confidence: FloatArray
    class_id: IntArray

    def __len__(self) -> int:
        return len(self.confidence)

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True)
class Tracks(Detections):
    """Detections with `track_id` (n,) int64, stable over the object's life; confirmed ones only.

    `class_id` is the vote of the track's life, not of this frame.
    """

    track_id: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True)
class Line:
    """A counting line from (x1, y1) to (x2, y2), pixels or, when all are <= 1, fractions.

    `in` is from the walker's left to the walker's right, y down: a line drawn from left to right
    counts downward movement as `in`. `in_name` and `out_name` are what reports and events call the
    two ways. `extend` counts beyond the ends too.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    name: str = ""
    in_name: str = "in"
    out_name: str = "out"
    extend: bool = False


@dataclass(frozen=True)
class Zone:
    """A polygon of at least three (x, y) corners, pixels or, when all are <= 1, fractions.

    Who stays for less than `min_dwell_s` seconds is not counted as entered.
    """

    points: tuple[tuple[float, float], ...]
    name: str = ""
    min_dwell_s: float = 0.0


@dataclass(frozen=True)
class Event:
    """Something that changed a total: what, who, when and where (anchor point in pixels).

    `place` is the line's or zone's index, -1 where the event belongs to none. `dwell_s` of `left`
    is how long the object stayed.
    """

    kind: EventKind
    timestamp_ns: int
    track_id: int
    class_id: int
    previous_class_id: int
    place: int
    x: float
    y: float
    confidence: float
    age_s: float
    dwell_s: float = 0.0


@dataclass(frozen=True)
class HeadSpec:
    """How to read one raw head.

    `width` and `height` are in cells of `stride` input pixels, `anchors` are (width, height) in
    input pixels. The array is (1, channels, height, width) for NCHW and (1, height, width,
    channels) for NHWC, channels = len(anchors) * (5 + classes). A logit is
    `scale * (value - zero_point)`; float heads have scale 1 and zero point 0.
    """

    name: str
    dtype: HeadDtype
    layout: Layout
    width: int
    height: int
    stride: int
    anchors: tuple[tuple[float, float], ...]
    scale: float = 1.0
    zero_point: int = 0
