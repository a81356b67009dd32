"""Metadata of .tflite files. Field numbers are those of the TFLite schema."""

from __future__ import annotations

from ..errors import ModelError, UnsupportedModelError
from ..metadata import MAX_DOCUMENT_BYTES, METADATA_KEY, ModelMetadata
from .flatbuffer import BROKEN, UINT32, Node

IDENTIFIER = b"TFL3"
MODEL_BUFFERS, MODEL_METADATA = 4, 6
METADATA_NAME, METADATA_BUFFER = 0, 1
BUFFER_DATA = 0


def read_tflite_metadata(data: bytes, path: str) -> ModelMetadata:
    """The metadata of a model.

    Raises:
        ModelError: not a TFLite file, or damaged.
        UnsupportedModelError: a TFLite file that tallylens did not write.
    """
    if data[4:8] != IDENTIFIER:
        raise ModelError(path, "not a TFLite model", "Use a file written by tallylens convert")
    try:
        document = _find_document(Node.root(data))
    except BROKEN as error:
        raise ModelError(path, "the TFLite model is damaged", "Copy or convert it again") from error
    if document is None:
        raise UnsupportedModelError(
            path,
            "a TFLite model without tallylens metadata",
            "Convert the checkpoint (.pt or .onnx) that it was made from with tallylens convert",
        )
    return ModelMetadata.from_json(document, path)


def _find_document(model: Node) -> bytes | None:
    buffers = model.nodes(MODEL_BUFFERS)
    for entry in model.nodes(MODEL_METADATA):
        if entry.blob(METADATA_NAME, MAX_DOCUMENT_BYTES) == METADATA_KEY.encode():
            # One byte above the limit makes from_json refuse it with its own message.
            buffer = buffers[entry.number(METADATA_BUFFER, UINT32)]
            return buffer.blob(BUFFER_DATA, MAX_DOCUMENT_BYTES + 1)
    return None
