"""Lines for a file descriptor that may not take them: written in a thread, dropped and counted."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from queue import Empty, Full, Queue

CAPACITY = 10_000
MAX_LINE = 16_384
# A process that ends waits this long for its last lines.
FLUSH_S = 1.0


class LineWriter:
    """A bounded queue of lines in front of a file descriptor.

    The lines that come first are kept: after a start that nobody reads, its messages are there.

    Args:
        descriptor: where the lines go.
        capacity: maximum number of lines that wait.
    """

    def __init__(self, descriptor: int, capacity: int = CAPACITY) -> None:
        self._descriptor = descriptor
        self._queue: Queue[str] = Queue(capacity)
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()
        self._dropped = 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    @property
    def dropped(self) -> int:
        """Number of lines dropped since the last one that was written."""
        return self._dropped

    def write(self, line: str) -> None:
        """Queue a line, without its end; never waits."""
        with self._lock:
            try:
                self._queue.put_nowait(line[:MAX_LINE])
                self._idle.clear()
            except Full:
                self._dropped += 1

    def flush(self, seconds: float = FLUSH_S) -> bool:
        """Wait until all lines are written; False where that took too long."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            self._write_out(self._queue.get())
            while True:
                with self._lock:
                    try:
                        line = self._queue.get_nowait()
                    except Empty:
                        dropped, self._dropped = self._dropped, 0
                        if not dropped:
                            self._idle.set()
                            break
                        line = (
                            f'{{"level": "warning", "what": "log lines dropped", "n": {dropped}}}'
                        )
                self._write_out(line)

    def _write_out(self, line: str) -> None:
        content = f"{line}\n".encode(errors="replace")
        with contextlib.suppress(OSError):
            while content:
                content = content[os.write(self._descriptor, content) :]


class LineHandler(logging.Handler):
    """Hands formatted records to a `LineWriter`."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record."""
        try:
            self._writer.write(self.format(record))
        except Exception:
            self.handleError(record)
