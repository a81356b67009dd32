"""No file is written over one that is read, or that something else is written to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import UsageError


def check_apart(read: Mapping[str, str | os.PathLike[str]], written: Iterable[Path | None]) -> None:
    """Compare files that are read, by what they are, with those to be written.

    None and `-` are no files.

    Raises:
        UsageError: one is given twice.
    """
    taken = {_identity(path): f"the {what} itself" for what, path in read.items()}
    for path in written:
        if path is None or path == Path("-"):
            continue
        place = _identity(path)
        if place in taken:
            raise UsageError(f"{path} is {taken[place]}", "Give the output another name")
        taken[place] = "written twice"


def _identity(path: str | os.PathLike[str]) -> object:
    """The same for all names of a file, whether or not it exists."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
