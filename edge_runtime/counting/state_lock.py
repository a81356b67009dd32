"""One process at a time counts into a state file: the last to save would replace the others' count.

The lock is on a hidden file beside the state, which is itself replaced by each save. The system
frees it when a process ends in any way.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from pathlib import Path
from typing import BinaryIO

from ..errors import UnavailableError


class StateLock:
    """Holds the lock of the state file `path` until `release`, or until nobody refers to it.

    Counters of one process share it. Where the system has no locks, nothing excludes others.

    Raises:
        UnavailableError: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self._held: _Held | None = None
        with contextlib.suppress(_NoLocksError):
            self._held = _held(path)

    def release(self) -> None:
        """Let others count into the file; a second call does nothing."""
        self._held = None


class _Held:
    """The lock of this process, free again when nobody refers to it."""

    def __init__(self, path: Path, beside: Path) -> None:
        file = _locked(path, beside)
        while not _is_at(file, beside):  # the process that held it has just deleted it
            file.close()
            file = _locked(path, beside)
        weakref.finalize(self, _free, file, beside, os.getpid())


# By process, too: a fork does not have the locks of its parent.
_all_held: weakref.WeakValueDictionary[tuple[int, Path], _Held] = weakref.WeakValueDictionary()
_changing = threading.Lock()


def _held(path: Path) -> _Held:
    # A save replaces the file of this name, also where that is a link.
    beside = path.parent.resolve() / f".{path.name}.lock"
    with _changing:
        key = os.getpid(), beside
        held = _all_held.get(key)
        if held is None:
            held = _all_held[key] = _Held(path, beside)
        return held


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
        _free(file, beside, os.getpid())
        raise _NoLocksError from error
    return file


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _free(file: BinaryIO, beside: Path, owner: int) -> None:
    """Delete the file first: a process that opens it meanwhile sees that it is gone."""
    if os.getpid() == owner:  # and not a fork of it
        with contextlib.suppress(OSError):
            beside.unlink()
    file.close()
