"""The student in TensorFlow, its loss and its images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.distance.heads import head_error
from tallylens.converters.distill.augment import make_batch, read_folder
from tallylens.converters.distill.loss import distillation_loss
from tallylens.converters.distill.student import forward, read_weights
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.emit.tensorflow import quiet_tensorflow
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import FloatArray
from tests.support.distribution_graph import BINS, CLASSES, build_distribution_graph

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tf() -> Iterator[Any]:
    with quiet_tensorflow() as module:
        yield module


def onnx_heads(graph: DetectorGraph, pixels: FloatArray) -> list[FloatArray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(emit_onnx(graph), providers=["CPUExecutionProvider"])
    return [head.transpose(0, 2, 3, 1) for head in session.run(None, {"images": pixels})]


def test_the_student_gives_what_onnx_runtime_gives(
    tf: Any, teacher: DetectorGraph, student: DetectorGraph
) -> None:
    pixels = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    # The weights of one in the graph of the other: biases must come from the weights.
    found = forward(tf, teacher, tf.constant(pixels.transpose(0, 2, 3, 1)), read_weights(student))
    for head, expected in zip(found, onnx_heads(student, pixels), strict=True):
        np.testing.assert_allclose(head.numpy(), expected, atol=1e-4)


def strided_graph() -> DetectorGraph:
    """One head behind three 1x1 convolutions with a stride of 2, as in YOLOv5-Lite g."""
    random = np.random.default_rng(5)
    builder = GraphBuilder((64, 64), batch=1)
    value, channels = builder.input, 3
    for name, outputs, stride in (("one", 8, 2), ("two", 8, 2), ("three", 8, 2), ("head", 14, 1)):
        weight = random.normal(size=(outputs, channels, 1, 1)).astype(np.float32)
        bias = random.normal(size=outputs).astype(np.float32)
        value, channels = builder.conv(name, value, weight, bias, strides=(stride, stride)), outputs
    metadata = ModelMetadata(
        class_names=("car", "bus"),
        input_size=(64, 64),
        strides=(8,),
        anchors=(((10.0, 13.0), (16.0, 30.0)),),
        head_names=("head8",),
    )
    return builder.finish([value], metadata)


def test_a_1x1_convolution_with_a_stride_is_one_without_on_every_second_pixel(tf: Any) -> None:
    """TensorFlow's gradient of the former writes beyond its memory on AVX-512."""
    graph = strided_graph()
    pixels = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    traced = tf.function(lambda images: forward(tf, graph, images, read_weights(graph)))
    images = tf.constant(pixels.transpose(0, 2, 3, 1))
    for head, expected in zip(traced(images), onnx_heads(graph, pixels), strict=True):
        np.testing.assert_allclose(head.numpy(), expected, atol=1e-4)
    operators = traced.get_concrete_function(images).graph.get_operations()
    strides = [one.get_attr("strides") for one in operators if one.type == "Conv2D"]
    assert strides == [[1, 1, 1, 1]] * 4


def test_the_loss_is_zero_for_equal_heads_and_grows_with_distance(
    tf: Any, teacher: DetectorGraph
) -> None:
    head = np.random.default_rng(0).normal(size=(2, 4, 4, 14)).astype(np.float32)
    losses = [
        float(distillation_loss(tf, teacher.metadata, [tf.constant(head + off)], [head]))
        for off in (0.0, 0.1, 1.0)
    ]
    assert losses[0] == pytest.approx(0, abs=1e-6)
    assert 0 < losses[1] < losses[2]


def test_scores_differ_by_their_divergence(tf: Any) -> None:
    """Against the definition in float64, with logits for which exp overflows in float32."""
    from tallylens.converters.distill.loss import _divergence

    logits = np.array([-200, -30, -3, -0.5, 0, 0.1, 2, 20, 200])
    found, wanted = (one.ravel() for one in np.meshgrid(logits, logits))
    p, q = (np.clip(1 / (1 + np.exp(-one)), 1e-300, 1) for one in (wanted, found))
    p_not, q_not = (np.clip(1 / (1 + np.exp(one)), 1e-300, 1) for one in (wanted, found))
    expected = p * (np.log(p) - np.log(q)) + p_not * (np.log(p_not) - np.log(q_not))
    divergence = _divergence(tf, *(tf.constant(one, tf.float32) for one in (found, wanted)))
    np.testing.assert_allclose(divergence, expected, rtol=1e-4, atol=5e-5)


def test_boxes_and_classes_of_nothing_do_not_count(tf: Any, teacher: DetectorGraph) -> None:
    wanted = np.random.default_rng(0).normal(size=(1, 2, 2, 14)).astype(np.float32)
    wanted[..., [4, 11]] = -30.0
    found = wanted + 1.0
    found[..., [4, 11]] = -30.0
    assert float(distillation_loss(tf, teacher.metadata, [found], [wanted])) < 1e-6


def test_pictures_repeat_and_are_whole(folder: Path) -> None:
    images = read_folder(folder)
    first, second = (make_batch(images, 8, 64, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (8, 64, 64, 3)
    assert first.dtype == np.uint8
    assert len(np.unique(first)) > 50


def test_small_pictures_have_no_border_and_large_ones_some() -> None:
    """White images: what is gray is border."""
    images = [np.full((480, 640, 3), 255, np.uint8)] * 2
    small = make_batch(images, 40, 320, np.random.default_rng(1))
    large = make_batch(images, 40, 640, np.random.default_rng(1))
    # Colors change, but in one image white and gray stay apart.
    covered = [
        np.mean([(image == image.reshape(-1, 3).max(0)).all(-1).mean() for image in batch])
        for batch in (small, large)
    ]
    assert covered[0] > 0.95
    assert 0.7 < covered[1] < covered[0]


def test_the_gradient_of_silu_is_that_of_its_parts(tf: Any) -> None:
    from tallylens.converters.distill.student import _silu

    x = tf.constant(np.linspace(-8, 8, 101, dtype=np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, theirs = tf.square(_silu(tf)(x)), tf.square(x * tf.sigmoid(x))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(ours, x).numpy(), tape.gradient(theirs, x).numpy(), atol=1e-5
    )


def test_a_large_picture_is_made_smaller_and_rgb(tmp_path: Path) -> None:
    import cv2

    blue = np.zeros((100, 1300, 3), np.uint8)
    blue[..., 0] = 255
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), blue)
    for image in read_folder(tmp_path):
        assert image.shape[1] == 640
        assert image[0, 0].tolist() == [0, 0, 255]


def test_one_image_is_too_few(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match="recovery needs at least two readable images"):
        read_folder(tmp_path)


def test_the_loss_is_the_head_error(tf: Any, teacher: DetectorGraph) -> None:
    random = np.random.default_rng(0)
    found, wanted = (random.normal(size=(2, 4, 4, 14)).astype(np.float32) for _ in range(2))
    loss = float(distillation_loss(tf, teacher.metadata, [found], [wanted]))
    channels_first = [[head.transpose(0, 3, 1, 2)] for head in (found, wanted)]
    assert loss == pytest.approx(head_error(teacher.metadata, *channels_first), rel=1e-4)


def test_the_loss_of_heads_without_anchors_is_the_head_error(tf: Any) -> None:
    metadata = build_distribution_graph().metadata
    random = np.random.default_rng(1)
    shapes = [(2, 8, 12, 4 * BINS + CLASSES), (2, 4, 6, 4 * BINS + CLASSES)]
    found, wanted = (
        [random.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(2)
    )
    loss = float(distillation_loss(tf, metadata, found, wanted))
    channels_first = [[head.transpose(0, 3, 1, 2) for head in heads] for heads in (found, wanted)]
    assert loss == pytest.approx(head_error(metadata, *channels_first), rel=1e-4)
    assert float(distillation_loss(tf, metadata, wanted, wanted)) == pytest.approx(0, abs=1e-5)
