"""Writes nodes of the ONNX variant for servers behind a finished graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir


class Writer:
    """Appends nodes to a graph; a constant where an array is given for a value."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._count = 0

    def __call__(
        self, op: str, *inputs: ir.Value | np.ndarray, n: int = 1, **attributes: Any
    ) -> Any:
        """The output of a new node, or its `n` outputs."""
        self._count += 1
        name = f"server/{self._count}.{op}"
        values = [
            one if isinstance(one, ir.Value) else self._constant(f"{name}.{i}", one)
            for i, one in enumerate(inputs)
        ]
        outputs = [ir.Value(name=f"{name}:{i}") for i in range(n)]
        self.graph.append(ir.node(op, values, attributes, outputs=outputs, name=name))
        return outputs[0] if n == 1 else outputs

    def _constant(self, name: str, array: np.ndarray) -> ir.Value:
        value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
        value.shape, value.type = (
            ir.Shape(array.shape),
            ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        )
        self.graph.register_initializer(value)
        return value

    def finish(self, table: ir.Value, kept: int) -> None:
        """Let the graph end in `detections`, the transpose of `table` (batch, 6, kept)."""
        detections = self("Transpose", table, perm=(0, 2, 1))
        detections.name = "detections"
        detections.shape = ir.Shape(["batch", kept, 6])
        detections.type = ir.TensorType(ir.DataType.FLOAT)
        self.graph.outputs[:] = [detections]


def whole(*numbers: int) -> np.ndarray:
    """An int64 vector."""
    return np.array(numbers, np.int64)


def real(number: float) -> np.ndarray:
    """A float32 scalar."""
    return np.array(number, np.float32)
