"""Metadata of .onnx files, and a check for external weights, before any runtime opens them.

Walks the protobuf wire format and enters only the messages named in `WITHIN`: enough to find the
`tallylens` document, and to refuse weights in other files, which a runtime would open.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from ..errors import ModelError, UnsafeModelError, UnsupportedModelError
from ..metadata import METADATA_KEY, ModelMetadata

# message: {field number: message}, from onnx.proto.
WITHIN = {
    "model": {7: "graph", 14: "property", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
MODEL_IR_VERSION = 1
MODEL_GRAPH = 7
PROPERTY_KEY, PROPERTY_VALUE = 1, 2
TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION = 13, 14
MAX_DEPTH = 32

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_onnx_metadata(data: bytes | mmap, path: str) -> ModelMetadata:
    """The metadata of a model.

    Raises:
        ModelError: not ONNX, or damaged.
        UnsafeModelError: weights are in other files.
        UnsupportedModelError: an ONNX file that tallylens did not write.
    """
    try:
        document = _walk(memoryview(data), path)
    except (ValueError, IndexError) as error:
        raise ModelError(
            path, f"not an ONNX model, or damaged ({error})", "Copy or export it again"
        ) from error
    if document is None:
        raise UnsupportedModelError(
            path,
            "an ONNX model without tallylens metadata",
            "Convert it with tallylens convert",
        )
    return ModelMetadata.from_json(document, path)


def _walk(data: memoryview, path: str) -> bytes | None:
    """The `tallylens` document; refuses external weights of any tensor."""
    if not {MODEL_IR_VERSION, MODEL_GRAPH} <= {number for number, _ in fields(data)}:
        raise ValueError("no graph")
    document = None
    pending: list[tuple[str, memoryview, int]] = [("model", data, 0)]
    while pending:
        message, body, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ValueError("graphs nested too deeply")
        if message == "tensor":
            _refuse_external(body, path)
        elif message == "property":
            document = _value_of(body) or document
        for number, value in fields(body) if message in WITHIN else ():
            inner = WITHIN[message].get(number)
            if inner and isinstance(value, memoryview):
                pending.append((inner, value, depth + 1))
    return document


def _refuse_external(tensor: memoryview, path: str) -> None:
    for number, value in fields(tensor):
        if number == TENSOR_EXTERNAL_DATA or (number == TENSOR_DATA_LOCATION and value):
            raise UnsafeModelError(
                path,
                "it refers to weights in other files, which are not opened",
                "Save the model as one file",
            )


def _value_of(entry: memoryview) -> bytes | None:
    """The value of a property whose key is METADATA_KEY, else None."""
    found = dict(fields(entry))
    key, value = found.get(PROPERTY_KEY), found.get(PROPERTY_VALUE)
    if not isinstance(key, memoryview) or not isinstance(value, memoryview):
        return None
    return bytes(value) if bytes(key) == METADATA_KEY.encode() else None


def fields(body: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field; bytes stay views. ValueError if it is not a message."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(body, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(body, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError("unknown field kind")
        if size > len(body) - at:
            raise ValueError("it is truncated")
        yield number, body[at : at + size]
        at += size


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number too long")
