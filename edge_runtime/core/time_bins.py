"""Numbers by key in bins of time, whose width doubles when there are too many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .native import Handle, ffi, int64, lib
from .native import options as core_options

Join = Literal["max", "sum"]
"""How two numbers of one key and bin are joined: of what is there at once, or one after another."""

JOINS: dict[Join, int] = {"max": lib.TALLY_JOIN_MAX, "sum": lib.TALLY_JOIN_SUM}
_FIRST = 1024  # numbers that are asked for at first

# cffi's mirror of the C struct `tally_bin`.
BIN = np.dtype(
    [("start_s", np.int64), ("number", np.int64), ("key", np.int32), ("reserved", np.int32)]
)
assert BIN.itemsize == ffi.sizeof("tally_bin")

Row = tuple[int, int, int]
"""Start of a bin in seconds, key, number."""


class TimeBins:
    """Numbers by key, one set for each `width` of time that had any: `tally_bins`.

    Args:
        join: what becomes of two numbers of one key and bin.
        maximum: at most so many bins are kept; the default are those of a day.
    """

    def __init__(self, join: Join, maximum: int | None = None) -> None:
        values = {} if maximum is None else {"max_bins": maximum}
        self._handle = Handle("bins", core_options("bins", join=JOINS[join], **values))
        self._capacity = _FIRST

    def add(self, time_s: float, keys: npt.NDArray[np.int32]) -> None:
        """Take what is there `time_s` seconds from the start, 0 or more.

        Args:
            time_s: when.
            keys: (n,) int32; the number of a key is how often it is among them.
        """
        pointer = ffi.from_buffer("int32_t[]", np.ascontiguousarray(keys, np.int32))
        self._handle.call(lib.tally_bins_add, time_s, pointer, len(keys))

    def compact(self) -> None:
        """Make old bins wider, before they are saved."""
        self._handle.call(lib.tally_bins_compact)

    def numbers(self) -> tuple[int, npt.NDArray[Any]]:
        """Width of new bins in seconds, and all numbers in order of time and key, (n,) of BIN."""
        count, width = ffi.new("int32_t *"), ffi.new("int64_t *")
        while True:
            found = np.empty(self._capacity, BIN)
            pointer = ffi.cast("tally_bin *", found.ctypes.data)
            status = lib.tally_bins_numbers(
                self._handle.pointer, pointer, self._capacity, count, width
            )
            if status != lib.TALLY_BUFFER_TOO_SMALL:
                break
            self._capacity = 2 * count[0]
        self._handle.check(status)
        return width[0], found[: count[0]]

    def restore(self, width: int, rows: Iterable[Row]) -> None:
        """Resume from what `numbers` gave, in any order.

        Raises:
            StateError: a value is out of range; the bins are unchanged.
        """
        bins = ffi.new(
            "tally_bin[]",
            [(int64(start_s), int64(number), key, 0) for start_s, key, number in rows],
        )
        self._handle.restore(lib.tally_bins_restore, int64(width), bins, len(bins))
