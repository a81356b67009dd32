"""Editing a finished .tflite flatbuffer: names, output order, metadata."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ...edge_runtime.metadata import METADATA_KEY, ModelMetadata
from ..graph import INPUT_NAME
from .tflite_input import convert_through_float

SIGNATURE = "serving_default"
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16


def finish(content: bytes, metadata: ModelMetadata) -> bytes:
    """Name input and outputs, put the outputs into the heads' order, add the metadata.

    The conversion of a uint8 input is rewritten, see `tflite_input`.
    """
    schema, model = _unpack(content)
    (subgraph,) = model.subgraphs
    (signature,) = model.signatureDefs
    signature.signatureKey = SIGNATURE.encode()
    outputs = {_decoded(entry.name): entry.tensorIndex for entry in signature.outputs}
    order = [outputs[name] for name in metadata.head_names]
    subgraph.outputs = np.asarray(order, np.int32)
    signature.inputs = [schema.TensorMapT(INPUT_NAME, int(subgraph.inputs[0]))]
    signature.outputs = [
        schema.TensorMapT(name, index)
        for name, index in zip(metadata.head_names, order, strict=True)
    ]
    for entry in (*signature.inputs, *signature.outputs):
        subgraph.tensors[entry.tensorIndex].name = entry.name
    convert_through_float(schema, model)
    _add_metadata(schema, model, metadata)
    return _pack(model)


def float_tensors(content: bytes) -> list[str]:
    """Names of all tensors that hold floating point numbers."""
    schema, model = _unpack(content)
    floats = (
        schema.TensorType.FLOAT32,
        schema.TensorType.FLOAT16,
        schema.TensorType.FLOAT64,
    )
    return [
        _decoded(tensor.name)
        for subgraph in model.subgraphs
        for tensor in subgraph.tensors
        if tensor.type in floats
    ]


def _unpack(content: bytes) -> tuple[Any, Any]:
    from tensorflow.lite.python import schema_py_generated as schema

    return schema, schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def _add_metadata(schema: Any, model: Any, metadata: ModelMetadata) -> None:
    document = np.frombuffer(metadata.to_json().encode(), np.uint8)
    entry = schema.MetadataT(METADATA_KEY, len(model.buffers))
    model.buffers.append(schema.BufferT(document))
    model.metadata = [*(model.metadata or ()), entry]


def _pack(model: Any) -> bytes:
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
        """Kernels read weights in place, so they must not start at an odd address."""

        def StartVector(self, *sizes: int) -> Any:  # noqa: N802
            element, count, alignment = sizes
            return super().StartVector(element, count, max(alignment, _ALIGNMENT))

    builder = AlignedBuilder(1024)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _decoded(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
