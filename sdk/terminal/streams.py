"""Standard streams whose reader may end, and console messages that never end a command."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# A pipe whose reader has ended, and a terminal that was closed.
READER_GONE = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO, errno.ESHUTDOWN})


class _Output(io.FileIO):
    """A descriptor that accepts output after its reader has ended, and discards it."""

    def __init__(self, descriptor: int, on_lost: Callable[[], None]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._on_lost = on_lost
        self._lost = False

    def write(self, content: ReadableBuffer, /) -> int:
        size = memoryview(content).nbytes
        if self._lost:
            return size
        try:
            return super().write(content) or 0
        except OSError as error:
            if error.errno not in READER_GONE:
                raise
        self._lost = True
        self._on_lost()
        return size


def tolerant(stream: TextIO, on_lost: Callable[[], None]) -> TextIO:
    """`stream` without the error of a reader that has ended: `on_lost` is called once instead.

    Only this process's real standard streams are replaced, not those of a test or a notebook.
    """
    if stream not in (sys.__stdout__, sys.__stderr__) or os.name == "nt":
        return stream
    stream.flush()
    raw = _Output(stream.fileno(), on_lost)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.isatty() or stream is sys.__stderr__,
    )


def ignore_lost_terminal() -> None:
    """Let output on stderr, and on a terminal, be lost with the terminal that showed it."""
    sys.stderr = tolerant(sys.stderr, _nothing)
    if sys.stdout.isatty():
        sys.stdout = tolerant(sys.stdout, _nothing)


def _nothing() -> None:
    pass
