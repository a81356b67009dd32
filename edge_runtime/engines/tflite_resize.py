"""Resizes the input of a .tflite detector: the same weights and scales, other shapes.

A convolutional detector takes any input in multiples of its stride. The interpreter carries new
shapes through the graph; only sizes that are constants have to be rewritten, which the core does
(`tally_model_resize` in tally.h).
"""

from __future__ import annotations

from ..core.native import check_status, ffi, lib
from ..metadata import ModelMetadata

Size = tuple[int, int]


def for_size(data: bytes, metadata: ModelMetadata, size: Size) -> bytes | None:
    """The model for another input size; None if it cannot have that.

    That is a size that is not a multiple of the stride, or see `resized`.
    """
    if not all(side > 0 and side % max(metadata.strides) == 0 for side in size):
        return None
    return resized(data, metadata.input_size, size)


def resized(data: bytes, old: Size, new: Size) -> bytes | None:
    """The model `data` of input size `old` for the input size `new`, both (height, width).

    None if an operator may depend on the input size. The input tensor keeps its old shape: set
    the new one in the interpreter.
    """
    changed = bytearray(data)
    status = lib.tally_model_resize(
        ffi.from_buffer("uint8_t[]", changed), len(changed), old[1], old[0], new[1], new[0]
    )
    if status == lib.TALLY_UNSUPPORTED_MODEL:
        return None
    check_status(status)
    return bytes(changed)
