"""Checks .tflite files before any interpreter opens them, and reads their metadata.

LiteRT verifies the flatbuffer's offsets, but trusts its content: a zero point out of the range of
int8, or a buffer that is shorter than its tensor's shape, crashes the process. The core checks all
of it (`tally_model` in tally.h).
"""

from __future__ import annotations

from typing import Any

from ..core.native import ffi, lib
from ..errors import CoreError, ModelError, UnsupportedModelError
from ..metadata import ModelMetadata

_ERROR_BYTES = 1024


def check_tflite(data: bytes, path: str) -> None:
    """Raise ModelError if the model is inconsistent, UnsupportedModelError for custom operators."""
    _open(data, path, need_document=False)


def read_tflite_metadata(data: bytes, path: str) -> ModelMetadata:
    """The metadata of a model that was checked.

    Raises:
        ModelError: not a TFLite file, or damaged.
        UnsupportedModelError: a TFLite file that tallylens did not write.
    """
    model = _open(data, path, need_document=True)
    document, size = ffi.new("char **"), ffi.new("size_t *")
    lib.tally_model_document(model, document, size)
    return ModelMetadata.from_json(ffi.unpack(document[0], size[0]), path)


def _open(data: bytes, path: str, *, need_document: bool) -> Any:
    out, error = ffi.new("tally_model **"), ffi.new("char[]", _ERROR_BYTES)
    pointer = ffi.from_buffer("uint8_t[]", data)
    status = lib.tally_model_open(pointer, len(data), need_document, out, error, _ERROR_BYTES)
    if status == lib.TALLY_OK:
        return ffi.gc(out[0], lib.tally_model_destroy)
    problem = ffi.string(error).decode(errors="replace")
    if status == lib.TALLY_BAD_MODEL:
        raise ModelError(path, problem, "Copy or convert it again")
    if status == lib.TALLY_UNSUPPORTED_MODEL:
        raise UnsupportedModelError(
            path,
            problem,
            "Convert the checkpoint (.pt or .onnx) that it was made from with tallylens convert",
        )
    raise CoreError(status, problem)
