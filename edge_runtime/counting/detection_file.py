"""Records what a detector found, frame by frame, to be counted again without a model."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..files import write_failure
from ..sources.recorded import SUFFIX
from .period_totals import Period
from .sinks import FrameResult

# The arrays that grow with every frame, each with its type and the shape of a row.
GROWING: dict[str, tuple[Any, tuple[int, ...]]] = {
    "timestamp_ns": (np.int64, ()),
    "boxes_per_frame": (np.int32, ()),
    "xyxy": (np.float32, (4,)),
    "confidence": (np.float32, ()),
    "class_id": (np.int16, ()),
}


class DetectionFile:
    """Writes the detections of all frames to an .npz that appears when the count ends; see `Sink`.

    The arrays are kept in temporary files until then, so that memory is bounded. Detections
    from before an interrupt or an error are written, too. `RecordedDetections` reads the file.

    Args:
        path: an .npz file in a folder that exists.

    Raises:
        UsageError: the path is not such a file.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() != SUFFIX or path.is_dir() or not path.resolve().parent.is_dir():
            raise UsageError(
                f"no detections can be written to {path}", "Use an .npz in a folder that exists"
            )
        self._path = path
        self._stack = ExitStack()
        self._files: dict[str, IO[bytes]] = {}
        self._fixed: dict[str, npt.NDArray[Any]] = {}
        self._last_ns: int | None = None

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Start; a resumed count is refused, because its first detections are gone."""
        if saved:
            raise UsageError(
                "detections cannot be recorded for a count that is resumed",
                "Start over without the state file, or count without --detections",
            )
        for key in GROWING:
            file = tempfile.TemporaryFile(dir=self._path.resolve().parent)  # noqa: SIM115
            self._files[key] = self._stack.enter_context(file)

    def frame(self, result: FrameResult) -> None:
        """Record the frame; the last one may come again with events only."""
        if result.frame.timestamp_ns == self._last_ns:
            return
        self._last_ns = result.frame.timestamp_ns
        if not self._fixed:
            self._fixed = {
                "size": np.array(result.totals.frame_size, np.int32),
                "class_names": np.array(result.totals.model_class_names),
            }
        found = result.detections
        self._append("timestamp_ns", [result.frame.timestamp_ns])
        self._append("boxes_per_frame", [len(found)])
        self._append("xyxy", found.xyxy)
        self._append("confidence", found.confidence)
        self._append("class_id", found.class_id)

    def _append(self, key: str, values: npt.ArrayLike) -> None:
        dtype, _ = GROWING[key]
        try:
            self._files[key].write(np.ascontiguousarray(values, dtype).tobytes())
        except OSError as error:
            raise write_failure(self._path, error) from error

    def period(self, period: Period) -> None:
        """Nothing: detections do not depend on periods."""

    def save(self) -> dict[str, Any]:
        """Nothing: a resumed count is refused."""
        return {}

    def close(self) -> None:
        """Write the file.

        Raises:
            UnavailableError: the disk is full.
            InputError: it cannot be written for another reason.
        """
        try:
            with self._stack:
                if self._fixed:
                    self._replace()
        except OSError as error:
            raise write_failure(self._path, error) from error

    def _replace(self) -> None:
        partial = self._path.with_name(f".{self._path.name}.part")
        try:
            self._write(partial)
            partial.replace(self._path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def _write(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, array in self._fixed.items():
                with archive.open(f"{key}.npy", "w") as member:
                    np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            for key, file in self._files.items():
                dtype, row = GROWING[key]
                row_bytes = np.dtype(dtype).itemsize * int(np.prod(row, dtype=np.int64))
                shape = (file.tell() // row_bytes, *row)
                descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                file.seek(0)
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    shutil.copyfileobj(file, member)
