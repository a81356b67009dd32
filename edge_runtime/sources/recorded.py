"""Recorded detections: an .npz file with what a detector found, frame by frame, as a source."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..types import Detections, FrameTime

SUFFIX = ".npz"
MAX_BYTES = 1 << 30  # of all arrays, unpacked
MAX_BOXES = 10_000  # per frame
MAX_CLASSES = 10_000
MAX_SIDE = 65_535
MAX_TIME_NS = 1 << 62
FLOAT32_MAX = float(np.finfo(np.float32).max)
REMEDY = "Use a file that `tallylens count --detections` has written"

# Each array of the file: kinds of number or text, and number of dimensions.
ARRAYS = {
    "size": ("iu", 1),
    "timestamp_ns": ("iu", 1),
    "boxes_per_frame": ("iu", 1),
    "class_names": ("U", 1),
    "xyxy": ("f", 2),
    "confidence": ("f", 1),
    "class_id": ("iu", 1),
}
Arrays = dict[str, npt.NDArray[Any]]
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def is_recorded(spec: object) -> bool:
    """Whether a source is a file of recorded detections, by its name."""
    return isinstance(spec, str | os.PathLike) and Path(spec).suffix.lower() == SUFFIX


class RecordedDetections(Iterator[tuple[FrameTime, Detections]]):
    """The frames of a file of recorded detections, without images.

    The file is read as untrusted: no pickles, sizes are checked before memory is taken, and every
    value is checked before the first frame.

    Args:
        path: an .npz of the arrays `ARRAYS`: `size` is (width, height), `boxes_per_frame` says how
            many rows of `xyxy`, `confidence` and `class_id` belong to each frame.
        start: number of frames to skip.

    Attributes:
        name: the path.
        size: (width, height) of the frames in pixels.
        class_names: by class id.
        frames_total: number of frames.

    Raises:
        SourceError: missing, damaged, too large, or not such a file.
    """

    live = False

    def __init__(self, path: str | os.PathLike[str], start: int = 0) -> None:
        self.name = os.fspath(path)
        arrays = _read(self.name)
        problem = _problem(arrays)
        if problem is not None:
            raise SourceError(self.name, problem, REMEDY)
        width, height = arrays["size"].tolist()
        self.size: tuple[int, int] = (width, height)
        self.class_names = tuple(str(name) for name in arrays["class_names"])
        self._times: list[int] = arrays["timestamp_ns"].tolist()
        self._ends: list[int] = np.cumsum(arrays["boxes_per_frame"], dtype=np.int64).tolist()
        self._xyxy = arrays["xyxy"].astype(np.float32)
        self._confidence = arrays["confidence"].astype(np.float32)
        self._class_id = arrays["class_id"].astype(np.int32)
        self.frames_total = len(self._times)
        self._index = start
        self._closed = False

    def __iter__(self) -> RecordedDetections:
        return self

    def __next__(self) -> tuple[FrameTime, Detections]:
        """The next frame; StopIteration at the end or once closed."""
        index = self._index
        if self._closed or index >= self.frames_total:
            raise StopIteration
        self._index = index + 1
        rows = slice(self._ends[index - 1] if index else 0, self._ends[index])
        found = Detections(self._xyxy[rows], self._confidence[rows], self._class_id[rows])
        return FrameTime(self._times[index], index), found

    def stop(self) -> None:
        """End the pass after the frame in progress; safe in a signal handler."""
        self._closed = True

    def close(self) -> None:
        """End the pass; the file is closed already."""
        self._closed = True

    def __enter__(self) -> RecordedDetections:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _read(name: str) -> Arrays:
    if not Path(name).is_file():
        raise SourceError(name, "no such file", REMEDY)
    try:
        with zipfile.ZipFile(name) as archive:
            members = {key: archive.getinfo(f"{key}.npy") for key in ARRAYS}
            if sum(member.file_size for member in members.values()) > MAX_BYTES:
                raise SourceError(
                    name, f"more than {MAX_BYTES >> 20} MiB of arrays", "Split the recording"
                )
            return {key: _array(archive, member, key) for key, member in members.items()}
    except _UNREADABLE as error:
        reason = f"it has no array {error}" if isinstance(error, KeyError) else "it is damaged"
        raise SourceError(name, f"not recorded detections: {reason}", REMEDY) from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, key: str) -> npt.NDArray[Any]:
    kinds, dimensions = ARRAYS[key]
    with archive.open(member) as file:
        shape, fortran_order, dtype = _header(file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in kinds or dtype.itemsize == 0 or len(shape) != dimensions:
            raise ValueError(f"{key} is of another type")
        if min(shape) < 0 or size != member.file_size - file.tell():
            raise ValueError(f"{key} is of another length")
        data = file.read(size)
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
    return np.ascontiguousarray(array)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # The first version of the format bounds its header to 64 KiB.
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("unknown version of the array format")
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = np.lib.format.read_array_header_1_0(file)
    return header


def _problem(arrays: Arrays) -> str | None:
    """Why the arrays are not recorded detections, None if they are."""
    size, times, boxes = arrays["size"], arrays["timestamp_ns"], arrays["boxes_per_frame"]
    xyxy, confidence, class_id = arrays["xyxy"], arrays["confidence"], arrays["class_id"]
    classes = len(arrays["class_names"])
    if size.shape != (2,) or not _between(size, 1, MAX_SIDE):
        return "the frame size is not a width and a height in pixels"
    if not len(times):
        return "it has no frames"
    if not _between(times, -MAX_TIME_NS, MAX_TIME_NS) or (times[1:] <= times[:-1]).any():
        return "the timestamps do not increase"
    if len(boxes) != len(times) or not _between(boxes, 0, MAX_BOXES):
        return f"boxes_per_frame is not one number from 0 to {MAX_BOXES} per frame"
    rows = int(boxes.sum(dtype=np.int64))
    if xyxy.shape != (rows, 4) or len(confidence) != rows or len(class_id) != rows:
        return f"the arrays of boxes do not have the {rows} rows of boxes_per_frame"
    if not 0 < classes <= MAX_CLASSES or not _between(class_id, 0, classes - 1):
        return f"a class id is not from 0 to {classes - 1}"
    if not _between(xyxy, -FLOAT32_MAX, FLOAT32_MAX) or (xyxy[:, :2] > xyxy[:, 2:]).any():
        return "a box is not finite, with left <= right and top <= bottom"
    if not _between(confidence, 0, 1):
        return "a confidence is not from 0 to 1"
    return None


def _between(values: npt.NDArray[Any], low: float, high: float) -> bool:
    """Whether all values, none of them NaN, are from `low` to `high`."""
    return not len(values) or bool((values >= low).all() and (values <= high).all())
