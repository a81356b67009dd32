"""Gates of forks: squeeze and excitation, CBAM and ECA, whatever their parts are called.

Every fork names the parts differently. A part is known by what it is: a pool to 1x1, the layer that
takes the channels of the map, the layer that restores them, the function between them and the
function at the end. Parts that allow more than one reading are refused.

Papers: Squeeze-and-Excitation (arXiv:1709.01507), CBAM (arXiv:1807.06521), ECA-Net
(arXiv:1910.03151).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import UnsupportedModelError
from ..shapes import size_of
from .assembler import Assembler, Handler
from .module import Module

MAX_KERNEL = 99
_AVERAGE, _LARGEST = "GlobalAveragePool", "GlobalMaxPool"
_POOLS = {"AdaptiveAvgPool2d": _AVERAGE, "AdaptiveMaxPool2d": _LARGEST}
_LAYERS = ("Conv1d", "Conv2d", "Linear")
_BETWEEN = ("ReLU", "SiLU", "LeakyReLU", "Hardswish")
_ENDS = ("Sigmoid", "Hardsigmoid", "h_sigmoid")
_CHANNEL = ("ChannelAttention", "ChannelAttentionModule", "ChannelGate")
_SPATIAL = ("SpatialAttention", "SpatialAttentionModule", "SpatialGate")
# Their authors join the maximum before the mean; everybody else the mean before it.
_MAXIMUM_FIRST = ("SpatialGate", "CBAMLayer")


@dataclass
class _Parts:
    """The parts of a gate by kind, in the order of the file; Sequentials are taken apart."""

    pools: list[Module] = field(default_factory=list)
    layers: list[Module] = field(default_factory=list)
    between: list[Module] = field(default_factory=list)
    ends: list[Module] = field(default_factory=list)
    others: list[Module] = field(default_factory=list)

    def add(self, modules: Iterable[Module]) -> _Parts:
        """Sort `modules` in."""
        for module in modules:
            if module.kind == "Sequential":
                self.add(module.children())
            elif module.kind in _POOLS:
                self.pools.append(module)
            elif module.kind in _LAYERS:
                self.layers.append(module)
            elif module.kind in _BETWEEN:
                self.between.append(module)
            elif module.kind in _ENDS:
                self.ends.append(module)
            elif module.kind not in ("Flatten", "Identity", "Dropout"):
                self.others.append(module)
        return self


def _squeeze(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """The mean of each channel decides how much of it passes."""
    return weigh_channels(assembler, module, x, module.children())


def _channel_attention(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """The mean and the maximum of each channel decide how much of it passes."""
    names = module.attribute(
        "pool_types",
        lambda found: type(found) is list and found in (["avg"], ["max"], ["avg", "max"]),
        ["avg", "max"],
    )
    pools = [_AVERAGE if name == "avg" else _LARGEST for name in names]
    return weigh_channels(assembler, module, x, module.children(), pools)


def weigh_channels(
    assembler: Assembler,
    module: Module,
    x: ir.Value,
    children: Sequence[Module],
    pools: Sequence[str] = (_AVERAGE,),
) -> ir.Value:
    """`x` times the gate that `children` compute of its pools (`pools` where none is a child)."""
    parts = _Parts().add(children)
    if parts.others or any(not _is_to_one(pool) for pool in parts.pools):
        raise unclear(assembler, module)
    sums = []
    for pool in [_POOLS[part.kind] for part in parts.pools] or pools:
        pooled = assembler.builder.add(pool, f"{module.name}/{pool}", [x])
        sums.append(_layers(assembler, module, parts, pooled))
    total = sums[0]
    for other in sums[1:]:
        total = assembler.builder.add("Add", f"{module.name}/Add", [total, other])
    gate = _end(assembler, module, parts.ends, total)
    return assembler.builder.add("Mul", f"{module.name}/Mul", [x, gate])


def _is_to_one(pool: Module) -> bool:
    return bool(pool.attribute("output_size", lambda _: True) in (1, (1, 1)))


def _layers(assembler: Assembler, module: Module, parts: _Parts, x: ir.Value) -> ir.Value:
    """Both layers with what is between them, or the only one."""
    if len(parts.layers) == 1 and not parts.between:
        return assembler.run(parts.layers[0], x)
    if len(parts.layers) != 2:
        raise unclear(assembler, module)
    first, second = _by_width(module, parts.layers, size_of(x)[0])
    x = assembler.run(first, x)
    if len(parts.between) == 1:
        x = assembler.run(parts.between[0], x)
    elif not parts.between and _is_functional(module):
        x = assembler.builder.add("Relu", f"{module.name}/Relu", [x])
    else:
        raise unclear(assembler, module)
    return assembler.run(second, x)


def _by_width(module: Module, layers: Sequence[Module], channels: int) -> tuple[Module, Module]:
    """The layer that takes the map's channels, and the one that restores them."""
    shapes = [layer.tensor("weight").shape for layer in layers]
    for one, other in ((0, 1), (1, 0)):
        taken, given = shapes[one][:2], shapes[other][:2]
        if len(taken) == len(given) == 2 and taken[1] == channels == given[0]:
            return layers[one], layers[other]
    raise module.damaged(f"{module.name} does not fit {channels} channels")


def _is_functional(module: Module) -> bool:
    """Whether it is RepVGG's, which calls functions in place of modules."""
    return module.has_child("down") and module.has_child("up")


def _end(assembler: Assembler, module: Module, ends: Sequence[Module], x: ir.Value) -> ir.Value:
    """The function at the end; some authors call it in place of a module."""
    if len(ends) == 1:
        return assembler.run(ends[0], x)
    called = _is_functional(module) or module.kind in ("ChannelGate", "SpatialGate")
    if ends or not called:
        raise unclear(assembler, module)
    return assembler.builder.add("Sigmoid", f"{module.name}/Sigmoid", [x])


def _spatial_attention(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """The mean and the maximum of all channels decide how much of a position passes."""
    return _weigh_positions(assembler, module, x, module.children())


def _weigh_positions(
    assembler: Assembler, module: Module, x: ir.Value, children: Sequence[Module]
) -> ir.Value:
    ends = [child for child in children if child.kind in _ENDS]
    convs = [child for child in children if child.kind not in (*_ENDS, "ChannelPool")]
    if len(convs) != 1:
        raise unclear(assembler, module)
    both = [
        assembler.builder.channel_mean(module.name, x),
        assembler.builder.channel_max(module.name, x),
    ]
    if module.kind in _MAXIMUM_FIRST:
        both.reverse()
    gate = assembler.run(convs[0], assembler.builder.concat(module.name, both))
    return assembler.builder.spatial_gate(module.name, x, _end(assembler, module, ends, gate))


def _cbam(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Channels first, then positions."""
    children = module.children()
    if module.kind != "CBAMLayer":
        return run_pair(assembler, module, x, children)
    spatial = [child for child in children if child.name.endswith(".conv")]
    ends = [child for child in children if child.kind in _ENDS]
    rest = [child for child in children if child not in spatial]
    x = weigh_channels(assembler, module, x, rest)
    return _weigh_positions(assembler, module, x, [*spatial, *ends])


def run_pair(
    assembler: Assembler, module: Module, x: ir.Value, children: Sequence[Module]
) -> ir.Value:
    """`x` through CBAM's two gates, the channels' first wherever the file lists it."""
    kinds = [child.kind for child in children]
    if sum(kind in _CHANNEL for kind in kinds) != 1 or not {*kinds} <= {*_CHANNEL, *_SPATIAL}:
        raise unclear(assembler, module)
    if len(kinds) > 2 or (
        len(kinds) == 1 and not module.attribute("no_spatial", lambda off: type(off) is bool, False)
    ):
        raise unclear(assembler, module)
    for child in sorted(children, key=lambda child: child.kind in _SPATIAL):
        x = assembler.run(child, x)
    return x


def _eca(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """A convolution over neighboring channels: a matrix of which only a band is not zero."""
    conv = module.child("conv")
    parts = _Parts().add(child for child in module.children() if child.name != conv.name)
    pools = parts.pools
    others = parts.others or parts.layers or parts.between
    if others or len(pools) != 1 or not _is_to_one(pools[0]) or conv.kind != "Conv1d":
        raise unclear(assembler, module)
    kernel, channels = conv.tensor("weight"), size_of(x)[0]
    width = kernel.shape[-1] if kernel.ndim == 3 else 0
    padding = conv.attribute("padding", lambda value: value in ((width // 2,), width // 2))
    if kernel.shape != (1, 1, width) or not width % 2 or width > MAX_KERNEL or not padding:
        raise unclear(assembler, module)
    padded = np.zeros((channels, channels + width - 1), np.float32)
    for channel in range(channels):
        padded[channel, channel : channel + width] = kernel[0, 0]
    matrix = padded[:, width // 2 : width // 2 + channels, None, None]
    offset = conv.optional_tensor("bias")
    bias = np.zeros(channels, np.float32) if offset is None else np.repeat(offset, channels)
    pooled = assembler.builder.add(_POOLS[pools[0].kind], f"{module.name}/{pools[0].kind}", [x])
    mixed = assembler.builder.conv(conv.name, pooled, matrix, bias)
    gate = _end(assembler, module, parts.ends, mixed)
    return assembler.builder.add("Mul", f"{module.name}/Mul", [x, gate])


def unclear(assembler: Assembler, module: Module) -> UnsupportedModelError:
    """The error for a gate of which the file does not say how its parts belong together."""
    names = ", ".join(child.name.rpartition(".")[2] for child in module.children()[:10])
    return assembler.unsupported(
        f"{module.name} is a {module.kind} whose parts ({names}) can be read in more than one way"
    )


GATES: Mapping[str, Handler] = {
    **dict.fromkeys(("SE", "SEAttention", "SEBlock", "SELayer", "SEModule", "SE_Block"), _squeeze),
    **dict.fromkeys(("SeBlock", "SqueezeExcitation", "SqueezeExcite"), _squeeze),
    **dict.fromkeys(_CHANNEL, _channel_attention),
    **dict.fromkeys(_SPATIAL, _spatial_attention),
    **dict.fromkeys(("CBAM", "CBAMLayer", "CBAMBlock"), _cbam),
    **dict.fromkeys(("ECA", "ECAAttention", "ECALayer", "eca_layer"), _eca),
}
