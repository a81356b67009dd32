"""A .tflite at another input size gives what a model made for that size gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.engines.tflite_resize import resized
from tallylens.edge_runtime.errors import UsageError
from tests.support.conversions import converted
from tests.support.engine_models import Save, make_onnx

pytestmark = pytest.mark.slow

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.mark.parametrize("size", [(32, 96), (64, 48), (128, 160), (16, 16)])
def test_heads_are_those_of_the_same_weights(
    save: Save, float_tflite: bytes, keras_model: Any, size: tuple[int, int]
) -> None:
    import tensorflow as tf

    pixels = np.random.default_rng(3).uniform(0, 1, (1, *size, 3)).astype(np.float32)
    with open_engine(save(float_tflite), input_size=size) as engine:
        assert engine.metadata.input_size == size
        assert engine.input.shape == (1, *size, 3)
        engine.input[...] = pixels
        for head, raw, layer in zip(
            engine.heads, engine.run(), keras_model.layers[1:], strict=True
        ):
            assert (head.height, head.width) == (size[0] // head.stride, size[1] // head.stride)
            kernel, bias = layer.get_weights()
            expected = tf.nn.conv2d(pixels, kernel, head.stride, "SAME") + bias
            assert np.abs(raw - expected.numpy()).max() < 1e-4


def test_the_files_own_size_is_no_change(save: Save, int8_tflite: bytes) -> None:
    path = save(int8_tflite)
    with open_engine(path) as plain, open_engine(path, input_size=(64, 96)) as same:
        plain.input[...] = same.input[...] = 77
        for one, other in zip(plain.run(), same.run(), strict=True):
            assert (one == other).all()


@pytest.mark.parametrize("size", [(0, 96), (64, 100), (-16, 16), (8, 8)])
def test_sizes_that_are_no_whole_strides(
    save: Save, float_tflite: bytes, size: tuple[int, int]
) -> None:
    with pytest.raises(
        UsageError, match=f"cannot be resized to {size[0]}x{size[1]}. Use multiples of 16"
    ):
        open_engine(save(float_tflite), input_size=size)


def test_onnx_keeps_its_size(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "model.onnx"
    onnx.save(make_onnx(), path)
    with pytest.raises(UsageError, match="has a fixed input size"):
        open_engine(path, input_size=(32, 32))


def test_a_damaged_file_is_not_changed(float_tflite: bytes) -> None:
    for end in range(8, len(float_tflite), 97):
        changed = resized(float_tflite[:end], (64, 96), (32, 48))
        assert changed is None or len(changed) == end


@pytest.mark.realdata
def test_a_whole_yolov5_with_its_reshape_and_upsampling(data: Path) -> None:
    """Converted at 128x128 and run at 96x160, against the same checkpoint converted to that."""
    source = data / "checkpoints" / "v7-tiny-3class.pt"
    pixels = np.random.default_rng(4).uniform(0, 1, (1, 96, 160, 3)).astype(np.float32)
    with (
        open_engine(converted(source, "tflite", "128"), input_size=(96, 160)) as small,
        open_engine(converted(source, "onnx", "96x160")) as made,
    ):
        small.input[...] = pixels
        made.input[...] = pixels.transpose(0, 3, 1, 2)
        for ours, theirs in zip(small.run(), made.run(), strict=True):
            distance = np.float64(ours.transpose(0, 3, 1, 2)) - np.float64(theirs)
            assert np.abs(distance).max() < 1e-3
