"""Atomic writes of files and folders, and the SHA-256 of a file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from .errors import InputError, TallyLensError, UnavailableError

_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

Folder = Mapping[str, bytes]
"""The files of a folder: {path inside it, with / as separator: content}."""


def write_all(contents: Mapping[Path, bytes | Folder]) -> None:
    """Write all files and folders, or none: stage each beside its target, then move them all.

    Parent folders are created as needed. If staging is interrupted (an error, Ctrl-C, a full
    disk), no staged file is left behind and no target has changed. A folder replaces an existing
    one only if that holds no other files.

    Raises:
        UnavailableError: the disk is full.
        InputError: a folder cannot be created or written to, or is where a file should be.
    """
    staged: dict[Path, Path] = {}
    try:
        for target, content in contents.items():
            temporary = _beside(target)
            staged[target] = temporary
            _stage(target, temporary, content)
        for target, temporary in staged.items():
            _move(temporary, target)
    finally:
        for temporary in staged.values():
            _remove(temporary)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal, read in blocks.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            path, error.strerror or "cannot be read", "Check the path and its permissions"
        ) from error


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def _stage(target: Path, temporary: Path, content: bytes | Folder) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _refuse_conflict(target, content)
        if isinstance(content, bytes):
            _write(temporary, content)
            return
        for name, part in content.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _write(temporary / name, part)
    except OSError as error:
        raise write_failure(target, error) from error


def _refuse_conflict(target: Path, content: bytes | Folder) -> None:
    """Refuse a target that a later move would fail on, after others were moved, or destroy."""
    if isinstance(content, bytes):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
    elif target.is_symlink() or (target.exists() and not target.is_dir()):
        raise NotADirectoryError(errno.ENOTDIR, "it is a file")
    elif target.is_dir():
        for path in target.rglob("*"):
            inside = PurePosixPath(path.relative_to(target).as_posix())
            if path.is_symlink() or (not path.is_dir() and str(inside) not in content):
                raise FileExistsError(errno.EEXIST, f"the folder holds other files ({inside})")


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(temporary: Path, target: Path) -> None:
    try:
        if temporary.is_dir() and target.is_dir():
            _swap(temporary, target)
        else:
            temporary.replace(target)
    except OSError as error:
        raise write_failure(target, error) from error


def _swap(temporary: Path, target: Path) -> None:
    """Replace a folder: the old one is renamed first, because no move overwrites a folder."""
    old = _beside(target)
    target.replace(old)
    try:
        temporary.replace(target)
    except BaseException:
        old.replace(target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_failure(target: Path, error: OSError) -> TallyLensError:
    """The error to raise for `error`, which ended the writing of `target`."""
    if error.errno in _NO_SPACE:
        return UnavailableError(
            f"{target} cannot be written: the disk is full",
            "Free some space or choose another folder; nothing was changed",
        )
    return InputError(
        target,
        f"the file cannot be written ({error.strerror or error})",
        "Choose a writable output folder",
    )
