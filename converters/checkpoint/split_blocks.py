"""Blocks of YOLOv8 and YOLO11 that split channels: C2f, C3k2, and C2PSA with attention.

A convolution whose output is split becomes one convolution for each part, which costs the same.

Papers: Attention Is All You Need (arXiv:1706.03762); YOLOv10 (arXiv:2405.14458) for partial
self-attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from .assembler import Assembler, Handler
from .module import Module

MAX_ATTENTION_HEADS = 256

Rows = Sequence[int]


def conv_in_parts(
    assembler: Assembler,
    module: Module,
    x: ir.Value,
    parts: Sequence[Rows],
    factors: Sequence[float] = (),
) -> list[ir.Value]:
    """Convolution, batch norm and activation for each of `parts`, rows of the output channels.

    `factors` multiply each part, which then has no activation.
    """
    normalized, act = module.has_child("bn"), module.child("act")
    if factors and act.kind != "Identity":
        raise assembler.unsupported(f"{module.name} ends in a {act.kind}")
    values = assembler.conv2d_in_parts(
        module.child("conv"), x, parts, () if normalized else factors
    )
    if normalized:
        values = assembler.batch_norm_in_parts(module.child("bn"), values, parts, factors)
    return [assembler.run(act, value) for value in values]


def _halves(module: Module) -> list[range]:
    """The first `c` channels and the next `c`."""
    width = module.integer("c")
    if not 1 <= width <= 1 << 16:
        raise module.damaged(f"{module.name}.c is {width}")
    return [range(width), range(width, 2 * width)]


def _c2f(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Half of the channels go through the blocks in turn, and every step is kept."""
    levels = conv_in_parts(assembler, module.child("cv1"), x, _halves(module))
    for block in module.child("m").children():
        levels.append(assembler.run(block, levels[-1]))
    return assembler.run(module.child("cv2"), assembler.builder.concat(module.name, levels))


def _c2psa(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Half of the channels go through attention."""
    kept, deep = conv_in_parts(assembler, module.child("cv1"), x, _halves(module))
    deep = assembler.run(module.child("m"), deep)
    return assembler.run(module.child("cv2"), assembler.builder.concat(module.name, [kept, deep]))


def _psa_block(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Attention, then two convolutions, each added to what goes in."""
    added = module.attribute("add", lambda add: type(add) is bool)
    for name in ("attn", "ffn"):
        y = assembler.run(module.child(name), x)
        x = assembler.builder.add("Add", f"{module.name}.{name}/Add", [x, y]) if added else y
    return x


def _attention(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Every position looks at every other; a depthwise convolution says where they are."""
    heads, key, value = (module.integer(name) for name in ("num_heads", "key_dim", "head_dim"))
    if not 1 <= heads <= MAX_ATTENTION_HEADS or not 1 <= min(key, value) <= max(key, value) <= 4096:
        raise module.damaged(f"{module.name} has {heads} heads of {key} and {value} channels")
    # The convolution gives query, key and value of the first head, then those of the next.
    rows = np.arange(heads * (2 * key + value)).reshape(heads, -1)
    parts = [part.ravel().tolist() for part in np.split(rows, (key, 2 * key), axis=1)]
    q, k, v = conv_in_parts(assembler, module.child("qkv"), x, parts, (key**-0.5, 1.0, 1.0))
    seen = assembler.builder.attention(module.name, q, k, v, heads)
    place = assembler.run(module.child("pe"), v)
    total = assembler.builder.add("Add", f"{module.name}/Add", [seen, place])
    return assembler.run(module.child("proj"), total)


SPLIT_HANDLERS: Mapping[str, Handler] = {
    "Attention": _attention,
    "C2PSA": _c2psa,
    "C2f": _c2f,
    "C3k2": _c2f,
    "PSABlock": _psa_block,
}
