"""Detection of source formats, by a file's first bytes and never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..edge_runtime.errors import ModelError, UnsupportedModelError

Format = Literal["checkpoint", "onnx"]

SOURCES = "Give a YOLOv5 checkpoint (.pt) or an .onnx file exported from one"
SAVE_AGAIN = (
    "If you trust the file, load it with PyTorch 1.6 or later and torch.save it again, "
    "or export it to ONNX"
)
HEAD_BYTES = 512

# (offset, bytes, what such a file is). A result of conversion is not a source.
_FOREIGN = (
    (4, b"TFL3", "a TFLite model, which conversion ends in and cannot start from"),
    (0, b"ftrt", "a TensorRT engine, which conversion ends in and cannot start from"),
    (0, b"ptrt", "a TensorRT engine, which conversion ends in and cannot start from"),
    (0, b"\x89HDF", "a Keras or HDF5 file"),
    (0, b"GGUF", "a GGUF file"),
    (0, b"\xff\xd8\xff", "an image"),
    (0, b"\x89PNG", "an image"),
    (4, b"ftyp", "a video"),
    (0, b"\x7fELF", "a program"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model itself (run git lfs pull)"),
    (8, b'{"', "a safetensors file: weights without the architecture they belong to"),
)
_FOLDERS = {
    ".mlpackage": "a Core ML package, which conversion ends in and cannot start from",
    ".mlmodelc": "a Core ML model, which conversion ends in and cannot start from",
    "_saved_model": "a TensorFlow SavedModel",
    "_openvino_model": "an OpenVINO model",
}


def detect(path: Path) -> Format:
    """The format of the file at `path`.

    Raises:
        ModelError: missing, unreadable, empty, or of no known kind.
        UnsupportedModelError: of a kind that cannot be converted.
    """
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return "checkpoint"
    if head.startswith(b"\x08"):  # a protobuf whose first field is ONNX's ir_version
        return "onnx"
    for offset, magic, what in _FOREIGN:
        if head[offset:].startswith(magic):
            raise UnsupportedModelError(str(path), f"this is {what}", SOURCES)
    if head.startswith(b"\x80") and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UnsupportedModelError(
            str(path), "a pickle without a zip around it, as PyTorch wrote before 1.6", SAVE_AGAIN
        )
    raise ModelError(str(path), "not a model file that tallylens knows", SOURCES)


def is_source(path: Path) -> bool:
    """Whether the file at `path` looks like something that can be converted."""
    try:
        detect(path)
    except ModelError:
        return False
    return True


def _head(path: Path) -> bytes:
    if path.is_dir():
        what = next((text for end, text in _FOLDERS.items() if path.name.endswith(end)), "a folder")
        raise UnsupportedModelError(str(path), f"this is {what}", SOURCES)
    try:
        if not path.is_file() and path.exists():
            raise ModelError(str(path), "this is not a regular file", SOURCES)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise ModelError(str(path), "there is no such file", "Check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise ModelError(
            str(path), f"the file cannot be read ({reason})", "Check the path and its permissions"
        ) from error
    if not head:
        raise ModelError(str(path), "the file is empty", "Copy or download it again")
    return head
