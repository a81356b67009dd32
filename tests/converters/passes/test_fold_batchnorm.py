"""The graph before and after the pass computes the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.passes.fold_batchnorm import FoldBatchNorm
from tallylens.edge_runtime.metadata import ModelMetadata

METADATA = ModelMetadata(("thing",), (16, 24), (1,), (((1.0, 1.0),),), ("head1",))
RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return RANDOM.normal(0, 1, shape)


def conv(builder: GraphBuilder, name: str, x: ir.Value, channels: int, bias: bool) -> ir.Value:
    weight = normal(channels, 3, 3, 3)
    return builder.conv(name, x, weight, normal(channels) if bias else None, pads=(1, 1, 1, 1))


def norm(builder: GraphBuilder, x: ir.Value, channels: int) -> ir.Value:
    statistics = {name: normal(channels) for name in ("weight", "bias", "running_mean")}
    statistics["running_var"] = np.abs(normal(channels)) + 0.01
    return builder.batch_norm("bn", x, statistics, 1e-3)


def after_conv(builder: GraphBuilder, bias: bool) -> ir.Value:
    return norm(builder, conv(builder, "a", builder.input, 4, bias), 4)


def after_concat(builder: GraphBuilder, bias: bool) -> ir.Value:
    parts = [conv(builder, name, builder.input, size, bias) for name, size in (("a", 4), ("b", 2))]
    return norm(builder, builder.concat("join", parts), 6)


def after_shared_conv(builder: GraphBuilder, bias: bool) -> ir.Value:
    shared = conv(builder, "a", builder.input, 4, bias)
    return builder.add("Add", "sum/Add", [shared, norm(builder, shared, 4)])


def after_activation(builder: GraphBuilder, bias: bool) -> ir.Value:
    return norm(builder, builder.silu("act", conv(builder, "a", builder.input, 4, bias)), 4)


def outputs(graph: DetectorGraph) -> np.ndarray:
    proto = ir.to_proto(graph.model)
    onnx.checker.check_model(proto, full_check=True)
    images = np.random.default_rng(1).random((1, 3, 16, 24), np.float32)
    session = ort.InferenceSession(proto.SerializeToString())
    return np.asarray(session.run(None, {"images": images})[0])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("make", "convs"),
    [(after_conv, 1), (after_concat, 2), (after_shared_conv, 2), (after_activation, 2)],
)
def test_same_numbers_without_batch_norm(
    make: Callable[[GraphBuilder, bool], ir.Value], convs: int, bias: bool
) -> None:
    builder = GraphBuilder((16, 24), 1)
    graph = builder.finish([make(builder, bias)], METADATA)
    before = outputs(graph)
    folded = FoldBatchNorm()(graph)
    kinds = Counter(node.op_type for node in folded.model.graph)
    assert kinds["BatchNormalization"] == 0
    assert kinds["Conv"] == convs
    np.testing.assert_allclose(outputs(folded), before, atol=1e-4)
    assert [(step.name, step.effect) for step in folded.metadata.passes] == [
        ("fold_batchnorm", {"nodes": 1})
    ]
    assert folded.model.graph.outputs[0].name == "head1"
    used = {value.name for node in folded.model.graph for value in node.inputs if value}
    assert set(folded.model.graph.initializers) <= used


def test_without_batch_norm_nothing_is_recorded() -> None:
    builder = GraphBuilder((16, 24), 1)
    graph = builder.finish([conv(builder, "a", builder.input, 4, True)], METADATA)
    assert FoldBatchNorm()(graph) is graph
