"""Writing results so that a reader sees all of them whole, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from .errors import InputError, TallyLensError, UnavailableError

_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write every file, or none: stage each beside its target, then move all into place.

    Parent folders are made as needed. Whatever interrupts the staging (an error, Ctrl-C, a full
    disk), no staged file stays behind and no target has changed.

    Raises:
        UnavailableError: the disk is full.
        InputError: a folder cannot be made or written to.
    """
    staged: dict[Path, Path] = {}
    try:
        for target, content in contents.items():
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
            staged[target] = temporary
            _stage(target, temporary, content)
        for target, temporary in staged.items():
            _move(temporary, target)
    finally:
        for temporary in staged.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _stage(target: Path, temporary: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():  # moving would fail, after other files have been moved
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _explain(target, error) from error


def _move(temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except OSError as error:
        raise _explain(target, error) from error


def _explain(target: Path, error: OSError) -> TallyLensError:
    if error.errno in _NO_SPACE:
        return UnavailableError(
            f"{target} could not be written: the disk is full",
            "Free some space or choose another folder; nothing was changed",
        )
    return InputError(
        target,
        f"the file cannot be written ({error.strerror or error})",
        "Choose an output folder that you can write to",
    )
