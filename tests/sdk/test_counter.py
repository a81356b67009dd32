"""From pixels to report with a model that really detects (see tests/support/squares.py)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens import Counter, Line, SourceError, TimestampError, UsageError, Zone
from tallylens.counter import FrameResult
from tests.support import squares

MIDDLE = Line(0, 0.5, 1, 0.5)
LOWER_HALF = Zone(((0, 0.5), (1, 0.5), (1, 1), (0, 1)))


@pytest.fixture
def make(tiny_model: Path, request: pytest.FixtureRequest) -> Callable[..., Counter]:
    """A counter with the tiny model, closed at the end."""

    def make(**options: Any) -> Counter:
        counter = Counter(tiny_model, **options)
        request.addfinalizer(counter.close)
        return counter

    return make


def test_a_video_is_counted(make: Callable[..., Counter], crossing: Path, tiny_model: Path) -> None:
    report = make(lines=[MIDDLE], zones=[LOWER_HALF]).run(crossing)
    assert report.unique == {"car": 1, "person": 1}
    (line,) = report.lines
    assert (line.name, line.crossed_in, line.crossed_out) == ("line 1", {"car": 1}, {"person": 1})
    (zone,) = report.zones
    assert (zone.name, zone.now, zone.entered) == ("zone 1", {"car": 1}, {"car": 1, "person": 1})
    assert zone.max_dwell_s == pytest.approx(1.8, abs=0.2)
    assert (report.source, report.model) == (str(crossing), str(tiny_model))
    assert report.engine == "onnxruntime-cpu"
    assert report.frames == 30
    assert report.seconds == pytest.approx(2.9)
    assert report.occupancy == tuple((float(s), {"car": 1, "person": 1}) for s in range(3))
    assert report.warnings == ()
    assert not report.interrupted
    assert min(report.speed.fps, report.speed.inference_ms, report.speed.host_ms) > 0


def test_the_other_way_round_is_out(make: Callable[..., Counter], crossing: Path) -> None:
    (line,) = make(lines=[Line(1, 0.5, 0, 0.5, "gate")]).run(crossing).lines
    assert (line.name, line.crossed_in, line.crossed_out) == ("gate", {"person": 1}, {"car": 1})


def test_pixels_mean_the_same_as_fractions(make: Callable[..., Counter], crossing: Path) -> None:
    in_pixels = make(lines=[Line(0, 64, 128, 64)]).run(crossing)
    assert in_pixels.lines == make(lines=[MIDDLE]).run(crossing).lines


def test_a_line_on_one_side_counts_only_that_side(
    make: Callable[..., Counter], crossing: Path
) -> None:
    (line,) = make(lines=[Line(0, 0.5, 0.5, 0.5)]).run(crossing).lines
    assert (line.crossed_in, line.crossed_out) == ({"car": 1}, {})


@pytest.mark.parametrize("size", [(128, 128), (256, 128), (384, 256)])
def test_boxes_are_in_pixels_of_the_frame(
    make: Callable[..., Counter], size: tuple[int, int]
) -> None:
    scale = max(size) // squares.SIDE
    side = squares.SQUARE * scale
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[40 : 40 + side, 60 : 60 + side] = squares.RED
    (result,) = make().watch([(0, picture)])
    assert result.detections.xyxy == pytest.approx(
        np.array([[60, 40, 60 + side, 40 + side]]), abs=scale
    )
    assert list(result.detections.class_id) == [0]
    assert not len(result.tracks)


def test_watch_gives_each_frame_with_what_it_brought(make: Callable[..., Counter]) -> None:
    seen: list[FrameResult] = list(make(lines=[MIDDLE]).watch(squares.timed(squares.scene())))
    assert [result.frame.index for result in seen] == list(range(30))
    kinds = [event.kind for result in seen for event in result.events]
    assert kinds == ["confirmed", "confirmed", "crossed_in", "crossed_out"]
    assert all(len(result.detections) == 2 for result in seen)
    assert {int(i) for result in seen for i in result.tracks.track_id} == {1, 2}


def test_update_counts_as_run_does(make: Callable[..., Counter]) -> None:
    pictures = squares.scene()
    counter = make(lines=[MIDDLE])
    tracks = [counter.update(picture, 100 + i / 10) for i, picture in enumerate(pictures)]
    together = make(lines=[MIDDLE]).run(squares.timed(pictures))
    alone = counter.report()
    assert (alone.unique, alone.lines) == (together.unique, together.lines)
    assert (alone.source, alone.frames) == ("frames", 30)
    assert alone.seconds == pytest.approx(together.seconds)
    assert sorted(tracks[-1].class_id) == [0, 1]


def test_classes_leaves_the_others_out_of_everything(make: Callable[..., Counter]) -> None:
    counter = make(lines=[MIDDLE], zones=[LOWER_HALF], classes=["person"])
    seen = list(counter.watch(squares.timed(squares.scene())))
    report = counter.report()
    assert report.unique == {"person": 1}
    assert (report.lines[0].crossed_in, report.lines[0].crossed_out) == ({}, {"person": 1})
    assert report.zones[0].entered == {"person": 1}
    assert {int(i) for result in seen for i in result.tracks.class_id} == {1}
    assert {event.class_id for result in seen for event in result.events} == {1}
    assert all(set(counts) == {"person"} for _, counts in report.occupancy)


def test_any_class_counts_objects(make: Callable[..., Counter], crossing: Path) -> None:
    report = make(lines=[MIDDLE], any_class=True).run(crossing)
    assert report.unique == {"object": 2}
    assert (report.lines[0].crossed_in, report.lines[0].crossed_out) == (
        {"object": 1},
        {"object": 1},
    )


def test_any_class_keeps_an_object_whose_class_flickers(make: Callable[..., Counter]) -> None:
    red = squares.scene([squares.Walker(squares.RED, (32, 16), (32, 112))])
    blue = squares.scene([squares.Walker(squares.BLUE, (32, 16), (32, 112))])
    flicker = [(blue if i % 3 == 1 else red)[i] for i in range(len(red))]
    assert make(any_class=True).run(squares.timed(flicker)).unique == {"object": 1}
    assert make().run(squares.timed(flicker)).unique == {"car": 1}


def test_half_the_frames_give_the_same_counts(make: Callable[..., Counter]) -> None:
    pairs = squares.timed(squares.scene())
    whole = make(lines=[MIDDLE]).run(pairs)
    half = make(lines=[MIDDLE]).run(pairs[::2])
    assert (half.unique, half.lines) == (whole.unique, whole.lines)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_nothing_but_the_speed(
    make: Callable[..., Counter], crossing: Path, workers: int
) -> None:
    def without_speed(counter: Counter) -> dict[str, object]:
        document = counter.run(crossing).as_dict()
        del document["speed"]
        return document

    places = {"lines": [MIDDLE], "zones": [LOWER_HALF]}
    alone = without_speed(make(workers=1, **places))
    assert without_speed(make(workers=workers, **places)) == alone


def test_no_thread_outlives_a_run(tiny_model: Path, crossing: Path) -> None:
    def others() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    before = others()
    Counter(tiny_model, workers=3).run(crossing)
    for _ in Counter(tiny_model, workers=3).watch(crossing):
        break
    assert others() == before


def test_a_folder_of_images(make: Callable[..., Counter], tmp_path: Path) -> None:
    walker = squares.Walker(squares.RED, (20, 40), (100, 40))
    for i, picture in enumerate(squares.scene([walker], frames=12)):
        cv2.imwrite(str(tmp_path / f"frame{i}.png"), picture)
    (tmp_path / "frame5b.png").write_bytes(b"no picture")
    report = make(lines=[Line(0.5, 1, 0.5, 0)]).run(tmp_path)
    assert report.frames == 12
    assert report.unique == {"car": 1}
    assert report.lines[0].crossed_in == {"car": 1}
    assert report.warnings == (f"skipped {tmp_path / 'frame5b.png'}: not an image",)


def test_ctrl_c_gives_the_report_so_far(make: Callable[..., Counter], crossing: Path) -> None:
    def stop_at_ten(result: FrameResult) -> None:
        if result.frame.index == 9:
            raise KeyboardInterrupt

    report = make(lines=[MIDDLE]).run(crossing, on_frame=stop_at_ten)
    assert report.interrupted
    assert report.frames == 10
    assert report.unique == {"car": 1, "person": 1}


def test_ctrl_c_before_the_first_frame_is_no_report(
    make: Callable[..., Counter], crossing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("tallylens.models.ready_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make().run(crossing)


def test_an_error_in_on_frame_is_the_callers(make: Callable[..., Counter], crossing: Path) -> None:
    def fail(result: FrameResult) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        make(workers=3).run(crossing, on_frame=fail)


def test_a_second_source_needs_a_second_counter(
    make: Callable[..., Counter], crossing: Path
) -> None:
    counter = make()
    counter.run(crossing)
    with pytest.raises(UsageError, match=r"has counted .*crossing\.mp4 already"):
        counter.run(crossing)
    assert counter.report().frames == 30


def test_a_counter_is_not_used_up_by_a_source_that_is_not_there(
    make: Callable[..., Counter], crossing: Path
) -> None:
    counter = make()
    with pytest.raises(SourceError, match="no such file"):
        counter.run("nothing.mp4")
    assert counter.run(crossing).frames == 30


def test_frames_of_another_size(make: Callable[..., Counter]) -> None:
    pairs = [(0, np.zeros((96, 128, 3), np.uint8)), (1, np.zeros((128, 96, 3), np.uint8))]
    with pytest.raises(SourceError, match="frame 1 is 96x128, the frames before were 128x96"):
        make().run(pairs)


@pytest.mark.parametrize("second", [1.0, 0.5])
def test_time_that_does_not_rise(make: Callable[..., Counter], second: float) -> None:
    counter = make()
    picture = np.zeros((128, 128, 3), np.uint8)
    counter.update(picture, 1.0)
    with pytest.raises(TimestampError) as caught:
        counter.update(picture, second)
    assert caught.value.previous_ns == 1_000_000_000
    assert caught.value.timestamp_ns == round(second * 1e9)
    counter.update(picture, 1.1)
    assert counter.report().frames == 2


@pytest.mark.parametrize(
    "image",
    [
        None,
        [[0, 0, 0]],
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=["None", "list", "gray", "bgra", "float", "empty"],
)
def test_what_is_not_an_image(make: Callable[..., Counter], image: Any) -> None:
    with pytest.raises(SourceError, match="frame 0: not an image"):
        make().update(image, 0.0)


@pytest.mark.parametrize("timestamp", [math.nan, math.inf, 1e30])
def test_what_is_not_a_time(make: Callable[..., Counter], timestamp: float) -> None:
    with pytest.raises(UsageError, match="the timestamp is"):
        make().update(np.zeros((8, 8, 3), np.uint8), timestamp)


def test_an_image_may_be_a_view(make: Callable[..., Counter]) -> None:
    whole = np.zeros((128, 256, 3), np.uint8)
    whole[40:56, 60:76] = squares.RED
    view = whole[:, 128::-1][:, :128]
    (result,) = make().watch([(0, view)])
    left = 128 - 75
    assert result.detections.xyxy == pytest.approx(np.array([[left, 40, left + 16, 56]]), abs=1)


def test_a_closed_counter_still_reports(make: Callable[..., Counter], crossing: Path) -> None:
    with make() as counter:
        counter.run(crossing)
    assert counter.report().unique == {"car": 1, "person": 1}
    with pytest.raises(UsageError, match="the counter is closed"):
        counter.update(np.zeros((128, 128, 3), np.uint8), 99.0)


def test_nothing_to_report_yet(make: Callable[..., Counter]) -> None:
    with pytest.raises(UsageError, match="nothing has been counted yet"):
        make().report()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"any_class": True, "classes": ["car"]}, "exclude each other"),
        ({"classes": "car"}, r"classes is the text 'car'. Use a list: \['car'\]"),
        ({"workers": 0}, "workers is 0"),
        ({"lines": [Line(1, 1, 1, 1)]}, "has no length"),
        ({"lines": [Line(0, 0, 0, math.nan)]}, "invalid coordinate nan"),
        ({"zones": [Zone(((0, 0), (1, 1)))]}, "a zone has 2 corners"),
    ],
)
def test_wrong_usage_is_told_before_any_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Counter("no model is looked for", **options)


def test_an_unknown_class_suggests_the_nearest(
    make: Callable[..., Counter], crossing: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        make(classes=["cat", "person"]).run(crossing)
    assert str(caught.value) == (
        "unknown class 'cat'. Did you mean 'car'? `tallylens inspect` lists all classes."
    )


def test_zero_is_explained_when_nothing_is_there(make: Callable[..., Counter]) -> None:
    black = [(i * 10**8, np.zeros((128, 128, 3), np.uint8)) for i in range(5)]
    assert make(lines=[MIDDLE]).run(black).warnings == (
        "no detections in any frame; is this the right model for the scene?",
    )


def test_zero_is_explained_when_all_is_too_short(make: Callable[..., Counter]) -> None:
    report = make().run(squares.timed(squares.scene()[:2]))
    assert report.unique == {}
    assert report.warnings == (
        "4 detections, but no confirmed track: the longest of 2 tentative tracks lasted 0.00 s, "
        "where 0.25 s with a mean confidence of 0.35 are needed",
    )


def test_zero_is_explained_when_the_classes_are_others(make: Callable[..., Counter]) -> None:
    report = make(classes=["person"]).run(squares.timed(squares.scene([squares.DOWN])))
    assert report.unique == {}
    assert report.warnings == ("no object of the chosen classes, but 1 car",)


def test_zero_is_explained_when_the_line_is_never_reached(make: Callable[..., Counter]) -> None:
    line = Line(0, 0, 128, 4, "edge")
    report = make(lines=[line]).run(squares.timed(squares.scene([squares.DOWN])))
    assert report.lines[0].crossed_in == {}
    (warning,) = report.warnings
    text, _, distance = warning.removesuffix(" px").rpartition(" ")
    assert text == "edge: no crossings; the closest object came within"
    # The square's lower edge is at 24 in the first frame, the line at 1 below it.
    assert 20 <= int(distance) <= 34


def test_zero_is_explained_when_only_other_classes_crossed(make: Callable[..., Counter]) -> None:
    still = squares.Walker(squares.BLUE, (96, 20), (96, 20))
    lower = Zone(LOWER_HALF.points, "floor")
    counter = make(lines=[MIDDLE], zones=[lower], classes=["person"])
    report = counter.run(squares.timed(squares.scene([squares.DOWN, still])))
    assert report.warnings == (
        "line 1: no crossings by the chosen classes, but by 1 car",
        "floor: no entries by the chosen classes, but by 1 car",
    )


def test_zero_is_explained_when_a_zone_stays_empty(make: Callable[..., Counter]) -> None:
    far = Zone(((0.9, 0), (1, 0), (1, 0.1)))
    report = make(zones=[far]).run(squares.timed(squares.scene([squares.DOWN])))
    assert report.warnings == ("zone 1: no entries; no object was in it",)
    assert (report.zones[0].mean_dwell_s, report.zones[0].max_dwell_s) == (0, 0)


def test_auto_sampling_gives_the_same_counts_from_fewer_frames(
    make: Callable[..., Counter], tmp_path: Path
) -> None:
    """Four seconds at 120 frames per second; slow objects need a fraction of them."""
    video = squares.write_video(tmp_path / "fast.mp4", squares.scene(frames=480), fps=120)
    whole = make(lines=[MIDDLE]).run(video)
    auto = make(lines=[MIDDLE], sample="auto").run(video)
    assert (auto.unique, auto.lines) == (whole.unique, whole.lines)
    assert (whole.frames, whole.skipped) == (480, 0)
    assert auto.frames + auto.skipped == 480
    assert auto.frames < 240
    assert any(warning.startswith("auto sampling used") for warning in auto.warnings)


def test_max_fps_limits_the_rate(make: Callable[..., Counter], crossing: Path) -> None:
    report = make(lines=[MIDDLE], max_fps=5).run(crossing)
    assert (report.frames, report.skipped) == (15, 15)
    assert report.lines[0].crossed_in == {"car": 1}


def test_a_budget_that_cannot_be_kept_is_told(make: Callable[..., Counter]) -> None:
    said: list[str] = []
    counter = make(budget_ms=1e-6, on_notice=said.append)
    report = counter.run(squares.timed(squares.scene(frames=150)))
    assert [notice.partition(": now ")[2] for notice in said] == [
        "one frame in 2",
        "one frame in 4",
    ]
    assert any(warning.startswith("the budget of 1e-06 ms took 2") for warning in report.warnings)
    assert report.unique == {"car": 1, "person": 1}


@pytest.mark.parametrize(
    "limits", [{"max_fps": 0}, {"budget_ms": -1}, {"sample": "some"}, {"reset": "weekly"}]
)
def test_limits_that_make_no_sense(make: Callable[..., Counter], limits: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        make(**limits)


def test_boxes_that_overlap_by_more_are_one_object(
    make: Callable[..., Counter], crossing: Path
) -> None:
    """Several cells see each square; it is NMS that makes one box of them."""

    def boxes(iou: float | None) -> int:
        with make(iou=iou) as counter:
            return sum(len(one.detections) for one in counter.watch(crossing))

    assert boxes(0.2) == boxes(None) == 60
    assert boxes(1.0) > 60
