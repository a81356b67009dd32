"""One process at a time counts into a state file: the last to save would replace the others' count.

The lock is on a hidden file beside the state, which is itself replaced by each save. The system
frees it when a process ends in any way.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from pathlib import Path
from typing import BinaryIO

from ..errors import UnavailableError


class StateLock:
    """Holds the lock of the state file `path` until `release`, or until nobody refers to it.

    Counters of one process do not exclude each other. Where the system has no locks nothing does.

    Raises:
        UnavailableError: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        target = path.resolve()
        beside = target.with_name(f".{target.name}.lock")
        self._finalizer: weakref.finalize[[BinaryIO, Path], StateLock] | None = None
        with contextlib.suppress(_NoLocksError):
            file = _locked(path, beside)
            while not _is_at(file, beside):  # the process that held it has just deleted it
                file.close()
                file = _locked(path, beside)
            self._finalizer = weakref.finalize(self, _free, file, beside)

    def release(self) -> None:
        """Let others count into the file; a second call does nothing."""
        if self._finalizer is not None:
            self._finalizer()


class _NoLocksError(Exception):
    pass


def _locked(path: Path, beside: Path) -> BinaryIO:
    try:
        import fcntl

        file = beside.open("ab")
    except (ImportError, OSError) as error:  # Windows, or no such name in this folder
        raise _NoLocksError from error
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        file.close()
        raise UnavailableError(
            f"another process counts into {path}",
            "End that count, or give this one a state file of its own",
        ) from error
    except OSError as error:
        _free(file, beside)
        raise _NoLocksError from error
    return file


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _free(file: BinaryIO, beside: Path) -> None:
    """Delete the file first: a process that opens it meanwhile sees that it is gone."""
    with contextlib.suppress(OSError):
        beside.unlink()
    file.close()
