"""The binding to the compiled core: handles that free themselves, statuses that become errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import CoreError, StateError, UsageError
from ..types import Detections, Tracks
from ._tally import ffi as ffi
from ._tally import lib as lib

DTYPES = {
    np.dtype(np.uint8): lib.TALLY_UINT8,
    np.dtype(np.int8): lib.TALLY_INT8,
    np.dtype(np.float32): lib.TALLY_FLOAT32,
    np.dtype(np.float16): lib.TALLY_FLOAT16,
}
CONTENTS = {
    "logits": lib.TALLY_LOGITS,
    "scored_boxes": lib.TALLY_SCORED_BOXES,
    "class_boxes": lib.TALLY_CLASS_BOXES,
}
LAYOUTS = {"NHWC": lib.TALLY_NHWC, "NCHW": lib.TALLY_NCHW}
_ERROR_BYTES = 256
_FIRST_ITEMS = 256  # capacity of an array at first
T = TypeVar("T")

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


_INT64 = np.iinfo(np.int64)


def detection_rows(detections: Detections) -> npt.NDArray[Any]:
    """Detections as `tally_detection`, for `ffi.from_buffer`."""
    rows = np.empty(len(detections), DETECTION)
    rows["xyxy"], rows["confidence"] = detections.xyxy, detections.confidence
    rows["class_id"] = detections.class_id
    return rows


def track_rows(tracks: Tracks) -> npt.NDArray[Any]:
    """Tracks as `tally_track`, for `ffi.from_buffer`."""
    rows = np.empty(len(tracks), TRACK)
    rows["track_id"], rows["xyxy"] = tracks.track_id, tracks.xyxy
    rows["confidence"], rows["class_id"] = tracks.confidence, tracks.class_id
    return rows


def int64(value: int) -> int:
    """`value`, clipped to what the core takes; the counter refuses times that far."""
    return min(max(value, int(_INT64.min)), int(_INT64.max))


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


def struct(name: str, **values: Any) -> Any:
    """A `tally_<name>` of the C interface with its `struct_size` set; other fields are 0."""
    size = ffi.sizeof(f"tally_{name}")
    return ffi.new(f"tally_{name} *", {"struct_size": size, **values})


def defaults(kind: str) -> Any:
    """The core's default `tally_<kind>_options`."""
    options = struct(f"{kind}_options")
    check_status(getattr(lib, f"tally_{kind}_defaults")(options))
    return options


def default(kind: str, name: str) -> Any:
    """One of the core's defaults, as the decimal number that is written in the core."""
    value = getattr(defaults(kind), name)
    # The struct holds float32: six digits restore the decimal number.
    return float(f"{value:.6g}") if isinstance(value, float) else value


def options(kind: str, **values: Any) -> Any:
    """`tally_<kind>_options` with `values` in place of the defaults."""
    given = defaults(kind)
    for name, value in values.items():
        setattr(given, name, value)
    return given


def text(string: Any) -> str | None:
    """A static C string, None for NULL."""
    return None if string == ffi.NULL else ffi.string(string).decode()


def names(function: Callable[..., Any], *arguments: Any) -> tuple[str, ...]:
    """All names that a `tally_*_name` function gives, by position."""
    found: list[str] = []
    while (name := text(function(*arguments, len(found)))) is not None:
        found.append(name)
    return tuple(found)


def check_status(status: int) -> None:
    """Raise the error of a status of a function without a handle.

    Raises:
        CoreError: any status but TALLY_OK, with its own words.
    """
    if status != lib.TALLY_OK:
        raise CoreError(status, text(lib.tally_status_text(status)) or "unknown status")


class Handle:
    """One `tally_<kind>` of the C interface.

    Raises:
        CoreError: `options` are out of bounds; the message names the field and the bounds.
    """

    def __init__(self, kind: str, options: Any = None) -> None:
        out, create = ffi.new(f"tally_{kind} **"), getattr(lib, f"tally_{kind}_create")
        if options is None:
            check_status(create(out))
        else:
            error = ffi.new("char[]", _ERROR_BYTES)
            status = create(options, out, error, _ERROR_BYTES)
            if status != lib.TALLY_OK:
                raise CoreError(status, f"{kind}: {ffi.string(error).decode()}")
        self.pointer = ffi.gc(out[0], getattr(lib, f"tally_{kind}_destroy"))
        self._error = getattr(lib, f"tally_{kind}_error")

    def call(self, function: Callable[..., int], *arguments: Any) -> None:
        """Call a function of this handle.

        Raises:
            CoreError: any status but TALLY_OK, with the core's own words.
        """
        self.check(function(self.pointer, *arguments))

    def all(
        self,
        function: Callable[..., int],
        kind: str,
        values: Callable[[Any], T],
        *arguments: Any,
    ) -> list[T]:
        """`values` of each `tally_<kind>` that a function of this handle writes into an array.

        Raises:
            CoreError: any status but TALLY_OK, with the core's own words.
        """
        count, capacity = ffi.new("int32_t *"), _FIRST_ITEMS
        while True:
            found = ffi.new(f"tally_{kind}[]", capacity)
            status = function(self.pointer, *arguments, found, capacity, count)
            if status != lib.TALLY_BUFFER_TOO_SMALL:
                break
            capacity = count[0]
        self.check(status)
        return [values(one) for one in found[0 : count[0]]]

    def restore(self, function: Callable[..., int], *arguments: Any) -> None:
        """Call a function of this handle that resumes from a saved state.

        Raises:
            StateError: the state is damaged, or of another handle.
            CoreError: any other status but TALLY_OK, with the core's own words.
        """
        try:
            self.call(function, *arguments)
        except CoreError as error:
            if error.status != lib.TALLY_BAD_STATE:
                raise
            raise StateError(error.message) from None

    def check(self, status: int) -> None:
        """Raise the error of a status that a function of this handle returned.

        Raises:
            CoreError: any status but TALLY_OK, with the core's own words.
        """
        if status != lib.TALLY_OK:
            raise CoreError(status, ffi.string(self._error(self.pointer)).decode())
