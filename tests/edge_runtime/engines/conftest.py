"""Tiny detectors, made here: 64x96 input, two classes, heads of stride 8 and 16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.metadata import METADATA_KEY, ModelMetadata

METADATA = ModelMetadata(
    class_names=("car", "person"),
    input_size=(64, 96),
    strides=(8, 16),
    anchors=(((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)), ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0))),
    head_names=("head8", "head16"),
    layout="NHWC",
)
CHANNELS = 21


def with_metadata(model: bytes, document: bytes) -> bytes:
    """The TFLite model with the document in its metadata, through LiteRT's own object API."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(document, np.uint8)
    tree.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name = METADATA_KEY
    entry.buffer = len(tree.buffers) - 1
    tree.metadata = [*(tree.metadata or []), entry]
    return pack(tree)


def pack(tree: Any) -> bytes:
    """The bytes of a LiteRT object tree."""
    flatbuffers = pytest.importorskip("flatbuffers")
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def keras_model() -> Any:
    """One strided convolution for each head, with fixed weights."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(5)
    image = tf.keras.Input((64, 96, 3), batch_size=1, name="images")
    conv = tf.keras.layers.Conv2D
    heads = [conv(CHANNELS, 3, stride, "same", name=f"head{stride}")(image) for stride in (8, 16)]
    model = tf.keras.Model(image, heads)
    model.set_weights([rng.normal(0, 0.5, one.shape) for one in model.get_weights()])
    return model


def _convert(keras_model: Any, quantize: bool) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    if quantize:
        rng = np.random.default_rng(6)
        images = rng.uniform(0, 1, (4, 1, 64, 96, 3)).astype(np.float32)
        images[:, 0, 0, 0, 0], images[:, 0, 0, 1, 0] = 0, 1
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())


@pytest.fixture(scope="session")
def bare_float(keras_model: Any) -> bytes:
    """A float TFLite without metadata."""
    return _convert(keras_model, quantize=False)


@pytest.fixture(scope="session")
def bare_int8(keras_model: Any) -> bytes:
    """An int8 TFLite with uint8 input, without metadata."""
    return _convert(keras_model, quantize=True)


@pytest.fixture(scope="session")
def float_tflite(bare_float: bytes) -> bytes:
    return with_metadata(bare_float, METADATA.to_json().encode())


@pytest.fixture(scope="session")
def int8_tflite(bare_int8: bytes) -> bytes:
    return with_metadata(bare_int8, METADATA.to_json().encode())


@pytest.fixture(scope="session")
def onnx_weights() -> list[np.ndarray]:
    """The 1x1 weights of the two heads of `make_onnx`."""
    rng = np.random.default_rng(7)
    return [rng.normal(0, 1, (CHANNELS, 3, 1, 1)).astype(np.float32) for _ in range(2)]


def make_onnx(
    weights: Sequence[np.ndarray],
    *,
    document: str | None = None,
    batch: int | str = 1,
    head_shapes: Sequence[Sequence[int | str]] | None = None,
) -> Any:
    """An ONNX ModelProto: each head is a 1x1 convolution with the head's stride."""
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    shapes = head_shapes or [(batch, CHANNELS, 64 // s, 96 // s) for s in (8, 16)]
    nodes = [
        helper.make_node("Conv", ["images", f"w{s}"], [f"head{s}"], strides=[s, s]) for s in (8, 16)
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", float32, (batch, 3, 64, 96))],
        [
            helper.make_tensor_value_info(f"head{s}", float32, shape)
            for s, shape in zip((8, 16), shapes, strict=True)
        ],
        [onnx.numpy_helper.from_array(w, f"w{s}") for s, w in zip((8, 16), weights, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if document is not None:
        helper.set_model_props(model, {"author": "a test", METADATA_KEY: document})
    return model


@pytest.fixture(scope="session")
def onnx_document() -> str:
    return replace(METADATA, layout="NCHW").to_json()


@pytest.fixture(scope="session")
def tiny_onnx(onnx_weights: list[np.ndarray], onnx_document: str) -> bytes:
    return bytes(make_onnx(onnx_weights, document=onnx_document).SerializeToString())
