"""Images of a client as binary messages of the protocol."""

from __future__ import annotations

from typing import Any

import cv2

from tallylens.cloud_fallback.wire.frames import Codec, FrameHeader, encode_frame
from tallylens.edge_runtime.types import Image


def jpeg(image: Image, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def frame_message(
    sequence: int,
    image: Image,
    *,
    content: bytes | None = None,
    codec: Codec = Codec.JPEG,
    deadline_ms: int = 30_000,
    **header: Any,
) -> bytes:
    """Frame `sequence` with `image`, or with other `content`, and fields of the header."""
    height, width = image.shape[:2]
    fields = {"capture_us": sequence * 100_000, "width": width, "height": height} | header
    made = FrameHeader(sequence, deadline_ms=deadline_ms, codec=codec, **fields)
    return encode_frame(made, jpeg(image) if content is None else content)
