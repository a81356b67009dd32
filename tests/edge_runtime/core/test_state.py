"""Saving, restoring and closing a period: the counts must not notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.errors import CoreError, InputError, StateError, TimestampError
from tests.support import scenes

LINE = ((0.0, 240.0), (640.0, 240.0))
SQUARE = ((200.0, 150.0), (440.0, 150.0), (440.0, 350.0), (200.0, 350.0))
HEAD = 24  # bytes before the payload


def busy(seed: int) -> list[Any]:
    """Objects that cross, turn, stop and change their label."""
    random = np.random.default_rng(seed)
    movers = []
    for lane in range(6):
        x = 60.0 + 100 * lane
        stops = np.sort(random.uniform(0, 5, 4))
        way = scenes.along(
            *[(t, x, y) for t, y in zip(stops, random.uniform(80, 440, 4), strict=True)]
        )
        movers.append(scenes.Mover(way, labels=random.integers(0, 4, 3).tolist()))
    return movers


def new_counter(**how: Any) -> TrackCounter:
    counter = TrackCounter(4, scenes.FRAME, **how)
    counter.add_line(*LINE)
    counter.add_zone(SQUARE, min_dwell_s=0.2)
    return counter


def everything(counter: TrackCounter) -> str:
    facts = (counter.unique(), counter.detected(), counter.line(0), counter.zone(0))
    return repr((*facts, counter.visits("zone", 0), counter.nearest(0), counter.diagnostics()))


@pytest.mark.slow
@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), at=st.integers(0, 110), take=st.booleans())
def test_a_restored_counter_continues_as_if_never_stopped(seed: int, at: int, take: bool) -> None:
    whole, first = new_counter(), new_counter()
    events: dict[int, list[Any]] = {0: [], 1: []}
    frames = list(scenes.filmed(busy(seed), np.arange(0, 5.5, 0.05), noise=0.03, seed=seed))
    resumed = first
    for index, (timestamp_ns, found) in enumerate(frames):
        if index == at:
            resumed = new_counter()
            resumed.restore(first.save())
            assert everything(resumed) == everything(first)
            assert resumed.last_ns == first.last_ns == (frames[at - 1][0] if at else None)
        tracks = [whole.update(timestamp_ns, found), resumed.update(timestamp_ns, found)]
        assert repr(tracks[0]) == repr(tracks[1])
        if take:
            events[0] += whole.take_events()
            events[1] += resumed.take_events()
    assert everything(resumed) == everything(whole)
    assert resumed.save() == whole.save()
    assert events[1] + resumed.take_events() == events[0] + whole.take_events()


def saved() -> bytes:
    counter = new_counter()
    for timestamp_ns, found in scenes.filmed(busy(3), np.arange(0, 3, 0.05), noise=0.02):
        counter.update(timestamp_ns, found)
    return counter.save()


def saved_in_doubt() -> bytes:
    """Objects in every kind of doubt: half uncovered across the line, standing on the outline of
    the zone, remembered, in known traffic, of a fast queue that is not yet confirmed."""
    standing = scenes.Mover(scenes.along((0, 320, 350), (9, 320, 350)))
    lost = scenes.Mover(scenes.along((0, 120, 400), (9, 120, 400)), hidden=[(4, 9)])
    cars = [
        scenes.Mover(scenes.along((0.4 * k, 580, 40), (0.4 * k + 2, 580, 520))) for k in range(16)
    ]
    counter = new_counter()
    frames = scenes.filmed([standing, lost, *cars], np.arange(0, 7.6, 0.05), noise=0.03)
    for index, (timestamp_ns, found) in enumerate(frames):
        upper = (400.0, 100.0, 460.0, 250.0 - 60 * (index > 145))
        fast = (20.0 + 130 * (index - 149), 20.0, 60.0, 50.0) if index > 149 else upper
        rows = [*map(tuple, found.xyxy), upper, (fast[0], fast[1], fast[0] + 40, fast[1] + 40)]
        counter.update(timestamp_ns, scenes.detections(rows))
    return counter.save()


def test_time_continues_after_a_restore() -> None:
    state = saved()
    counter = new_counter()
    counter.restore(state)
    with pytest.raises(TimestampError) as late:
        counter.update(2_950_000_000, scenes.detections([]))
    assert late.value.previous_ns == 2_950_000_000
    with pytest.raises(CoreError, match="regions are added before the first frame"):
        counter.add_line((0, 0), (9, 9))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: b"", "it is not a saved counter"),
        (lambda state: b"PK\3\4" + state[4:], "it is not a saved counter"),
        (lambda state: state[:4] + b"\4" + state[5:], "it was saved by another version"),
        (lambda state: state[:-1], "it is cut short"),
        (lambda state: state + b"\0", "it is cut short"),
        (lambda state: state[:-1] + bytes([state[-1] ^ 1]), "its checksum is wrong"),
    ],
)
def test_a_damaged_state_is_refused(damage: Any, message: str) -> None:
    counter = new_counter()
    with pytest.raises(StateError, match=f"saved state: the count cannot be resumed: {message}"):
        counter.restore(damage(saved()))
    assert counter.last_ns is None
    assert issubclass(StateError, InputError)


def test_a_state_of_another_counter_is_refused() -> None:
    state = saved()
    others = [TrackCounter(4, scenes.FRAME), TrackCounter(5, scenes.FRAME)]
    options = new_counter(options=CounterOptions(lost_s=1.5))
    dwell = TrackCounter(4, scenes.FRAME)
    dwell.add_line(*LINE)
    dwell.add_zone(SQUARE)
    endless = TrackCounter(4, scenes.FRAME)
    endless.add_line(*LINE, extend=True)
    endless.add_zone(SQUARE, min_dwell_s=0.2)
    for counter in (*others, options, dwell, endless):
        with pytest.raises(StateError, match="it is of other options, lines or zones"):
            counter.restore(state)


def checksum(payload: bytes) -> int:
    """FNV-1a as in draft-eastlake-fnv."""
    value = 0xCBF29CE484222325
    for byte in payload:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


def sealed(state: bytes, payload: bytes) -> bytes:
    """The payload under the head of `state`, with its length and checksum."""
    head = state[:8] + len(payload).to_bytes(8, "little")
    return head + checksum(payload).to_bytes(8, "little") + payload


def test_a_time_of_standing_after_the_last_frame_is_refused() -> None:
    """Every time in the state is replaced by one in the future, one after the other.

    Frames are 50 ms apart; that number is the longest gap, not a time.
    """
    state = saved_in_doubt()
    now_ns = round(7.55e9)
    refused = kept = 0
    for standing_ns in range(100_000_000, now_ns + 1, 50_000_000):
        wanted = standing_ns.to_bytes(8, "little")
        start = state.find(wanted, HEAD)
        while start > 0:
            future = (1 << 62).to_bytes(8, "little")
            payload = state[HEAD:start] + future + state[start + 8 :]
            try:
                new_counter().restore(sealed(state, payload))
                kept += 1
            except StateError:
                refused += 1
            start = state.find(wanted, start + 1)
    assert refused > 20
    assert kept == 0


@pytest.mark.parametrize("make", [saved, saved_in_doubt])
def test_a_state_that_was_restored_is_saved_as_it_was(make: Callable[[], bytes]) -> None:
    counter = new_counter()
    counter.restore(make())
    assert counter.save() == make()


@pytest.mark.slow
@settings(max_examples=300)
@pytest.mark.parametrize("make", [saved, saved_in_doubt])
@given(data=st.data())
def test_a_forged_state_is_refused_or_harmless(
    make: Callable[[], bytes], data: st.DataObject
) -> None:
    """Bytes are changed and the checksum is made right again."""
    state = STATES.setdefault(make.__name__, make())
    payload = bytearray(state[HEAD:])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(payload) - 1))
        forged = data.draw(st.sampled_from([b"\xff", b"\x00", b"\xff" * 8, b"\x7f\x80\0\0", b"\1"]))
        payload[start : start + len(forged)] = forged
    counter = new_counter()
    try:
        counter.restore(sealed(state, bytes(payload)))
    except StateError:
        assert counter.last_ns is None
    last = counter.last_ns or 0
    for frame in range(1, 4):
        counter.update(last + frame * 40_000_000, scenes.detections([(300, 200, 340, 260)]))
    counter.save()
    counter.take_events()
    everything(counter)


STATES: dict[str, bytes] = {}


def test_the_checksum_is_the_published_one() -> None:
    assert checksum(b"") == 0xCBF29CE484222325
    assert checksum(b"foobar") == 0x85944171F73967E8


# ---- periods ---------------------------------------------------------------------------------


def test_a_reset_ends_the_period_and_counts_no_object_again() -> None:
    movers = [
        scenes.Mover(scenes.along((0, 320, 200), (8, 320, 200)), labels=[1]),  # in the zone
        scenes.Mover(scenes.along((0, 100, 120), (4, 100, 400)), labels=[2]),  # crosses before
        scenes.Mover(scenes.along((3, 560, 400), (7, 560, 120)), labels=[3]),  # and after
    ]
    counter = new_counter()
    ended = False
    for timestamp_ns, found in scenes.filmed(movers, np.arange(0, 9, 0.04)):
        if not ended and timestamp_ns >= 4e9:
            ended = True
            assert counter.unique().tolist() == [0, 1, 1, 1]
            assert counter.line(0).crossed_in.tolist() == [0, 0, 1, 0]
            assert counter.line(0).crossed_out.tolist() == [0, 0, 0, 0]
            zone = counter.zone(0)
            assert zone.entered.tolist() == zone.now.tolist() == [0, 1, 0, 0]
            assert counter.diagnostics().frames == 100
            counter.reset()
        counter.update(timestamp_ns, found)
    assert ended
    assert counter.unique().tolist() == [0, 0, 0, 0]
    assert counter.line(0).crossed_in.sum() == 0
    assert counter.line(0).crossed_out.tolist() == [0, 0, 0, 1]
    assert counter.diagnostics().frames == 125
    zone = counter.zone(0)
    assert (zone.entered.sum(), zone.left.sum(), zone.now.sum()) == (0, 0, 1)
    assert zone.max_dwell_s == pytest.approx(8, abs=0.05), "the visit continues"


def test_what_was_reported_in_a_closed_period_does_not_move_in_the_next() -> None:
    counter = new_counter()
    mover = scenes.Mover(scenes.along((0, 320, 180), (5, 320, 430)), labels=[1] * 36 + [2] * 100)
    events = []
    for timestamp_ns, found in scenes.filmed([mover], np.arange(0, 5, 0.04)):
        if timestamp_ns == 2_000_000_000:
            assert counter.unique().tolist() == [0, 1, 0, 0]
            counter.reset()
        counter.update(timestamp_ns, found)
        events += counter.take_events()
    assert "reclassified" in [event.kind for event in events]
    assert counter.unique().tolist() == [0, 0, 0, 0]
    assert counter.line(0).crossed_in.min() == 0


# ---- visits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "counted"), [(0.0, 1), (1.0, 1), (3.0, 0)])
def test_an_object_that_stays_too_short_is_not_counted(least: float, counted: int) -> None:
    """In the square from x 200 (0.5 s) to x 440 (2.5 s) of a walk at 120 px/s."""
    counter = TrackCounter(1, scenes.FRAME)
    counter.add_zone(SQUARE, min_dwell_s=least)
    walker = scenes.Mover(scenes.along((0, 140, 250), (3.5, 560, 250)))
    events = []
    for timestamp_ns, found in scenes.filmed([walker], np.arange(0, 4, 0.04)):
        counter.update(timestamp_ns, found)
        events += [e for e in counter.take_events() if e.place == 0]
    zone = counter.zone(0)
    assert (zone.entered.sum(), zone.left.sum(), zone.now.sum()) == (counted, counted, 0)
    assert [event.kind for event in events] == ["entered", "left"][: 2 * counted]
    for event in events:
        when = 0.5 if event.kind == "entered" else 2.5
        assert event.timestamp_ns / 1e9 == pytest.approx(when, abs=0.08)
        assert event.dwell_s == pytest.approx(0 if when == 0.5 else 2.0, abs=0.1)


def test_the_visit_of_each_object_is_reported() -> None:
    movers = [
        scenes.Mover(scenes.along((0, 260, 250), (6, 260, 250)), labels=[1]),
        scenes.Mover(scenes.along((2, 380, 250), (6, 380, 250)), labels=[2]),
    ]
    counter = new_counter()
    for timestamp_ns, found in scenes.filmed(movers, np.arange(0, 5.01, 0.04)):
        counter.update(timestamp_ns, found)
    visits = counter.visits("zone", 0)
    assert [(visit.track_id, visit.class_id) for visit in visits] == [(1, 1), (2, 2)]
    assert [visit.dwell_s for visit in visits] == pytest.approx([5, 3], abs=0.05)
    with pytest.raises(CoreError, match="no zone of that index"):
        counter.visits("zone", 1)


def test_more_visits_than_any_buffer() -> None:
    counter = TrackCounter(1, (1100, 1300))
    counter.add_zone(((0, 0), (1100, 0), (1100, 1300), (0, 1300)))
    rows = [
        (10 + 30 * c, 10 + 30 * r, 30 + 30 * c, 30 + 30 * r) for c in range(30) for r in range(9)
    ]
    for frame in range(5):
        counter.update(frame * 150_000_000, scenes.detections(rows))
    assert len(counter.visits("zone", 0)) == 270


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e6])
def test_a_minimum_dwell_out_of_bounds(seconds: float) -> None:
    with pytest.raises(CoreError, match=r"min_dwell_s is .*; use 0 to 86400"):
        TrackCounter(1, scenes.FRAME).add_zone(SQUARE, min_dwell_s=seconds)


def test_an_endless_line() -> None:
    mover = scenes.Mover(scenes.along((0, 560, 120), (3, 560, 400)))
    for extend, crossings in ((False, 0), (True, 1)):
        counter = TrackCounter(1, scenes.FRAME)
        counter.add_line((200, 240), (440, 240), extend=extend)
        for timestamp_ns, found in scenes.filmed([mover], np.arange(0, 3, 0.04)):
            counter.update(timestamp_ns, found)
        assert counter.line(0).crossed_in.sum() == crossings


def test_detections_by_class() -> None:
    counter = TrackCounter(3, scenes.FRAME)
    rows = [(10, 10, 50, 50), (100, 100, 150, 150)]
    for frame in range(5):
        counter.update(frame * 40_000_000, scenes.detections(rows, [0.9, 0.05], [0, 2]))
    assert counter.detected().tolist() == [5, 0, 5]
