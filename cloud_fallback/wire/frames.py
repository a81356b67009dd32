"""The wire of `tallylens.v1`: what both ends may say. No I/O; described in docs/protocol.md.

Frames are binary messages, a header of 24 bytes and a picture. Everything else is JSON text, one
object a message, told apart by `type`. Whatever arrives is bounded before it is parsed, and is a
message, or a ProtocolError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Literal, get_args

from ...edge_runtime.errors import ProtocolError
from .json_fields import Fields, number, read_object
from .messages import (
    REASONS,
    Bye,
    Drain,
    Hello,
    Limits,
    Mode,
    Place,
    Reject,
    Result,
    Summary,
    Welcome,
)

SUBPROTOCOL = "tallylens.v1"
PATH = "/v1/stream"
VERSION = 1
FRAME = 1
RESUME_SECONDS = 120
FIRST_MESSAGE_SECONDS = 10
MAX_CREDITS = 64
MAX_JUMP = 1 << 16
MAX_SEQUENCE = (1 << 32) - 1
MAX_CAPTURE_US = (1 << 62) // 1000
MAX_FRAME_BYTES = 4 << 20
MAX_CLIENT_TEXT = 16 << 10
MAX_SERVER_TEXT = 1 << 20
MAX_DETECTIONS = 1000
MAX_PLACES = 64
MAX_CLASSES = 10_000


class CloseCode(IntEnum):
    """Why a socket was closed; one meaning each. 1000, 1009, 1011 and 1012 are RFC 6455's."""

    NORMAL = 1000
    MESSAGE_TOO_BIG = 1009
    SERVER_FAULT = 1011
    RESTART = 1012
    PROTOCOL_ERROR = 4400
    UNAUTHORISED = 4401
    FORBIDDEN = 4403
    FIRST_MESSAGE_TIMEOUT = 4408
    DUPLICATE_SESSION = 4409
    NOT_READING = 4410
    TOO_MANY_REQUESTS = 4429


class Codec(IntEnum):
    """How a picture is packed."""

    JPEG = 1
    WEBP = 2
    RAW = 3
    """BGR, 3 bytes a pixel, rows from top to bottom; for tests and very small pictures."""


class Flag(IntFlag):
    """Bits of the header; the others are 0."""

    NONE = 0
    REPEATED = 1
    """Sent before, on this or an earlier connection."""


_HEADER = struct.Struct("<BBBBIqIHH")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class FrameHeader:
    """What stands before a picture.

    Args:
        sequence: 1 to 2^32 - 1, rising; the same number is the same frame, whatever happens.
        capture_us: when it was taken, microseconds from any origin, rising.
        deadline_ms: an answer that leaves the server later than this after arrival is of no use.
        width, height: of the picture as it is packed, pixels.
    """

    sequence: int
    capture_us: int
    deadline_ms: int
    width: int
    height: int
    codec: Codec = Codec.JPEG
    flags: Flag = Flag.NONE


def encode_frame(header: FrameHeader, picture: bytes) -> bytes:
    """A binary message."""
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
        + picture
    )


def decode_frame(message: bytes) -> tuple[FrameHeader, memoryview]:
    """Header and picture of a binary message.

    Raises:
        ProtocolError: no such header. What the picture is, is not looked at.
    """
    if len(message) < HEADER_BYTES:
        raise ProtocolError(f"a frame of {len(message)} bytes has no room for its header")
    version, kind, codec, flags, sequence, capture_us, deadline_ms, width, height = (
        _HEADER.unpack_from(message)
    )
    if (version, kind) != (VERSION, FRAME):
        raise ProtocolError(f"a binary message of version {version} and type {kind}")
    if codec not in set(Codec):
        raise ProtocolError(f"the codec is {codec}")
    if flags > Flag.REPEATED:
        raise ProtocolError(f"the flags are {flags:#x}")
    if not (sequence and width and height):
        raise ProtocolError("a sequence number, width or height of 0")
    header = FrameHeader(
        sequence, capture_us, deadline_ms, width, height, Codec(codec), Flag(flags)
    )
    return header, memoryview(message)[HEADER_BYTES:]


def decode_client(text: str) -> Hello | Bye:
    """What a client says.

    Raises:
        ProtocolError: too long, no JSON, or no such message.
    """
    kind, of = read_object(text, MAX_CLIENT_TEXT)
    if kind == "bye":
        return Bye()
    if kind != "hello":
        raise ProtocolError(f"a client does not say {kind!r:.40}")
    return Hello(
        mode=of.one_of("mode", get_args(Mode), "detect"),
        session=of.text("session", 64, ""),
        resume=of.text("resume", 128, ""),
        places=of.items("places", _place, MAX_PLACES),
        any_class=of.flag("any_class", False),
    )


def decode_server(text: str) -> Welcome | Result | Reject | Drain | Summary:
    """What a server says.

    Raises:
        ProtocolError: too long, no JSON, or no such message.
    """
    kind, of = read_object(text, MAX_SERVER_TEXT)
    reader = _SERVER_MESSAGES.get(kind)
    if reader is None:
        raise ProtocolError(f"a server does not say {kind!r:.40}")
    message: Welcome | Result | Reject | Drain | Summary = reader(of)
    return message


def _bad_item(what: str) -> Callable[[], ProtocolError]:
    return lambda: ProtocolError(f"{what} that is none")


def _place(value: Any) -> Place:
    if not isinstance(value, dict):
        raise ProtocolError("a place that is none")
    of = Fields(value, "a place")
    kind: Literal["line", "zone"] = of.one_of("kind", ("line", "zone"))
    points = of.items("points", _point, 256)
    if (len(points) != 2) if kind == "line" else (len(points) < 3):
        raise of.wrong("points")
    return Place(kind, points, of.text("name", 200, ""))


def _point(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ProtocolError("a point that is none")
    x, y = (number(one, _bad_item("a point")) for one in value)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ProtocolError("a point that is not in fractions of width and height")
    return x, y


def _detection(value: Any) -> tuple[float, float, float, float, float, int]:
    if not isinstance(value, list) or len(value) != 6:
        raise ProtocolError("a detection that is none")
    x1, y1, x2, y2, confidence, kind = (number(one, _bad_item("a detection")) for one in value)
    if not (0 <= confidence <= 1 and 0 <= kind < MAX_CLASSES and kind.is_integer()):
        raise ProtocolError("a detection that is none")
    return x1, y1, x2, y2, confidence, int(kind)


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ProtocolError("a class name that is none")
    return value


def _side(value: Any) -> int:
    return int(number(value, _bad_item("a size")))


def _welcome(of: Fields) -> Welcome:
    limits = Fields(of.object("limits"), "limits")
    size = of.items("input_size", _side, 2)
    if len(size) != 2 or min(size) < 1:
        raise of.wrong("input_size")
    return Welcome(
        session=of.text("session", 64),
        resume=of.text("resume", 128),
        resumed=of.flag("resumed"),
        ack=of.whole("ack", MAX_SEQUENCE),
        credits=of.whole("credits", MAX_CREDITS),
        limits=Limits(
            **{name: limits.whole(name, 1 << 62) for name in Limits.__dataclass_fields__}
        ),
        model=of.text("model", 200),
        input_size=(size[0], size[1]),
        classes=of.items("classes", _name, MAX_CLASSES),
        strides=of.items("strides", _side, 8),
        digest=of.text("digest", 64, ""),
    )


def _result(of: Fields) -> Result:
    return Result(
        sequence=of.whole("sequence", MAX_SEQUENCE),
        ack=of.whole("ack", MAX_SEQUENCE),
        credits=of.whole("credits", MAX_CREDITS),
        detections=of.items("detections", _detection, MAX_DETECTIONS),
        queue_ms=of.number("queue_ms", 0.0),
        work_ms=of.number("work_ms", 0.0),
    )


def _reject(of: Fields) -> Reject:
    return Reject(
        sequence=of.whole("sequence", MAX_SEQUENCE),
        ack=of.whole("ack", MAX_SEQUENCE),
        credits=of.whole("credits", MAX_CREDITS),
        reason=of.one_of("reason", REASONS),
        retry_after_ms=of.whole("retry_after_ms", 1 << 40, 0),
    )


def _summary(of: Fields) -> Summary:
    rejected = Fields(of.object("rejected"), "rejected")
    return Summary(
        frames=of.whole("frames", 1 << 62),
        answered=of.whole("answered", 1 << 62),
        rejected={reason: rejected.whole(reason, 1 << 62) for reason in rejected.document},
        counts=of.object("counts"),
    )


def _drain(of: Fields) -> Drain:
    return Drain(of.number("seconds", 0.0))


_SERVER_MESSAGES: Mapping[str, Callable[[Fields], Any]] = {
    "welcome": _welcome,
    "result": _result,
    "reject": _reject,
    "drain": _drain,
    "summary": _summary,
}
