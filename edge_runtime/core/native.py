"""The bridge to the compiled core: handles that free themselves, statuses that become errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CoreError, UsageError
from ._tally import ffi as ffi
from ._tally import lib as lib

DTYPES = {
    np.dtype(np.uint8): lib.TALLY_UINT8,
    np.dtype(np.int8): lib.TALLY_INT8,
    np.dtype(np.float32): lib.TALLY_FLOAT32,
}
LAYOUTS = {"NHWC": lib.TALLY_NHWC, "NCHW": lib.TALLY_NCHW}

# cffi's mirrors of the C structs `tally_detection` and `tally_track`, for views without copies.
DETECTION = np.dtype([("xyxy", np.float32, 4), ("confidence", np.float32), ("class_id", np.int32)])
TRACK = np.dtype(
    [
        ("track_id", np.int64),
        ("xyxy", np.float32, 4),
        ("confidence", np.float32),
        ("class_id", np.int32),
    ],
    align=True,
)
assert DETECTION.itemsize == ffi.sizeof("tally_detection")
assert TRACK.itemsize == ffi.sizeof("tally_track")


def address(array: npt.NDArray[Any]) -> Any:
    """The array's memory as `void *`.

    Raises:
        UsageError: its values do not lie one after the other.
    """
    if not array.flags.c_contiguous:
        raise UsageError(
            f"an array of shape {array.shape} is not contiguous",
            "Pass numpy.ascontiguousarray of it",
        )
    return ffi.cast("void *", array.ctypes.data)


class Handle:
    """One `tally_<kind>` of the C interface."""

    def __init__(self, kind: str, *options: Any) -> None:
        out = ffi.new(f"tally_{kind} **")
        status = getattr(lib, f"tally_{kind}_create")(*options, out)
        if status != lib.TALLY_OK:
            raise CoreError(status, f"the options of the {kind} are out of their bounds")
        self.pointer = ffi.gc(out[0], getattr(lib, f"tally_{kind}_destroy"))
        self._error = getattr(lib, f"tally_{kind}_error")

    def call(self, function: Callable[..., int], *arguments: Any) -> None:
        """Call a function of this handle.

        Raises:
            CoreError: any status but TALLY_OK, with the core's own words.
        """
        self.check(function(self.pointer, *arguments))

    def check(self, status: int) -> None:
        """Raise what a function of this handle returned.

        Raises:
            CoreError: any status but TALLY_OK, with the core's own words.
        """
        if status != lib.TALLY_OK:
            raise CoreError(status, ffi.string(self._error(self.pointer)).decode())
