"""Finds the model in a checkpoint's document, under the keys and in the wrappers of others too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...edge_runtime.errors import UnsupportedModelError
from .archive import FROM_TRAINING
from .kinds import is_detector, refuse_other_kinds
from .values import Record, Tensor

MAX_DEPTH = 4
# Smoothed weights before the others.
_KEYS = ("ema", "model_ema", "ema_model", "model")
# Attributes under which wrappers hold it: smoothing, parallel training, PyTorch Hub.
_WRAPPED = ("ema", "module", "model")


def find_model(document: Any, path: str) -> Record:
    """The smoothed weights (`ema`) where there are any, else `model`, else any other.

    Raises:
        UnsupportedModelError: another kind of model, only weights, or nothing of the kind.
    """
    for candidate in _candidates(document):
        found = _unwrapped(candidate)
        if found is not None:
            refuse_other_kinds(found, path)
            if is_detector(found):
                return found
    if _holds_weights(document):
        raise UnsupportedModelError(
            path,
            "only weights (a state_dict) without the architecture they belong to",
            f"{FROM_TRAINING}: it holds the whole model",
        )
    raise UnsupportedModelError(path, "no YOLO detection model in it", FROM_TRAINING)


def _candidates(document: Any, depth: int = 2) -> Iterator[object]:
    """Values that could be the model, the likeliest first."""
    if type(document) is not dict:
        yield document
        return
    yield from (document[key] for key in _KEYS if key in document)
    for key, value in document.items():
        if key not in _KEYS and type(value) is dict and depth:
            yield from _candidates(value, depth - 1)
        elif key not in _KEYS:
            yield value


def _unwrapped(candidate: object, depth: int = MAX_DEPTH) -> Record | None:
    """The detector in `candidate`; what holds none stays as it is."""
    if type(candidate) is tuple and candidate:
        # Releases before 5.0 saved the pair (smoothed model, number of updates).
        return _unwrapped(candidate[0], depth - 1) if depth else None
    if type(candidate) is not Record:
        return None
    if is_detector(candidate) or not depth:
        return candidate
    children = candidate.state.get("_modules")
    inside = candidate.state | children if type(children) is dict else candidate.state
    for name in _WRAPPED:
        found = _unwrapped(inside.get(name), depth - 1)
        if found is not None and is_detector(found):
            return found
    return candidate


def _holds_weights(value: object, depth: int = MAX_DEPTH) -> bool:
    """Whether there are tensors by name in it."""
    if type(value) is list and depth:
        return any(_holds_weights(item, depth - 1) for item in value[:100])
    if type(value) is not dict:
        return False
    items = list(value.items())
    if any(type(key) is str and type(item) is Tensor for key, item in items):
        return True
    return depth > 0 and any(_holds_weights(item, depth - 1) for _, item in items)
