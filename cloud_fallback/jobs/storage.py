"""Where the files of videos are: a folder, or an object store that other machines reach too."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .identifiers import LENGTH

RESERVE_BYTES = 1 << 30
RESERVE_VARIABLE = "TALLYLENS_RESERVE_BYTES"
"""The environment variable for the bytes of the disk that uploads leave free."""


def reserve_bytes() -> int:
    """Bytes of the disk that uploads leave free: by default 1 GiB."""
    text = os.environ.get(RESERVE_VARIABLE, "")
    return int(text) if text.isascii() and text.isdigit() else RESERVE_BYTES


class Storage(Protocol):
    """Keeps the files of complete uploads."""

    def put(self, video: str, path: Path) -> None:
        """Take the complete file at `path` under the id of a video or job; it may be moved.

        Raises:
            StorageGoneError: the store does not answer.
        """
        ...

    def local(self, video: str) -> contextlib.AbstractContextManager[Path]:
        """The file of a video on this machine, for the length of the block.

        Raises:
            StorageGoneError: the store does not answer.
            FileNotFoundError: there is no such file.
        """
        ...

    def delete(self, video: str) -> None:
        """Delete a file, if it is there."""
        ...


class StorageGoneError(Exception):
    """The store does not answer."""


class FolderStorage:
    """Keeps files in a folder, in which uploads also arrive: a complete one is not moved.

    Args:
        folder: made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def path(self, identifier: str) -> Path:
        """The file of an upload and of its video, which share the last 26 characters."""
        return self.folder / identifier[-LENGTH:]

    def put(self, video: str, path: Path) -> None:
        """Take the file; that of an upload is there already."""
        if path != self.path(video):
            shutil.move(path, self.path(video))

    @contextmanager
    def local(self, video: str) -> Iterator[Path]:
        """The file itself."""
        path = self.path(video)
        if not path.is_file():
            raise FileNotFoundError(path.name)
        yield path

    def delete(self, video: str) -> None:
        """Delete the file."""
        self.path(video).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Free bytes of the disk."""
        return shutil.disk_usage(self.folder).free
