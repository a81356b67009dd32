"""Detection in several frames at once, with results in capture order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

from ..types import Detections, Frame, Image, PlanarFrame, YuvPlanes

# Frames decoded ahead of the slowest worker; more would only cost memory.
AHEAD = 2


class Detects(Protocol):
    """A detector of one thread: finds objects in an image."""

    def detect(self, image: Image, /) -> Detections:
        """Objects in `image`, (height, width, 3) uint8 BGR, in its pixels."""
        ...


@runtime_checkable
class DetectsPlanes(Protocol):
    """A detector that also reads the YUV planes of a video decoder, without a conversion."""

    def detect_planes(self, planes: YuvPlanes, /) -> Detections:
        """Objects in `planes`, in pixels of the upright image."""
        ...


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def detect_in_order(
    detectors: Sequence[Detects], frames: Iterable[Frame]
) -> Iterator[tuple[Frame, Detections]]:
    """Detect in several frames at once, one detector per thread, and yield in capture order.

    Engines release the GIL, so N single-threaded engines do the work of N cores; two threads in
    one engine gain almost nothing. At most `len(detectors) + AHEAD` frames are held.
    """
    if len(detectors) == 1:
        for frame in frames:
            yield frame, _detect(detectors[0], frame)
        return
    idle: SimpleQueue[Detects] = SimpleQueue()
    for detector in detectors:
        idle.put(detector)

    def detect(frame: Frame) -> Detections:
        detector = idle.get()
        try:
            return _detect(detector, frame)
        finally:
            idle.put(detector)

    pending: deque[tuple[Frame, Future[Detections]]] = deque()
    ended_by: list[Exception] = []
    with ThreadPoolExecutor(len(detectors), thread_name_prefix="detect") as pool:
        try:
            for frame in _until_error(frames, ended_by):
                pending.append((frame, pool.submit(detect, frame)))
                if len(pending) >= len(detectors) + AHEAD:
                    yield _finished(pending)
            while pending:
                yield _finished(pending)
        finally:
            for _, result in pending:
                result.cancel()
    for error in ended_by:
        raise error


def _detect(detector: Detects, frame: Frame) -> Detections:
    if isinstance(frame, PlanarFrame) and isinstance(detector, DetectsPlanes):
        return detector.detect_planes(frame.planes)
    return detector.detect(frame.image)


def _finished(
    pending: deque[tuple[Frame, Future[Detections]]],
) -> tuple[Frame, Detections]:
    frame, result = pending.popleft()
    return frame, result.result()


def _until_error(frames: Iterable[Frame], ended_by: list[Exception]) -> Iterator[Frame]:
    """`frames` up to an error, which is kept, so that the frames before it are not lost."""
    try:
        # `yield from` would close the caller's source with this generator.
        for frame in frames:  # noqa: UP028
            yield frame
    except Exception as error:
        ended_by.append(error)
