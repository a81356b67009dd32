"""Bounded reading of a flatbuffer from an untrusted file, field by field.

Every read stays inside the file or raises one of `BROKEN`. The format is described at
https://flatbuffers.dev/internals. The flatbuffers package takes many steps per field; with the
thousands of fields of a model, opening it would take three times as long.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

BROKEN = (struct.error, ValueError, TypeError, IndexError, OverflowError)
MAX_ITEMS = 100_000
# No table of a model has more; a damaged file may claim 32 thousand per table.
MAX_FIELDS = 32

UINT32 = struct.Struct("<I")
INT32 = struct.Struct("<i")
INT8 = struct.Struct("<b")
_UINT16 = struct.Struct("<H")


class Node:
    """A table of the flatbuffer; each method reads one field by its number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        if not 0 <= position < len(data):
            raise ValueError("a table outside the file")
        layout = position - INT32.unpack_from(data, position)[0]
        if layout < 0:
            raise ValueError("a table whose layout is outside the file")
        (layout_bytes,) = _UINT16.unpack_from(data, layout)
        fields = min(max(layout_bytes // 2 - 2, 0), MAX_FIELDS)
        self._data, self._position = data, position
        self._offsets: tuple[int, ...] = struct.unpack_from(f"<{fields}H", data, layout + 4)

    @classmethod
    def root(cls, data: bytes) -> Node:
        """The outermost table."""
        return cls(data, UINT32.unpack_from(data)[0])

    def _offset(self, field: int) -> int:
        """The offset of a field in the file; 0 if the file omits it."""
        inside = self._offsets[field] if field < len(self._offsets) else 0
        return self._position + inside if inside else 0

    def has(self, field: int) -> bool:
        """Whether the file holds the field."""
        return self._offset(field) > 0

    def number(self, field: int, kind: struct.Struct) -> int:
        """A scalar of `kind` (UINT32, INT32 or INT8); 0 if the file omits it."""
        offset = self._offset(field)
        return int(kind.unpack_from(self._data, offset)[0]) if offset else 0

    def node(self, field: int) -> Node:
        """The table behind a field that the file `has`."""
        offset = self._offset(field)
        return Node(self._data, offset + UINT32.unpack_from(self._data, offset)[0])

    def nodes(self, field: int) -> list[Node]:
        """A vector of tables, at most MAX_ITEMS of them."""
        start, count = self._vector(field, MAX_ITEMS)
        offsets = np.frombuffer(self._data, "<u4", count, start).tolist()
        return [Node(self._data, start + 4 * i + offset) for i, offset in enumerate(offsets)]

    def array(self, field: int, dtype: str) -> npt.NDArray[Any]:
        """A vector of scalars, at most MAX_ITEMS of them, as numpy `dtype`."""
        start, count = self._vector(field, MAX_ITEMS)
        return np.frombuffer(self._data, dtype, count, start)

    def blob(self, field: int, limit: int) -> bytes:
        """A vector of at most `limit` bytes, or a string's UTF-8."""
        start, count = self._vector(field, limit)
        return self._data[start : start + count]

    def size(self, field: int) -> int:
        """The number of bytes in a vector of bytes."""
        return self._vector(field, len(self._data))[1]

    def start(self, field: int) -> int:
        """The offset in the file of the first item of a vector."""
        return self._vector(field, len(self._data))[0]

    def _vector(self, field: int, limit: int) -> tuple[int, int]:
        """The offset of the first item, and the number of items; 0 if the file omits the field."""
        offset = self._offset(field)
        if not offset:
            return 0, 0
        length = offset + UINT32.unpack_from(self._data, offset)[0]
        (count,) = UINT32.unpack_from(self._data, length)
        if count > limit:
            raise ValueError("a list longer than the file can need")
        return length + 4, count
