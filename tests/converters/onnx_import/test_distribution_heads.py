"""Exports of detectors without anchors, with the decode tail that the package writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.load import load
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError
from tallylens.edge_runtime.types import FloatArray
from tests.support.distribution_graph import (
    BINS,
    CLASSES,
    STRIDES,
    boxes_of,
    build_distribution_graph,
)

NAMES = "{0: 'cat', 1: 'dog', 2: 'owl'}"
SIZE = (64, 96)


class Tail:
    """Appends the package's decode tail to a graph that ends in raw head outputs."""

    def __init__(self, graph: DetectorGraph) -> None:
        self.model = onnx.load_from_string(emit_onnx(graph))
        del self.model.metadata_props[:]
        self.graph = self.model.graph
        self.heads = [one.name for one in self.graph.output]

    def node(self, kind: str, inputs: list[Any], outputs: int = 1, **attributes: Any) -> Any:
        count = len(self.graph.node)
        names = [f"/tail.{count}/{kind}_{index}" for index in range(outputs)]
        values = [
            one if isinstance(one, str) else self.constant(f"{count}.{index}", one)
            for index, one in enumerate(inputs)
        ]
        self.graph.node.append(helper.make_node(kind, values, names, **attributes))
        return names if outputs > 1 else names[0]

    def constant(self, name: str, array: Any) -> str:
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), f"tail.{name}"))
        return f"tail.{name}"

    def joined(self, values: list[str], channels: int) -> str:
        rows = [self.node("Reshape", [one, np.array([1, channels, -1])]) for one in values]
        return str(self.node("Concat", rows, axis=2))

    def boxes_and_scores(self, *, apart: bool) -> tuple[str, str]:
        """Releases up to 8.3 join boxes and classes of a head first, later ones never do."""
        if not apart:
            whole = self.joined(self.heads, 4 * BINS + CLASSES)
            box, scores = self.node("Split", [whole, np.array([4 * BINS, CLASSES])], 2, axis=1)
            return box, scores
        joins = [node for node in self.graph.node if node.output[0] in self.heads]
        pairs = [tuple(node.input) for node in joins]
        for node in joins:
            self.graph.node.remove(node)
        box = self.joined([box for box, _ in pairs], 4 * BINS)
        return box, self.joined([scores for _, scores in pairs], CLASSES)

    def finish(self, *, apart: bool = False, extra: bool = False) -> onnx.ModelProto:
        box, scores = self.boxes_and_scores(apart=apart)
        sides = self.node("Reshape", [box, np.array([1, 4, BINS, -1])])
        turned = self.node("Transpose", [sides], perm=[0, 2, 1, 3])
        shares = self.node("Softmax", [turned], axis=1)
        steps = np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1)
        distance = self.node("Conv", [shares, steps], kernel_shape=[1, 1])
        flat = self.node("Reshape", [distance, np.array([1, 4, -1])])
        low, high = self.node("Split", [flat, np.array([2, 2])], 2, axis=1)
        grids = [np.mgrid[: SIZE[0] // s, : SIZE[1] // s].reshape(2, -1)[::-1] for s in STRIDES]
        middles = (np.concatenate(grids, axis=1)[None] + 0.5).astype(np.float32)
        stride = np.concatenate(
            [np.full(grid.shape[1], s) for s, grid in zip(STRIDES, grids, strict=True)]
        ).astype(np.float32)
        corners = self.node(
            "Concat",
            [self.node("Sub", [middles, low]), self.node("Add", [middles, high])],
            axis=1,
        )
        boxes = self.node("Mul", [corners, stride])
        parts = [boxes, self.node("Sigmoid", [scores])]
        if extra:
            feature = self.graph.node[0].output[0]
            weight = np.ones((2, 8, 1, 1), np.float32)
            points = self.node("Conv", [feature, weight], kernel_shape=[1, 1], strides=[4, 4])
            self.node("Identity", [points])
        output = self.node("Concat", parts, axis=1)
        del self.graph.output[:]
        names = [output, points] if extra else [output]
        for name in names:
            self.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        self.model.metadata_props.add(key="names", value=NAMES)
        return self.model


def run(model: bytes, images: FloatArray) -> list[FloatArray]:
    found: list[FloatArray] = ort.InferenceSession(model).run(None, {"images": images})
    return found


@pytest.mark.parametrize("apart", [False, True])
def test_heads_are_those_before_the_tail(tmp_path: Path, apart: bool) -> None:
    original = build_distribution_graph(SIZE)
    model = Tail(original).finish(apart=apart)
    onnx.save(model, tmp_path / "export.onnx")
    graph = load(tmp_path / "export.onnx")
    metadata = graph.metadata
    assert (metadata.reg_max, metadata.strides, metadata.input_size) == (BINS, STRIDES, SIZE)
    assert metadata.class_names == ("cat", "dog", "owl")
    images = np.random.default_rng(0).random((1, 3, *SIZE), np.float32)
    heads = run(emit_onnx(graph), images)
    for found, wanted in zip(heads, run(emit_onnx(original), images), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    (decoded,) = run(model.SerializeToString(), images)
    np.testing.assert_allclose(boxes_of(heads), decoded[0].T, atol=1e-3)


def test_a_file_of_tallylens_is_read_again(tmp_path: Path) -> None:
    original = build_distribution_graph(SIZE)
    (tmp_path / "own.onnx").write_bytes(emit_onnx(original))
    graph = load(tmp_path / "own.onnx", input_size=(128, 64))
    assert graph.metadata.reg_max == BINS
    assert graph.metadata.input_size == (128, 64)
    assert graph.metadata.class_names == original.metadata.class_names


def test_heads_with_more_are_refused(tmp_path: Path) -> None:
    onnx.save(Tail(build_distribution_graph(SIZE)).finish(extra=True), tmp_path / "pose.onnx")
    with pytest.raises(UnsupportedModelError, match="more than boxes and classes"):
        load(tmp_path / "pose.onnx")


def test_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = Tail(build_distribution_graph(SIZE)).finish()
    del model.metadata_props[:]
    model.metadata_props.add(key="names", value="cat")
    onnx.save(model, tmp_path / "export.onnx")
    with pytest.raises(ModelError, match="its class names are not a list of 3"):
        load(tmp_path / "export.onnx")
