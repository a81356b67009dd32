"""Camera frame to engine input: rotate, scale and letterbox."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..types import Image, YuvPlanes
from .native import DTYPES, LAYOUTS, Handle, address, ffi, lib, struct

PixelFormat = Literal["BGR", "RGB", "BGRA", "RGBA", "NV12", "NV21", "I420"]
Letterbox = Any
"""The core's `tally_letterbox` struct: how source pixels map to input pixels."""
_CHANNELS: dict[str, int] = {"BGR": 3, "RGB": 3, "BGRA": 4, "RGBA": 4}


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
    ) -> Letterbox:
        """Fill `target` with `image`.

        Args:
            image: uint8; (height, width, channels) for packed formats, the rows of Y followed by
                those of the chroma, (height * 3 / 2, width), for NV12, NV21 and I420. Planes of
                their own bring format and rotation with them.
            target: C-contiguous uint8, int8 or float32, (1, h, w, 3) or (1, 3, h, w); written.
            layout: of `target`.
            pixel_format: of `image`.
            rotation: degrees clockwise that turn the frame upright.

        Returns:
            The letterbox that the decoder needs to map boxes back; valid until the next call.

        Raises:
            UsageError: `image` is not a frame of that format.
            CoreError: sizes that are out of the core's bounds.
        """
        if isinstance(image, YuvPlanes):
            source = _planes(image)
        else:
            image = _readable(image, pixel_format)  # held until the core has read it
            source = _image(image, pixel_format, rotation)
        height, width = target.shape[1:3] if layout == "NHWC" else target.shape[2:4]
        tensor = struct(
            "tensor",
            dtype=DTYPES[target.dtype],
            layout=LAYOUTS[layout],
            width=width,
            height=height,
            data=address(target),
            bytes=target.nbytes,
        )
        self._handle.call(lib.tally_preprocessor_run, source, tensor, self._letterbox)
        return self._letterbox


def _readable(image: Image, pixel_format: PixelFormat) -> Image:
    """`image`, copied where its memory is not rows from top to bottom of adjacent pixels."""
    channels = _CHANNELS.get(pixel_format)
    if channels:
        fits = image.ndim == 3 and image.shape[2] == channels
    else:
        fits = image.ndim == 2 and image.shape[0] % 3 == 0 and image.shape[1] % 2 == 0
    if not fits or image.dtype != np.uint8 or not image.size:
        raise UsageError(
            f"a {image.dtype} array of shape {image.shape} is not a {pixel_format} frame",
            "Give uint8 of (height, width, channels), or (height * 3 / 2, width) for NV12, NV21 "
            "and I420",
        )
    row_bytes = image[0].size
    adjacent = image[0].flags.c_contiguous and image.strides[0] >= row_bytes
    # The halved rows of I420 lie two by two in a row of the array: no single stride has padding.
    if not adjacent or (pixel_format == "I420" and image.strides[0] != row_bytes):
        contiguous: Image = image.copy(order="C")
        return contiguous
    return image


def _planes(image: YuvPlanes) -> Any:
    height, width = image.y.shape
    planes = image.y, image.u, image.v
    return struct(
        "image",
        format=lib.TALLY_I420,
        width=width,
        height=height,
        rotation=image.rotation,
        strides=[plane.strides[0] for plane in planes],
        planes=[ffi.cast("uint8_t *", plane.ctypes.data) for plane in planes],
        plane_bytes=[(len(plane) - 1) * plane.strides[0] + plane.shape[1] for plane in planes],
    )


def _image(image: Image, pixel_format: PixelFormat, rotation: int) -> Any:
    height, width = image.shape[:2]
    stride, base = image.strides[0], image.ctypes.data
    first = (height - 1) * stride + image.shape[-1] * (1 if image.ndim == 2 else width)
    planes = [(base, first, stride)]
    if image.ndim == 2:  # planar YUV: chroma rows follow the luma rows
        height = height * 2 // 3
        luma, half = height * stride, (height + 1) // 2
        if pixel_format == "I420":
            quarter = half * (stride // 2)
            planes = [
                (base, luma, stride),
                (base + luma, quarter, stride // 2),
                (base + luma + quarter, quarter, stride // 2),
            ]
        else:
            planes = [(base, luma, stride), (base + luma, half * stride, stride)]
    return struct(
        "image",
        format=getattr(lib, f"TALLY_{pixel_format}"),
        width=width,
        height=height,
        rotation=rotation,
        strides=[stride for _, _, stride in planes],
        planes=[ffi.cast("uint8_t *", address) for address, _, _ in planes],
        plane_bytes=[size for _, size, _ in planes],
    )
