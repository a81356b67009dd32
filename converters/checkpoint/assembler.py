"""Adds a checkpoint's modules to a graph, by a table of handlers for the kinds of modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import UnsupportedModelError
from ...edge_runtime.types import FloatArray
from ..builder import GraphBuilder
from .module import Module

MAX_DEPTH = 12

BATCH_NORMS = ("BatchNorm2d", "FrozenBatchNorm2d", "SyncBatchNorm")
STATISTICS = ("weight", "bias", "running_mean", "running_var")


class Assembler:
    """Adds modules to a graph, each by the handler of its kind.

    `path` is the checkpoint's, for messages.
    """

    def __init__(self, builder: GraphBuilder, path: str, handlers: Mapping[str, Handler]) -> None:
        self.builder = builder
        self.path = path
        self._handlers = handlers
        self._depth = 0

    def run(self, module: Module, x: ir.Value) -> ir.Value:
        """The output of `module` for the feature map `x`.

        Raises:
            UnsupportedModelError: a module or setting that tallylens does not know.
            ShapeError: its weights do not fit its input.
        """
        handler = self._handlers.get(module.kind)
        if handler is None or self._depth >= MAX_DEPTH:
            raise self.unsupported(f"{module.name} is a {module.kind}")
        self._depth += 1
        output = handler(self, module, x)
        self._depth -= 1
        return output

    def conv2d(self, module: Module, x: ir.Value, rows: Sequence[int] | None = None) -> ir.Value:
        """A convolution; with `rows` only these of its output channels."""
        return self.conv2d_in_parts(module, x, [rows])[0]

    def conv2d_in_parts(
        self,
        module: Module,
        x: ir.Value,
        parts: Sequence[Sequence[int] | None],
        factors: Sequence[float] = (),
    ) -> list[ir.Value]:
        """One convolution for each of `parts`: rows of the output channels, None for all.

        The file's weights are read once. `factors` multiply the output of each part.
        """
        if module.kind != "Conv2d":
            raise self.unsupported(f"{module.name} is a {module.kind}")
        weight, bias = module.tensor("weight"), module.optional_tensor("bias")
        if module.attribute("padding_mode", lambda mode: type(mode) is str, "zeros") != "zeros":
            raise self.unsupported(f"{module.name} pads with something else than zeros")
        top, left = module.pair("padding", 0)
        strides, dilations = module.pair("stride", 1), module.pair("dilation", 1)
        group = module.integer("groups", 1)
        if group != 1 and any(rows is not None for rows in parts):
            raise self.unsupported(f"{module.name} is a split convolution in groups")
        return [
            self.builder.conv(
                module.name,
                x,
                _rows(module, weight, rows) * np.float32(factor),
                None if bias is None else _rows(module, bias, rows) * np.float32(factor),
                strides=strides,
                pads=(top, left, top, left),
                dilations=dilations,
                group=group,
            )
            for rows, factor in zip(parts, factors or [1.0] * len(parts), strict=True)
        ]

    def batch_norm_in_parts(
        self,
        module: Module,
        values: Sequence[ir.Value],
        parts: Sequence[Sequence[int] | None],
        factors: Sequence[float] = (),
    ) -> list[ir.Value]:
        """Batch norm of values that hold the channels `parts` of its input, times `factors`."""
        if module.kind not in BATCH_NORMS:
            raise self.unsupported(f"{module.name} is a {module.kind}")
        statistics = {key: module.tensor(key) for key in STATISTICS}
        epsilon = module.number("eps")
        return [
            self.builder.batch_norm(
                module.name,
                x,
                {
                    key: _rows(module, array, rows)
                    * np.float32(factor if key in ("weight", "bias") else 1)
                    for key, array in statistics.items()
                },
                epsilon,
            )
            for x, rows, factor in zip(values, parts, factors or [1.0] * len(parts), strict=True)
        ]

    def unsupported(self, problem: str) -> UnsupportedModelError:
        """The error for an architecture that is not YOLOv5's."""
        return UnsupportedModelError(
            self.path,
            f"{problem}, which tallylens does not know",
            "Export the model to ONNX and give that",
        )


Handler = Callable[[Assembler, Module, ir.Value], ir.Value]


def _rows(module: Module, array: FloatArray, rows: Sequence[int] | None) -> FloatArray:
    """These rows of `array`, None for all."""
    if rows is None:
        return array
    if not array.ndim or len(array) <= max(rows):
        raise module.damaged(f"{module.name} has too few channels")
    return array[list(rows)]
