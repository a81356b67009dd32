"""Run a saved program op by op."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.types import Image
from .ops import OPS
from .package import AGAIN, Package, read_package
from .program import Name, Op, Program, read_program

Array = npt.NDArray[Any]


def evaluate_program(path: Path) -> Callable[[Image], list[Array]]:
    """A function from (height, width, 3) uint8 RGB of the model's size to the program's outputs.

    Raises:
        ModelError: no package, or a damaged one.
        UnsupportedModelError: lists every op that is not known here.
        MissingExtraError: coremltools or ONNX Runtime is not installed.
    """
    evaluator = Evaluator(read_package(path))
    return lambda image: evaluator.run(np.ascontiguousarray(image.transpose(2, 0, 1))[None])


class Evaluator:
    """A program ready to run: what depends on no image has been computed once."""

    def __init__(self, package: Package) -> None:
        self._path = package.path
        self.program = read_program(package)
        _refuse_unknown(self.program, self._path)
        self._constants: dict[str, Array] = {}
        self._ops: list[Op] = []
        for op in self.program.ops:
            if _names(op) - self._constants.keys():
                self._ops.append(op)
            else:
                self._constants[op.output] = self._compute(op, self._constants)
        self._last_use = _last_uses(self._ops, self.program.outputs)
        written = {op.output: op for op in self.program.ops}
        missing = [name for name in self.program.outputs if name not in written]
        if missing or self.program.input_shape[:2] != (1, 3):
            raise ModelError(self._path, "its program has other inputs or outputs", AGAIN)
        self.outputs = tuple(written[name] for name in self.program.outputs)

    def run(self, pixels: Array) -> list[Array]:
        """The outputs for (1, 3, height, width) numbers from 0 to 255, in the program's order."""
        if pixels.shape != self.program.input_shape:
            expected = self.program.input_shape
            raise ModelError(self._path, f"it takes {expected}, not {pixels.shape}", AGAIN)
        values = {**self._constants, self.program.input_name: pixels.astype(np.float32)}
        for number, op in enumerate(self._ops):
            values[op.output] = self._compute(op, values)
            for name in self._last_use.get(number, ()):
                del values[name]
        return [values[name] for name in self.program.outputs]

    def _compute(self, op: Op, values: dict[str, Array]) -> Array:
        """The op's result, rounded to the type and checked for the shape that it declares."""
        try:
            inputs = {name: _resolve(argument, values) for name, argument in op.inputs.items()}
            # Overflow becomes infinity in float16 on the device as well.
            with np.errstate(over="ignore", invalid="ignore"):
                result = OPS[op.kind](inputs, op.dtype)
        except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
            reason = str(error)[:200]
            raise ModelError(
                self._path, f"its {op.kind} {op.output} cannot be computed ({reason})", AGAIN
            ) from error
        if result.shape != op.shape:
            raise ModelError(
                self._path,
                f"its {op.kind} {op.output} gives {result.shape}, it declares {op.shape}",
                AGAIN,
            )
        return result


def _refuse_unknown(program: Program, path: str) -> None:
    unknown = sorted({op.kind for op in program.ops} - OPS.keys())
    if unknown:
        raise UnsupportedModelError(
            path,
            f"its program holds operations that are not known here: {', '.join(unknown)[:500]}",
            "Verify a package that this tallylens wrote",
        )


def _names(op: Op) -> set[str]:
    """The values that `op` reads."""
    entries = [
        entry
        for argument in op.inputs.values()
        for entry in (argument if isinstance(argument, tuple) else (argument,))
    ]
    return {entry.text for entry in entries if isinstance(entry, Name)}


def _last_uses(ops: list[Op], outputs: tuple[str, ...]) -> dict[int, list[str]]:
    """By number of the op, the values that no later op reads."""
    last = {name: number for number, op in enumerate(ops) for name in _names(op)}
    given = {op.output for op in ops} - set(outputs)
    ends: dict[int, list[str]] = {}
    for name in given:
        if name in last:
            ends.setdefault(last[name], []).append(name)
    return ends


def _resolve(argument: Any, values: dict[str, Array]) -> Any:
    if isinstance(argument, tuple):
        return tuple(_resolve(entry, values) for entry in argument)
    return values[argument.text] if isinstance(argument, Name) else argument
