"""Weights that an ONNX file keeps in a file beside it, read within bounds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from onnx import TensorProto

from ...edge_runtime.errors import ModelError, UnsafeModelError
from ...edge_runtime.text import printable

MAX_EXTERNAL_BYTES = 4 << 30
_MAX_NAME = 255
_ONE_FILE = "Export it again as one file, without external data"
_COPY_AGAIN = "Copy or download both files again; if that does not help, export the model again"


@dataclass(frozen=True)
class _Place:
    """Where a tensor's bytes are; `length` None: as many as its shape says."""

    name: str
    offset: int
    length: int | None


def is_external(tensor: TensorProto) -> bool:
    """Whether a tensor refers to another file."""
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def read_external(path: Path, tensors: Iterable[TensorProto], item_sizes: dict[int, int]) -> None:
    """Put the bytes of external `tensors` into them.

    Only regular files in the folder of `path` are opened, and no more bytes are read than they
    hold. `item_sizes`: bytes of one number by tensor type.

    Raises:
        UnsafeModelError: a tensor lies anywhere else, or the file is too large.
        ModelError: the file is missing or too short.
    """
    left: dict[str, int] = {}
    for tensor in tensors:
        place = _place(str(path), tensor)
        if place.name not in left:
            left[place.name] = _size(path, place.name)
        length = place.length
        if length is None:
            dims = [max(int(dim), 0) for dim in tensor.dims]
            length = prod(dims) * item_sizes.get(tensor.data_type, 1)
        # Every byte is read once, so that a file cannot ask for more than it holds.
        left[place.name] -= length
        if left[place.name] < 0:
            raise ModelError(
                str(path),
                f"{printable(place.name, 80)} holds fewer weights than the model asks for",
                _COPY_AGAIN,
            )
        tensor.raw_data = _read(path, place, length)
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT


def _place(path: str, tensor: TensorProto) -> _Place:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    name = entries.get("location", "")
    # Protobuf gives bytes for a text that is not UTF-8.
    plain = all(type(text) is str for entry in entries.items() for text in entry)
    plain = plain and name not in ("", ".", "..") and not set(name) & set("/\\:\0")
    if not plain or len(name) > _MAX_NAME:
        raise refusal(path)
    numbers: list[int | None] = []
    for key, default in (("offset", "0"), ("length", "")):
        text = entries.get(key, default) or default
        if text and not (text.isascii() and text.isdigit() and len(text) < 16):
            raise ModelError(path, f"the {key} of its external data is not a number", _COPY_AGAIN)
        numbers.append(int(text) if text else None)
    offset, length = numbers
    return _Place(name, offset or 0, length)


def refusal(path: str) -> UnsafeModelError:
    """The error for weights in a file that is not opened."""
    return UnsafeModelError(
        path, "weights of the model lie in another file, which is not read", _ONE_FILE
    )


def _size(path: Path, name: str) -> int:
    try:
        found = path.with_name(name).lstat()
    except OSError as error:
        raise ModelError(
            str(path),
            f"its weights are in {printable(name, 80)}, which is not beside it",
            "Copy that file into the same folder",
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise refusal(str(path))
    if found.st_size > MAX_EXTERNAL_BYTES:
        raise UnsafeModelError(
            str(path),
            f"{printable(name, 80)} is larger than {MAX_EXTERNAL_BYTES >> 30} GiB",
            _ONE_FILE,
        )
    return found.st_size


def _read(path: Path, place: _Place, length: int) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path.with_name(place.name), flags), "rb") as file:
            file.seek(place.offset)
            content = file.read(length)
    except OSError as error:
        raise ModelError(
            str(path), f"{printable(place.name, 80)} cannot be read", _COPY_AGAIN
        ) from error
    if len(content) != length:
        raise ModelError(
            str(path), f"{printable(place.name, 80)} ends before its weights do", _COPY_AGAIN
        )
    return content
