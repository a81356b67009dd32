"""The official exporter's .tflite at another input size: the same operators, for timing only."""

from __future__ import annotations

from typing import Any

import numpy as np

RESHAPED = "RESHAPE"
RESIZED = "RESIZE_NEAREST_NEIGHBOR"


def at_size(model: bytes, old: int, new: int) -> bytes:
    """The model with the constants that a square input of `new` pixels needs.

    The interpreter carries the new input shape through the graph; constant numbers of cells, and
    the grids that are added to the boxes, have to follow. The values of the grids do not matter for
    time.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    (graph,) = tree.subgraphs
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    cells = {(old // stride) ** 2 * boxes for stride in (8, 16, 32) for boxes in (1, 3)}
    for operator in graph.operators:
        name = names[tree.operatorCodes[operator.opcodeIndex].builtinCode]
        for index in operator.inputs:
            tensor = graph.tensors[index]
            buffer = tree.buffers[tensor.buffer]
            if buffer.data is None:
                continue
            if name == RESHAPED:
                buffer.data = _scaled(buffer.data, cells, (new / old) ** 2)
            elif name == RESIZED:
                buffer.data = _scaled(buffer.data, None, new / old)
            elif len(tensor.shape) == 4 and int(tensor.shape[1]) in cells:
                kept = int(tensor.shape[1]) * new**2 // old**2
                buffer.data = buffer.data[: len(buffer.data) * kept // int(tensor.shape[1])]
                tensor.shape = [*tensor.shape[:1], kept, *tensor.shape[2:]]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _scaled(data: Any, which: set[int] | None, factor: float) -> Any:
    """int32 numbers as bytes, those in `which` (None: all) times `factor`."""
    numbers = np.frombuffer(bytes(data), np.int32)
    chosen = np.isin(numbers, list(which)) if which is not None else numbers > 0
    scaled = np.where(chosen, np.rint(numbers * factor), numbers).astype(np.int32)
    return np.frombuffer(scaled.tobytes(), np.uint8)
