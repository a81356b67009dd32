"""Untrusted encoded images to pixels: bounded before any decoder sees them."""

from __future__ import annotations

import numpy as np

from ...edge_runtime.sources.image_header import image_size
from ...edge_runtime.types import Image
from ..wire.frames import HEADER_BYTES, Codec, FrameHeader

# A JPEG of few bytes may ask for thousands of passes over millions of pixels: as many as a camera's
# largest progressive images have, and fewer over very large ones.
MAX_SCANS = 64
MAX_SCANNED_PIXELS = 1 << 27
_SCAN = b"\xff\xda"
_START = {Codec.JPEG: b"\xff\xd8\xff", Codec.WEBP: b"RIFF"}


def decode_message(header: FrameHeader, message: bytes, max_pixels: int) -> Image | None:
    """The image behind the header of a binary message, as of `decode_image`."""
    return decode_image(header, message[HEADER_BYTES:], max_pixels)


def decode_image(header: FrameHeader, content: bytes, max_pixels: int) -> Image | None:
    """(height, width, 3) uint8 BGR as the frame header says; None for anything else.

    The size in the image's own header must be the frame header's before it is decoded.
    """
    height, width = header.height, header.width
    if height * width > max_pixels:
        return None
    if header.codec is Codec.RAW:
        if len(content) != height * width * 3:
            return None
        return np.frombuffer(content, np.uint8).reshape(height, width, 3)
    if not content.startswith(_START[header.codec]) or image_size(content) != (height, width):
        return None
    scans = content.count(_SCAN)
    if scans > MAX_SCANS or scans * height * width > MAX_SCANNED_PIXELS:
        return None
    image = _decode(content)
    return image if image is not None and image.shape == (height, width, 3) else None


def _decode(content: bytes) -> Image | None:
    import cv2

    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)
