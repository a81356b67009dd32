"""The Focus stem becomes one convolution that computes the same."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.passes.focus_to_conv import CORNERS, FocusToConv
from tallylens.edge_runtime.metadata import ModelMetadata

METADATA = ModelMetadata(("thing",), (16, 24), (2,), (((1.0, 1.0),),), ("head2",))


def focus(
    corners: tuple[tuple[int, int], ...] = CORNERS,
    kernel: int = 3,
    strides: tuple[int, int] = (1, 1),
) -> DetectorGraph:
    random = np.random.default_rng(0)
    builder = GraphBuilder((16, 24), 1)
    parts = [builder.every_second("stem", builder.input, *corner) for corner in corners]
    head = builder.conv(
        "stem",
        builder.concat("stem", parts),
        random.normal(0, 1, (5, 12, kernel, kernel)),
        random.normal(0, 1, 5),
        strides=strides,
        pads=(kernel // 2,) * 4,
    )
    return builder.finish([head], METADATA)


def outputs(graph: DetectorGraph) -> np.ndarray:
    proto = ir.to_proto(graph.model)
    onnx.checker.check_model(proto, full_check=True)
    images = np.random.default_rng(1).random((1, 3, 16, 24), np.float32)
    session = ort.InferenceSession(proto.SerializeToString())
    return np.asarray(session.run(None, {"images": images})[0])


@pytest.mark.parametrize("corners", list(itertools.permutations(CORNERS))[::5])
def test_same_numbers_in_one_convolution(corners: tuple[tuple[int, int], ...]) -> None:
    graph = focus(corners)
    before = outputs(graph)
    rewritten = FocusToConv()(graph)
    assert Counter(node.op_type for node in rewritten.model.graph) == {"Conv": 1}
    assert len(rewritten.model.graph.initializers) == 2
    np.testing.assert_allclose(outputs(rewritten), before, atol=1e-5)
    assert rewritten.metadata.passes[0].name == "focus_to_conv"


@pytest.mark.parametrize(
    "graph",
    [
        focus(((0, 0), (0, 0), (0, 1), (1, 1))),
        focus(kernel=1),
        focus(strides=(2, 2)),
    ],
    ids=["a corner twice", "a 1x1 convolution", "a stride"],
)
def test_what_is_not_focus_stays(graph: DetectorGraph) -> None:
    before = Counter(node.op_type for node in graph.model.graph)
    assert FocusToConv()(graph) is graph
    assert Counter(node.op_type for node in graph.model.graph) == before
