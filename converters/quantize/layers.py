"""Weights and biases, layer by layer, against what goes into each layer.

Only what rounding *weights* does to a bias is put right. The mean shift that rounded and cut
activations bring is one of the background, where nearly all positions are; taking it out of the
biases was measured to raise the scores of objects by 0.01 to 0.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..graph import DetectorGraph
from ..shapes import constant, integers
from .rounding import round_to, round_weights
from .scheme import largest_scale, name_of
from .stepping import walk

_SAMPLES = 2048

Arrays = dict[str, FloatArray]


def fit_layers(
    graph: DetectorGraph,
    batch: FloatArray,
    on_layer: Callable[[float], None] | None = None,
) -> tuple[Arrays, Arrays]:
    """Adjusted weights and biases by initializer name, and the weights' steps.

    `batch` (n, 3, h, w) float32 0..1, a few images. The bias takes up what rounding
    leaves of the mean error of each channel.
    """
    random = np.random.default_rng(0)
    weights: Arrays = {}
    scales: Arrays = {}
    count = len(list(graph.model.graph))
    for number, (node, inputs) in enumerate(walk(graph, batch), start=1):
        if node.op_type == "Conv":
            name, *bias_names = [name_of(value) for value in node.inputs[1:]]
            weights[name], scales[name], shift = _fit(node, inputs[0], random)
            for bias in bias_names:
                weights[bias] = constant(node, 2) + shift
        if on_layer:
            on_layer(number / count)
    return weights, scales


def _fit(
    node: ir.Node, values: FloatArray, random: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """New weight, its steps, and what to add to the bias."""
    weight: FloatArray = constant(node, 1)
    flat = weight.reshape(len(weight), -1)
    if "group" in node.attributes and node.attributes["group"].as_int() != 1:
        scale = largest_scale(weight)
        return round_to(flat, scale).reshape(weight.shape), scale, np.zeros(len(weight), np.float32)
    seen = patches(
        node, values, weight.shape[2:], _places(node, len(values), flat.shape[1], random)
    )
    rounded, scale = round_weights(flat, seen)
    shift = (flat - rounded) @ seen.mean(axis=0)
    return rounded.reshape(weight.shape), scale, shift.astype(np.float32)


def _places(
    node: ir.Node, images: int, inputs: int, random: np.random.Generator
) -> tuple[FloatArray, ...]:
    """Image, row and column of some outputs, each at most once."""
    shape = node.outputs[0].shape
    assert shape is not None
    height, width = int(shape[2]), int(shape[3])  # type: ignore[arg-type]
    total = images * height * width
    chosen = np.sort(random.choice(total, min(total, max(_SAMPLES, 3 * inputs)), replace=False))
    return np.unravel_index(chosen, (images, height, width))  # type: ignore[return-value]


def patches(
    node: ir.Node, values: FloatArray, kernel: tuple[int, ...], places: tuple[FloatArray, ...]
) -> FloatArray:
    """(samples, channels * kh * kw): what the convolution sees for the outputs at `places`."""
    top, left, bottom, right = integers(node, "pads", (0, 0, 0, 0))
    down, across = integers(node, "strides", (1, 1))
    padded = np.pad(values, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    image, row, column = places
    seen: FloatArray = windows[image, :, row * down, column * across]
    return np.ascontiguousarray(seen.reshape(len(image), -1))
