"""Facts of the training that a checkpoint leaves beside the model: input size, epochs, date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .values import Record

MAX_SIDE = 8192
MAX_EPOCHS = 1_000_000
MAX_DATE = 40


@dataclass(frozen=True)
class Training:
    """Facts of the training; None where the file does not say.

    `input_side`: side of the square input in pixels. `epochs`: planned. `date`: of the last save.
    """

    input_side: int | None = None
    epochs: int | None = None
    date: str | None = None


def read_training(document: Any) -> Training:
    """The facts in a checkpoint's document; what is missing or odd is left out."""
    if type(document) is not dict:
        return Training()
    options = _options(document.get("train_args")) or _options(document.get("opt"))
    side = options.get("imgsz", options.get("img_size"))
    if type(side) is list and side:
        side = side[0]
    date = document.get("date")
    return Training(
        input_side=_whole(side, 32, MAX_SIDE),
        epochs=_whole(options.get("epochs"), 1, MAX_EPOCHS),
        date=date if type(date) is str and len(date) <= MAX_DATE and date.isprintable() else None,
    )


def input_size(training: Training, stride: int) -> tuple[int, int] | None:
    """The square that training used, in multiples of `stride`, or None."""
    if training.input_side is None:
        return None
    side = -(-training.input_side // stride) * stride
    return (side, side)


def _options(value: object) -> dict[Any, Any]:
    if type(value) is Record:
        return value.state
    return value if type(value) is dict else {}


def _whole(value: object, low: int, high: int) -> int | None:
    return value if type(value) is int and low <= value <= high else None
