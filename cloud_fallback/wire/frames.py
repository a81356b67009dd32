"""Binary messages of `tallylens.v1`: a header of 24 bytes, then the encoded image. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from ...edge_runtime.errors import ProtocolError

VERSION = 1
FRAME = 1


class Codec(IntEnum):
    """How an image is encoded."""

    JPEG = 1
    WEBP = 2
    RAW = 3
    """BGR, 3 bytes per pixel, rows from top to bottom; for tests and very small images."""


class Flag(IntFlag):
    """Bits of the header; the others are 0."""

    NONE = 0
    REPEATED = 1
    """Sent before, on this or an earlier connection."""


_HEADER = struct.Struct("<BBBBIqIHH")
# Faster than to ask the enumerations, for every frame.
_CODECS = {int(one): one for one in Codec}
_FLAGS = {0: Flag.NONE, 1: Flag.REPEATED}
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class FrameHeader:
    """The fields in front of an encoded image.

    Args:
        sequence: 1 to 2^32 - 1, rising; the same number is the same frame, whatever happens.
        capture_us: capture time, microseconds from any origin, rising.
        deadline_ms: an answer that leaves the server later than this after arrival is of no use.
        width, height: of the encoded image, pixels.
        codec: how it is encoded.
        flags: whether it was sent before.
    """

    sequence: int
    capture_us: int
    deadline_ms: int
    width: int
    height: int
    codec: Codec = Codec.JPEG
    flags: Flag = Flag.NONE


def encode_frame(header: FrameHeader, image: bytes) -> bytes:
    """The binary message of a header and an encoded image."""
    return (
        _HEADER.pack(
            VERSION,
            FRAME,
            header.codec,
            header.flags,
            header.sequence,
            header.capture_us,
            header.deadline_ms,
            header.width,
            header.height,
        )
        + image
    )


def decode_frame(message: bytes) -> tuple[FrameHeader, memoryview]:
    """Header and encoded image of a binary message; the image itself is not examined.

    Raises:
        ProtocolError: the header is invalid.
    """
    if len(message) < HEADER_BYTES:
        raise ProtocolError(f"a frame of {len(message)} bytes has no room for its header")
    version, kind, codec, flags, sequence, capture_us, deadline_ms, width, height = (
        _HEADER.unpack_from(message)
    )
    if (version, kind) != (VERSION, FRAME):
        raise ProtocolError(f"a binary message of version {version} and type {kind}")
    if codec not in _CODECS:
        raise ProtocolError(f"the codec is {codec}")
    if flags not in _FLAGS:
        raise ProtocolError(f"the flags are {flags:#x}")
    if not (sequence and width and height):
        raise ProtocolError("a sequence number, width or height of 0")
    header = FrameHeader(
        sequence, capture_us, deadline_ms, width, height, _CODECS[codec], _FLAGS[flags]
    )
    return header, memoryview(message)[HEADER_BYTES:]
