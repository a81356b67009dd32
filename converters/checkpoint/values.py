"""Values of a checkpoint's pickle besides plain data: names, records, storages and tensors.

None of them can be called and none is created by a class that a file names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_DIMENSIONS = 8

ITEM_TYPES: dict[str, np.dtype[Any]] = {
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": np.dtype("<u2"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}


@dataclass(frozen=True)
class Name:
    """A dotted name that the file mentions, such as `models.common.Conv`. Never imported."""

    dotted: str


@dataclass(eq=False)
class Record:
    """An object of the file: the name of its class and its attributes, all plain data."""

    kind: str
    state: dict[Any, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Storage:
    """`count` numbers of type `kind` (a key of ITEM_TYPES) in the archive's member `key`."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view into a storage; offset and strides in elements, all inside the storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise ValueError unless every element lies inside the storage."""
        numbers = (self.offset, *self.shape, *self.strides)
        if any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError("a tensor with a negative size, stride or offset")
        if len(self.shape) != len(self.strides) or len(self.shape) > MAX_DIMENSIONS:
            raise ValueError("a tensor whose sizes and strides do not fit together")
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if self.size and last >= self.storage.count:
            raise ValueError("a tensor that reaches beyond its storage")

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def read(self, data: bytes) -> npt.NDArray[np.generic]:
        """The elements, copied out of the storage's bytes; half formats become float32.

        Raises:
            ValueError: the view repeats elements, so that it is larger than its storage.
        """
        if self.size > self.storage.count:
            raise ValueError("a tensor larger than its storage")
        item = ITEM_TYPES[self.storage.kind]
        if not self.size:
            return np.zeros(self.shape, item)
        view = np.ndarray(
            self.shape,
            item,
            data,
            self.offset * item.itemsize,
            tuple(
                stride * item.itemsize if size > 1 else 0
                for size, stride in zip(self.shape, self.strides, strict=True)
            ),
        )
        numbers: npt.NDArray[np.generic]
        if self.storage.kind == "torch.BFloat16Storage":
            numbers = (view.astype("<u4") << 16).view(np.float32)
        else:
            numbers = view.astype(np.float32 if item == np.float16 else item)
        return numbers
