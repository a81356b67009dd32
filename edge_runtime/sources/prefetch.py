"""Read-ahead: decodes in a thread of its own, a few frames ahead of the consumer."""

from __future__ import annotations

import threading
from collections import deque

from ..types import Frame
from .blank import BlankFrames
from .source import Reader

DEPTH = 4
# A camera driver may block in a read for seconds; the thread then ends later by itself.
JOIN_SECONDS = 5.0
# How soon a read that waits sees `stop`.
WAIT_S = 0.25


class Prefetch:
    """A Reader that reads another Reader ahead.

    The thread waits while `depth` frames are ready, so that no frame of a file is lost. With
    `drop_oldest`, for live sources, it never waits: a new frame replaces the oldest one, and a
    warning reports how many were dropped. `close` sets `closing`, for a reader that waits.
    `unchanged` is that of `BlankFrames`, whose warning is added at the end.

    Attributes:
        dropped: frames replaced so far.
    """

    def __init__(
        self,
        reader: Reader,
        warnings: list[str],
        *,
        depth: int = DEPTH,
        drop_oldest: bool = False,
        closing: threading.Event | None = None,
        unchanged: bool = False,
    ) -> None:
        self._reader = reader
        self._warnings = warnings
        self._depth = depth
        self._drop_oldest = drop_oldest
        self.dropped = 0
        self._closing = closing
        self._ready: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._blank = BlankFrames(unchanged=unchanged)
        self._closed = False
        self._stopped = False
        self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="tallylens-decode", daemon=True)
        self._thread.start()

    def read(self) -> Frame | None:
        """The next frame; None at the end. Exceptions of the other reader are raised here."""
        with self._changed:
            while not (self._ready or self._ended or self._closed or self._stopped):
                # `stop` notifies nobody, and Ctrl-C cannot end an unbounded wait on Windows.
                self._changed.wait(WAIT_S)
            if self._stopped:
                return None
            if self._ready:
                self._changed.notify_all()
                return self._ready.popleft()
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def stop(self) -> None:
        """Let `read` return None, now and later; takes no lock, for it runs in signal handlers."""
        self._stopped = True

    def close(self) -> None:
        """Stop the thread, which closes the other reader, and wait for it."""
        if self._closing is not None:
            self._closing.set()
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join(JOIN_SECONDS)

    def _work(self) -> None:
        try:
            while (frame := self._reader.read()) is not None:
                self._blank.see(frame)
                if not self._put(frame):
                    break
        except Exception as error:
            self._error = error
        finally:
            self._reader.close()
            with self._changed:
                self._report()
                self._ended = True
                self._changed.notify_all()

    def _put(self, frame: Frame) -> bool:
        """Add a frame to the queue; returns False once closed."""
        with self._changed:
            if self._drop_oldest and len(self._ready) >= self._depth:
                self._ready.popleft()
                self.dropped += 1
            while len(self._ready) >= self._depth and not self._closed:
                self._changed.wait()
            if not self._closed:
                self._ready.append(frame)
                self._changed.notify_all()
            return not self._closed

    def _report(self) -> None:
        blank = self._blank.warning()
        if blank is not None:
            self._warnings.append(blank)
        if self.dropped:
            self._warnings.append(
                f"{self.dropped} frames were dropped because counting was slower than the camera"
            )
