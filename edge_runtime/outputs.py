"""Checks that an output does not overwrite an input or another output."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import UsageError


def check_apart(read: Mapping[str, str | os.PathLike[str]], written: Iterable[Path | None]) -> None:
    """Refuse outputs that are the same file as an input or as another output.

    Args:
        read: {what the file is, such as "source": path}.
        written: output paths; None and `-` (standard output) are ignored.

    Raises:
        UsageError: a file is given twice.
    """
    taken = {_identity(path): f"the {what} itself" for what, path in read.items()}
    for path in written:
        if path is None or path == Path("-"):
            continue
        file = _identity(path)
        if file in taken:
            raise UsageError(f"{path} is {taken[file]}", "Give the output another name")
        taken[file] = "written twice"


def _identity(path: str | os.PathLike[str]) -> object:
    """A key that is equal for all paths of one file, whether or not it exists."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
