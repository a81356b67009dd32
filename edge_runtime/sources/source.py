"""The `Source` of frames that a counter reads, and the `Reader` protocol behind it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from ..types import Frame


class Reader(Protocol):
    """Reads the frames of one source in capture order.

    A new kind of source implements this protocol.
    """

    dropped: int
    """Live frames so far that were replaced by a newer one before they were read; else 0."""

    def read(self) -> Frame | None:
        """The next frame; None after the last."""
        ...

    def close(self) -> None:
        """Release files and devices; `read` is not called again."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A `Reader` whose wait for a frame can be ended."""

    def stop(self) -> None:
        """Let `read` return None from now on; must not wait, for it runs in signal handlers."""
        ...


class Source(Iterator[Frame]):
    """One pass over the frames of a video, images, a camera or a stream.

    Use it as a context manager, or close it: a file or camera stays open until then.

    Attributes:
        name: file name or URL, without passwords.
        size: (width, height) in pixels of the first frame, after rotation.
        frames_total: number of frames by the file's header; None if unknown.
        fps: nominal frames per second; None if unknown. Timestamps do not depend on it.
        live: frames come in real time; a slow consumer misses some (see `dropped`).
        epoch_ns: wall clock, in nanoseconds since 1970, of timestamp 0; None if unknown.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        name: str,
        size: tuple[int, int],
        frames_total: int | None = None,
        fps: float | None = None,
        live: bool = False,
        warnings: list[str] | None = None,
        epoch_ns: int | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self.frames_total = frames_total
        self.fps = fps
        self.live = live
        self.epoch_ns = epoch_ns
        self._warnings = [] if warnings is None else warnings
        self._reader = reader
        self._stopped = False
        # Also runs when the program ends, so that no thread is left inside a decoder.
        self._close = weakref.finalize(self, reader.close)

    @property
    def warnings(self) -> list[str]:
        """Problems so far that did not end the pass, such as damaged images."""
        return list(self._warnings)

    @property
    def dropped(self) -> int:
        """Live frames so far that were replaced by a newer one before they were read."""
        return self._reader.dropped

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Frame:
        """The next frame; StopIteration at the end or once closed.

        Raises:
            SourceError: the source fails.
        """
        active = self._close.alive and not self._stopped
        frame = self._reader.read() if active else None
        if frame is None:
            raise StopIteration
        return frame

    def stop(self) -> None:
        """End the pass at the next frame; safe in a signal handler and in any thread."""
        self._stopped = True
        if isinstance(self._reader, Stoppable):
            self._reader.stop()

    def close(self) -> None:
        """Stop reading ahead, and release the file, camera or connection."""
        self._close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
