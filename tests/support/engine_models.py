"""Tiny detectors for the engines: 64x96 input, two classes, heads of stride 8 and 16.

The Keras and TFLite models are fixtures of tests/edge_runtime/engines, since TensorFlow makes them
once per session; this module edits them, and makes the ONNX models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tallylens.edge_runtime.metadata import METADATA_KEY, ModelMetadata

Save = Callable[[bytes], Path]

CHANNELS = 21
STRIDES = (8, 16)

# That of the TFLite models; the ONNX models have the layout NCHW.
METADATA = ModelMetadata(
    class_names=("car", "person"),
    input_size=(64, 96),
    strides=STRIDES,
    anchors=(
        ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
        ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ),
    head_names=("head8", "head16"),
    layout="NHWC",
)
ONNX_DOCUMENT = replace(METADATA, layout="NCHW").to_json()


def edit_tflite(model: bytes, change: Callable[[Any], None]) -> bytes:
    """Change a TFLite model through LiteRT's own object API."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    change(tree)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_document(model: bytes, document: bytes) -> bytes:
    """A TFLite model with a `tallylens` document in its metadata."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

    def change(tree: Any) -> None:
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(document, np.uint8)
        tree.buffers.append(buffer)
        entry.name, entry.buffer = METADATA_KEY, len(tree.buffers) - 1
        tree.metadata = [*(tree.metadata or []), entry]

    return edit_tflite(model, change)


def onnx_weights() -> list[np.ndarray]:
    """The 1x1 weights of the two heads of the ONNX models, (CHANNELS, 3, 1, 1) float32 each."""
    rng = np.random.default_rng(7)
    return [rng.normal(0, 1, (CHANNELS, 3, 1, 1)).astype(np.float32) for _ in STRIDES]


def make_onnx(
    document: str | None = ONNX_DOCUMENT, batch: int | str = 1, outputs: int = 2
) -> onnx.ModelProto:
    """An ONNX detector; each head is a 1x1 convolution with the head's stride."""
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, (batch, 3, 64, 96))]
    nodes, heads, weights = [], [], []
    for stride, weight in zip(STRIDES[:outputs], onnx_weights(), strict=False):
        shape = (batch, CHANNELS, 64 // stride, 96 // stride)
        ends = (["images", f"w{stride}"], [f"head{stride}"])
        nodes.append(helper.make_node("Conv", *ends, strides=[stride, stride]))
        heads.append(helper.make_tensor_value_info(f"head{stride}", TensorProto.FLOAT, shape))
        weights.append(numpy_helper.from_array(weight, f"w{stride}"))
    graph = helper.make_graph(nodes, "tiny", inputs, heads, weights)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    properties = {"author": "a test"}
    if document is not None:
        properties[METADATA_KEY] = document
    helper.set_model_props(model, properties)
    return model
