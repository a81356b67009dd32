"""Camera frame to engine input: rotate, scale and letterbox."""

from __future__ import annotations

from typing import Any, Literal

import numpy.typing as npt

from ..types import Image, YuvMatrix, YuvPlanes
from .images import PixelFormat as PixelFormat
from .images import image_struct, planes_struct, readable, readable_planes, tensor_struct
from .native import Handle, ffi, lib

Letterbox = Any
"""The core's `tally_letterbox` struct: how source pixels map to input pixels."""


class Preprocessor:
    """Rotates, scales and centers frames on gray 114, straight into an engine's input."""

    def __init__(self) -> None:
        self._handle = Handle("preprocessor")
        self._letterbox = ffi.new("tally_letterbox *")

    def run(
        self,
        image: Image | YuvPlanes,
        target: npt.NDArray[Any],
        *,
        layout: Literal["NHWC", "NCHW"],
        pixel_format: PixelFormat = "BGR",
        rotation: int = 0,
        full_range: bool = False,
        matrix: YuvMatrix = "BT.601",
    ) -> Letterbox:
        """Fill `target` with `image`.

        Args:
            image: uint8; (height, width, channels) for packed formats, the rows of Y followed by
                those of the chroma, (height * 3 / 2, width), for NV12, NV21 and I420. Planes of
                their own bring format, rotation, range and matrix with them.
            target: uint8, int8 or float32, (1, h, w, 3) or (1, 3, h, w), or uint8 (1, h, w, 4) for
                BGRA with alpha 255; C-contiguous, with `NHWC` its rows may be padded; written.
            layout: of `target`.
            pixel_format: of `image`.
            rotation: degrees clockwise that turn the frame upright.
            full_range: YUV samples are 0..255, not 16..235.
            matrix: converts YUV samples to RGB.

        Returns:
            The letterbox that the decoder needs to map boxes back; valid until the next call.

        Raises:
            UsageError: `image` is not a frame of that format.
            CoreError: sizes that are out of the core's bounds.
        """
        # Copies of the frame live until the core has returned.
        held: Any
        if isinstance(image, YuvPlanes):
            held = readable_planes(image)
            source = planes_struct(image, held)
        else:
            held = readable(image, pixel_format)
            source = image_struct(held, pixel_format, rotation, full_range, matrix)
        tensor = tensor_struct(target, layout)
        self._handle.call(lib.tally_preprocessor_run, source, tensor, self._letterbox)
        return self._letterbox
