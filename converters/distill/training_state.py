"""The file that holds the state of a recovery, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ...edge_runtime.errors import InputError
from ...edge_runtime.files import write_all
from .optimizer import VERSION
from .student import Weights
from .training import TrainingState

_PARTS = ("weights", "average", "momentum", "variance", "best")
_FIGURES = tuple(one.name for one in fields(TrainingState) if one.name not in _PARTS)
# Files of the first versions lack these.
_LATER = {"stale": 0, "optimizer": 1}
_HEADER = "header"


def fingerprint(student: Mapping[str, np.ndarray], teacher: Mapping[str, np.ndarray]) -> str:
    """A digest of the recovery that a state belongs to: student's names and shapes, teacher.

    Not of the student's values: the state holds all of them, and a student pruned once more may
    differ in last bits.
    """
    digest = hashlib.sha256()
    for name, array in student.items():
        digest.update(f"{name} {array.shape} ".encode())
    for name, array in teacher.items():
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save_state(path: Path, state: TrainingState, belongs_to: str) -> None:
    """Write `state`, in place of an older one at `path` or not at all.

    Raises:
        UnavailableError: the disk is full.
        InputError: the file cannot be written.
    """
    arrays: dict[str, Any] = {
        f"{part}/{name}": array for part in _PARTS for name, array in getattr(state, part).items()
    }
    header = {"belongs_to": belongs_to} | {name: getattr(state, name) for name in _FIGURES}
    content = io.BytesIO()
    arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(content, **arrays)
    write_all({path: content.getvalue()})


def load_state(path: Path, start: Weights, belongs_to: str) -> TrainingState | None:
    """The state at `path`, None where there is none; weights as in `start`.

    Raises:
        InputError: not a state, a damaged one, or that of another recovery.
    """
    if not path.exists():
        return None
    try:
        limit = 8 * sum(array.nbytes for array in start.values()) + (1 << 22)
        if path.stat().st_size > limit:
            raise ValueError("larger than any state of this model")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            header = json.loads(stored[_HEADER].tobytes())
            if header["belongs_to"] != belongs_to:
                raise _refused(path, "is the state of another recovery")
            fields: dict[str, Any] = {part: _weights(stored, part, start) for part in _PARTS}
        header = _LATER | header
        state = TrainingState(**fields, **{name: header[name] for name in _FIGURES})
        if state.optimizer != VERSION:
            state.restart_optimizer()
        return state
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise _refused(path, f"is not the state of a recovery ({error})") from error


def _weights(stored: Mapping[str, np.ndarray], part: str, start: Weights) -> Weights:
    found = {name: stored[f"{part}/{name}"] for name in start}
    for name, array in found.items():
        if array.shape != start[name].shape or array.dtype != np.float32:
            raise ValueError(f"{part} of {name} has another shape")
    return found


def _refused(path: Path, problem: str) -> InputError:
    return InputError(path, problem, "Delete it to restart the recovery")
