"""Sessions with detectors that are ready: no model, no file, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tallylens import Detections, Line, SourceError, StateError, UsageError, Zone
from tallylens.edge_runtime.counting.period_totals import Period
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.edge_runtime.counting.saved_count import DOCUMENT, SavedCount
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.types import Image
from tallylens.testing import FakeDetector

SECOND = 1_000_000_000
SIZE = (100, 200)
IMAGE: Image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
GATE = Line(0, 100, 100, 100, "gate")
YARD = Zone(((0, 100), (100, 100), (100, 200), (0, 200)), "yard")
NAMES = ("car", "bus")
FRAMES = 20


def box(y: float, class_id: int = 0) -> Detections:
    xyxy = np.array([(40, y - 20, 60, y)], np.float32)
    return Detections(xyxy, np.array([0.9], np.float32), np.array([class_id], np.int32))


def going_down() -> list[Detections]:
    """A car whose lower edge goes from 40 to 154: over the gate and into the yard."""
    return [box(40 + 6 * index) for index in range(FRAMES)]


def pairs(start: int = 0, stop: int = FRAMES) -> list[tuple[int, Image]]:
    return [(index * SECOND // 10, IMAGE) for index in range(start, stop)]


class Recorder:
    """A sink that notes what it receives."""

    def __init__(self) -> None:
        self.saved: Mapping[str, Any] | None = None
        self.results: list[FrameResult] = []
        self.periods: list[Period] = []
        self.closed = 0

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.saved = saved

    def frame(self, result: FrameResult) -> None:
        self.results.append(result)

    def period(self, period: Period) -> None:
        self.periods.append(period)

    def save(self) -> dict[str, Any]:
        return {"recorded": len(self.results)}

    def close(self) -> None:
        self.closed += 1


class Memory:
    """A `StateStore` of one document."""

    name = "row 7"

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None
        self.saves = 0

    def load(self) -> dict[str, Any] | None:
        return self.document

    def save(self, document: dict[str, Any]) -> None:
        self.document = document
        self.saves += 1


def session(
    detections: Sequence[Detections], names: Sequence[str] = NAMES, **more: Any
) -> CountSession:
    options = {"lines": [GATE], "zones": [YARD], **more}
    return CountSession("camera 1", [FakeDetector(detections)], names, SIZE, **options)


def test_a_source_is_counted_to_its_end() -> None:
    with session(going_down(), model="fake", engine="none") as counting:
        report = counting.run(open_source(pairs()))
    assert (report.source, report.model, report.engine) == ("camera 1", "fake", "none")
    assert (report.frames, report.unique) == (FRAMES, {"car": 1})
    assert report.lines[0].crossed_in == {"car": 1}
    assert report.zones[0].entered == {"car": 1}
    assert report.outlines == (((0, 100), (100, 100)), YARD.points)


def test_frames_can_be_pushed() -> None:
    with session(going_down()) as counting:
        for index in range(FRAMES):
            tracks = counting.update(IMAGE, timestamp_s=index / 10)
    assert list(tracks.class_id) == [0]
    assert counting.report().lines[0].crossed_in == {"car": 1}


def test_lines_and_zones_are_regions() -> None:
    """Any order gives the reports' order; what belongs to a kind is numbered within it."""
    mixed = [YARD, GATE, Line(0, 150, 100, 150)]
    with session(going_down(), lines=(), zones=(), regions=mixed) as counting:
        report = counting.run(open_source(pairs()))
    assert [region.name for region in report.regions] == ["gate", "line 2", "yard"]
    assert [region.name for region in report.lines] == ["gate", "line 2"]
    assert [sum(line.crossed_in.values()) for line in report.lines] == [1, 1]


def test_a_sink_receives_every_frame_and_is_closed_once() -> None:
    sink = Recorder()
    with session(going_down(), sinks=[sink]) as counting:
        results = list(counting.watch(open_source(pairs())))
    assert sink.saved == {}
    assert sink.results == results
    assert sink.closed == 1
    events = [event for result in results for event in result.events]
    assert [(event.kind, event.class_name, event.region) for event in events] == [
        ("confirmed", "car", ""),
        ("crossed_in", "car", "gate"),
        ("entered", "car", "yard"),
    ]
    assert results[-1].totals.unique() == {"car": 1}


def test_a_sink_receives_the_closed_periods() -> None:
    sink = Recorder()
    midnight = 1_777_593_600 * SECOND
    with session(
        going_down(),
        sinks=[sink],
        schedule=parse_schedule(f"hourly@{midnight // SECOND // 60 % 60}"),
        starts_at=midnight - SECOND,
    ) as counting:
        report = counting.run(open_source(pairs()))
    assert sink.periods == list(report.periods)
    assert [period.end for period in sink.periods] == ["2026-05-01T00:00:00.000Z"]


def test_sinks_are_closed_when_one_cannot_start() -> None:
    class Broken(Recorder):
        def restore(self, saved: Mapping[str, Any]) -> None:
            raise UsageError("no disk", "Buy one")

    first = Recorder()
    with pytest.raises(UsageError, match="no disk"):
        session([], sinks=[first, Broken()])
    assert first.closed == 1


def test_a_count_is_saved_in_any_store_and_resumed() -> None:
    store, sink = Memory(), Recorder()
    with session(going_down()[:8], saved=SavedCount(store)) as counting:
        counting.run(open_source(pairs(0, 8)))
    assert store.document is not None
    assert list(store.document) == list(DOCUMENT)
    with session(going_down()[8:], saved=SavedCount(store), sinks=[sink]) as counting:
        resumed = counting.run(open_source(pairs(), start=8))
    with session(going_down()) as counting:
        whole = counting.run(open_source(pairs()))
    assert (resumed.frames, resumed.unique, resumed.regions) == (
        whole.frames,
        whole.unique,
        whole.regions,
    )
    assert sink.saved is not None
    assert sink.saved["frames"] == 8
    assert store.document["recorded"] == FRAMES - 8


def test_an_empty_scene_is_not_saved_again_and_again() -> None:
    store = Memory()
    frames = [Detections.empty()] * FRAMES
    with session(frames, saved=SavedCount(store, 0.0)) as counting:
        report = counting.run(open_source(pairs()))
    # With the first frame, and at the end.
    assert store.saves == 2
    assert report.frames == FRAMES
    assert store.document is not None
    assert store.document["frames"] == FRAMES


@pytest.mark.parametrize(("interval_s", "saves"), [(0.0, FRAMES + 1), (1e6, 1)])
def test_how_often_it_is_saved(interval_s: float, saves: int) -> None:
    store = Memory()
    with session(going_down(), saved=SavedCount(store, interval_s)) as counting:
        counting.run(open_source(pairs()))
    assert store.saves == saves


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": {"name": "camera 2", "bytes": None}}, "it is of the source 'camera 2'"),
        ({"class_names": ["car"]}, "it is of a model with other classes"),
        ({"periods": [{"start": "now"}]}, "it is damaged"),
        ({"tally": {}}, "it is damaged"),
        ({"history": {"heat": "!"}}, "it is damaged"),
        ({"reset_ns": 0, "tally": None}, "it is damaged"),
    ],
)
def test_a_saved_count_that_cannot_be_resumed(changes: dict[str, Any], reason: str) -> None:
    store = Memory()
    with session(going_down(), saved=SavedCount(store)) as counting:
        counting.run(open_source(pairs()))
    assert store.document is not None
    store.document |= changes
    with pytest.raises(StateError) as caught:
        session([], saved=SavedCount(store))
    assert caught.value.reason == reason
    assert str(caught.value).startswith(f"row 7: the count cannot be resumed: {reason}. ")


def test_other_regions_cannot_resume() -> None:
    store = Memory()
    with session(going_down(), saved=SavedCount(store)) as counting:
        counting.run(open_source(pairs()))
    with pytest.raises(StateError, match="row 7: the count cannot be resumed: ") as caught:
        session([], saved=SavedCount(store), lines=[])
    assert "saved state" not in str(caught.value)


def test_an_interrupt_ends_in_a_report() -> None:
    def stop(result: FrameResult) -> None:
        if result.frame.index == 4:
            raise KeyboardInterrupt

    with session(going_down()) as counting:
        report = counting.run(open_source(pairs()), on_frame=stop)
    assert (report.frames, report.interrupted) == (5, True)


def test_frames_of_another_size_are_refused() -> None:
    with (
        session(going_down()) as counting,
        pytest.raises(SourceError, match="camera 1: frame 0 is 8x8, the frames before were 100x2"),
    ):
        counting.update(np.zeros((8, 8, 3), np.uint8), 0.0)


def just_behind_the_gate() -> list[Detections]:
    """A car whose lower edge ends 1 pixel behind the gate: nearer than a tenth of its size."""
    return [box(101 - 5 * index) for index in reversed(range(12))]


def test_the_end_of_a_source_is_concluded() -> None:
    sink = Recorder()
    frames = just_behind_the_gate()
    with session(frames, zones=(), sinks=[sink]) as counting:
        results = list(counting.watch(open_source(pairs(0, len(frames)))))
        report = counting.report()
    assert report.frames == len(frames)
    assert report.lines[0].crossed_in == {"car": 1}
    assert sink.results == results
    assert [result.frame.index for result in results[-2:]] == [len(frames) - 1] * 2
    assert [event.kind for event in results[-1].events] == ["crossed_in"]
    assert report.history is not None
    assert report.history.events[-1]["event"] == "crossed_in"


def test_an_interrupted_source_is_not_concluded() -> None:
    frames = just_behind_the_gate()

    def stop(result: FrameResult) -> None:
        if result.frame.index == len(frames) - 1:
            raise KeyboardInterrupt

    store = Memory()
    with session(frames, zones=(), saved=SavedCount(store)) as counting:
        report = counting.run(open_source(pairs(0, len(frames))), on_frame=stop)
    assert report.lines[0].crossed_in == {}
    sink = Recorder()
    with session([], zones=(), saved=SavedCount(store), sinks=[sink]) as counting:
        report = counting.run(open_source(pairs(0, len(frames)), start=len(frames)))
    assert report.lines[0].crossed_in == {"car": 1}, "the rest of the source is its end"
    assert [result.frame.image for result in sink.results] == [None]


def test_a_live_source_and_one_that_fails_are_not_concluded() -> None:
    frames = just_behind_the_gate()
    source = open_source(pairs(0, len(frames)))
    source.live = True
    with session(frames, zones=()) as counting:
        assert counting.run(source).lines[0].crossed_in == {}

    def broken() -> Iterator[tuple[int, Image]]:
        yield from pairs(0, len(frames))
        raise OSError("unplugged")

    with session(frames, zones=()) as counting:
        with pytest.raises(OSError, match="unplugged"):
            counting.run(open_source(broken()))
        assert counting.report().lines[0].crossed_in == {}


def test_a_longer_source_counts_nothing_twice() -> None:
    store, frames = Memory(), just_behind_the_gate()
    more = [box(101 + 5 * index) for index in range(1, 10)]
    with session(frames, zones=(), saved=SavedCount(store)) as counting:
        counting.run(open_source(pairs(0, len(frames))))
    end = len(frames) + len(more)
    sink = Recorder()
    with session(more, zones=(), saved=SavedCount(store), sinks=[sink]) as counting:
        report = counting.run(open_source(pairs(0, end), start=len(frames)))
    assert (report.frames, report.unique) == (end, {"car": 1})
    assert report.lines[0].crossed_in == {"car": 1}
    assert [event for result in sink.results for event in result.events] == []


def test_pushed_frames_are_concluded_by_their_owner() -> None:
    frames = just_behind_the_gate()
    with session(frames, zones=()) as counting:
        for index in range(len(frames)):
            counting.update(IMAGE, timestamp_s=index / 10)
        assert counting.totals.lines()[0].crossed_in == {}
        result = counting.conclude()
        assert result is not None
        assert [event.kind for event in result.events] == ["crossed_in"]
        assert counting.conclude() is None
