"""Statistics of a graph's values over a set of images, from one pass in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import ModelError
from ...edge_runtime.types import FloatArray, Image
from ..graph import INPUT_NAME, DetectorGraph
from ..operators import OPERATORS
from .scheme import name_of
from .stepping import libraries

# Channels are sampled on a grid of at most this many rows and columns, in a few of the images.
_SAMPLED_ROWS = 20
_SAMPLED_EVERY = 8


@dataclass(frozen=True)
class Statistics:
    """`limits` (low, high) with zero inside, and `samples` (channels, n), by value name.

    Values that follow from others (the output of a SiLU, of a concat) are omitted.
    """

    limits: Mapping[str, tuple[float, float]]
    samples: Mapping[str, FloatArray]
    images: int


def to_input(image: Image) -> FloatArray:
    """A (h, w, 3) uint8 RGB image as the (1, 3, h, w) float32 0..1 input."""
    pixels: FloatArray = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    pixels /= np.float32(255)
    return pixels


def is_observed(node: ir.Node) -> bool:
    """Whether the range of `node`'s output must be measured: it follows from nothing else."""
    operator = OPERATORS[node.op_type]
    return not operator.moves_values and operator.output_range is None


def is_silu(node: ir.Node) -> bool:
    """Whether `node` is the product of a value and its own sigmoid."""
    if node.op_type != "Mul":
        return False
    gates = [v.producer() for v in node.inputs if v is not None]
    return any(
        gate is not None and gate.op_type == "Sigmoid" and gate.inputs[0] in node.inputs
        for gate in gates
    )


def observe(
    graph: DetectorGraph,
    images: Iterable[Image],
    on_image: Callable[[int], None] | None = None,
) -> Statistics:
    """Smallest and largest value, and samples, of all values that do not follow from others.

    `images` are (height, width, 3) uint8 RGB of the model's input size; `on_image` receives
    the number done.

    Raises:
        ModelError: a value overflows: the weights are damaged.
        MissingExtraError: ONNX Runtime is not installed.
    """
    nodes = [node for node in graph.model.graph if is_observed(node)]
    names = [name_of(node.outputs[0]) for node in nodes if not is_silu(node)]
    session = _session(graph, names)
    lows, highs = np.zeros(len(names), np.float32), np.zeros(len(names), np.float32)
    samples: dict[str, list[FloatArray]] = {name: [] for name in names}
    done = 0
    wanted = [output.name for output in session.get_outputs()]
    for done, image in enumerate(images, start=1):
        sampled = done % _SAMPLED_EVERY == 1
        outputs = wanted if sampled else wanted[: 2 * len(names)]
        found = session.run(outputs, {INPUT_NAME: to_input(image)})
        extremes = np.asarray(found[: 2 * len(names)], np.float32)
        np.minimum(lows, extremes[: len(names)], out=lows)
        np.maximum(highs, extremes[len(names) :], out=highs)
        for name, values in zip(names, found[2 * len(names) :], strict=False):
            samples[name].append(values[0].reshape(values.shape[1], -1))
        if on_image:
            on_image(done)
    if not np.isfinite([lows, highs]).all():
        raise ModelError(
            graph.metadata.source_name or "model",
            "gives values that are not numbers on these images",
            "Check that the checkpoint detects anything before it is converted",
        )
    limits = {n: (float(a), float(b)) for n, a, b in zip(names, lows, highs, strict=True)}
    joined = {name: np.concatenate(parts, axis=1) for name, parts in samples.items() if parts}
    return Statistics(limits, joined, done)


def _session(graph: DetectorGraph, names: list[str]) -> Any:
    """A session whose outputs are all minima, all maxima, then all samples."""
    onnx, runtime = libraries()
    proto = ir.to_proto(graph.model)
    heights = {name_of(n.outputs[0]): int(n.outputs[0].shape[2]) for n in graph.model.graph}  # type: ignore
    make, body, kind = onnx.helper.make_node, proto.graph, onnx.TensorProto.FLOAT
    del body.output[:]

    def add(node: Any, rank: int) -> None:
        body.node.append(node)
        shape = [None] * rank
        body.output.append(onnx.helper.make_tensor_value_info(node.output[0], kind, shape))

    for operator in ("ReduceMin", "ReduceMax"):
        for name in names:
            add(make(operator, [name], [f"{name}::{operator}"], keepdims=0), 0)
    for key, numbers in (("start", [0, 0]), ("end", [1 << 31] * 2), ("axes", [2, 3])):
        body.initializer.append(_integers(onnx, f"::{key}", numbers))
    for name in names:
        step = max(1, heights[name] // _SAMPLED_ROWS)
        body.initializer.append(_integers(onnx, f"{name}::step", [step, step]))
        slices = [name, "::start", "::end", "::axes", f"{name}::step"]
        add(make("Slice", slices, [f"{name}::samples"]), 4)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _integers(onnx: Any, name: str, numbers: list[int]) -> Any:
    return onnx.numpy_helper.from_array(np.array(numbers, np.int64), name)
