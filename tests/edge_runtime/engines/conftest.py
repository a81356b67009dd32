"""Tiny TFLite detectors, made by TensorFlow once per session: see tests/support/engine_models.py.

The fixtures that need TensorFlow or LiteRT skip their tests, saying so, where it is missing.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.engine_models import CHANNELS, METADATA, STRIDES, Save, with_document


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a model to a file; its content decides how it is opened, not its name."""

    def write(model: bytes) -> Path:
        path = tmp_path / "model"
        path.write_bytes(model)
        return path

    return write


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
def float_tflite(bare_float: bytes) -> bytes:
    return with_document(bare_float, METADATA.to_json().encode())


@pytest.fixture(scope="session")
def int8_tflite(bare_int8: bytes) -> bytes:
    return with_document(bare_int8, METADATA.to_json().encode())
