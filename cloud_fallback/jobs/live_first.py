"""Live frames come first: workers pause while a frame of a device waits for its answer.

The server writes the time until which live frames are under way into a file that all processes of
the machine have mapped; a worker reads it before each frame.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from ..server.batcher import Queue
from ..server.job import Job, JobResult

# A frame whose end is never reported holds workers up no longer than this.
LONGEST_S = 0.25
# Of a worker before one frame, so that it is never stopped for good.
PATIENCE_S = 0.05
LOOK_S = 0.001
_TIME = struct.Struct("=q")


class LiveMark:
    """The time until which live frames are under way, shared by the processes of a machine."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.seek(0, 2) < _TIME.size:
                file.write(bytes(_TIME.size))
                file.flush()
            self._shared = mmap.mmap(file.fileno(), _TIME.size)

    def set(self, until_ns: int) -> None:
        """Announce live frames until this monotonic time; 0 for none."""
        _TIME.pack_into(self._shared, 0, until_ns)

    def wait(self) -> None:
        """Wait while live frames are under way, at most PATIENCE_S."""
        if _TIME.unpack_from(self._shared)[0] <= time.monotonic_ns():
            return
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            time.sleep(LOOK_S)
            if _TIME.unpack_from(self._shared)[0] <= time.monotonic_ns():
                return


class AnnouncedQueue:
    """A queue of live frames that announces them to the workers; see `Queue`."""

    def __init__(self, queue: Queue, mark: LiveMark) -> None:
        self._queue, self._mark = queue, mark
        self._under_way: set[int] = set()

    @property
    def queued(self) -> int:
        """Frames that wait."""
        return self._queue.queued

    def start(self) -> None:
        """Start to take frames."""
        self._queue.start()

    async def stop(self) -> None:
        """Stop, and announce no more."""
        await self._queue.stop()
        self._mark.set(0)

    def submit(self, job: Job) -> None:
        """Queue a frame, and hold workers up until it is answered."""
        self._under_way.add(id(job))
        self._mark.set(time.monotonic_ns() + int(LONGEST_S * 1e9))

        def finish(result: JobResult) -> None:
            self._under_way.discard(id(job))
            if not self._under_way:
                self._mark.set(0)
            job.finish(result)

        self._queue.submit(replace(job, finish=finish))

    def cancel(self, owner: Hashable, result: JobResult) -> None:
        """End the frames of a session."""
        self._queue.cancel(owner, result)
