"""The quantization scheme: the result of a calibration, read by all emitters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..graph import DetectorGraph

Ranges = Mapping[str, tuple[float, float]]

# A channel of zeros still needs a scale above zero.
SMALLEST_SCALE = 1e-8
WEIGHT_STEPS = 127


@dataclass(frozen=True)
class Calibration:
    """The quantization scheme of one graph.

    `ranges`: by value name, (low, high) with low <= 0 <= high, for 256 steps.
    `widest`: the same without what was cut at the top. A cut pays where a value is rounded before
    its activation and behind it, as in TFLite; rounded once, as in Core ML, values keep all.
    `images`: how many the ranges come from. `method`: how they were chosen.
    `weights`: by initializer name, what takes the place of the graph's own weights and biases.
    `weight_scales`: by initializer name, the step of every output channel, (out,) float32; the
    weights above are whole multiples of it, at most 127.
    `sensitivity`: by value name, what quantizing this value alone does to the heads: the root
    mean square of the change, in logits.
    `warnings`: sentences for the report.
    """

    ranges: Ranges
    widest: Ranges
    images: int
    method: str = "minmax"
    weights: Mapping[str, FloatArray] = field(default_factory=dict)
    weight_scales: Mapping[str, FloatArray] = field(default_factory=dict)
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def apply(self, graph: DetectorGraph) -> DetectorGraph:
        """`graph` with the adjusted weights and biases; `graph` itself stays as it is."""
        if not self.weights:
            return graph
        model = graph.model.clone(deep_copy=True)
        for name, array in self.weights.items():
            model.graph.initializers[name].const_value = ir.tensor(array, name=name)
        return DetectorGraph(model, graph.metadata)


def largest_scale(weight: FloatArray) -> FloatArray:
    """(out,) step per output channel with which (out, ...) `weight` fits into int8."""
    limit = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    scale: FloatArray = np.maximum(limit / WEIGHT_STEPS, SMALLEST_SCALE).astype(np.float32)
    return scale


def name_of(value: ir.Value | None) -> str:
    """The name of a value, which every value of a DetectorGraph has."""
    assert value is not None
    assert value.name is not None
    return value.name
