"""A small detector of every operator that emitters write, and runners to compare it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.statistics import to_input
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import FloatArray, Image

Heads = list[FloatArray]
CHANNELS = 8
HEAD_CHANNELS = 2 * (5 + 3)


def build_graph(size: tuple[int, int] = (64, 96)) -> DetectorGraph:
    """Random weights from a fixed seed, strides 8 and 16, two anchors, three classes."""
    random = np.random.default_rng(7)
    builder = GraphBuilder(size, batch=1)

    def conv(name: str, x: ir.Value, inputs: int, outputs: int, side: int, stride: int) -> ir.Value:
        weight = random.normal(0, (inputs * side * side) ** -0.5, (outputs, inputs, side, side))
        bias = random.normal(0, 0.3, outputs)
        pad = (side - 1) // 2
        return builder.conv(
            name,
            x,
            weight.astype(np.float32),
            bias.astype(np.float32),
            strides=(stride, stride),
            pads=(pad,) * 4,
        )

    c = CHANNELS
    stem = builder.silu("stem", conv("stem", builder.input, 3, c, 6, 2))
    leaky = builder.add("LeakyRelu", "leaky", [conv("two", stem, c, c, 3, 2)], {"alpha": 0.1})
    hard = builder.add("HardSwish", "hard", [conv("three", leaky, c, c, 3, 2)])
    relu = builder.add("Relu", "relu", [conv("four", hard, c, c, 1, 1)])
    added = builder.add("Add", "sum", [relu, hard])
    pooled = builder.max_pool("pool", added, (5, 5), (1, 1), (2, 2, 2, 2))
    joined = builder.concat("join", [added, pooled])
    depthwise = builder.conv(
        "depthwise",
        joined,
        random.normal(1, 0.3, (2 * c, 1, 1, 1)).astype(np.float32),
        random.normal(0, 0.3, 2 * c).astype(np.float32),
        group=2 * c,
    )
    deep = builder.silu("deep", conv("five", depthwise, 2 * c, c, 3, 2))
    wide = builder.concat("wide", [builder.upsample("up", deep), pooled])
    heads = [
        conv("head_a", wide, 2 * c, HEAD_CHANNELS, 1, 1),
        conv("head_b", deep, c, HEAD_CHANNELS, 1, 1),
    ]
    metadata = ModelMetadata(
        class_names=("car", "bus", "späti"),
        input_size=size,
        strides=(8, 16),
        anchors=(((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0), (62.0, 45.0))),
        head_names=("head8", "head16"),
        source_name="tiny.pt",
    )
    return builder.finish(heads, metadata)


def build_gated_graph(size: tuple[int, int] = (64, 96)) -> DetectorGraph:
    """As `build_graph`, of the operators that it has not: a gate, attention, doubled maps."""
    random = np.random.default_rng(11)
    builder = GraphBuilder(size, batch=1)
    c = CHANNELS

    def conv(name: str, x: ir.Value, inputs: int, outputs: int, side: int = 1) -> ir.Value:
        weight = random.normal(0, (inputs * side * side) ** -0.5, (outputs, inputs, side, side))
        bias = random.normal(0, 0.3, outputs)
        return builder.conv(name, x, weight, bias, strides=(side, side))

    x = builder.silu("stem", conv("stem", builder.input, 3, c, side=8))
    pooled = builder.add("GlobalAveragePool", "squeeze/GlobalAveragePool", [x])
    gate = builder.add("Sigmoid", "gate/Sigmoid", [conv("gate", pooled, c, c)])
    x = builder.add("Mul", "gated/Mul", [x, gate])
    peak = builder.add("GlobalMaxPool", "peak/GlobalMaxPool", [x])
    gate = builder.add("Sigmoid", "peaks/Sigmoid", [conv("peaks", peak, c, c)])
    x = builder.add("Mul", "peaks/Mul", [x, gate])
    deep = builder.silu("deep", conv("deep", x, c, c, side=2))
    best = conv("best", builder.channel_max("best", deep), 1, 1)
    deep = builder.spatial_gate("best", deep, builder.add("Sigmoid", "best/Sigmoid", [best]))
    q, k, v = (conv(name, deep, c, c) for name in "qkv")
    seen = builder.add("Add", "seen/Add", [builder.attention("seen", q, k, v, 2), deep])
    doubled = builder.conv_transpose(
        "doubled",
        seen,
        random.normal(0, 0.3, (c, 1, 4, 4)),
        random.normal(0, 0.3, c),
        strides=(2, 2),
        pads=(1, 1, 1, 1),
        group=c,
    )
    heads = [
        conv("head_a", builder.concat("wide", [doubled, x]), 2 * c, HEAD_CHANNELS),
        conv("head_b", seen, c, HEAD_CHANNELS),
    ]
    return builder.finish(heads, build_graph(size).metadata)


def random_images(size: tuple[int, int], count: int) -> list[Image]:
    """`count` images of noise, (height, width, 3) uint8, always the same ones."""
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


def run_graph(graph: DetectorGraph, image: Image) -> Heads:
    """The oracle: ONNX Runtime on the graph itself; heads as (1, h, w, channels)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        ir.to_proto(graph.model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    heads = session.run(list(graph.metadata.head_names), {"images": to_input(image)})
    return [np.asarray(head).transpose(0, 2, 3, 1) for head in heads]


def run_images(graph: DetectorGraph, images: FloatArray) -> list[FloatArray]:
    """The sound graph's heads in ONNX Runtime for (n, 3, h, w) numbers in 0..1."""
    import onnx
    import onnxruntime

    proto = ir.to_proto(graph.model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return [np.asarray(head) for head in session.run(None, {"images": images})]


def run_tflite(content: bytes, image: Image) -> Heads:
    """Float heads of a .tflite in the order of its outputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    floats = image[None].astype(np.float32) / np.float32(255)
    is_float = entry["dtype"] == np.float32
    interpreter.set_tensor(entry["index"], floats if is_float else image[None])
    interpreter.invoke()
    return [_dequantized(interpreter, output) for output in interpreter.get_output_details()]


def _dequantized(interpreter: Any, output: Mapping[str, Any]) -> FloatArray:
    values = interpreter.get_tensor(output["index"])
    if values.dtype == np.float32:
        return np.asarray(values)
    scale, zero_point = output["quantization"]
    return np.asarray((values.astype(np.float32) - zero_point) * np.float32(scale))


def largest_error(heads: Sequence[FloatArray], reference: Sequence[FloatArray]) -> float:
    """The largest difference of any logit; the shapes must agree."""
    assert [head.shape for head in heads] == [head.shape for head in reference]
    return max(float(np.abs(a - b).max()) for a, b in zip(heads, reference, strict=True))
