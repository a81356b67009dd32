"""MACs against a count that walks over every output value."""

from __future__ import annotations

import numpy as np

from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.channel_removal import remove_channels
from tallylens.converters.prune.channels import find_channels
from tallylens.converters.prune.cost import CostModel, multiply_adds
from tests.support.tiny_net import TinyNet


def brute_force(graph: DetectorGraph) -> int:
    """Products taken by each output value of each convolution of the emitted file."""
    import onnx

    from tallylens.converters.emit.onnx import emit_onnx

    proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(emit_onnx(graph)))
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in proto.graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*proto.graph.value_info, *proto.graph.output]
    }
    total = 0
    for node in proto.graph.node:
        if node.op_type == "Conv":
            weight = arrays[node.input[1]]
            for kernel in weight:
                total += kernel.size * shapes[node.output[0]][2] * shapes[node.output[0]][3]
    return total


def test_counts_every_product(detector: DetectorGraph) -> None:
    assert multiply_adds(detector) == brute_force(detector)


def test_the_model_of_cost_knows_what_a_cut_graph_costs(detector: DetectorGraph) -> None:
    channels = find_channels(detector.model)
    cost = CostModel(detector.model, channels)
    random = np.random.default_rng(1)
    assert cost(()) == multiply_adds(detector)
    for _ in range(5):
        removed = {
            int(one)
            for group in channels.groups
            for one in random.choice(group.channels, random.integers(8), replace=False)
        }
        cut = remove_channels(detector, channels, removed)
        assert cost(removed) == multiply_adds(cut) == brute_force(cut)


def test_depthwise_convolutions_shrink_with_their_channels(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    each = net.builder.conv(
        "each",
        x,
        np.ones((8, 1, 3, 3), np.float32),
        np.zeros(8, np.float32),
        pads=(1, 1, 1, 1),
        group=8,
    )
    graph = net.finish(net.plain("head", each, 16))
    channels = find_channels(graph.model)
    removed = set(channels.groups[0].channels[:3])
    cut = remove_channels(graph, channels, removed)
    assert CostModel(graph.model, channels)(removed) == multiply_adds(cut) == brute_force(cut)
