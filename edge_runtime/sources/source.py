"""Frames from anywhere, in capture order."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Protocol

from ..types import Frame


class Reader(Protocol):
    """The frames of one source, one after the other."""

    def read(self) -> Frame | None:
        """The next frame, None after the last."""
        ...

    def close(self) -> None:
        """Give files and devices back; `read` is not called again."""
        ...


class Source(Iterator[Frame]):
    """One pass over the frames of a video, a folder, a camera or a stream.

    Use it as a context manager, or close it: a file or camera stays open until then.

    Attributes:
        name: what was opened, without any password.
        size: (width, height) in pixels of the first frame, after rotation.
        frames_total: what the file announces, None where nobody knows.
        fps: nominal frames a second, None where unknown; timestamps do not depend on it.
        live: frames come in real time, so a slow consumer loses some (see `dropped`).
        epoch_ns: wall clock, in nanoseconds since 1970, of timestamp 0; None where unknown.
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
        # Also runs when the program ends, so that no thread is left inside a decoder.
        self._close = weakref.finalize(self, reader.close)

    @property
    def warnings(self) -> list[str]:
        """What went wrong so far without ending the pass, such as a damaged image."""
        return list(self._warnings)

    @property
    def dropped(self) -> int:
        """Live pictures so far that nobody took before the next one came."""
        return int(getattr(self._reader, "dropped", 0))

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Frame:
        """Raises SourceError where the source broke, StopIteration at the end or once closed."""
        frame = self._reader.read() if self._close.alive else None
        if frame is None:
            raise StopIteration
        return frame

    def close(self) -> None:
        """Stop reading ahead and give the file, camera or connection back."""
        self._close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
