"""Blocks that need more than convolutions: transposed convolutions, gates, and C3TR's attention.

Papers: Squeeze-and-Excitation (arXiv:1709.01507), PP-LCNet (arXiv:2109.15099), Attention Is All
You Need (arXiv:1706.03762).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..shapes import size_of
from .assembler import Assembler, Handler
from .module import Module
from .split_blocks import MAX_ATTENTION_HEADS


def _conv_transpose(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    if module.pair("dilation", 1) != (1, 1) or module.pair("output_padding", 0) != (0, 0):
        raise assembler.unsupported(f"{module.name} is a dilated or padded {module.kind}")
    weight, bias = module.tensor("weight"), module.optional_tensor("bias")
    group = module.integer("groups", 1)
    if weight.ndim != 4 or group < 1:
        raise module.damaged(f"{module.name} has weights of the shape {weight.shape}")
    top, left = module.pair("padding", 0)
    return assembler.builder.conv_transpose(
        module.name,
        x,
        weight,
        np.zeros(weight.shape[1] * group, np.float32) if bias is None else bias,
        strides=module.pair("stride", 1),
        pads=(top, left, top, left),
        group=group,
    )


def _expand(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Channels become squares of `gain` x `gain` pixels: a transposed convolution of 0 and 1."""
    gain, channels = module.integer("gain"), size_of(x)[0]
    if not 1 <= gain <= 8 or channels % (gain * gain):
        raise module.damaged(f"{module.name} expands {channels} channels by {gain}")
    left = channels // (gain * gain)
    weight = np.zeros((gain, gain, left, left, gain, gain), np.float32)
    for row in range(gain):
        for column in range(gain):
            weight[row, column, range(left), range(left), row, column] = 1
    return assembler.builder.conv_transpose(
        module.name,
        x,
        weight.reshape(channels, left, gain, gain),
        np.zeros(left, np.float32),
        strides=(gain, gain),
        pads=(0, 0, 0, 0),
    )


def _average(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """The mean of each channel."""
    sides = module.attribute("output_size", lambda size: size in (1, (1, 1)))
    assert sides
    return assembler.builder.add("GlobalAveragePool", f"{module.name}/GlobalAveragePool", [x])


def _lite_gate(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """PP-LCNet's gate, with a SiLU at its end."""
    gate = x
    for name in ("avg_pool", "conv1", "relu", "conv2", "SiLU"):
        gate = assembler.run(module.child(name), gate)
    return assembler.builder.add("Mul", f"{module.name}/Mul", [x, gate])


def _linear(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """A matrix for every position: a 1x1 convolution."""
    weight = module.tensor("weight")
    return _dense(assembler, module, x, weight, module.optional_tensor("bias"))


def _dense(
    assembler: Assembler,
    module: Module,
    x: ir.Value,
    weight: FloatArray,
    bias: FloatArray | None,
) -> ir.Value:
    if weight.ndim != 2:
        raise module.damaged(f"{module.name} has weights of the shape {weight.shape}")
    return assembler.builder.conv(module.name, x, weight[:, :, None, None], bias)


def _transformer(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Layers of attention; what is added to a position is computed from it."""
    if module.has_child("conv"):
        x = assembler.run(module.child("conv"), x)
    place = assembler.run(module.child("linear"), x)
    total = assembler.builder.add("Add", f"{module.name}/Add", [x, place])
    return assembler.run(module.child("tr"), total)


def _transformer_layer(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Attention and two matrices, each added to what goes in."""
    maps = [assembler.run(module.child(name), x) for name in ("q", "k", "v")]
    seen = _multi_head(assembler, module.child("ma"), maps)
    x = assembler.builder.add("Add", f"{module.name}.ma/Add", [seen, x])
    y = assembler.run(module.child("fc2"), assembler.run(module.child("fc1"), x))
    return assembler.builder.add("Add", f"{module.name}/Add", [y, x])


def _multi_head(assembler: Assembler, module: Module, maps: list[ir.Value]) -> ir.Value:
    """PyTorch's MultiheadAttention of queries, keys and values."""
    if module.kind != "MultiheadAttention":
        raise assembler.unsupported(f"{module.name} is a {module.kind}")
    heads, width = module.integer("num_heads"), size_of(maps[0])[0]
    weight, bias = module.tensor("in_proj_weight"), module.optional_tensor("in_proj_bias")
    if not 1 <= heads <= MAX_ATTENTION_HEADS or width % heads or weight.shape != (3 * width, width):
        raise module.damaged(f"{module.name} has {heads} heads for {width} channels")
    bias = np.zeros(3 * width, np.float32) if bias is None else bias
    if bias.shape != (3 * width,):
        raise module.damaged(f"{module.name} has a bias that does not fit")
    scales = np.array([(width // heads) ** -0.5, 1, 1], np.float32).tolist()
    q, k, v = (
        _dense(assembler, module, x, w * scale, b * scale)
        for x, w, b, scale in zip(maps, np.split(weight, 3), np.split(bias, 3), scales, strict=True)
    )
    seen = assembler.builder.attention(module.name, q, k, v, heads)
    return assembler.run(module.child("out_proj"), seen)


GATE_HANDLERS: Mapping[str, Handler] = {
    "AdaptiveAvgPool2d": _average,
    "ConvTranspose2d": _conv_transpose,
    "DWConvTranspose2d": _conv_transpose,
    "Expand": _expand,
    "LC_SEModule": _lite_gate,
    "Linear": _linear,
    "NonDynamicallyQuantizableLinear": _linear,
    "TransformerBlock": _transformer,
    "TransformerLayer": _transformer_layer,
}
