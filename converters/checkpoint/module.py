"""A typed view of the records of a checkpoint: modules, their children, tensors and settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...edge_runtime.errors import ModelError, UnsafeModelError
from ...edge_runtime.text import printable
from ...edge_runtime.types import FloatArray
from .allowed import kind_of
from .archive import DAMAGED, DO_NOT_TRUST, Archive
from .values import Record, Tensor

MAX_CHILDREN = 1000
MAX_MODULES = 20_000


class WeightReader:
    """Reads tensors, each element of the file once: a file cannot ask for more than it holds."""

    def __init__(self, archive: Archive) -> None:
        self.path = archive.path
        self._archive = archive
        self._elements_left = archive.size
        self._modules_left = MAX_MODULES

    def read(self, tensor: Tensor) -> FloatArray:
        """The tensor as float32."""
        self._elements_left -= tensor.size
        if self._elements_left < 0:
            raise UnsafeModelError(
                self.path, "it uses its weights more often than it holds them", DO_NOT_TRUST
            )
        try:
            data = self._archive.storage(tensor.storage.key)
            with np.errstate(over="ignore"):
                return tensor.read(data).astype(np.float32)
        except (ValueError, OverflowError) as error:
            raise UnsafeModelError(self.path, f"it holds {error}", DO_NOT_TRUST) from error

    def count_module(self) -> None:
        """Note that one more module is visited; a tree that refers to itself ends here."""
        self._modules_left -= 1
        if self._modules_left < 0:
            raise UnsafeModelError(
                self.path, f"its model has more than {MAX_MODULES} parts", DO_NOT_TRUST
            )


class Module:
    """One module of the model's tree; `name` is its dotted path, such as `model.2.cv1`."""

    def __init__(self, record: object, name: str, reader: WeightReader) -> None:
        self.name = printable(name, 80)
        self._reader = reader
        if type(record) is not Record:
            raise self.damaged(f"{name or 'the model'} is not a module")
        reader.count_module()
        self._state = record.state
        self.kind = kind_of(record.kind)

    def damaged(self, problem: str) -> ModelError:
        """The error for a module that does not hold what it must."""
        return ModelError(self._reader.path, f"the checkpoint is damaged: {problem}", DAMAGED)

    def child(self, name: str) -> Module:
        """The submodule `name`."""
        children = self._group("_modules")
        if name not in children:
            raise self.damaged(f"{self.name} ({self.kind}) has no {name}")
        return Module(children[name], f"{self.name}.{name}" if self.name else name, self._reader)

    def has_child(self, name: str) -> bool:
        """Whether there is a submodule `name`."""
        return name in self._group("_modules")

    def children(self) -> list[Module]:
        """The children in the order in which they run."""
        names = list(self._group("_modules"))
        if len(names) > MAX_CHILDREN or any(type(name) is not str for name in names):
            raise self.damaged(f"{self.name} has impossible parts")
        return [self.child(name) for name in names]

    def tensor(self, name: str) -> FloatArray:
        """A parameter, buffer or plain attribute as float32."""
        tensor = self.optional_tensor(name)
        if tensor is None:
            raise self.damaged(f"{self.name} ({self.kind}) has no {name}")
        return tensor

    def optional_tensor(self, name: str) -> FloatArray | None:
        """As `tensor`, but None where there is none."""
        for group in ("_parameters", "_buffers"):
            value = self._group(group).get(name)
            if type(value) is Tensor:
                return self._finite(name, value)
        value = self._state.get(name)
        return self._finite(name, value) if type(value) is Tensor else None

    def _finite(self, name: str, tensor: Tensor) -> FloatArray:
        array = self._reader.read(tensor)
        # A variance too large for half precision is saved as infinite, and does no harm.
        if np.isnan(array).any() or (name != "running_var" and not np.isfinite(array).all()):
            raise ModelError(
                self._reader.path,
                f"the weights of {self.name} are not finite numbers: the training diverged",
                "Give an earlier checkpoint, or train again with a lower learning rate",
            )
        return array

    def integer(self, name: str, default: int | None = None) -> int:
        """An attribute that is a whole number."""
        value = self._state.get(name, default)
        if type(value) is not int or abs(value) > 1 << 31:
            raise self.damaged(f"{self.name}.{name} is not an integer")
        return value

    def number(self, name: str) -> float:
        """An attribute that is a number."""
        value = self._state.get(name)
        if not isinstance(value, (int, float)) or not abs(value) < 1e6:
            raise self.damaged(f"{self.name}.{name} is not a number")
        return float(value)

    def pair(self, name: str, default: int | None = None) -> tuple[int, int]:
        """An integer, or two for height and width."""
        value = self._state.get(name, default)
        value = value if type(value) is tuple else (value, value)
        if len(value) != 2 or any(type(side) is not int for side in value):
            raise self.damaged(f"{self.name}.{name} is not one or two integers")
        height, width = value
        return height, width

    def attribute(self, name: str, accept: Callable[[Any], bool], default: Any = None) -> Any:
        """Any other attribute of a plain type."""
        value = self._state.get(name, default)
        if not accept(value):
            raise self.damaged(f"{self.name}.{name} has an unexpected value")
        return value

    def _group(self, name: str) -> dict[Any, Any]:
        group = self._state.get(name)
        if type(group) is not dict:
            raise self.damaged(f"{self.name} ({self.kind}) is incomplete")
        return group
