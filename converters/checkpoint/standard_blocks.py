"""Blocks of the standard YOLOv5, and PyTorch's modules that they are made of, as graph nodes."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from ..operators import ACTIVATIONS, Operator
from ..shapes import size_of
from .assembler import Assembler, Handler
from .module import Module

MAX_POOLS = 16


def _conv2d(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    return assembler.conv2d(module, x)


def _batch_norm(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    return assembler.batch_norm_in_parts(module, [x], [None])[0]


def _conv(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Convolution, batch norm (absent after fusing) and activation."""
    x = assembler.run(module.child("conv"), x)
    if module.has_child("bn"):
        x = assembler.run(module.child("bn"), x)
    return assembler.run(module.child("act"), x)


def _bottleneck(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    y = assembler.run(module.child("cv2"), assembler.run(module.child("cv1"), x))
    if not module.attribute("add", lambda add: type(add) is bool):
        return y
    return assembler.builder.add("Add", f"{module.name}/Add", [x, y])


def _c3(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    deep = assembler.run(module.child("m"), assembler.run(module.child("cv1"), x))
    shallow = assembler.run(module.child("cv2"), x)
    joined = assembler.builder.concat(module.name, [deep, shallow])
    return assembler.run(module.child("cv3"), joined)


def _bottleneck_csp(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    deep = assembler.run(module.child("m"), assembler.run(module.child("cv1"), x))
    deep = assembler.run(module.child("cv3"), deep)
    shallow = assembler.run(module.child("cv2"), x)
    joined = assembler.builder.concat(module.name, [deep, shallow])
    normalized = assembler.run(module.child("bn"), joined)
    return assembler.run(module.child("cv4"), assembler.run(module.child("act"), normalized))


def _spp(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Pools of growing windows beside each other."""
    x = assembler.run(module.child("cv1"), x)
    pooled = [assembler.run(pool, x) for pool in module.child("m").children()]
    return assembler.run(module.child("cv2"), assembler.builder.concat(module.name, [x, *pooled]))


def _sppf(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """The same pool several times, one after the other; newer releases may add the input."""
    levels = [assembler.run(module.child("cv1"), x)]
    times = module.integer("n", 3)
    if not 1 <= times <= MAX_POOLS:
        raise module.damaged(f"{module.name}.n is {times}")
    for _ in range(times):
        levels.append(assembler.run(module.child("m"), levels[-1]))
    y = assembler.run(module.child("cv2"), assembler.builder.concat(module.name, levels))
    if not module.attribute("add", lambda add: type(add) is bool, False):
        return y
    return assembler.builder.add("Add", f"{module.name}/Add", [x, y])


def _mix_conv(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Convolutions of several kernel sizes side by side. Paper: MixConv (arXiv:1907.09595)."""
    parts = [assembler.run(conv, x) for conv in module.child("m").children()]
    joined = assembler.run(module.child("bn"), assembler.builder.concat(module.name, parts))
    return assembler.run(module.child("act"), joined)


def _focus(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Every second pixel into channels: top left, bottom left, top right, bottom right."""
    corners = [
        assembler.builder.every_second(module.name, x, row, column)
        for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))
    ]
    return assembler.run(module.child("conv"), assembler.builder.concat(module.name, corners))


def _max_pool(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    kernel, stride = module.pair("kernel_size"), module.pair("stride")
    top, left = module.pair("padding", 0)
    rounded = module.attribute("ceil_mode", lambda mode: type(mode) is bool, False) and any(
        (side + 2 * pad - window) % max(step, 1)
        for side, pad, window, step in zip(size_of(x)[1:], (top, left), kernel, stride, strict=True)
    )
    if module.pair("dilation", 1) != (1, 1) or rounded:
        raise assembler.unsupported(f"{module.name} is a dilated or rounded-up MaxPool2d")
    return assembler.builder.max_pool(
        module.name,
        x,
        kernel,
        stride,
        (top, left, top, left),
    )


def _upsample(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    scale = module.attribute("scale_factor", lambda scale: scale in (2, 2.0, (2, 2), (2.0, 2.0)))
    mode = module.attribute("mode", lambda mode: type(mode) is str)
    if not scale or mode != "nearest":
        raise assembler.unsupported(f"{module.name} is an Upsample other than nearest by 2")
    return assembler.builder.upsample(module.name, x)


def _sequential(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    for child in module.children():
        x = assembler.run(child, x)
    return x


def _identity(_: Assembler, _module: Module, x: ir.Value) -> ir.Value:
    return x


def _silu(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    return assembler.builder.silu(module.name, x)


def _relu6(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    return assembler.builder.cut(module.name, x, 6.0)


def _activation(operator: Operator) -> Handler:
    """The handler of a module that is one operator of the table."""

    def add(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
        attributes = {
            name: module.number(one.module_name) for name, one in operator.attributes.items()
        }
        return assembler.builder.add(
            operator.name, f"{module.name}/{operator.name}", [x], attributes
        )

    return add


STANDARD_HANDLERS: Mapping[str, Handler] = {
    "BatchNorm2d": _batch_norm,
    "Bottleneck": _bottleneck,
    "BottleneckCSP": _bottleneck_csp,
    "C3": _c3,
    "C3Ghost": _c3,
    "C3SPP": _c3,
    "C3TR": _c3,
    "C3k": _c3,
    "C3x": _c3,
    "Conv": _conv,
    "Conv2d": _conv2d,
    "CrossConv": _bottleneck,
    "DWConv": _conv,
    "Dropout": _identity,
    "Focus": _focus,
    "FrozenBatchNorm2d": _batch_norm,
    "Identity": _identity,
    "MaxPool2d": _max_pool,
    "MemoryEfficientSwish": _silu,
    "MixConv2d": _mix_conv,
    "ReLU6": _relu6,
    "SPP": _spp,
    "SPPF": _sppf,
    "Sequential": _sequential,
    "SiLU": _silu,
    "Swish": _silu,
    "SyncBatchNorm": _batch_norm,
    "Upsample": _upsample,
    **{
        module.rpartition(".")[2]: _activation(operator)
        for operator in ACTIVATIONS.values()
        for module in operator.modules
    },
}
