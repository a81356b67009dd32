"""Raw head outputs to detections: threshold, box decoding and NMS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Detections, HeadSpec
from .native import DETECTION, DTYPES, LAYOUTS, Handle, address, default, ffi, lib
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
        self._found = np.empty(thresholds.max_detections, DETECTION)
        self._count = ffi.new("int32_t *")

    def run(self, raw: Sequence[npt.NDArray[Any]], letterbox: Letterbox) -> Detections:
        """Decode one frame.

        Args:
            raw: one C-contiguous array per head, uint8, int8 or float32, in the order of the heads.
            letterbox: what the preprocessor returned for this frame.

        Returns:
            Detections in source pixels, most confident first.
        """
        for slot, array in zip(self._heads, raw, strict=True):
            slot.data = address(array)
            slot.bytes = array.nbytes
            slot.dtype = DTYPES[array.dtype]
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
