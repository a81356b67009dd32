"""The range of every tensor over a set of images, found in ONNX Runtime.

Ranges are found once, here, and every emitter writes the same ones. This is minimum and maximum,
without the part of a range in which the activation function that follows is flat; a range always
holds zero, so that padding is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ..edge_runtime.errors import MissingExtraError, ModelError
from ..edge_runtime.types import FloatArray, Image
from .graph import INPUT_NAME, DetectorGraph

Ranges = Mapping[str, tuple[float, float]]

# These only move values, so input and output hold the same numbers. One common range for all of
# them spares the device a requantisation each.
_MOVERS = ("Concat", "MaxPool", "Resize")

# Below, SiLU gives less than 0.003 in size, and HardSwish exactly nothing. Convolutions before
# them reach down to -130, which would spend half of the 256 steps on telling nothing from nothing.
_FLAT_BELOW = {"Sigmoid": -8.0, "HardSwish": -3.0}


@dataclass(frozen=True)
class Calibration:
    """`ranges` by value name, and from how many images by which method."""

    ranges: Ranges
    images: int
    method: str = "minmax"


def cut_flat_tails(graph: DetectorGraph, ranges: Ranges) -> dict[str, tuple[float, float]]:
    """The same ranges, cut where every user of the value is flat (SiLU, HardSwish)."""
    cut = dict(ranges)
    for node in graph.model.graph:
        value = node.inputs[0] if node.inputs else None
        least = _FLAT_BELOW.get(node.op_type)
        if value is None or least is None or not _only_activates(value, node):
            continue
        low, high = cut[_name(value)]
        cut[_name(value)] = (max(low, least), high)
    return cut


def _only_activates(value: ir.Value, node: ir.Node) -> bool:
    """Whether `value` is used by `node` alone, or for SiLU by its product with itself as well."""
    users = {user for user, _ in value.uses()} - {node}
    if node.op_type == "Sigmoid":
        return len(users) == 1 and all(
            user.op_type == "Mul" and set(user.inputs) == {value, node.outputs[0]} for user in users
        )
    return not users


def observe_ranges(
    graph: DetectorGraph,
    images: Iterable[Image],
    on_image: Callable[[int], None] | None = None,
) -> Calibration:
    """Smallest and largest value of every activation, by value name.

    `images` are (height, width, 3) uint8 RGB of the model's input size; `on_image` is told how
    many are done.

    Raises:
        ModelError: a value overflows: the weights are damaged.
        MissingExtraError: ONNX Runtime is not installed.
    """
    session, names = _session(graph)
    lows, highs = np.zeros(len(names), np.float32), np.zeros(len(names), np.float32)
    done = 0
    for done, image in enumerate(images, start=1):
        extremes = np.asarray(session.run(None, {INPUT_NAME: to_input(image)}), np.float32)
        np.minimum(lows, extremes[: len(names)], out=lows)
        np.maximum(highs, extremes[len(names) :], out=highs)
        if on_image:
            on_image(done)
    if not np.isfinite([lows, highs]).all():
        raise ModelError(
            graph.metadata.source_name or "model",
            "gives values that are not numbers on these images",
            "Check that the checkpoint detects anything before it is converted",
        )
    observed = {
        name: (float(low), float(high)) for name, low, high in zip(names, lows, highs, strict=True)
    }
    return Calibration(cut_flat_tails(graph, observed) | {INPUT_NAME: (0.0, 1.0)}, images=done)


def to_input(image: Image) -> FloatArray:
    """A (h, w, 3) uint8 RGB image as the (1, 3, h, w) float32 0..1 input."""
    pixels: FloatArray = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    pixels /= np.float32(255)
    return pixels


def tie_ranges(graph: DetectorGraph, ranges: Ranges) -> dict[str, tuple[float, float]]:
    """The same ranges, with one common range over values that are only moved about."""
    leader = {name: name for name in ranges}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for node in graph.model.graph:
        if node.op_type in _MOVERS:
            for value in node.inputs:
                if value is not None and value.name in leader:
                    leader[find(value.name)] = find(_name(node.outputs[0]))
    tied: dict[str, tuple[float, float]] = {}
    for name, (low, high) in ranges.items():
        common = tied.get(find(name), (low, high))
        tied[find(name)] = (min(common[0], low), max(common[1], high))
    return {name: tied[find(name)] for name in ranges}


def _session(graph: DetectorGraph) -> tuple[Any, list[str]]:
    """A session whose outputs are all minima, then all maxima; and the values' names."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "Calibration") from error
    proto = ir.to_proto(graph.model)
    names = [output for node in proto.graph.node for output in node.output]
    del proto.graph.output[:]
    for operator in ("ReduceMin", "ReduceMax"):
        for name in names:
            output = f"{name}::{operator}"
            proto.graph.node.append(onnx.helper.make_node(operator, [name], [output], keepdims=0))
            proto.graph.output.append(
                onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, [])
            )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session, names


def _name(value: ir.Value) -> str:
    assert value.name is not None, "every value of a DetectorGraph has a name"
    return value.name
