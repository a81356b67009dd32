"""Blocks beyond the standard YOLOv5: of its hub and of forks (small devices, faces, plates).

All become operators of a detector graph. A move of channels becomes a 1x1 convolution of
zeros and ones, which is exact in float.

Papers: GhostNet (arXiv:1911.11907), ShuffleNet V2 (arXiv:1807.11164), RepVGG (arXiv:2101.03697),
PP-LCNet (arXiv:2109.15099), YOLO5Face (arXiv:2105.12931).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from ..shapes import size_of
from .assembler import Assembler, Handler
from .module import Module


def _in_turn(*names: str) -> Handler:
    """The handler of a module that runs these children one after the other."""

    def run(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
        for name in names:
            x = assembler.run(module.child(name), x)
        return x

    return run


def _ghost_conv(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Half of the channels, and a cheap convolution of them as the other half."""
    primary = assembler.run(module.child("cv1"), x)
    cheap = assembler.run(module.child("cv2"), primary)
    return assembler.builder.concat(module.name, [primary, cheap])


def _ghost_bottleneck(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    deep = assembler.run(module.child("conv"), x)
    shortcut = assembler.run(module.child("shortcut"), x)
    return assembler.builder.add("Add", f"{module.name}/Add", [deep, shortcut])


def _separable(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """A depthwise and a pointwise convolution, each with batch norm and a ReLU of its own."""
    for number in (1, 2):
        x = assembler.run(module.child(f"conv{number}"), x)
        x = assembler.run(module.child(f"bn{number}"), x)
        x = assembler.builder.add("Relu", f"{module.name}.{number}/Relu", [x])
    return x


def _stem(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """A convolution of stride 2 and a pool side by side."""
    first = assembler.run(module.child("stem_1"), x)
    branch = assembler.run(module.child("stem_2b"), assembler.run(module.child("stem_2a"), first))
    pooled = assembler.run(module.child("stem_2p"), first)
    joined = assembler.builder.concat(module.name, [branch, pooled])
    return assembler.run(module.child("stem_3"), joined)


def _shuffle(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """ShuffleNet V2's unit: half of the channels pass by, then the halves are interleaved."""
    channels = size_of(x)[0]
    stride = module.integer("stride")
    if stride == 1:
        if channels % 2:
            raise module.damaged(f"{module.name} splits {channels} channels in two")
        half = channels // 2
        left = _channels(assembler, f"{module.name}.left", x, range(half))
        right = _channels(assembler, f"{module.name}.right", x, range(half, channels))
    else:
        left, right = assembler.run(module.child("branch1"), x), x
    joined = assembler.builder.concat(
        module.name, [left, assembler.run(module.child("branch2"), right)]
    )
    width = size_of(joined)[0]
    order = np.arange(width).reshape(2, width // 2).T.ravel()
    return _channels(assembler, f"{module.name}.shuffle", joined, order.tolist())


def _rep_vgg(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Branches that training keeps apart; a deployed block has one convolution."""
    names = ["rbr_reparam"] if module.has_child("rbr_reparam") else ["rbr_dense", "rbr_1x1"]
    if module.has_child("rbr_identity"):
        names.append("rbr_identity")
    total = assembler.run(module.child(names[0]), x)
    for name in names[1:]:
        branch = assembler.run(module.child(name), x)
        total = assembler.builder.add("Add", f"{module.name}/Add", [total, branch])
    if module.has_child("se"):
        total = assembler.run(module.child("se"), total)
    return assembler.run(module.child("nonlinearity"), total)


def _contract(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Squares of `gain` x `gain` pixels become channels: row, column, then the old channel."""
    gain = module.integer("gain")
    channels = size_of(x)[0]
    if not 1 <= gain <= 8:
        raise module.damaged(f"{module.name}.gain is {gain}")
    weight = np.zeros((gain, gain, channels, channels, gain, gain), np.float32)
    for row in range(gain):
        for column in range(gain):
            weight[row, column, range(channels), range(channels), row, column] = 1
    return assembler.builder.conv(
        module.name,
        x,
        weight.reshape(gain * gain * channels, channels, gain, gain),
        np.zeros(gain * gain * channels, np.float32),
        strides=(gain, gain),
    )


def _zero_pad(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Zeros around the feature map: a convolution of each channel with 1, padded."""
    padding = module.attribute(
        "padding",
        lambda sides: (
            type(sides) is tuple
            and len(sides) == 4
            and all(type(side) is int and 0 <= side <= 16 for side in sides)
        ),
    )
    left, right, top, bottom = padding
    channels = size_of(x)[0]
    return assembler.builder.conv(
        module.name,
        x,
        np.ones((channels, 1, 1, 1), np.float32),
        np.zeros(channels, np.float32),
        pads=(top, left, bottom, right),
        group=channels,
    )


def _channels(assembler: Assembler, name: str, x: ir.Value, wanted: Sequence[int]) -> ir.Value:
    """The channels `wanted` of `x`, in this order."""
    weight = np.zeros((len(wanted), size_of(x)[0], 1, 1), np.float32)
    weight[range(len(wanted)), list(wanted)] = 1
    return assembler.builder.conv(name, x, weight, np.zeros(len(wanted), np.float32))


def _lite(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """PP-LCNet's block: depthwise, an optional gate, pointwise."""
    x = assembler.run(module.child("dw_conv"), x)
    if module.attribute("use_se", lambda used: type(used) is bool, False):
        x = assembler.run(module.child("se"), x)
    return assembler.run(module.child("pw_conv"), x)


FORK_HANDLERS: Mapping[str, Handler] = {
    "CBH": _in_turn("conv", "bn", "hardswish"),
    "Contract": _contract,
    "DWConvblock": _separable,
    "Dense": _in_turn("dense_conv", "hardswish", "dropout"),
    "GhostBottleneck": _ghost_bottleneck,
    "GhostConv": _ghost_conv,
    "LC_Block": _lite,
    "RepVGGBlock": _rep_vgg,
    "ShuffleV2Block": _shuffle,
    "Shuffle_Block": _shuffle,
    "StemBlock": _stem,
    "ZeroPad2d": _zero_pad,
    "conv_bn_relu_maxpool": _in_turn("conv", "maxpool"),
}
