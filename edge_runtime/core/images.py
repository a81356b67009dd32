"""Frames and engine inputs as the core's structs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..types import Image, YuvMatrix, YuvPlanes
from .native import DTYPES, LAYOUTS, address, ffi, lib, struct

PixelFormat = Literal["BGR", "RGB", "BGRA", "RGBA", "NV12", "NV21", "I420"]
_CHANNELS: dict[str, int] = {"BGR": 3, "RGB": 3, "BGRA": 4, "RGBA": 4}
_MATRICES = {"BT.601": lib.TALLY_BT601, "BT.709": lib.TALLY_BT709}
_MAX_CHROMA_STEP = 16


def readable(image: Image, pixel_format: PixelFormat) -> Image:
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


def readable_planes(image: YuvPlanes) -> tuple[Image, Image, Image]:
    """The planes of `image`; copied where their memory is not as the core reads it."""
    height, width = image.y.shape
    half = (height + 1) // 2, (width + 1) // 2
    planes = image.y, image.u, image.v
    if any(plane.dtype != np.uint8 for plane in planes) or {image.u.shape, image.v.shape} != {half}:
        raise UsageError(
            f"planes of shapes {', '.join(str(plane.shape) for plane in planes)} are not an image",
            f"Give uint8, U and V of shape {half}",
        )
    step = image.u.strides[1]
    alike = step == image.v.strides[1] and 1 <= step <= _MAX_CHROMA_STEP
    if not alike or not (_has_rows(image.u, step) and _has_rows(image.v, step)):
        planes = image.y, image.u.copy(order="C"), image.v.copy(order="C")
    if not _has_rows(image.y, 1):
        planes = image.y.copy(order="C"), *planes[1:]
    return planes


def _has_rows(plane: Image, step: int) -> bool:
    """Whether samples are `step` bytes apart in rows that do not overlap."""
    row_bytes = (plane.shape[1] - 1) * step + 1
    return plane.strides[1] == step and plane.strides[0] >= row_bytes


def planes_struct(image: YuvPlanes, planes: tuple[Image, Image, Image]) -> Any:
    """The `tally_image` of readable planes, which must outlive it."""
    height, width = image.y.shape
    return struct(
        "image",
        format=lib.TALLY_I420,
        width=width,
        height=height,
        rotation=image.rotation,
        strides=[plane.strides[0] for plane in planes],
        planes=[ffi.cast("uint8_t *", plane.ctypes.data) for plane in planes],
        plane_bytes=[
            (len(plane) - 1) * plane.strides[0] + (plane.shape[1] - 1) * plane.strides[1] + 1
            for plane in planes
        ],
        chroma_step=planes[1].strides[1],
        yuv_range=int(image.full_range),
        yuv_matrix=_MATRICES[image.matrix],
    )


def tensor_struct(target: npt.NDArray[Any], layout: Literal["NHWC", "NCHW"]) -> Any:
    """The `tally_tensor` of an engine's input, which must outlive it."""
    height, width = target.shape[1:3] if layout == "NHWC" else target.shape[2:4]
    rows = target[0] if layout == "NHWC" else target[0, 0]
    padded = (
        layout == "NHWC"
        and rows[0].flags.c_contiguous
        and rows.strides[0] > rows[0].nbytes
        and target.flags.writeable
    )
    if padded:
        row_bytes, data = rows.strides[0], ffi.cast("void *", target.ctypes.data)
        size = (height - 1) * row_bytes + rows[0].nbytes
    else:
        row_bytes, data, size = 0, address(target), target.nbytes
    alpha = layout == "NHWC" and target.shape[3] == 4
    return struct(
        "tensor",
        dtype=DTYPES[target.dtype],
        layout=LAYOUTS[layout],
        width=width,
        height=height,
        data=data,
        bytes=size,
        row_bytes=row_bytes,
        channels=lib.TALLY_CHANNELS_BGRA if alpha else lib.TALLY_CHANNELS_RGB,
    )


def image_struct(
    image: Image, pixel_format: PixelFormat, rotation: int, full_range: bool, matrix: YuvMatrix
) -> Any:
    """The `tally_image` of a readable `image`, which must outlive it."""
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
        yuv_range=int(full_range),
        yuv_matrix=_MATRICES[matrix],
        strides=[stride for _, _, stride in planes],
        planes=[ffi.cast("uint8_t *", address) for address, _, _ in planes],
        plane_bytes=[size for _, size, _ in planes],
    )
