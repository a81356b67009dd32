"""The program message as plain values: a list of ops in order, constants as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.errors import ModelError
from .package import AGAIN, Package
from .weights import WeightError, WeightFile

MAX_OPS = 50_000
MAX_ELEMENTS = 1 << 28
MAX_RANK = 5

Array = npt.NDArray[Any]
Argument = Any

# Names of MIL's types, and how the bytes of an immediate value are read.
_DTYPES = {
    "BOOL": "bool",
    "FLOAT16": "float16",
    "FLOAT32": "float32",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "UINT8": "uint8",
    "UINT16": "uint16",
}


@dataclass(frozen=True)
class Name:
    """A reference to a value that another op or the input gives."""

    text: str


@dataclass(frozen=True)
class Op:
    """One operation: `inputs` are constants, `Name`s, or tuples of both; one output."""

    kind: str
    output: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    inputs: Mapping[str, Argument]


@dataclass(frozen=True)
class Program:
    """A function of one image; `ops` in order, constants already in place."""

    input_name: str
    input_shape: tuple[int, ...]
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]


def read_program(package: Package) -> Program:
    """The main function of the package's program.

    Raises:
        ModelError: the message contradicts itself or its weight file.
    """
    try:
        return _read(package)
    except (WeightError, KeyError, ValueError, IndexError) as error:
        raise ModelError(package.path, f"its program is damaged ({error})", AGAIN) from error


def _read(package: Package) -> Program:
    from coremltools.proto import MIL_pb2

    function = package.detector.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    if len(block.operations) > MAX_OPS:
        raise ValueError(f"more than {MAX_OPS} operations")
    (image,) = function.inputs
    reader = _Reader(MIL_pb2, WeightFile(package.weights))
    ops = tuple(reader.ops(block.operations))
    return Program(image.name, reader.shape(image.type.tensorType), ops, tuple(block.outputs))


class _Reader:
    def __init__(self, mil: Any, weights: WeightFile) -> None:
        self._mil = mil
        self._weights = weights
        self._constants: dict[str, Array] = {}

    def ops(self, operations: Any) -> Iterator[Op]:
        for operation in operations:
            (output,) = operation.outputs
            if operation.type == "const":
                self._constants[output.name] = self.value(operation.attributes["val"])
                continue
            inputs = {name: self._argument(entry) for name, entry in operation.inputs.items()}
            # The inputs of constexpr ops are attributes.
            inputs |= {
                name: self.value(value)
                for name, value in operation.attributes.items()
                if name != "name"
            }
            kind = output.type.tensorType
            yield Op(operation.type, output.name, self.dtype(kind), self.shape(kind), inputs)

    def _argument(self, entry: Any) -> Argument:
        found = tuple(self._binding(binding) for binding in entry.arguments)
        return found[0] if len(found) == 1 else found

    def _binding(self, binding: Any) -> Argument:
        if binding.WhichOneof("binding") == "value":
            return self.value(binding.value)
        return self._constants.get(binding.name, Name(binding.name))

    def dtype(self, kind: Any) -> np.dtype[Any]:
        return np.dtype(_DTYPES[self._mil.DataType.Name(kind.dataType)])

    def shape(self, kind: Any) -> tuple[int, ...]:
        if len(kind.dimensions) > MAX_RANK:
            raise ValueError(f"a tensor of rank {len(kind.dimensions)}")
        shape = tuple(int(dimension.constant.size) for dimension in kind.dimensions)
        if math.prod(shape) > MAX_ELEMENTS:
            raise ValueError(f"a tensor of shape {shape}")
        return shape

    def value(self, value: Any) -> Array:
        """A constant of the message or of the weight file."""
        kind = value.type.tensorType
        shape = self.shape(kind)
        if value.WhichOneof("value") == "blobFileValue":
            offset = int(value.blobFileValue.offset)
            return self._weights.read(offset, self.dtype(kind), math.prod(shape)).reshape(shape)
        tensor = value.immediateValue.tensor
        field = tensor.WhichOneof("value")
        numbers = getattr(tensor, field).values
        if field == "strings":
            return np.array(list(numbers)).reshape(shape)
        if field == "bytes":
            return np.frombuffer(numbers, self.dtype(kind)).reshape(shape)
        return np.array(list(numbers), self.dtype(kind)).reshape(shape)
