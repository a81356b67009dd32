"""The file of an upload: its length is the offset, and what is acknowledged is on the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 20


class BusyFileError(Exception):
    """Another process appends to the file."""


class DiskFullError(Exception):
    """No space is left; what was written stays."""


class UploadFile:
    """An upload's file, open to append; only one process at a time can open it.

    Raises:
        BusyFileError: another one has.
        FileNotFoundError: it is gone.
    """

    def __init__(self, path: Path) -> None:
        # Not created here: a file that is gone belongs to an upload that has ended.
        self._file: BinaryIO = path.open("r+b", buffering=0)
        try:
            _lock(self._file)
        except BaseException:
            self._file.close()
            raise
        self._file.seek(0, os.SEEK_END)

    @property
    def offset(self) -> int:
        """Number of bytes in the file."""
        return self._file.tell()

    def append(self, block: bytes) -> None:
        """Write a block at the end.

        Raises:
            DiskFullError: not all of it.
        """
        view = memoryview(block)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise DiskFullError from error
            raise

    def close(self) -> None:
        """Bring everything to the disk, and let others open the file."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _lock(file: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has none, and one process.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyFileError from error


def make_file(path: Path) -> None:
    """Make the empty file of a new upload, so that it is there after a power failure."""
    with path.open("xb") as file:
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
