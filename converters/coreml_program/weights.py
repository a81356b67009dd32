"""Core ML's weight file (version 2): a header, then for each tensor 64 bytes about it and its data.

offset  header                     about a tensor
0       uint32 count               uint32 0xDEADBEEF
4       uint32 version, 2          uint32 type of the numbers
8                                  uint64 size in bytes
16                                 uint64 offset of the data in the file
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HEADER_BYTES = 64
VERSION = 2
SENTINEL = 0xDEADBEEF
_HEADER = struct.Struct("<II")
_ENTRY = struct.Struct("<IIQQ")
_DTYPES = {1: "float16", 2: "float32", 3: "uint8", 4: "int8", 6: "int16", 7: "uint16"}


class WeightError(ValueError):
    """The file does not hold what the program asks for; the message says what."""


@dataclass(frozen=True)
class WeightFile:
    """The bytes of a weight.bin; arrays are views into them."""

    content: bytes

    def read(self, offset: int, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        """`count` numbers of `dtype` that are described at `offset`.

        Raises:
            WeightError: no such tensor, of another type or size, or it leaves the file.
        """
        if len(self.content) < HEADER_BYTES or _HEADER.unpack_from(self.content)[1] != VERSION:
            raise WeightError("the weight file is missing or not of version 2")
        if not 0 <= offset <= len(self.content) - HEADER_BYTES:
            raise WeightError(f"there is no tensor at {offset} of the weight file")
        sentinel, kind, size, start = _ENTRY.unpack_from(self.content, offset)
        if sentinel != SENTINEL:
            raise WeightError(f"there is no tensor at {offset} of the weight file")
        if _DTYPES.get(kind) != dtype.name or size != count * dtype.itemsize:
            raise WeightError(
                f"the tensor at {offset} of the weight file is of another type or size"
            )
        if start + size > len(self.content):
            raise WeightError(f"the tensor at {offset} leaves the weight file")
        return np.frombuffer(self.content, dtype.newbyteorder("<"), count, start)
