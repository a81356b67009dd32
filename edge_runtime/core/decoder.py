"""Raw head outputs to detections: threshold, box decoding and NMS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..metadata import BOX_SIDES, YOLOV5_BOX_CHANNELS
from ..types import Detections, HeadSpec
from .native import CONTENTS, DETECTION, DTYPES, LAYOUTS, Handle, address, default, ffi, lib
from .native import options as core_options
from .preprocessor import Letterbox


@dataclass(frozen=True)
class DecoderOptions:
    """Thresholds of decoding and NMS; the core's defaults, each explained in tally.h.

    `cross_class_iou` is the NMS limit for boxes of two different classes: 1 keeps both (per-class
    NMS), `iou` makes NMS class-agnostic. The default, 0.7, drops the second name that a detector
    gives one object and keeps the rider on the bicycle.
    """

    confidence: float = default("decoder", "confidence")
    iou: float = default("decoder", "iou")
    cross_class_iou: float = default("decoder", "cross_class_iou")
    multi_label: bool = bool(default("decoder", "multi_label"))
    max_candidates: int = default("decoder", "max_candidates")
    max_detections: int = default("decoder", "max_detections")


class Decoder:
    """Turns the raw head outputs of one model into detections."""

    def __init__(
        self, heads: Sequence[HeadSpec], num_classes: int, options: DecoderOptions | None = None
    ) -> None:
        thresholds = options or DecoderOptions()
        self._handle = Handle(
            "decoder", core_options("decoder", num_classes=num_classes, **vars(thresholds))
        )
        self._num_classes = num_classes
        self._heads = ffi.new("tally_head[]", len(heads))
        self._anchors = [
            ffi.new("float[]", [side for anchor in head.anchors for side in anchor])
            for head in heads
        ]
        for slot, head, anchors in zip(self._heads, heads, self._anchors, strict=True):
            slot.struct_size = ffi.sizeof("tally_head")
            slot.layout = LAYOUTS[head.layout]
            slot.width, slot.height, slot.stride = head.width, head.height, head.stride
            slot.scale, slot.zero_point = head.scale, head.zero_point
            slot.anchors, slot.num_anchors = anchors, len(head.anchors)
            slot.reg_max = head.reg_max
            slot.decoded, slot.extra_channels = CONTENTS[head.content], head.extra_channels
            slot.unit_x, slot.unit_y = head.units
        self._found = np.empty(thresholds.max_detections, DETECTION)
        self._count = ffi.new("int32_t *")

    def _channels(self, head: Any) -> int:
        if head.reg_max:
            return int(BOX_SIDES * head.reg_max + self._num_classes)
        return int(head.num_anchors * (YOLOV5_BOX_CHANNELS + self._num_classes))

    def run(self, raw: Sequence[npt.NDArray[Any]], letterbox: Letterbox) -> Detections:
        """Decode one frame.

        Args:
            raw: one array per head, uint8, int8, float16 or float32, in the order of the heads;
                C-contiguous, or (1, h, w, channels) or (1, channels, h, w) with gaps between rows,
                cells or channels, as engines pad their outputs. Boxes that the model decoded are
                (1, boxes, channels) or (1, channels, boxes), C-contiguous.
            letterbox: what the preprocessor returned for this frame.

        Returns:
            Detections in source pixels, most confident first.

        Raises:
            UsageError: an array with gaps has another shape than its head.
            CoreError: sizes that are not those of the heads.
        """
        for slot, array in zip(self._heads, raw, strict=True):
            slot.dtype = DTYPES[array.dtype]
            _point(slot, array, self._channels(slot))
        self._handle.call(
            lib.tally_decoder_run,
            self._heads,
            len(self._heads),
            letterbox,
            ffi.cast("tally_detection *", self._found.ctypes.data),
            len(self._found),
            self._count,
        )
        found = self._found[: self._count[0]].copy()
        return Detections(found["xyxy"], found["confidence"], found["class_id"])


def _point(head: Any, array: npt.NDArray[Any], channels: int) -> None:
    """Let a `tally_head` read `array`, through its strides where it is not contiguous."""
    row = column = channel = 0
    # A stride of an axis of length 1 says nothing; 0 is the core's "by layout".
    steps = [
        stride // array.itemsize if length > 1 else 0
        for length, stride in zip(array.shape, array.strides, strict=True)
    ][1:]
    apart = all(
        step > 0 or length == 1 for length, step in zip(array.shape[1:], steps, strict=True)
    )
    if array.ndim == 4 and not array.flags.c_contiguous and apart:
        last_first = head.layout == lib.TALLY_NHWC
        cells = head.height, head.width
        shape = (1, *cells, channels) if last_first else (1, channels, *cells)
        if array.shape != shape:
            raise UsageError(f"a head has shape {array.shape}", f"Give {shape}")
        row, column, channel = steps if last_first else (*steps[1:], steps[0])
        last = sum((n - 1) * step for n, step in zip(shape[1:], steps, strict=True))
        head.data = ffi.cast("void *", array.ctypes.data)
        head.bytes = (last + 1) * array.itemsize
    else:
        head.data, head.bytes = address(array), array.nbytes
    head.row_stride, head.column_stride, head.channel_stride = row, column, channel
