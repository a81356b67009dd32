"""Edits that passes make to a model: constants and node replacement."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ..builder import constant_value


def new_constant(model: ir.Model, name: str, array: npt.NDArray[np.generic]) -> ir.Value:
    """An initializer; one of the same name gives its name up, for it is about to be replaced."""
    old = model.graph.initializers.pop(name, None)
    if old is not None:
        old.name = f"{name}.replaced"
        model.graph.register_initializer(old)
    value = constant_value(name, array)
    model.graph.register_initializer(value)
    return value


def replace_node(model: ir.Model, old: ir.Node, new: ir.Node) -> None:
    """`new` (one output) takes the place of `old`, with its output's name, shape and uses."""
    before, after = old.outputs[0], new.outputs[0]
    after.name, after.shape, after.type = before.name, before.shape, before.type
    ir.convenience.replace_nodes_and_values(model.graph, old, [old], [new], [before], [after])


def remove_unused_constants(model: ir.Model) -> None:
    """Drop initializers that no node reads any more."""
    unused = [name for name, value in model.graph.initializers.items() if not value.uses()]
    for name in unused:
        del model.graph.initializers[name]
