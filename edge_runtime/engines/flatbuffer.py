"""Bounded reading of a flatbuffer from an untrusted file, field by field.

Every read either stays inside the file or raises one of `BROKEN`.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import number_types
from flatbuffers.table import Table

BROKEN = (struct.error, ValueError, TypeError, IndexError, OverflowError)
MAX_ITEMS = 100_000

UINT32 = number_types.Uint32Flags
INT32 = number_types.Int32Flags
INT8 = number_types.Int8Flags


class Node:
    """A table of the flatbuffer; each method reads one field by its number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        if not 0 <= position < len(data):
            raise ValueError("a table outside the file")
        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> Node:
        """The outermost table."""
        return cls(data, struct.unpack_from("<I", data)[0])

    def has(self, field: int) -> bool:
        """Whether the file holds the field."""
        return bool(self._table.Offset(4 + 2 * field))

    def number(self, field: int, kind: Any) -> int:
        """A scalar of `kind` (UINT32, INT32 or INT8), 0 where the file leaves it out."""
        return int(self._table.GetSlot(4 + 2 * field, 0, kind))

    def node(self, field: int) -> Node:
        """The table behind a field that the file `has`."""
        offset = self._table.Offset(4 + 2 * field)
        return Node(self._table.Bytes, self._table.Indirect(self._table.Pos + offset))

    def nodes(self, field: int) -> list[Node]:
        """A vector of tables, at most MAX_ITEMS of them."""
        start, count = self._vector(field, MAX_ITEMS)
        data, indirect = self._table.Bytes, self._table.Indirect
        return [Node(data, indirect(start + 4 * item)) for item in range(count)]

    def array(self, field: int, dtype: str) -> npt.NDArray[Any]:
        """A vector of scalars, at most MAX_ITEMS of them, as numpy `dtype`."""
        start, count = self._vector(field, MAX_ITEMS)
        return np.frombuffer(self._table.Bytes, dtype, count, start)

    def blob(self, field: int, limit: int) -> bytes:
        """A vector of at most `limit` bytes, or a string's UTF-8."""
        start, count = self._vector(field, limit)
        data: bytes = self._table.Bytes[start : start + count]
        return data

    def size(self, field: int) -> int:
        """The number of bytes in a vector of bytes."""
        return self._vector(field, len(self._table.Bytes))[1]

    def start(self, field: int) -> int:
        """Where in the file the first item of a vector is."""
        return self._vector(field, len(self._table.Bytes))[0]

    def _vector(self, field: int, limit: int) -> tuple[int, int]:
        """Where the first item is, and the number of items; 0 items where it is left out."""
        offset = self._table.Offset(4 + 2 * field)
        if not offset:
            return 0, 0
        count = int(self._table.VectorLen(offset))
        if count > limit:
            raise ValueError("a list longer than the file can need")
        return int(self._table.Vector(offset)), count
