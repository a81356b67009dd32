"""The type of a lowering to TensorFlow, and the writer that every lowering takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from ...edge_runtime.types import FloatArray

Tensor = Any


@dataclass(frozen=True)
class Writer:
    """TensorFlow, and what makes a constant of weights.

    `weights`: from an array, the value that it came from, and whether each output channel (its
    last side) may have a scale of its own.
    """

    tf: Any
    weights: Callable[[FloatArray, ir.Value, bool], Tensor]


@dataclass(frozen=True)
class Lowering:
    """How to write a node, and why it cannot be written (None when it can)."""

    emit: Callable[[Writer, ir.Node, Sequence[Tensor]], Tensor]
    problem: Callable[[ir.Node], str | None]
