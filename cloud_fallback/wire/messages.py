"""The control messages of `tallylens.v1`: each with its JSON form, both ways. No I/O.

A message is one JSON object, told apart by `type`. Whatever arrives is bounded before it is parsed,
and is a message, or a ProtocolError. docs/protocol.md describes every field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Self, get_args

from ...edge_runtime.errors import ProtocolError
from .constants import MAX_CLIENT_TEXT, MAX_CREDITS, MAX_SEQUENCE, MAX_SERVER_TEXT
from .json_fields import Fields, is_text, number, read_object
from .regions import MAX_REGIONS, Region, decode_region, encode_region

Mode = Literal["detect", "count"]
Reason = Literal[
    "late", "too_big", "undecodable", "over_quota", "no_credit", "forgotten", "busy", "failed"
]
REASONS: tuple[Reason, ...] = get_args(Reason)
DetectionRow = tuple[float, float, float, float, float, int]
MAX_DETECTIONS = 1000
MAX_CLASSES = 10_000
_MAX_TOTAL = 1 << 62


class _Message:
    """Base of all messages: fields at their default are omitted from the JSON object."""

    type: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """The fields of the JSON object that are not at their default."""
        document = {}
        for name, spec in self.__dataclass_fields__.items():
            value = getattr(self, name)
            if value != spec.default and value != {}:
                document[name] = value
        return document


@dataclass(frozen=True)
class Hello(_Message):
    """The client's first message.

    Args:
        mode: whether the server also counts.
        session, resume: those of an earlier welcome, to resume its session.
        regions: what mode `count` counts at; `places` in JSON.
        any_class: count every detection as one class.
    """

    type = "hello"
    mode: Mode = "detect"
    session: str = ""
    resume: str = ""
    regions: tuple[Region, ...] = ()
    any_class: bool = False

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        names = {"regions": "places"}
        document = {names.get(name, name): one for name, one in super().document().items()}
        if self.regions:
            document["places"] = [encode_region(region) for region in self.regions]
        return document

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The message of these JSON fields."""
        return cls(
            mode=of.one_of("mode", get_args(Mode), "detect"),
            session=of.text("session", 64, ""),
            resume=of.text("resume", 128, ""),
            regions=of.items("places", decode_region, MAX_REGIONS),
            any_class=of.flag("any_class", False),
        )


@dataclass(frozen=True)
class Bye(_Message):
    """The client has sent its last frame."""

    type = "bye"

    @classmethod
    def read(cls, _: Fields) -> Self:
        """The message of these JSON fields."""
        return cls()


@dataclass(frozen=True)
class Limits:
    """Maximum size of one frame (bytes, pixels), and what one key may send."""

    frame_bytes: int
    pixels: int
    frames_per_second: int
    frames_per_day: int

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The limits of these JSON fields."""
        return cls(**{spec.name: of.whole(spec.name, _MAX_TOTAL) for spec in fields(cls)})


@dataclass(frozen=True)
class Welcome(_Message):
    """The server's first message.

    Args:
        session, resume: what resumes this session after a lost connection.
        resumed: the session asked for exists; otherwise this is a new one, which knows nothing.
        ack: frames up to this number need not be sent again.
        credits: maximum number of frames without an answer.
        limits: what the server accepts.
        model: file name of the model.
        input_size: (height, width) of the model; larger images gain nothing.
        classes, strides: of the model.
        digest: SHA-256 of the model's file, hexadecimal.
    """

    type = "welcome"
    session: str
    resume: str
    resumed: bool
    ack: int
    credits: int
    limits: Limits
    model: str
    input_size: tuple[int, int]
    classes: tuple[str, ...]
    strides: tuple[int, ...]
    digest: str = ""

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        return super().document() | {"limits": vars(self.limits)}

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The message of these JSON fields."""
        size = of.items("input_size", _side, 2)
        if len(size) != 2 or min(size) < 1:
            raise of.invalid("input_size")
        return cls(
            session=of.text("session", 64),
            resume=of.text("resume", 128),
            resumed=of.flag("resumed"),
            ack=of.whole("ack", MAX_SEQUENCE),
            credits=of.whole("credits", MAX_CREDITS),
            limits=Limits.read(Fields(of.object("limits"), "limits")),
            model=of.text("model", 200),
            input_size=(size[0], size[1]),
            classes=of.items("classes", _class_name, MAX_CLASSES),
            strides=of.items("strides", _side, 8),
            digest=of.text("digest", 64, ""),
        )


@dataclass(frozen=True)
class Result(_Message):
    """The detections of one frame.

    Args:
        sequence: of the frame.
        ack: every frame up to this number has been answered.
        credits: maximum number of frames without an answer, from now on.
        detections: (x1, y1, x2, y2, confidence, class id), pixels of the image as it was sent.
        queue_ms: time that the frame waited for the model.
        work_ms: the rest of the time from arrival to this message.
    """

    type = "result"
    sequence: int
    ack: int
    credits: int
    detections: tuple[DetectionRow, ...] = ()
    queue_ms: float = 0.0
    work_ms: float = 0.0

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The message of these JSON fields."""
        return cls(
            sequence=of.whole("sequence", MAX_SEQUENCE),
            ack=of.whole("ack", MAX_SEQUENCE),
            credits=of.whole("credits", MAX_CREDITS),
            detections=of.items("detections", _detection, MAX_DETECTIONS),
            queue_ms=of.number("queue_ms", 0.0),
            work_ms=of.number("work_ms", 0.0),
        )


@dataclass(frozen=True)
class Reject(_Message):
    """A frame that will not be answered, and why; it counts as acknowledged."""

    type = "reject"
    sequence: int
    ack: int
    credits: int
    reason: Reason
    retry_after_ms: int = 0

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The message of these JSON fields."""
        return cls(
            sequence=of.whole("sequence", MAX_SEQUENCE),
            ack=of.whole("ack", MAX_SEQUENCE),
            credits=of.whole("credits", MAX_CREDITS),
            reason=of.one_of("reason", REASONS),
            retry_after_ms=of.whole("retry_after_ms", 1 << 40, 0),
        )


@dataclass(frozen=True)
class Drain(_Message):
    """The server restarts soon: send nothing new; answers still come, then close code 1012."""

    type = "drain"
    seconds: float = 0.0

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The message of these JSON fields."""
        return cls(of.number("seconds", 0.0))


@dataclass(frozen=True)
class Summary(_Message):
    """The last message of a session. `counts` is what the server counted, in mode `count`."""

    type = "summary"
    frames: int
    answered: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, of: Fields) -> Self:
        """The message of these JSON fields."""
        rejected = Fields(of.object("rejected"), "rejected")
        return cls(
            frames=of.whole("frames", _MAX_TOTAL),
            answered=of.whole("answered", _MAX_TOTAL),
            rejected={name: rejected.whole(name, _MAX_TOTAL) for name in rejected.document},
            counts=of.object("counts"),
        )


ClientMessage = Hello | Bye
ServerMessage = Welcome | Result | Reject | Drain | Summary
Control = ClientMessage | ServerMessage
_CLIENT: Mapping[str, type[ClientMessage]] = {one.type: one for one in (Hello, Bye)}
_SERVER: Mapping[str, type[ServerMessage]] = {
    one.type: one for one in (Welcome, Result, Reject, Drain, Summary)
}


def encode(message: Control) -> str:
    """The JSON text of a control message."""
    document = {"type": message.type, **message.document()}
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def decode_client(text: str) -> ClientMessage:
    """The message of a client.

    Raises:
        ProtocolError: too long, not JSON, or not a message of a client.
    """
    kind, of = read_object(text, MAX_CLIENT_TEXT)
    if kind not in _CLIENT:
        raise ProtocolError(f"unknown client message {kind!r:.40}")
    return _CLIENT[kind].read(of)


def decode_server(text: str) -> ServerMessage:
    """The message of a server.

    Raises:
        ProtocolError: too long, not JSON, or not a message of a server.
    """
    kind, of = read_object(text, MAX_SERVER_TEXT)
    if kind not in _SERVER:
        raise ProtocolError(f"unknown server message {kind!r:.40}")
    return _SERVER[kind].read(of)


def _detection(value: Any) -> DetectionRow:
    if not isinstance(value, list) or len(value) != 6:
        raise ProtocolError("invalid detection")
    x1, y1, x2, y2, confidence, kind = (
        number(one, lambda: ProtocolError("invalid detection")) for one in value
    )
    if not (0 <= confidence <= 1 and 0 <= kind < MAX_CLASSES and kind.is_integer()):
        raise ProtocolError("invalid detection")
    return x1, y1, x2, y2, confidence, int(kind)


def _class_name(value: Any) -> str:
    if not is_text(value, 200):
        raise ProtocolError("invalid class name")
    return str(value)


def _side(value: Any) -> int:
    return int(number(value, lambda: ProtocolError("invalid size")))
