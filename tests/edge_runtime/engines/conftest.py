"""Tiny detectors, made here: 64x96 input, two classes, heads of stride 8 and 16.

The fixtures that need TensorFlow or LiteRT skip their tests, saying so, where it is missing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.metadata import METADATA_KEY, ModelMetadata

CHANNELS = 21
STRIDES = (8, 16)


@pytest.fixture(scope="session")
def metadata() -> ModelMetadata:
    """That of the TFLite models; the ONNX models have the layout NCHW."""
    return ModelMetadata(
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


@pytest.fixture(scope="session")
def keras_model() -> Any:
    """One strided convolution for each head, with fixed weights."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(5)
    image = tf.keras.Input((64, 96, 3), batch_size=1, name="images")
    conv = tf.keras.layers.Conv2D
    heads = [conv(CHANNELS, 3, stride, "same", name=f"h{stride}")(image) for stride in STRIDES]
    model = tf.keras.Model(image, heads)
    model.set_weights([rng.normal(0, 0.5, one.shape) for one in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def bare_float(keras_model: Any) -> bytes:
    """A float TFLite without metadata."""
    import tensorflow as tf

    return bytes(tf.lite.TFLiteConverter.from_keras_model(keras_model).convert())


@pytest.fixture(scope="session")
def bare_int8(keras_model: Any) -> bytes:
    """An int8 TFLite with uint8 input, without metadata."""
    import tensorflow as tf

    images = np.random.default_rng(6).uniform(0, 1, (4, 1, 64, 96, 3)).astype(np.float32)
    images[:, 0, 0, 0, 0], images[:, 0, 0, 1, 0] = 0, 1
    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # The converter warns of missing input statistics, which the images above give.
        warnings.simplefilter("ignore")
        return bytes(converter.convert())


@pytest.fixture(scope="session")
def edit_tflite() -> Callable[[bytes, Callable[[Any], None]], bytes]:
    """Change a TFLite model through LiteRT's own object API."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")

    def edit(model: bytes, change: Callable[[Any], None]) -> bytes:
        tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
        change(tree)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(tree.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    return edit


@pytest.fixture(scope="session")
def with_document(edit_tflite: Any) -> Callable[[bytes, bytes], bytes]:
    """A TFLite model with a `tallylens` document in its metadata."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

    def add(model: bytes, document: bytes) -> bytes:
        def change(tree: Any) -> None:
            buffer, entry = schema.BufferT(), schema.MetadataT()
            buffer.data = np.frombuffer(document, np.uint8)
            tree.buffers.append(buffer)
            entry.name, entry.buffer = METADATA_KEY, len(tree.buffers) - 1
            tree.metadata = [*(tree.metadata or []), entry]

        return bytes(edit_tflite(model, change))

    return add


@pytest.fixture(scope="session")
def float_tflite(bare_float: bytes, with_document: Any, metadata: ModelMetadata) -> bytes:
    return bytes(with_document(bare_float, metadata.to_json().encode()))


@pytest.fixture(scope="session")
def int8_tflite(bare_int8: bytes, with_document: Any, metadata: ModelMetadata) -> bytes:
    return bytes(with_document(bare_int8, metadata.to_json().encode()))


@pytest.fixture(scope="session")
def onnx_weights() -> list[np.ndarray]:
    """The 1x1 weights of the two heads of the ONNX models."""
    rng = np.random.default_rng(7)
    return [rng.normal(0, 1, (CHANNELS, 3, 1, 1)).astype(np.float32) for _ in STRIDES]


@pytest.fixture(scope="session")
def make_onnx(onnx_weights: list[np.ndarray], metadata: ModelMetadata) -> Callable[..., Any]:
    """An ONNX ModelProto; each head is a 1x1 convolution with the head's stride."""
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    ours = replace(metadata, layout="NCHW").to_json()

    def make(document: str | None = ours, batch: int | str = 1, outputs: int = 2) -> Any:
        inputs = [helper.make_tensor_value_info("images", float32, (batch, 3, 64, 96))]
        nodes, heads, weights = [], [], []
        for stride, weight in zip(STRIDES[:outputs], onnx_weights, strict=False):
            shape = (batch, CHANNELS, 64 // stride, 96 // stride)
            ends = (["images", f"w{stride}"], [f"head{stride}"])
            nodes.append(helper.make_node("Conv", *ends, strides=[stride, stride]))
            heads.append(helper.make_tensor_value_info(f"head{stride}", float32, shape))
            weights.append(onnx.numpy_helper.from_array(weight, f"w{stride}"))
        graph = helper.make_graph(nodes, "tiny", inputs, heads, weights)
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        properties = {"author": "a test"}
        if document is not None:
            properties[METADATA_KEY] = document
        helper.set_model_props(model, properties)
        return model

    return make
