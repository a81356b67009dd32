"""Raw heads to detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Detections, HeadSpec
from .native import DETECTION, DTYPES, LAYOUTS, Handle, address, ffi, lib
from .preprocessor import Letterbox


@dataclass(frozen=True)
class DecoderOptions:
    """Thresholds of decoding and NMS.

    `cross_class_iou` is the NMS limit for boxes of two different classes: 1 keeps both (per-class
    NMS), `iou` makes NMS class-agnostic. The default, 0.7, drops the second name that a detector
    gives one object and keeps the rider on the bicycle.
    """

    confidence: float = 0.1
    iou: float = 0.45
    cross_class_iou: float = 0.7
    multi_label: bool = False
    max_candidates: int = 30_000
    max_detections: int = 300


class Decoder:
    """Turns the raw heads of one model into detections."""

    def __init__(
        self, heads: Sequence[HeadSpec], num_classes: int, options: DecoderOptions | None = None
    ) -> None:
        options = options or DecoderOptions()
        self._handle = Handle(
            "decoder",
            ffi.new("tally_decoder_options *", {"num_classes": num_classes, **vars(options)}),
        )
        self._heads = ffi.new("tally_head[]", len(heads))
        self._anchors = [
            ffi.new("float[]", [side for anchor in head.anchors for side in anchor])
            for head in heads
        ]
        for slot, head, anchors in zip(self._heads, heads, self._anchors, strict=True):
            slot.layout = LAYOUTS[head.layout]
            slot.width, slot.height, slot.stride = head.width, head.height, head.stride
            slot.scale, slot.zero_point = head.scale, head.zero_point
            slot.anchors, slot.num_anchors = anchors, len(head.anchors)
        self._found = np.empty(options.max_detections, DETECTION)
        self._count = ffi.new("int32_t *")

    def run(self, raw: Sequence[npt.NDArray[Any]], letterbox: Letterbox) -> Detections:
        """Decode one frame.

        Args:
            raw: one C-contiguous array a head, uint8, int8 or float32, in the order of the heads.
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
