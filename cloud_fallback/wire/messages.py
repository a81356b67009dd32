"""The control messages of `tallylens.v1`, and their JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Mode = Literal["detect", "count"]
Reason = Literal[
    "late", "too_big", "undecodable", "over_quota", "no_credit", "forgotten", "busy", "failed"
]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True)
class Place:
    """A counting line (two corners) or zone (three or more), in fractions of width and height."""

    kind: Literal["line", "zone"]
    points: tuple[tuple[float, float], ...]
    name: str = ""


@dataclass(frozen=True)
class Hello:
    """The client's first message. `session` and `resume` are those of an earlier welcome."""

    mode: Mode = "detect"
    session: str = ""
    resume: str = ""
    places: tuple[Place, ...] = ()
    any_class: bool = False


@dataclass(frozen=True)
class Limits:
    """What one frame and one key may ask for."""

    frame_bytes: int
    pixels: int
    frames_per_second: int
    frames_per_day: int


@dataclass(frozen=True)
class Welcome:
    """The server's first message.

    Args:
        resumed: the session asked for lives on; otherwise this is a new one, which knows nothing.
        ack: frames up to this number need not be sent again.
        credits: how many frames may be unanswered at a time.
        input_size: (height, width) of the model; larger pictures gain nothing.
        digest: SHA-256 of the model's file, hexadecimal.
    """

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


@dataclass(frozen=True)
class Result:
    """An answer. `detections`: (x1, y1, x2, y2, confidence, class id), pixels of the picture sent.

    `ack`: every frame up to this number has been answered. `queue_ms` and `work_ms`: waiting for
    the model, and everything else between arrival and this message.
    """

    sequence: int
    ack: int
    credits: int
    detections: tuple[tuple[float, float, float, float, float, int], ...] = ()
    queue_ms: float = 0.0
    work_ms: float = 0.0


@dataclass(frozen=True)
class Reject:
    """A frame that will not be answered, and why; it counts as acknowledged."""

    sequence: int
    ack: int
    credits: int
    reason: Reason
    retry_after_ms: int = 0


@dataclass(frozen=True)
class Drain:
    """The server goes away soon: send nothing new, answers still come, then close 1012."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Bye:
    """The client has sent its last frame."""


@dataclass(frozen=True)
class Summary:
    """The last message of a session. `counts` is what the server counted, in mode `count`."""

    frames: int
    answered: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)


Control = Hello | Welcome | Result | Reject | Drain | Bye | Summary


def encode(message: Control) -> str:
    """The JSON text of a control message; fields at their default are left out."""
    kind = type(message)
    document: dict[str, Any] = {"type": kind.__name__.lower()}
    for name, spec in kind.__dataclass_fields__.items():
        value = getattr(message, name)
        if value != spec.default and value != {}:
            document[name] = _plain(value)
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return _plain_object(value) if isinstance(value, (Limits, Place)) else value


def _plain_object(value: Limits | Place) -> dict[str, Any]:
    return {name: _plain(one) for name, one in vars(value).items()}
