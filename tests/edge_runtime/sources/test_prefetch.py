from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from tallylens.edge_runtime.errors import SourceError
from tallylens.edge_runtime.sources.prefetch import Prefetch
from tallylens.edge_runtime.sources.source import Source
from tallylens.edge_runtime.types import Frame

IMAGE = np.zeros((2, 4, 3), np.uint8)
PATIENCE_S = 10


class Numbers:
    """A reader of `count` frames, which may break, and may wait before the last."""

    dropped = 0

    def __init__(self, count: int, *, error: Exception | None = None) -> None:
        self.count = count
        self.error = error
        self.given = 0
        self.closed = threading.Event()
        self.finished = threading.Event()

    def read(self) -> Frame | None:
        if self.given == self.count:
            self.finished.set()
            if self.error:
                raise self.error
            return None
        self.given += 1
        return Frame(IMAGE, self.given * 1000, self.given - 1)

    def close(self) -> None:
        self.closed.set()


def read_all(prefetch: Prefetch) -> list[int]:
    indices = []
    while (frame := prefetch.read()) is not None:
        indices.append(frame.index)
    return indices


@pytest.mark.parametrize("count", [0, 1, 4, 5, 1000])
def test_nothing_is_lost_or_reordered(count: int) -> None:
    reader = Numbers(count)
    prefetch = Prefetch(reader, [])
    assert read_all(prefetch) == list(range(count))
    assert prefetch.read() is None
    assert reader.closed.wait(PATIENCE_S)


def test_it_reads_no_further_ahead_than_its_depth() -> None:
    reader = Numbers(100)
    prefetch = Prefetch(reader, [], depth=3)
    for taken in range(1, 50):
        prefetch.read()
        assert reader.given <= taken + 4
    prefetch.close()


def test_what_the_reader_raises_comes_after_its_frames() -> None:
    broken = SourceError("camera", "it broke", "Mend it")
    prefetch = Prefetch(Numbers(3, error=broken), [])
    assert [frame and frame.index for frame in (prefetch.read() for _ in range(3))] == [0, 1, 2]
    with pytest.raises(SourceError, match="it broke"):
        prefetch.read()
    assert prefetch.read() is None


@pytest.mark.parametrize("taken", [0, 1, 10])
def test_closing_stops_the_thread_and_closes_the_reader(taken: int) -> None:
    reader = Numbers(1_000_000)
    prefetch = Prefetch(reader, [])
    for _ in range(taken):
        prefetch.read()
    prefetch.close()
    assert reader.closed.is_set()
    assert prefetch.read() is None
    prefetch.close()


def test_closing_wakes_a_waiting_consumer() -> None:
    class Stuck(Numbers):
        def read(self) -> Frame | None:
            release.wait(PATIENCE_S)
            return None

    release = threading.Event()
    prefetch = Prefetch(Stuck(0), [])
    results: list[Frame | None] = []
    consumer = threading.Thread(target=lambda: results.append(prefetch.read()))
    consumer.start()
    closer = threading.Thread(target=prefetch.close)
    closer.start()
    consumer.join(PATIENCE_S)
    assert results == [None]
    release.set()
    closer.join(PATIENCE_S)
    assert not closer.is_alive()


def test_live_pictures_make_room_and_are_counted() -> None:
    reader = Numbers(10)
    warnings: list[str] = []
    prefetch = Prefetch(reader, warnings, depth=4, drop_oldest=True)
    assert reader.closed.wait(PATIENCE_S)
    assert read_all(prefetch) == [6, 7, 8, 9]
    assert warnings == ["6 frames were dropped because counting was slower than the camera"]


def test_a_forgotten_source_ends_its_thread() -> None:
    reader = Numbers(1_000_000)
    source = Source(Prefetch(reader, []), name="numbers", size=(4, 2))
    assert next(source).index == 0
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is None
    assert reader.closed.wait(PATIENCE_S)


def test_a_closed_source_gives_no_more_frames() -> None:
    with Source(Prefetch(Numbers(100), []), name="numbers", size=(4, 2)) as source:
        assert next(source).index == 0
    assert list(source) == []


def test_an_error_in_the_loop_closes_the_source() -> None:
    reader = Numbers(1_000_000)

    def interrupted() -> None:
        with Source(Prefetch(reader, []), name="numbers", size=(4, 2)) as source:
            next(source)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reader.closed.is_set()
