"""Checks .tflite files before any interpreter opens them, and reads their metadata.

LiteRT verifies the flatbuffer's offsets, but trusts its content: a zero point out of the range of
int8, or a buffer that is shorter than its tensor's shape, crashes the process. The core checks all
of it (`tally_model` in tally.h).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.native import DTYPES, check_status, ffi, lib, struct
from ..errors import CoreError, ModelError, UnsupportedModelError
from ..metadata import ModelMetadata
from .heads import Tensor, renamed
from .tflite_boxes import ForeignModel, recognize
from .tflite_labels import read_own_words

_ERROR_BYTES = 1024
_DTYPE_NAMES: dict[int, str] = {value: str(dtype) for dtype, value in DTYPES.items()}
_OTHER_DTYPE = "of another type"


def check_tflite(data: bytes, path: str) -> None:
    """Raise ModelError if the model is inconsistent, UnsupportedModelError for custom operators."""
    _open(data, path, need_document=False)


def read_tflite_metadata(data: bytes, path: str) -> ModelMetadata:
    """The metadata of a model that was checked.

    Raises:
        ModelError: not a TFLite file, or damaged.
        UnsupportedModelError: a TFLite file that tallylens did not write.
    """
    metadata = _document(_open(data, path, need_document=True), path)
    assert metadata is not None, "refused by the core"
    return metadata


def read_tflite(
    data: bytes, path: str, class_names: Sequence[str] | None = None
) -> tuple[ModelMetadata, ForeignModel | None]:
    """The metadata of a detector, and how its boxes are read if tallylens did not write it.

    `class_names` replace those of the file.

    Raises:
        ModelError: not a TFLite file, or damaged.
        UnsupportedModelError: no detector whose outputs are known, or another number of names.
    """
    model = _open(data, path, need_document=False)
    metadata = _document(model, path)
    if metadata is not None:
        return renamed(metadata, class_names, path), None
    foreign = recognize(
        _tensors(model, lib.tally_model_input),
        _tensors(model, lib.tally_model_output),
        path,
        class_names=class_names,
        own=read_own_words(data),
    )
    return foreign.metadata, foreign


def _document(model: Any, path: str) -> ModelMetadata | None:
    document, size = ffi.new("char **"), ffi.new("size_t *")
    check_status(lib.tally_model_document(model, document, size))
    if document[0] == ffi.NULL:
        return None
    return ModelMetadata.from_json(ffi.unpack(document[0], size[0]), path)


def _tensors(model: Any, describe: Callable[..., int]) -> list[Tensor]:
    """All inputs, or all outputs."""
    counts = ffi.new("int32_t[2]")
    check_status(lib.tally_model_counts(model, counts, counts + 1))
    count = counts[0] if describe is lib.tally_model_input else counts[1]
    found = []
    for index in range(count):
        out = struct("model_tensor")
        check_status(describe(model, index, out))
        quantized = out.dtype in (lib.TALLY_UINT8, lib.TALLY_INT8)
        found.append(
            Tensor(
                name=ffi.string(out.name).decode(errors="replace"),
                shape=tuple(out.shape[0 : out.rank]),
                dtype=_DTYPE_NAMES.get(out.dtype, _OTHER_DTYPE),
                scale=out.scale if quantized else 1.0,
                zero_point=out.zero_point if quantized else 0,
            )
        )
    return found


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
