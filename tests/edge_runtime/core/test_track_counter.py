"""Lines, zones, unique objects and events, on scenes whose truth is known by construction."""

from __future__ import annotations

from collections import Counter as Bag
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.errors import CoreError, TimestampError, UsageError
from tallylens.edge_runtime.types import Detections, Event
from tests.support import scenes

LEFT, RIGHT, TOP, BOTTOM = (100.0, 240.0), (540.0, 240.0), (320.0, 60.0), (320.0, 440.0)
MIDDLE = (LEFT, RIGHT)
DOWN = ((0.0, 320.0, 100.0), (3.0, 320.0, 400.0))
UP = ((0.0, 320.0, 400.0), (3.0, 320.0, 100.0))
TO_LEFT = ((0.0, 460.0, 240.0), (3.0, 180.0, 240.0))
TO_RIGHT = ((0.0, 180.0, 240.0), (3.0, 460.0, 240.0))
SQUARE = ((200.0, 150.0), (440.0, 150.0), (440.0, 350.0), (200.0, 350.0))


def stand(x: float, y: float, seconds: float = 10.0, **how: Any) -> Any:
    return scenes.Mover(scenes.along((0, x, y), (seconds, x, y)), **how)


# ---- lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "way", "crossings"),
    [
        # a ──▶ b: the right hand points down
        ((LEFT, RIGHT), DOWN, (1, 0)),
        ((LEFT, RIGHT), UP, (0, 1)),
        # b ◀── a: the right hand points up
        ((RIGHT, LEFT), DOWN, (0, 1)),
        ((RIGHT, LEFT), UP, (1, 0)),
        # a above b: the right hand points to the left
        ((TOP, BOTTOM), TO_LEFT, (1, 0)),
        ((TOP, BOTTOM), TO_RIGHT, (0, 1)),
        # a below b: the right hand points to the right
        ((BOTTOM, TOP), TO_LEFT, (0, 1)),
        ((BOTTOM, TOP), TO_RIGHT, (1, 0)),
        # from top left to bottom right: the right hand points down and left
        (((150.0, 80.0), (490.0, 420.0)), TO_LEFT, (1, 0)),
        (((150.0, 80.0), (490.0, 420.0)), DOWN, (1, 0)),
        (((150.0, 80.0), (490.0, 420.0)), UP, (0, 1)),
        # from bottom left to top right: the right hand points down and right
        (((150.0, 420.0), (490.0, 80.0)), TO_RIGHT, (1, 0)),
        (((150.0, 420.0), (490.0, 80.0)), UP, (0, 1)),
    ],
)
def test_direction(line: Any, way: Any, crossings: tuple[int, int]) -> None:
    played = scenes.play([scenes.Mover(scenes.along(*way))], lines=[line])
    assert played.crossings() == crossings
    assert played.unique() == 1


def test_a_crossing_is_reported_with_position_and_time() -> None:
    mover = scenes.Mover(scenes.along(*DOWN), labels=[2], confidence=0.7)
    played = scenes.play([mover], lines=[MIDDLE])
    assert played.kinds() == ["confirmed", "crossed_in"]
    confirmed, crossed = played.events
    assert confirmed.place == -1
    assert (crossed.kind, crossed.track_id) == ("crossed_in", confirmed.track_id)
    assert (crossed.class_id, crossed.previous_class_id, crossed.place) == (2, -1, 0)
    assert crossed.timestamp_ns == pytest.approx(1.4e9, abs=0.08e9)  # 140 of 300 px at 100 px/s
    assert crossed.x == pytest.approx(320, abs=2)
    assert crossed.y == pytest.approx(240, abs=0.01)
    assert crossed.confidence == pytest.approx(0.7)
    assert crossed.age_s == pytest.approx(1.4, abs=0.08)
    assert crossed.dwell_s == 0
    assert confirmed.timestamp_ns < crossed.timestamp_ns
    assert played.counter.line(0).crossed_in.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_a_fast_object_cannot_jump_the_line(fps: float) -> None:
    # 300 px/s against a box of 40 px: at 10 fps no two boxes overlap.
    way = scenes.along((0, 320, 60), (1.3, 320, 450))
    played = scenes.play([scenes.Mover(way, size=(40, 28))], fps=fps, lines=[MIDDLE])
    assert played.crossings() == (1, 0)
    assert played.unique() == 1


@pytest.mark.parametrize("seed", range(5))
def test_jitter_on_the_line_counts_nothing(seed: int) -> None:
    played = scenes.play([stand(320, 240)], seconds=8, noise=0.03, seed=seed, lines=[MIDDLE])
    assert sum(played.crossings()) == 0


@pytest.mark.parametrize("seed", range(5))
def test_jitter_while_crossing_counts_once(seed: int) -> None:
    way = scenes.along((0, 320, 200), (2, 320, 240), (5, 320, 240), (7, 320, 290))
    played = scenes.play([scenes.Mover(way)], seconds=7, noise=0.03, seed=seed, lines=[MIDDLE])
    assert played.crossings() == (1, 0)


def test_there_and_back() -> None:
    way = scenes.along((0, 320, 120), (2, 320, 340), (4, 320, 120))
    played = scenes.play([scenes.Mover(way)], seconds=4, lines=[MIDDLE])
    assert played.crossings() == (1, 1)
    assert played.kinds() == ["confirmed", "crossed_in", "crossed_out"]
    assert len(played.ids) == 1


def test_turning_back_on_the_line_counts_nothing() -> None:
    way = scenes.along((0, 320, 120), (2, 320, 242), (4, 320, 120))
    played = scenes.play([scenes.Mover(way)], seconds=4, lines=[MIDDLE])
    assert played.crossings() == (0, 0)


@pytest.mark.parametrize(
    ("x", "crossings"), [(250, (1, 0)), (390, (1, 0)), (170, (0, 0)), (470, (0, 0))]
)
def test_a_line_is_a_segment(x: float, crossings: tuple[int, int]) -> None:
    way = scenes.along((0, x, 100), (3, x, 400))
    played = scenes.play([scenes.Mover(way)], lines=[((200, 240), (440, 240))])
    assert played.crossings() == crossings


def test_around_the_end_and_back_through() -> None:
    way = scenes.along(
        (0, 320, 150), (1.5, 560, 150), (3, 560, 330), (4.5, 320, 330), (6, 320, 150)
    )
    played = scenes.play([scenes.Mover(way)], seconds=6, lines=[((200, 240), (440, 240))])
    assert played.crossings() == (0, 1)


def test_two_that_meet_on_the_line() -> None:
    movers = [
        scenes.Mover(scenes.along((0, 300, 120), (3, 300, 380)), labels=[0]),
        scenes.Mover(scenes.along((0, 350, 380), (3, 350, 120)), labels=[1]),
    ]
    played = scenes.play(movers, lines=[MIDDLE])
    counts = played.counter.line(0)
    assert counts.crossed_in.tolist() == [1, 0, 0, 0]
    assert counts.crossed_out.tolist() == [0, 1, 0, 0]
    assert played.counter.unique().tolist() == [1, 1, 0, 0]
    assert len(played.ids) == 2


def test_several_lines_count_for_themselves() -> None:
    lines = [((0, y), (640, y)) for y in (150, 240, 330)] + [((0, 450), (640, 450))]
    played = scenes.play([scenes.Mover(scenes.along(*DOWN))], lines=lines)
    assert [played.crossings(i) for i in range(4)] == [(1, 0)] * 3 + [(0, 0)]
    assert [e.place for e in played.events if e.kind == "crossed_in"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("anchor", "seconds"),
    [
        ("bottom-center", 1.4),
        ("center", 1.7),
        ("top-center", 2.0),
        ("bottom-centre", 1.4),
        ("centre", 1.7),
        ("top-centre", 2.0),
    ],
)
def test_the_anchor_is_what_crosses(anchor: Any, seconds: float) -> None:
    mover = scenes.Mover(scenes.along(*DOWN), size=(40, 60))
    played = scenes.play([mover], lines=[MIDDLE], options=CounterOptions(anchor=anchor))
    assert played.kinds() == ["confirmed", "crossed_in"]
    assert played.events[-1].timestamp_ns / 1e9 == pytest.approx(seconds, abs=0.08)


def test_how_near_the_nearest_came() -> None:
    way = scenes.along((0, 320, 100), (2, 320, 200), (4, 320, 100))
    played = scenes.play([scenes.Mover(way)], lines=[MIDDLE, ((400, 240), (540, 240))])
    assert played.crossings() == (0, 0)
    assert played.counter.nearest(0) == pytest.approx(40, abs=5)
    assert played.counter.nearest(1) == pytest.approx(np.hypot(80, 40), abs=5)
    assert scenes.play([], lines=[MIDDLE]).counter.nearest(0) is None


# ---- zones -----------------------------------------------------------------------------------


def test_through_a_zone() -> None:
    way = scenes.along((0, 100, 250), (2, 320, 250), (5, 320, 250), (7, 560, 250))
    played = scenes.play([scenes.Mover(way, labels=[1])], seconds=7, zones=[SQUARE])
    assert played.kinds() == ["confirmed", "entered", "left"]
    counts = played.counter.zone(0)
    assert counts.entered.tolist() == counts.left.tolist() == [0, 1, 0, 0]
    assert counts.now.sum() == 0
    # In from x 200 (0.91 s) to x 440 (6.0 s), each seen a little behind the outline.
    assert counts.mean_dwell_s == counts.max_dwell_s == pytest.approx(5.1, abs=0.15)
    assert [event.place for event in played.events] == [-1, 0, 0]


def test_still_inside() -> None:
    movers = [stand(260, 250), stand(380, 250, labels=[3])]
    played = scenes.play([*movers, stand(560, 250)], seconds=5, zones=[SQUARE])
    counts = played.counter.zone(0)
    assert counts.now.tolist() == counts.entered.tolist() == [1, 0, 0, 1]
    assert counts.left.sum() == 0
    assert counts.max_dwell_s == pytest.approx(4.96, abs=0.01)
    assert played.unique() == 3


def test_a_lost_object_has_left_when_it_was_last_seen() -> None:
    """It was standing, so it is expected there for a while."""
    waiting = scenes.play([stand(320, 250, seconds=2)], seconds=6, zones=[SQUARE])
    assert waiting.counter.zone(0).now.sum() == 1
    assert waiting.counter.zone(0).max_dwell_s == pytest.approx(2, abs=0.05)
    played = scenes.play([stand(320, 250, seconds=2)], seconds=34, zones=[SQUARE])
    left = played.events[-1]
    assert left.kind == "left"
    assert left.timestamp_ns == pytest.approx(2e9, abs=0.05e9)
    assert played.counter.zone(0).now.sum() == 0
    assert played.counter.zone(0).max_dwell_s == pytest.approx(2, abs=0.05)


def test_mean_and_longest_visit() -> None:
    movers = [stand(260, 250, seconds=2), stand(380, 250, seconds=6)]
    counts = scenes.play(movers, seconds=10, zones=[SQUARE]).counter.zone(0)
    assert counts.max_dwell_s == pytest.approx(6, abs=0.05)
    assert counts.mean_dwell_s == pytest.approx(4, abs=0.05)


CONCAVE = (
    (100, 100),
    (540, 100),
    (540, 400),
    (400, 400),
    (400, 200),
    (240, 200),
    (240, 400),
    (100, 400),
)


@pytest.mark.parametrize("corners", [CONCAVE, CONCAVE[::-1]], ids=["clockwise", "counter"])
def test_a_concave_zone(corners: Any) -> None:
    """▛▀▜ : both legs are inside, the gap between them is not."""
    places = [(170, 350, 1), (320, 350, 0), (470, 350, 1), (320, 150, 1), (50, 250, 0)]
    for x, y, inside in places:
        played = scenes.play([stand(x, y)], seconds=1, zones=[corners])
        assert played.counter.zone(0).now.sum() == inside, (x, y)
    across = scenes.along((0, 60, 330), (8, 580, 330))
    played = scenes.play([scenes.Mover(across)], seconds=8, zones=[corners])
    assert played.counter.zone(0).entered.sum() == played.counter.zone(0).left.sum() == 2


@pytest.mark.parametrize(
    ("x", "inside"), [(140, 0), (185, 1), (240, 1), (400, 1), (455, 1), (500, 0)]
)
def test_a_zone_with_slanted_sides(x: float, inside: int) -> None:
    """At y 300 the triangle reaches from x 163 to x 477."""
    triangle = ((100, 400), (320, 50), (540, 400))
    played = scenes.play([stand(x, 300)], seconds=1, zones=[triangle])
    assert played.counter.zone(0).now.sum() == inside


@pytest.mark.parametrize("seed", range(4))
def test_jitter_on_the_outline_enters_once(seed: int) -> None:
    way = scenes.along((0, 100, 250), (2, 200, 250), (3, 200, 250), (4, 300, 250), (6, 300, 250))
    played = scenes.play([scenes.Mover(way)], seconds=6, noise=0.02, seed=seed, zones=[SQUARE])
    assert played.counter.zone(0).entered.sum() == 1
    assert played.counter.zone(0).left.sum() == 0


def test_a_zone_smaller_than_the_jitter() -> None:
    """No point is far enough from its outline: an object that stays for a moment is inside."""
    small = ((316, 246), (324, 246), (324, 254), (316, 254))
    way = scenes.along((0, 200, 250), (2, 320, 250), (4, 320, 250), (6, 440, 250))
    counts = scenes.play([scenes.Mover(way)], seconds=6, zones=[small]).counter.zone(0)
    assert counts.entered.sum() == counts.left.sum() == 1
    assert counts.max_dwell_s == pytest.approx(2.1, abs=0.3)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_now_is_entered_less_left(seed: int) -> None:
    random = np.random.default_rng(seed)
    movers = []
    for lane in range(4):
        stops = np.sort(random.uniform(0, 6, 4))
        xs = random.uniform(40, 600, 4)
        y = 90.0 + 110 * lane
        way = scenes.along(*[(t, x, y) for t, x in zip(stops, xs, strict=True)])
        movers.append(scenes.Mover(way, labels=random.integers(0, 4, 3).tolist()))
    zones = [SQUARE, CONCAVE]
    played = scenes.play(movers, seconds=7, fps=12, noise=0.02, seed=seed, zones=zones)
    for index in range(len(zones)):
        counts = played.counter.zone(index)
        assert np.array_equal(counts.now, counts.entered - counts.left)
        assert counts.now.min() >= 0
        assert counts.mean_dwell_s <= counts.max_dwell_s <= 7
    assert_totals_follow_from_events(played)


# ---- objects and classes ---------------------------------------------------------------------


def assert_totals_follow_from_events(played: Any) -> None:
    """Adding up the events, and moving what a reclassified track had, gives every total."""
    booked: dict[int, Bag[tuple[str, int]]] = {}
    label: dict[int, int] = {}
    for event in played.events:
        if event.kind == "reclassified":
            assert event.previous_class_id == label[event.track_id] != event.class_id
            label[event.track_id] = event.class_id
            continue
        assert event.previous_class_id == -1
        if event.kind == "confirmed":
            assert event.track_id not in booked, "an object is confirmed once, and first"
            label[event.track_id] = event.class_id
        assert event.class_id == label[event.track_id]
        booked.setdefault(event.track_id, Bag())[event.kind, event.place] += 1
    totals: Bag[tuple[str, int, int]] = Bag()
    for track, bag in booked.items():
        for (kind, place), amount in bag.items():
            totals[kind, place, label[track]] += amount

    def expected(kind: str, place: int) -> list[int]:
        return [totals[kind, place, c] for c in range(played.counter.num_classes)]

    assert played.counter.unique().tolist() == expected("confirmed", -1)
    for kind, place, _ in list(totals):
        if kind.startswith("crossed"):
            counts = getattr(played.counter.line(place), kind)
        elif kind in ("entered", "left"):
            counts = getattr(played.counter.zone(place), kind)
        else:
            continue
        assert counts.tolist() == expected(kind, place)


def test_a_flickering_class_is_one_object() -> None:
    mover = scenes.Mover(scenes.along(*DOWN), labels=[2, 1, 2, 3, 2])
    played = scenes.play([mover], lines=[MIDDLE])
    assert len(played.ids) == 1
    assert played.counter.unique().tolist() == [0, 0, 1, 0]
    assert played.counter.line(0).crossed_in.tolist() == [0, 0, 1, 0]
    assert_totals_follow_from_events(played)


def test_a_changed_vote_moves_what_was_counted() -> None:
    labels = [1] * 36 + [2] * 100  # crosses as 1, and proves to be a 2
    mover = scenes.Mover(scenes.along((0, 320, 180), (5, 320, 430)), labels=labels)
    played = scenes.play([mover], seconds=5, lines=[MIDDLE], zones=[SQUARE])
    assert played.kinds() == [
        "confirmed",
        "entered",
        "crossed_in",
        "reclassified",
        "left",
    ]
    change = played.events[3]
    assert (change.class_id, change.previous_class_id, change.place) == (2, 1, -1)
    assert played.counter.unique().tolist() == [0, 0, 1, 0]
    assert played.counter.line(0).crossed_in.tolist() == [0, 0, 1, 0]
    assert played.counter.zone(0).entered.tolist() == [0, 0, 1, 0]
    assert_totals_follow_from_events(played)


def test_tracks_show_the_vote_not_the_frame() -> None:
    counter = TrackCounter(3, scenes.FRAME)
    mover = stand(300, 300, labels=[1, 1, 1, 2])
    shown = set()
    for timestamp_ns, found in scenes.filmed([mover], np.arange(0, 3, 0.04)):
        tracks = counter.update(timestamp_ns, found)
        shown.update(tracks.class_id.tolist())
        if len(tracks):
            assert np.abs(tracks.xyxy[0] - found.xyxy[0]).max() < 3
            assert tracks.confidence[0] == found.confidence[0]
            assert tracks.xyxy.dtype == np.float32
            assert tracks.track_id.dtype == np.int64
    assert shown == {1}


def test_any_class() -> None:
    movers = [
        scenes.Mover(scenes.along(*DOWN), labels=[70, 3, 0]),
        scenes.Mover(scenes.along((0, 500, 400), (3, 500, 100)), labels=[5]),
    ]
    played = scenes.play(movers, num_classes=80, lines=[MIDDLE], any_class=True)
    assert played.counter.num_classes == 1
    assert played.counter.unique().tolist() == [2]
    assert played.crossings() == (1, 1)
    assert {event.class_id for event in played.events} == {0}


@pytest.mark.parametrize("gap", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("way", [((0, 320, 300), (6, 320, 300)), ((0, 150, 300), (6, 450, 300))])
def test_an_object_that_was_hidden_comes_back_as_itself(gap: float, way: Any) -> None:
    mover = scenes.Mover(scenes.along(*way), hidden=[(2, 2 + gap)])
    played = scenes.play([mover], seconds=6)
    assert played.unique() == 1
    assert len(played.ids) == 1


def test_crossing_while_hidden_is_counted() -> None:
    mover = scenes.Mover(scenes.along((0, 320, 140), (4, 320, 380)), hidden=[(1.2, 2.2)])
    played = scenes.play([mover], lines=[MIDDLE])
    assert played.crossings() == (1, 0)
    assert played.events[-1].timestamp_ns == pytest.approx(1.67e9, abs=0.3e9)


def test_an_object_that_returns_after_lost_s_is_new() -> None:
    mover = stand(320, 300, hidden=[(2, 5.5)])
    forgets = CounterOptions(remember_s=0.0)
    assert scenes.play([mover], seconds=8, options=forgets).unique() == 2
    longer = CounterOptions(lost_s=4.0, remember_s=0.0)
    assert scenes.play([mover], seconds=8, options=longer).unique() == 1


def test_an_object_that_was_standing_is_remembered() -> None:
    mover = stand(320, 300, hidden=[(2, 5.5), (7, 27)])
    assert scenes.play([mover], seconds=30).unique() == 1


def test_low_scores_keep_a_track_and_start_none() -> None:
    strong = scenes.Mover(scenes.along(*DOWN))
    weak = scenes.Mover(scenes.along((0, 500, 200), (3, 500, 220)), confidence=0.2)
    played = scenes.play([strong, weak])
    assert played.unique() == 1
    counter = TrackCounter(1, scenes.FRAME)
    for index, (timestamp_ns, found) in enumerate(scenes.filmed([strong], np.arange(0, 3, 0.04))):
        confidence = found.confidence * (0.2 if index > 20 and index % 4 else 1)
        tracks = counter.update(timestamp_ns, scenes.detections(found.xyxy, confidence))
        assert tracks.track_id.tolist() == ([1] if index > 7 else tracks.track_id.tolist())
    assert counter.unique().tolist() == [1]


def test_flashes_are_not_objects() -> None:
    movers = [
        scenes.Mover(scenes.along((t, 60 + 100 * t, 300), (t + 0.1, 60 + 100 * t, 300)))
        for t in range(5)
    ]
    played = scenes.play(movers, seconds=6, zones=[((0, 0), (640, 0), (640, 480), (0, 480))])
    assert played.unique() == 0
    assert played.events == []
    assert played.counter.zone(0).entered.sum() == 0
    assert played.counter.diagnostics().unconfirmed_tracks == 5


def test_events_before_the_confirmation_come_after_it() -> None:
    """It crosses at once, and is counted once it is known to be an object."""
    way = scenes.along((0, 320, 235), (2, 320, 400))
    played = scenes.play([scenes.Mover(way)], lines=[MIDDLE])
    assert played.kinds() == ["confirmed", "crossed_in"]
    confirmed, crossed = played.events
    assert crossed.timestamp_ns < confirmed.timestamp_ns
    assert played.crossings() == (1, 0)


# ---- time, not frames ------------------------------------------------------------------------


def street() -> list[Any]:
    """Five objects: two down, one up, one there and back, one that stays in the zone."""
    return [
        scenes.Mover(scenes.along((0.2, 120, 130), (3.5, 150, 400)), labels=[1]),
        scenes.Mover(scenes.along((2.0, 300, 130), (4.4, 260, 420)), labels=[2], size=(60, 40)),
        scenes.Mover(scenes.along((1.0, 430, 420), (5.0, 400, 140)), labels=[1]),
        scenes.Mover(scenes.along((0.5, 520, 150), (3.2, 510, 330), (6.0, 520, 150)), labels=[0]),
        scenes.Mover(scenes.along((3.5, 600, 100), (5.0, 470, 90), (8.0, 470, 90)), labels=[3]),
    ]


CORNER = ((380, 20), (560, 20), (560, 120), (380, 120))
TRUTH = {
    "unique": [1, 2, 1, 1],
    "in": [1, 1, 1, 0],
    "out": [1, 1, 0, 0],
    "entered": [0, 0, 0, 1],
    "left": [0, 0, 0, 0],
}


def totals_of(played: Any) -> dict[str, list[int]]:
    line, zone = played.counter.line(0), played.counter.zone(0)
    return {
        "unique": played.counter.unique().tolist(),
        "in": line.crossed_in.tolist(),
        "out": line.crossed_out.tolist(),
        "entered": zone.entered.tolist(),
        "left": zone.left.tolist(),
    }


@pytest.mark.parametrize("fps", [10, 25, 60, 120])
def test_every_frame_rate_counts_the_same(fps: int) -> None:
    for seed in range(3):
        played = scenes.play(
            street(),
            seconds=7,
            fps=fps,
            noise=0.02,
            seed=seed,
            lines=[((0, 240), (640, 240))],
            zones=[CORNER],
        )
        assert totals_of(played) == TRUTH
        assert_totals_follow_from_events(played)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    fps=st.sampled_from((15, 25, 60)),
    dropped=st.floats(0.0, 0.5),
    seed=st.integers(0, 10_000),
    origin=st.sampled_from((-5.0, 0.0, 1e6)),
)
def test_dropped_frames_change_nothing(fps: int, dropped: float, seed: int, origin: float) -> None:
    random = np.random.default_rng(seed)
    times = np.arange(0, 7, 1 / fps) + random.uniform(0, 1 / fps)
    times = times[random.random(len(times)) >= dropped]
    counter = TrackCounter(4, scenes.FRAME)
    counter.add_line((0, 240), (640, 240))
    counter.add_zone(CORNER)
    for timestamp_ns, found in scenes.filmed(street(), times, noise=0.015, seed=seed):
        counter.update(timestamp_ns + round(origin * 1e9), found)
    played = type("Played", (), {"counter": counter})
    assert totals_of(played) == TRUTH


@pytest.mark.parametrize("timestamp_ns", [1000, 999, 0, -1])
def test_time_must_rise(timestamp_ns: int) -> None:
    counter = TrackCounter(4, scenes.FRAME)
    counter.add_zone(SQUARE)
    one = scenes.detections([(300, 200, 340, 260)])
    for step in range(20):
        counter.update(1000 - (19 - step) * 40_000_000, one)
    before = (
        counter.unique().tolist(),
        counter.zone(0),
        counter.diagnostics(),
        counter.take_events(),
    )
    with pytest.raises(TimestampError) as late:
        counter.update(timestamp_ns, one)
    assert (late.value.timestamp_ns, late.value.previous_ns) == (timestamp_ns, 1000)
    after = (counter.unique().tolist(), counter.zone(0), counter.diagnostics())
    assert repr(after) == repr(before[:3])
    assert before[0] == [1, 0, 0, 0]
    assert counter.take_events() == []
    assert counter.update(40_001_000, one).track_id.tolist() == [1]


@pytest.mark.parametrize(
    ("row", "confidence", "class_id", "message"),
    [
        ((50, 10, 10, 50), 0.9, 0, "x1 <= x2"),
        ((10, np.nan, 50, 50), 0.9, 0, "must be finite"),
        ((10, 10, np.inf, 50), 0.9, 0, "must be finite"),
        ((10, 10, 50, 50), 1.5, 0, "confidence must be 0 to 1"),
        ((10, 10, 50, 50), np.nan, 0, "confidence must be 0 to 1"),
        ((10, 10, 50, 50), 0.9, 4, "class_id is out of range"),
        ((10, 10, 50, 50), 0.9, -1, "class_id is out of range"),
    ],
)
def test_a_refused_frame_leaves_everything_as_it_was(
    row: Any, confidence: float, class_id: int, message: str
) -> None:
    counter = TrackCounter(4, scenes.FRAME)
    counter.update(0, scenes.detections([(10, 10, 50, 50)]))
    before = counter.diagnostics()
    bad = scenes.detections([(100, 100, 140, 160), row], [0.8, confidence], [0, class_id])
    with pytest.raises(CoreError, match=message):
        counter.update(1, bad)
    assert counter.diagnostics() == before
    counter.update(1, scenes.detections([(10, 10, 50, 50)]))
    assert counter.diagnostics().frames == 2


# ---- many, none, far -------------------------------------------------------------------------


def crowd(columns: int, rows: int, **how: Any) -> list[Any]:
    return [
        stand(20 + 30 * c, 30 + 30 * r, size=(20, 20), **how)
        for c in range(columns)
        for r in range(rows)
    ]


def test_more_tracks_and_events_than_any_buffer() -> None:
    size = (1100, 1300)
    zone = ((0, 0), (1100, 0), (1100, 1300), (0, 1300))
    counter = TrackCounter(4, size)
    counter.add_zone(zone)
    for timestamp_ns, found in scenes.filmed(crowd(35, 40), np.arange(0, 0.75, 0.15)):
        tracks = counter.update(timestamp_ns, found)
    assert len(tracks) == len(set(tracks.track_id.tolist())) == 1400
    events = counter.take_events()
    assert Bag(event.kind for event in events) == {"confirmed": 1400, "entered": 1400}
    assert len({(event.kind, event.track_id) for event in events}) == 2800
    assert counter.take_events() == []
    assert counter.unique().tolist() == [1400, 0, 0, 0]
    assert counter.zone(0).now.sum() == 1400
    assert counter.diagnostics().live_tracks == 1400


@pytest.mark.parametrize("number", [256, 257, 512])
def test_events_around_the_size_of_the_buffer(number: int) -> None:
    counter = TrackCounter(4, (1100, 1300))
    for timestamp_ns, found in scenes.filmed(crowd(27, 19)[:number], np.arange(0, 0.75, 0.15)):
        counter.update(timestamp_ns, found)
    assert len(counter.take_events()) == number


@pytest.mark.slow
def test_events_that_are_not_taken_are_bounded() -> None:
    """300 objects over 256 lines: the newest 65536 of 77100 events are kept."""

    def run(take_always: bool) -> list[Event]:
        counter = TrackCounter(1, (9000, 480))
        for index in range(256):
            counter.add_line((0, 240 + index / 8), (9000, 240 + index / 8))
        movers = [
            scenes.Mover(scenes.along((0, x, 200), (1, x, 320)), size=(20, 20))
            for x in range(20, 9000, 30)[:300]
        ]
        events = []
        for timestamp_ns, found in scenes.filmed(movers, np.arange(0, 1, 0.05)):
            counter.update(timestamp_ns, found)
            events.extend(counter.take_events() if take_always else [])
        assert sum(counter.line(i).crossed_in[0] for i in range(256)) == 300 * 256
        return events + counter.take_events()

    everything = run(take_always=True)
    assert len(everything) == 300 * 257
    assert run(take_always=False) == everything[-65_536:]


def test_nothing_at_all() -> None:
    played = scenes.play([], seconds=2, fps=10, lines=[MIDDLE], zones=[SQUARE])
    facts = played.counter.diagnostics()
    assert (facts.frames, facts.detections, facts.live_tracks) == (20, 0, 0)
    assert played.unique() == 0
    assert played.crossings() == (0, 0)
    zone = played.counter.zone(0)
    assert (zone.mean_dwell_s, zone.max_dwell_s) == (0, 0)
    assert played.events == []
    assert scenes.play([], times=()).counter.diagnostics().frames == 0


def test_memory_is_bounded_by_what_is_in_view() -> None:
    random = np.random.default_rng(3)
    counter = TrackCounter(2, scenes.FRAME)
    live = []
    for frame in range(600):
        corner = random.uniform(0, 400, (5, 2))
        rows = np.hstack([corner, corner + random.uniform(5, 60, (5, 2))])
        counter.update(frame * 40_000_000, scenes.detections(rows))
        live.append(counter.diagnostics().live_tracks)
    assert max(live[300:]) < 150
    for frame in range(600, 720):
        counter.update(frame * 40_000_000, scenes.detections([]))
    assert counter.diagnostics().live_tracks == 0


def test_diagnostics() -> None:
    counter = TrackCounter(4, scenes.FRAME)
    rows = [(10, 10, 50, 50), (100, 100, 150, 150), (300, 300, 350, 350)]
    for index, timestamp_ns in enumerate((0, 40_000_000, 240_000_000, 280_000_000)):
        confidence = [0.9, 0.05, 0.9 if index == 0 else 0.01]
        counter.update(timestamp_ns, scenes.detections(rows, confidence))
    facts = counter.diagnostics()
    assert facts.frames == 4
    assert facts.detections == 12
    assert facts.below_low_confidence == 4 + 3
    assert facts.longest_gap_ns == 200_000_000
    assert (facts.live_tracks, facts.unconfirmed_tracks) == (2, 0)
    counter.update(4_280_000_000, scenes.detections([]))
    facts = counter.diagnostics()
    assert (facts.live_tracks, facts.unconfirmed_tracks) == (0, 1)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e6])
def test_counts_do_not_depend_on_the_unit(scale: float) -> None:
    counter = TrackCounter(4, (round(640 * scale), round(480 * scale)))
    counter.add_line((0, 240 * scale), (640 * scale, 240 * scale))
    for timestamp_ns, found in scenes.filmed(street(), np.arange(0, 7, 0.04)):
        counter.update(timestamp_ns, scenes.detections(found.xyxy * scale, 0.8, found.class_id))
    assert counter.unique().tolist() == TRUTH["unique"]
    assert counter.line(0).crossed_in.tolist() == TRUTH["in"]
    assert counter.line(0).crossed_out.tolist() == TRUTH["out"]


@pytest.mark.parametrize("far", [1e12, 1e20, 3e38])
def test_boxes_beyond_reason_do_not_disturb_the_others(far: float) -> None:
    counter = TrackCounter(4, scenes.FRAME)
    counter.add_line(*MIDDLE)
    counter.add_zone(SQUARE)
    mover = scenes.Mover(scenes.along(*DOWN))
    for timestamp_ns, found in scenes.filmed([mover], np.arange(0, 3, 0.04)):
        rows = [*found.xyxy.tolist(), (-far, -far, far, far), (far / 2, far / 2, far, far)]
        counter.update(timestamp_ns, scenes.detections(rows, 0.8, [1, 2, 2]))
    assert counter.unique()[1] == 1
    assert counter.line(0).crossed_in.tolist() == [0, 1, 0, 0]
    events = counter.take_events()
    assert all(np.isfinite((event.x, event.y, event.age_s)).all() for event in events)


def test_a_box_without_area_is_not_an_object() -> None:
    counter = TrackCounter(1, scenes.FRAME)
    for frame in range(20):
        counter.update(frame * 40_000_000, scenes.detections([(100, 100, 100, 100)]))
    assert counter.unique().tolist() == [0]
    assert counter.diagnostics().live_tracks < 20


# ---- bounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ((5, 5), (5, 5), "a line needs two different ends"),
        ((0, np.nan), (5, 5), "line ends must be finite"),
        ((0, 0), (np.inf, 5), "line ends must be finite"),
        ((-3e38, 0), (3e38, 5), "line ends must be finite"),
    ],
)
def test_invalid_lines_are_refused(start: Any, end: Any, message: str) -> None:
    counter = TrackCounter(1, scenes.FRAME)
    with pytest.raises(CoreError, match=message):
        counter.add_line(start, end)
    assert counter.add_line((0, 0), (5, 5)) == 0


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([(0, 0), (5, 5)], "a zone has 3 to 1000 points"),
        ([(0, 0)] * 1001, "a zone has 3 to 1000 points"),
        ([(0, 0), (5, 5), (np.nan, 1)], "zone corners must be finite"),
    ],
)
def test_invalid_zones_are_refused(corners: Any, message: str) -> None:
    counter = TrackCounter(1, scenes.FRAME)
    with pytest.raises(CoreError, match=message):
        counter.add_zone(corners)


def test_regions_come_before_frames_and_have_an_index() -> None:
    counter = TrackCounter(1, scenes.FRAME)
    assert [counter.add_line((0, i), (9, i)) for i in range(256)] == list(range(256))
    with pytest.raises(CoreError, match="at most 256 regions of a kind"):
        counter.add_line((0, 1), (9, 1))
    counter.update(0, scenes.detections([]))
    with pytest.raises(CoreError, match="regions are added before the first frame"):
        counter.add_zone(SQUARE)
    for index in (-1, 256):
        with pytest.raises(CoreError, match="no line of that index"):
            counter.line(index)
    with pytest.raises(CoreError, match="no zone of that index"):
        counter.zone(0)


@pytest.mark.parametrize(
    "change",
    [
        {"low_confidence": -0.1},
        {"high_confidence": 1.1},
        {"new_confidence": np.nan},
        {"confirm_s": -1},
        {"lost_s": 1e6},
        {"edge_lost_s": np.inf},
        {"hysteresis": 11},
    ],
)
def test_options_out_of_bounds(change: dict[str, float]) -> None:
    (name,) = change
    with pytest.raises(CoreError, match=f"counter: {name} is .*; use 0 to "):
        TrackCounter(1, scenes.FRAME, options=CounterOptions(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("classes", "size"), [(0, (8, 8)), (10_001, (8, 8)), (1, (0, 8))])
def test_shapes_out_of_bounds(classes: int, size: tuple[int, int]) -> None:
    with pytest.raises(CoreError):
        TrackCounter(classes, size)


def test_defaults_are_the_cores_own_in_round_numbers() -> None:
    options = CounterOptions()
    for name in ("low_confidence", "high_confidence", "new_confidence", "confirm_s", "lost_s"):
        value = getattr(options, name)
        assert value == round(value, 4)
    assert options.low_confidence < options.high_confidence <= options.new_confidence
    assert 0 < options.edge_lost_s < options.lost_s


@pytest.mark.parametrize("least", [0.05, 0.2, 0.6, 1.0])
def test_a_minimum_confidence_is_that_of_objects_not_of_boxes(least: float) -> None:
    options = CounterOptions(anchor="center").with_confidence(least)
    assert (options.new_confidence, options.confirm_confidence) == (least, least)
    assert options.low_confidence <= options.high_confidence <= least
    assert options.low_confidence == min(least, CounterOptions().low_confidence)
    assert options.anchor == "center"


def test_counters_share_nothing() -> None:
    first = scenes.play([scenes.Mover(scenes.along(*DOWN))], lines=[MIDDLE])
    second = scenes.play([scenes.Mover(scenes.along(*UP))], lines=[MIDDLE])
    assert first.ids == second.ids == {1}
    assert (first.crossings(), second.crossings()) == ((1, 0), (0, 1))


def test_a_stay_that_ends_before_the_object_is_confirmed_counts_when_it_is() -> None:
    counter = TrackCounter(1, (640, 480))
    zone = counter.add_zone([(100, 100), (160, 100), (160, 300), (100, 300)])
    for frame in range(30):
        x = 100 + 30 * frame
        box = np.array([[x, 150, x + 60, 250]], np.float32)
        found = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))
        counter.update(frame * 40_000_000, found)
    totals = counter.zone(zone)
    assert (totals.entered[0], totals.left[0]) == (1, 1)
    assert 0 < totals.mean_dwell_s == totals.max_dwell_s < 0.25


@pytest.mark.parametrize("timestamp_ns", [1 << 62, -(1 << 62), 1 << 80])
def test_times_beyond_all_clocks_are_refused(timestamp_ns: int) -> None:
    counter = TrackCounter(1, (640, 480))
    with pytest.raises(UsageError, match=f"the timestamp is {timestamp_ns} ns"):
        counter.update(timestamp_ns, Detections.empty())
