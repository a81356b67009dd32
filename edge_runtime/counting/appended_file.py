"""A text file that a count appends to: whole lines only, cut back when a count resumes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError, UsageError
from ..files import write_failure


class AppendedFile:
    """Appends text, each time whole or not at all.

    Args:
        path: made where it does not exist.
        length: bytes to keep of what it holds.

    Raises:
        UsageError: its folder is missing.
        InputError: it cannot be written, or is shorter than `length`.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        if not path.resolve().parent.is_dir():
            raise UsageError(f"the folder of {path} does not exist", "Make it first")
        try:
            self._file: BinaryIO = path.open("ab", buffering=0)
            self._cut(length)
        except OSError as error:
            raise InputError(
                path, error.strerror or "cannot be written", "Choose a file that you can write to"
            ) from error

    def _cut(self, length: int) -> None:
        found = self._file.tell()
        if found < length:
            self._file.close()
            raise InputError(
                self._path,
                f"it should hold {length} bytes of events, but has {found}",
                "Restore it, or start over without the state file",
            )
        self._file.truncate(length)
        self.length = length

    def write(self, text: str) -> None:
        """Append `text`; it is in the file when this returns.

        Raises:
            UnavailableError: the disk is full; the file ends as before.
            InputError: it cannot be written for another reason.
        """
        content = text.encode()
        left = memoryview(content)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self.length)
            raise write_failure(self._path, error) from error
        self.length += len(content)

    def sync(self) -> int:
        """Wait until everything is on the disk; the length in bytes."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise write_failure(self._path, error) from error
        return self.length

    def close(self) -> None:
        """Close the file."""
        self._file.close()
