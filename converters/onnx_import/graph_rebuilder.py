"""Rebuilds the operators before the heads one by one, in one canonical form.

Only operators that the heads need are visited; shapes, grids and size arithmetic are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx import NodeProto

from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.text import printable
from ...edge_runtime.types import FloatArray
from ..builder import GraphBuilder
from ..operators import ACTIVATIONS, OPERATORS
from .activations import hardswish_input
from .arranged import Arranged, moved, of_map
from .attributes import number
from .constant_folding import ConstantFolder
from .onnx_file import DO_NOT_TRUST, EXPORT_AGAIN, OnnxSource
from .parts import Parts

MAX_LABEL = 200
MAX_NUMBERS = 1000

_SEVERAL_MAPS = ("Add", "Concat", "Div", "MatMul", "Mul", "Sub")
_VALUE_BY_VALUE = ("Cast", "Identity", *ACTIVATIONS)
# The operator of a node, and the feature maps that it reads.
Needed = tuple[str, Sequence[str]]


class GraphRebuilder:
    """Rebuilds the operators of one file with a `GraphBuilder`.

    `handlers` rebuild operators of feature maps, `steps` those that rearrange values.
    """

    def __init__(
        self,
        source: OnnxSource,
        builder: GraphBuilder,
        input_name: str,
        handlers: Mapping[str, Handler],
        steps: Mapping[str, Step],
    ) -> None:
        self.source = source
        self.builder = builder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.known = ConstantFolder(source, self.shapes)
        self.parts = Parts(builder)
        self._handlers = handlers
        self._steps = steps
        self._values: dict[str, Arranged] = {}
        self._from_image = _depending_on(source, input_name)
        self._weights_left = source.proto.ByteSize()
        self._set(input_name, of_map(builder.input))

    def build(self, names: Sequence[str]) -> list[ir.Value]:
        """The feature maps `names` and all that they need.

        Raises:
            UnsupportedModelError: operators that tallylens does not know, all of them listed.
            ShapeError: weights that do not fit.
        """
        for index, (op_type, inputs) in sorted(self._needed(names).items()):
            self._run(self.source.nodes[index], op_type, [self._values[name] for name in inputs])
        return [self._map(name) for name in names]

    def _run(self, node: NodeProto, op_type: str, values: list[Arranged]) -> None:
        """Set what `node` gives; `op_type` is HardSwish where it ends one of several operators."""
        if op_type in self._steps:
            made = self._steps[op_type](self, node, values)
        elif op_type in _VALUE_BY_VALUE:
            output = self._pointwise(node, op_type, values[0].base)
            made = [Arranged(output, values[0].dimensions)]
        else:
            maps = [self._as_map(node, value) for value in values]
            made = [of_map(self._handlers[op_type](self, node, maps))]
        for name, value in zip(node.output, made, strict=False):
            self._set(name, value)

    def _pointwise(self, node: NodeProto, op_type: str, x: ir.Value) -> ir.Value:
        if op_type in ("Cast", "Identity"):
            return x  # casts between float types, for everything is float32 here
        attributes = {
            name: number(node, name, attribute.default)
            for name, attribute in OPERATORS[op_type].attributes.items()
            if op_type == node.op_type
        }
        return self.builder.add(op_type, f"{label(node)}/{op_type}", [x], attributes)

    def _as_map(self, node: NodeProto, value: Arranged) -> ir.Value:
        if len(value.dimensions) != 4 or value.dimensions[0]:
            raise self.unsupported(f"{label(node)} ({node.op_type}) takes no feature map")
        return moved(self.builder, f"{label(node)}.moved", value, value.dimensions[1:])

    def _map(self, name: str) -> ir.Value:
        node = self.source.node_of(name)
        value = self._values[name]
        return value.base if node is None or value.is_map else self._as_map(node, value)

    def _set(self, name: str, value: Arranged) -> None:
        assert value.base.shape is not None
        self._values[name] = value
        batch, *_ = value.base.shape.dims
        shape = value.shape
        # Dimensions have no part in the batch, which is the first of a map.
        self.shapes[name] = (int(batch), *shape[1:]) if value.is_map else shape  # type: ignore[arg-type]

    def numbers(self, node: NodeProto, index: int) -> list[int]:
        """The integers of a constant input."""
        name = node.input[index] if index < len(node.input) else ""
        array = self.known.get(name)
        if array is None or array.size > MAX_NUMBERS:
            raise self.unsupported(f"{label(node)} ({node.op_type}) takes a computed part")
        return [int(value) for value in array.ravel()]

    def label(self, node: NodeProto) -> str:
        """A short name for messages and for new nodes."""
        return label(node)

    def _needed(self, names: Sequence[str]) -> dict[int, Needed]:
        """By node index, what the node is and the feature maps that it reads."""
        needed: dict[int, Needed] = {}
        unknown: set[str] = set()
        waiting = [name for name in names if name not in self._values]
        while waiting:
            index = self.source.producer.get(waiting.pop())
            if index is None:
                raise self.unsupported("the heads do not depend on the image alone")
            if index in needed:
                continue
            needed[index] = self._step(self.source.nodes[index], unknown)
            waiting.extend(name for name in needed[index][1] if name not in self._values)
        if unknown:
            listed = ", ".join(sorted(unknown))
            raise self.unsupported(
                f"the model uses operators that tallylens does not know: {listed}"
            )
        return needed

    def _step(self, node: NodeProto, unknown: set[str]) -> Needed:
        self.source.check_node(node)
        gated = hardswish_input(self.source, self.known, node)
        if gated is not None:
            return "HardSwish", [gated]
        known = node.op_type in (*self._handlers, *self._steps, *_VALUE_BY_VALUE)
        if not known or not node.input or not node.output:
            unknown.add(printable(node.op_type, 40))
            return node.op_type, []
        if node.op_type not in _SEVERAL_MAPS:
            return node.op_type, [node.input[0]]
        maps = [name for name in node.input if name in self._from_image]
        if not maps or (node.op_type == "Concat" and len(maps) != len(node.input)):
            unknown.add(f"{node.op_type} with a constant")
            return node.op_type, []
        return node.op_type, maps

    def weights(self, node: NodeProto, index: int) -> FloatArray:
        """Constant input `index` as float32."""
        name = node.input[index] if index < len(node.input) else ""
        array = self.known.get(name)
        if array is None:
            raise self.unsupported(f"{label(node)} ({node.op_type}) has weights that are computed")
        self._weights_left -= array.size
        if self._weights_left < 0:
            raise ModelError(
                self.source.path, "it uses its weights more often than it holds them", DO_NOT_TRUST
            )
        with np.errstate(over="ignore"):
            weights = array.astype(np.float32, copy=False)
        if not np.isfinite(weights).all():
            raise self.source.damaged(f"the weights of {label(node)} are not finite numbers")
        return weights

    def unsupported(self, problem: str) -> UnsupportedModelError:
        """The error for a graph of another kind."""
        return UnsupportedModelError(self.source.path, problem, EXPORT_AGAIN)


def label(node: NodeProto) -> str:
    """A short name for messages and for the new node: `model.1/conv` for `/model.1/conv/Conv`."""
    name = printable(node.name or node.output[0], MAX_LABEL)
    return name.strip("/").removesuffix(f"/{node.op_type}") or node.op_type


def _depending_on(source: OnnxSource, name: str) -> set[str]:
    """The values that hold numbers of the value `name`; its shape does not."""
    found = {name}
    for node in source.nodes:
        if node.op_type != "Shape" and not found.isdisjoint(node.input):
            found.update(node.output)
    return found


Handler = Callable[[GraphRebuilder, NodeProto, list[ir.Value]], ir.Value]
Step = Callable[[GraphRebuilder, NodeProto, list[Arranged]], list[Arranged]]
