"""Blocks of forks with gates in them, and modules that gates are made of.

Papers: Squeeze-and-Excitation (arXiv:1709.01507), CBAM (arXiv:1807.06521), MobileNetV3
(arXiv:1905.02244) for the hard sigmoid.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from .assembler import Assembler, Handler
from .gates import GATES, run_pair, unclear, weigh_channels
from .module import Module


def _rest(module: Module, *names: str) -> list[Module]:
    """The children besides `names`."""
    known = {f"{module.name}.{name}" for name in names}
    return [child for child in module.children() if child.name not in known]


def _bottleneck(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Two convolutions, a gate, and the input added."""
    y = assembler.run(module.child("cv2"), assembler.run(module.child("cv1"), x))
    gate = _rest(module, "cv1", "cv2")
    if module.kind == "CBAMBottleneck":
        y = _cbam(assembler, module, y, gate)
    elif len(gate) == 1 and gate[0].kind in GATES:
        y = assembler.run(gate[0], y)
    else:
        y = weigh_channels(assembler, module, y, gate)
    if not module.attribute("add", lambda add: type(add) is bool):
        return y
    return assembler.builder.add("Add", f"{module.name}/Add", [x, y])


def _c3(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """A C3, and CBAM's gates behind it."""
    deep = assembler.run(module.child("m"), assembler.run(module.child("cv1"), x))
    joined = assembler.builder.concat(module.name, [deep, assembler.run(module.child("cv2"), x)])
    y = assembler.run(module.child("cv3"), joined)
    rest = _rest(module, "cv1", "cv2", "cv3", "m")
    return _cbam(assembler, module, y, rest) if rest else y


def _cbam(assembler: Assembler, module: Module, x: ir.Value, gates: list[Module]) -> ir.Value:
    if len(gates) == 1 and gates[0].kind == "CBAM":
        return assembler.run(gates[0], x)
    return run_pair(assembler, module, x, gates)


def _hard_sigmoid(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """x / 6 + 1/2, cut at 0 and at 1."""
    scaled = assembler.builder.scaled(module.name, x, 1 / 6, 0.5)
    return assembler.builder.cut(module.name, scaled, 1.0)


def _basic_conv(assembler: Assembler, module: Module, x: ir.Value) -> ir.Value:
    """Convolution, batch norm and activation, where it has them."""
    names = [child.name.rpartition(".")[2] for child in module.children()]
    if names not in (["conv"], ["conv", "bn"], ["conv", "bn", "relu"], ["conv", "relu"]):
        raise unclear(assembler, module)
    for name in names:
        x = assembler.run(module.child(name), x)
    return x


GATED_HANDLERS: Mapping[str, Handler] = {
    **GATES,
    "BasicConv": _basic_conv,
    **dict.fromkeys(("BottleneckSE", "CBAMBottleneck", "SEBottleneck"), _bottleneck),
    **dict.fromkeys(("C3CBAM", "C3SE", "C3_CBAM", "C3_SE", "CBAMC3", "SEC3"), _c3),
    **dict.fromkeys(("Hardsigmoid", "h_sigmoid"), _hard_sigmoid),
}
