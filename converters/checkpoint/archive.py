"""The zip around a checkpoint: `<prefix>/data.pkl`, `<prefix>/data/<key>` and a few small texts.

torch stores members uncompressed, one after the other. Whatever differs is refused, so that the
file cannot unfold into more than its own size.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path
from typing import IO

from ...edge_runtime.errors import ModelError, UnsafeModelError, UnsupportedModelError

MAX_FILE_BYTES = 4 << 30
MAX_MEMBERS = 50_000
MAX_DIRECTORY_BYTES = 16 << 20
MAX_PICKLE_BYTES = 32 << 20
MAX_NAME_LENGTH = 300
LOCAL_HEADER_BYTES = 30

DAMAGED = "Copy or download the file again; if that does not help, save the checkpoint again"
FROM_TRAINING = "Give the .pt file that YOLOv5 training wrote (weights/best.pt)"
DO_NOT_TRUST = "Do not use this file; get the checkpoint from a source you trust"

_TORCHSCRIPT = re.compile(r"[^/]+/(code/.*|constants\.pkl)", re.DOTALL)
_OTHER_ZIPS = (
    (re.compile(r"\.npy$"), "an archive of NumPy arrays"),
    (re.compile(r"^model\.weights\.h5$"), "a Keras model"),
    (re.compile(r"\.mlmodel$"), "a zipped Core ML package, which conversion ends in"),
    (re.compile(r"\.pt$"), "a zip with a checkpoint in it: unpack it"),
    (re.compile(r"\.(jpe?g|png|txt)$", re.IGNORECASE), "a zip of images or texts"),
)
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")


class Archive:
    """An open checkpoint: `pickle` is the bytes of data.pkl, storages are read by key."""

    def __init__(self, path: Path) -> None:
        """Open and check the whole directory of the zip.

        Raises:
            UnsafeModelError: members overlap, are compressed, or are too many.
            UnsupportedModelError: a TorchScript archive, or big-endian numbers.
            ModelError: not a zip, truncated, or without data.pkl.
        """
        self.path = str(path)
        self.size = path.stat().st_size
        if self.size > MAX_FILE_BYTES:
            raise UnsafeModelError(
                self.path, f"the file is larger than {MAX_FILE_BYTES >> 30} GiB", FROM_TRAINING
            )
        self._file: IO[bytes] = path.open("rb")
        try:
            self._zip = self._open_zip()
            self._members = self._checked_members()
            self.prefix = self._find_prefix()
            self._check_kind()
            self.pickle = self._read(f"{self.prefix}/data.pkl", MAX_PICKLE_BYTES)
        except BaseException:
            self._file.close()
            raise
        self._storages: dict[str, bytes] = {}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()
        self._file.close()

    def storage_size(self, key: str) -> int | None:
        """Bytes of the storage `key`, None where there is no such storage."""
        member = self._members.get(f"{self.prefix}/data/{key}")
        return None if member is None else member.file_size

    def storage(self, key: str) -> bytes:
        """The bytes of the storage `key`; read once and kept."""
        if key not in self._storages:
            self._storages[key] = self._read(f"{self.prefix}/data/{key}", self.size)
        return self._storages[key]

    def _open_zip(self) -> zipfile.ZipFile:
        if self._directory_bytes() > MAX_DIRECTORY_BYTES:
            raise self._unsafe("the zip has far too many members")
        try:
            return zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise self._damaged("the zip is truncated or damaged") from error

    def _directory_bytes(self) -> int:
        """Size of the zip's directory, taken from its end record before anything is parsed."""
        ends = _END64.size + _END64_LOCATOR.size + _END.size
        self._file.seek(max(0, self.size - ends))
        tail = self._file.read(ends).rjust(ends, b"\0")
        end = _END.unpack(tail[-_END.size :])
        if end[0] != b"PK\x05\x06":
            raise self._damaged("the zip is truncated or damaged: its end is missing")
        locator = _END64_LOCATOR.unpack(tail[_END64.size : -_END.size])
        if locator[0] != b"PK\x06\x07":
            return int(end[5])
        end64 = _END64.unpack(tail[: _END64.size])
        if end64[0] != b"PK\x06\x06" or locator[2] != self.size - ends:
            raise self._damaged("the zip's two end records disagree")
        return max(int(end64[8]), int(end[5]) if end[5] != 0xFFFFFFFF else 0)

    def _checked_members(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise self._unsafe(f"the zip has {len(infos)} members")
        self._refuse_other_zips([info.filename for info in infos])
        for info in infos:
            if info.filename in members or len(info.filename) > MAX_NAME_LENGTH:
                raise self._unsafe("the zip repeats a member name or has an overlong one")
            if _TORCHSCRIPT.fullmatch(info.filename):
                raise self._torchscript()
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise self._unsafe("the zip holds compressed members, which torch never writes")
            if info.flag_bits & 0x1:
                raise self._unsafe("the zip holds encrypted members")
            members[info.filename] = info
        self._check_overlap(infos)
        return members

    def _refuse_other_zips(self, names: list[str]) -> None:
        """A zip of other things is a mistake, and no reason to distrust it."""
        if any(name.endswith("/data.pkl") or _TORCHSCRIPT.fullmatch(name) for name in names):
            return
        kind = next((kind for found, kind in _OTHER_ZIPS if any(map(found.search, names))), "")
        if kind:
            raise UnsupportedModelError(self.path, f"this is {kind}", FROM_TRAINING)
        raise ModelError(self.path, "a zip, but not one that torch.save wrote", FROM_TRAINING)

    def _check_overlap(self, infos: list[zipfile.ZipInfo]) -> None:
        """Members must lie one after the other: overlapping ones are a zip bomb."""
        position = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < position:
                raise self._unsafe("members of the zip overlap")
            position = info.header_offset + LOCAL_HEADER_BYTES + info.file_size
        if position > self.size:
            raise self._unsafe("members of the zip reach beyond its end")

    def _find_prefix(self) -> str:
        found = [
            name.removesuffix("/data.pkl")
            for name in self._members
            if name.endswith("/data.pkl") and name.count("/") == 1
        ]
        if len(found) != 1:
            raise ModelError(self.path, "a zip, but not one that torch.save wrote", FROM_TRAINING)
        return found[0]

    def _check_kind(self) -> None:
        name = f"{self.prefix}/byteorder"
        if name in self._members and self._read(name, 16).strip() != b"little":
            raise UnsupportedModelError(
                self.path,
                "a checkpoint with big-endian numbers",
                "Save it again on a little-endian machine (x86 or ARM)",
            )

    def _read(self, name: str, limit: int) -> bytes:
        info = self._members[name]
        if info.file_size > limit:
            raise self._unsafe(f"the member {name.rpartition('/')[2]} is too large")
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
            raise self._damaged("a member of the zip is damaged") from error

    def _torchscript(self) -> UnsupportedModelError:
        return UnsupportedModelError(
            self.path,
            "a TorchScript archive, which holds a program instead of the model's layers",
            f"{FROM_TRAINING}, or its ONNX export",
        )

    def _damaged(self, problem: str) -> ModelError:
        return ModelError(self.path, problem, DAMAGED)

    def _unsafe(self, problem: str) -> UnsafeModelError:
        return UnsafeModelError(self.path, problem, DO_NOT_TRUST)
