"""The data types that pass from stage to stage: frames, detections, tracks, regions, events.

Boxes are `xyxy`: float32 left, top, right, bottom in pixels of the source frame as it is shown
(after rotation), origin in the top left corner, y down. Times are capture times in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from .metadata import Layout

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
Image = npt.NDArray[np.uint8]

HeadDtype = Literal["float32", "uint8", "int8"]
HeadContent = Literal["logits", "scored_boxes", "class_boxes"]
YuvMatrix = Literal["BT.601", "BT.709"]
EventKind = Literal["confirmed", "crossed_in", "crossed_out", "entered", "left", "reclassified"]


@dataclass(frozen=True)
class Frame:
    """One frame of a source, with its capture time.

    Attributes:
        image: (height, width, 3) uint8 BGR.
        timestamp_ns: capture time in nanoseconds from any origin.
        index: number of the frame in its source, from 0.
        arrived_ns: arrival of a live frame by this machine's monotonic clock; else 0.
    """

    image: Image
    timestamp_ns: int
    index: int = 0
    arrived_ns: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, upright."""
        height, width = self.image.shape[:2]
        return width, height


@dataclass(frozen=True)
class YuvPlanes:
    """One YUV 4:2:0 image as a video decoder holds it, before rotation.

    Attributes:
        y: (height, width) uint8; rows may be padded, pixels of a row are adjacent.
        u, v: (half height, half width) uint8, rounded up, in the same form.
        to_bgr: converts the image to (height, width, 3) uint8 BGR, rotated upright.
        rotation: degrees clockwise that turn the image upright: 0, 90, 180 or 270.
        full_range: samples are 0..255, not 16..235.
        matrix: converts the samples to RGB.
    """

    y: Image
    u: Image
    v: Image
    to_bgr: Callable[[], Image]
    rotation: int = 0
    full_range: bool = False
    matrix: YuvMatrix = "BT.601"

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, upright."""
        height, width = self.y.shape
        return (height, width) if self.rotation in (90, 270) else (width, height)


class PlanarFrame(Frame):
    """A frame of a video decoder: BGR is computed when `image` is first used; see `Frame`.

    Attributes:
        planes: the image as it was decoded.
    """

    planes: YuvPlanes

    def __init__(self, planes: YuvPlanes, timestamp_ns: int, index: int = 0) -> None:
        vars(self).update(planes=planes, timestamp_ns=timestamp_ns, index=index, arrived_ns=0)

    @cached_property
    def image(self) -> Image:
        """(height, width, 3) uint8 BGR."""
        return self.planes.to_bgr()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, upright."""
        return self.planes.size


@dataclass(frozen=True)
class FrameTime:
    """A frame without an image, of a source that gives detections only; see `Frame`."""

    timestamp_ns: int
    index: int = 0
    image: None = None


@dataclass(frozen=True)
class Detections:
    """The objects that were detected in one frame.

    Attributes:
        xyxy: (n, 4) float32 boxes.
        confidence: (n,) float32 in 0..1.
        class_id: (n,) int32.
    """

    xyxy: FloatArray
    confidence: FloatArray
    class_id: IntArray

    def __len__(self) -> int:
        return len(self.confidence)

    @classmethod
    def empty(cls) -> Self:
        """No detections."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True)
class Tracks(Detections):
    """The confirmed tracks of one frame.

    Attributes:
        class_id: (n,) int32, by confidence-weighted majority vote over the track so far.
        track_id: (n,) int64, the same for an object from frame to frame.
    """

    track_id: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True)
class Event:
    """A change of a total.

    Attributes:
        kind: what happened.
        timestamp_ns: capture time of the frame.
        track_id: the object.
        class_id: its class.
        previous_class_id: its class before, for `reclassified`; else -1.
        `place`: index of the line or zone; -1 for events without one.
        x, y: anchor point of the object in pixels.
        confidence: of the detection, 0..1.
        age_s: time since the track's first detection.
        dwell_s: dwell time of the visit, for `left`.
        class_name: name of `class_id`; empty in events that the core gives directly.
        region: name of the line or zone; empty for events without one.
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
    class_name: str = ""
    region: str = ""


@dataclass(frozen=True)
class HeadSpec:
    """The layout of one raw head output (logits) of a model.

    `width` and `height` are in cells of `stride` input pixels, `anchors` are (width, height) in
    input pixels. The array is (1, channels, height, width) for NCHW and (1, height, width,
    channels) for NHWC. Channels are len(anchors) * (5 + classes); with `reg_max` above 0 the head
    has no anchors and 4 * reg_max + classes channels, see `ModelMetadata`. A logit is
    `scale * (value - zero_point)`; float heads have scale 1 and zero point 0.

    With another `content` than logits the model has decoded its boxes itself: `width` is their
    number, `height` 1, `stride` and `anchors` say nothing. The channels are center x, center y,
    width, height in `units` (input pixels per 1 in x and in y), with `scored_boxes` objectness,
    then classes, then `extra_channels` that are not read. The array is (1, boxes, channels) for
    NHWC and (1, channels, boxes) for NCHW.
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
    reg_max: int = 0
    content: HeadContent = "logits"
    extra_channels: int = 0
    units: tuple[float, float] = (1.0, 1.0)
