"""Frames on several threads: in order, bounded, and nothing left behind whatever happens."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.detection.pipeline import AHEAD, detect_in_order
from tallylens.edge_runtime.types import Detections, Frame

PATIENCE_S = 30  # for what would otherwise hang; nothing waits so long when all is well


class FakeDetector:
    """Names each frame by its first pixel; `work` is called with that name on the worker."""

    def __init__(self, work: Callable[[int], None] = lambda index: None) -> None:
        self.calls: list[int] = []
        self.threads: set[int] = set()
        self._work = work
        self._busy = threading.Lock()

    def detect(self, image: Any) -> Detections:
        assert self._busy.acquire(blocking=False), "a detector serves one thread at a time"
        try:
            index = int(image[0, 0, 0])
            self.calls.append(index)
            self.threads.add(threading.get_ident())
            self._work(index)
            row = np.full((1, 4), index, np.float32)
            return Detections(row, np.ones(1, np.float32), np.zeros(1, np.int32))
        finally:
            self._busy.release()


def frame(index: int) -> Frame:
    return Frame(np.full((1, 1, 3), index, np.uint8), index * 40_000_000, index)


def frames(count: int) -> Iterator[Frame]:
    for index in range(count):
        yield frame(index)


def detect(detectors: list[FakeDetector], source: Any) -> Iterator[tuple[Frame, Detections]]:
    return detect_in_order(detectors, source)


def indices(results: Any) -> list[int]:
    found = []
    for at, detections in results:
        assert int(detections.xyxy[0, 0]) == at.index, "each frame has its own detections"
        found.append(at.index)
    return found


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("detect")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    assert not workers()
    yield
    assert not workers()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("total", [0, 1, 2, 5, 30])
def test_every_frame_once_and_in_order(count: int, total: int) -> None:
    detectors = [FakeDetector() for _ in range(count)]
    assert indices(detect(detectors, frames(total))) == list(range(total))
    assert sorted(call for d in detectors for call in d.calls) == list(range(total))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_order_holds_when_the_last_is_ready_first(count: int) -> None:
    """Of each `count` frames at work at once the last finishes first, then the one before it."""
    total = 6 * count
    done = [threading.Event() for _ in range(total)]
    finished: list[int] = []

    def work(index: int) -> None:
        if index % count != count - 1:
            assert done[index + 1].wait(PATIENCE_S)
        finished.append(index)
        done[index].set()

    detectors = [FakeDetector(work) for _ in range(count)]
    assert indices(detect(detectors, frames(total))) == list(range(total))
    assert finished[:count] == list(reversed(range(count)))
    assert finished != sorted(finished)


@pytest.mark.parametrize("count", [2, 3])
def test_all_detectors_work_at_the_same_time(count: int) -> None:
    def wait(barrier: threading.Barrier) -> None:
        barrier.wait(PATIENCE_S)

    together = threading.Barrier(count)
    detectors = [FakeDetector(lambda _: wait(together)) for _ in range(count)]
    assert indices(detect(detectors, frames(4 * count))) == list(range(4 * count))
    for detector in detectors:
        assert threading.get_ident() not in detector.threads


def test_one_detector_needs_no_thread() -> None:
    detector = FakeDetector()
    assert indices(detect([detector], frames(3))) == [0, 1, 2]
    assert detector.threads == {threading.get_ident()}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_only_so_many_frames_are_held(count: int) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    held = []

    class Picture(np.ndarray):  # plain arrays take part in no weak set
        __hash__ = object.__hash__  # type: ignore[assignment]

    def source() -> Iterator[Frame]:
        for index in range(30):
            held.append(len(alive))
            picture = np.full((1, 1, 3), index, np.uint8).view(Picture)
            alive.add(picture)
            yield Frame(picture, index, index)
            del picture

    taken = 0
    for _ in detect([FakeDetector() for _ in range(count)], source()):
        taken += 1
        assert len(held) - taken <= count + AHEAD - 1
    assert taken == 30
    assert 0 < max(held) <= count + AHEAD


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("broken", [0, 4, 9])
def test_a_workers_error_comes_out_after_the_frames_before_it(count: int, broken: int) -> None:
    def work(index: int) -> None:
        if index == broken:
            raise BrokenError(index)

    found = []
    with pytest.raises(BrokenError, match=str(broken)):  # noqa: PT012
        for at, _ in detect([FakeDetector(work) for _ in range(count)], frames(10)):
            found.append(at.index)
    assert found == list(range(broken))
    assert not workers()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("error", [BrokenError, KeyboardInterrupt])
def test_the_sources_error_comes_out(count: int, error: type[BaseException]) -> None:
    def source() -> Iterator[Frame]:
        yield from frames(8)
        raise error

    found = []
    with pytest.raises(error):  # noqa: PT012
        for at, _ in detect([FakeDetector() for _ in range(count)], source()):
            found.append(at.index)
    # Ctrl-C stops at once; after an error the frames before it still come.
    assert found == list(range(8 if error is BrokenError else len(found)))
    assert not workers()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("after", [1, 4])
def test_stopping_early(count: int, after: int) -> None:
    closed = []

    def source() -> Iterator[Frame]:
        try:
            yield from frames(1000)
        finally:
            closed.append(True)

    detectors = [FakeDetector() for _ in range(count)]
    pictures = source()
    results = detect(detectors, pictures)
    assert [next(results)[0].index for _ in range(after)] == list(range(after))
    results.close()  # type: ignore[attr-defined]
    assert not workers()
    assert sum(len(d.calls) for d in detectors) <= after + count + AHEAD
    assert not closed, "the source belongs to the caller"
    pictures.close()  # type: ignore[attr-defined]


def test_a_forgotten_iterator_leaves_no_thread() -> None:
    results = detect([FakeDetector(), FakeDetector()], frames(100))
    next(results)
    assert workers()
    del results
    gc.collect()
    assert not workers()


def test_closing_waits_for_who_is_at_work_and_starts_no_other() -> None:
    """Both workers are inside a frame while the consumer leaves."""
    started, leave = threading.Semaphore(0), threading.Event()

    def work(index: int) -> None:
        if index > 0:
            started.release()
            assert leave.wait(PATIENCE_S)

    detectors = [FakeDetector(work), FakeDetector(work)]
    results = detect(detectors, frames(100))
    next(results)
    for _ in detectors:
        assert started.acquire(timeout=PATIENCE_S)
    closing = threading.Thread(target=results.close)  # type: ignore[attr-defined]
    closing.start()
    leave.set()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert not workers()


def test_nothing_is_read_before_it_is_asked_for() -> None:
    def source() -> Iterator[Frame]:
        raise BrokenError
        yield

    detect([FakeDetector(), FakeDetector()], source())
