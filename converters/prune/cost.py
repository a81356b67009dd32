"""MACs of a detector, and of the same detector with fewer channels."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

import numpy as np
import onnx_ir as ir

from ..graph import DetectorGraph
from ..shapes import constant, size_of
from .channels import Channels, groups_of


def multiply_adds(graph: DetectorGraph) -> int:
    """MACs of all convolutions for one image of the graph's input size."""
    return sum(
        int(constant(node, 1).size) * prod(size_of(node.outputs[0])[1:])
        for node in graph.model.graph
        if node.op_type == "Conv"
    )


def parameters(graph: DetectorGraph) -> int:
    """Weights and biases of all convolutions, batch norm folded."""
    return sum(
        int(constant(node, index).size)
        for node in graph.model.graph
        if node.op_type == "Conv"
        for index in range(1, len(node.inputs))
    )


class CostModel:
    """MACs of a graph as a function of the channels that are removed."""

    def __init__(self, model: ir.Model, channels: Channels) -> None:
        convs = [node for node in model.graph if node.op_type == "Conv"]
        self._all = np.ones(1 + max(int(ids.max()) for ids in channels.ids.values()), np.int64)
        self._layers = []
        for conv in convs:
            weight = constant(conv, 1)
            each = prod(weight.shape[2:]) * prod(size_of(conv.outputs[0])[1:])
            made = channels.ids[str(conv.outputs[0].name)]
            source = conv.inputs[0]
            assert source is not None
            read = channels.ids[str(source.name)] if groups_of(conv) == 1 else None
            self._layers.append((each, made, read, weight.shape[1]))

    def __call__(self, removed: Collection[int]) -> int:
        """MACs per image without the channels `removed` (ids)."""
        left = self._all.copy()
        left[np.fromiter(removed, np.int64, len(removed))] = 0
        total = 0
        for each, made, read, per_group in self._layers:
            seen = per_group if read is None else int(left[read].sum())
            total += each * int(left[made].sum()) * seen
        return total
