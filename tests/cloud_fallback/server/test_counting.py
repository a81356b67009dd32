"""Mode `count`: the server counts what `tallylens count` counts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.server.counting import SessionCount
from tallylens.cloud_fallback.wire.constants import CloseCode
from tallylens.cloud_fallback.wire.frames import FrameHeader
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Hello,
    Summary,
    encode,
)
from tallylens.edge_runtime.counting.regions import Line, Zone
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.types import Detections, Image
from tests.support.detections import detections
from tests.support.running_service import (
    ServiceFactory,
    close_code,
    receive,
)
from tests.support.squares import scene
from tests.support.wire_frames import frame_message


def test_the_server_counts_what_it_is_asked_to(serve: ServiceFactory) -> None:
    running = serve(credits=64)
    regions = (
        Line(0.0, 0.5, 1.0, 0.5, "middle"),
        Zone(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))),
    )
    with running.session(Hello("count", regions=regions)) as (websocket, _):
        for number, picture in enumerate(scene(), 1):
            websocket.send(frame_message(number, picture))
            websocket.send(frame_message(number, picture))
        websocket.send(encode(Bye()))
        last = receive(websocket)
        while not isinstance(last, Summary):
            last = receive(websocket)
    assert (last.frames, last.answered) == (30, 30)
    assert last.counts["unique"] == {"car": 1, "person": 1}
    assert last.counts["lines"] == [
        {
            "name": "middle",
            "in": {"car": 1},
            "out": {"person": 1},
            "directions": {"in": "in", "out": "out"},
        }
    ]
    assert last.counts["zones"][0]["entered"] == {"car": 1, "person": 1}


@pytest.mark.parametrize("capture_us", [-(1 << 63), (1 << 63) - 1, (1 << 62) // 1000 + 1])
def test_capture_times_are_times_where_the_server_counts(
    serve: ServiceFactory, image: Image, capture_us: int
) -> None:
    with serve().session(Hello("count")) as (websocket, _):
        websocket.send(frame_message(1, image, capture_us=capture_us))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("regions", [(), (Line(0.0, 0.0, 1.0, 1.0),)])
def test_capture_times_rise_where_the_server_counts(
    serve: ServiceFactory, image: Image, regions: tuple[Line, ...]
) -> None:
    with serve().session(Hello("count", regions=regions)) as (websocket, _):
        websocket.send(frame_message(1, image, capture_us=5))
        websocket.send(frame_message(2, image, capture_us=5))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


SIDE = 400
REGIONS = (
    Line(0.4, 0.5, 0.6, 0.5, "road", "down", "up", extend=True),
    Line(0.4, 0.5, 0.6, 0.5),
    Zone(((0.0, 0.25), (1.0, 0.25), (1.0, 0.75), (0.0, 0.75)), "middle", min_dwell_s=1.5),
    Zone(((0.0, 0.25), (1.0, 0.25), (1.0, 0.75), (0.0, 0.75))),
)


def moving(number: int) -> Detections:
    """A slow car at the left, and a fast person at the right, on their way down."""
    slow, fast = 10.0 * number, 40.0 * number
    rows = [(20.0, slow, 60.0, slow + 30, 0.9, 0), (300.0, fast, 340.0, fast + 30, 0.9, 1)]
    return detections(*(row for row in rows if row[3] < SIDE))


@given(st.permutations(range(1, 31)), st.integers(1, 30), st.booleans())
def test_a_session_counts_what_a_device_counts(
    order: list[int], saved_after: int, any_class: bool
) -> None:
    """Whatever the order of the answers, and in whichever process they arrive."""
    lines = [region for region in REGIONS if isinstance(region, Line)]
    zones = [region for region in REGIONS if isinstance(region, Zone)]
    names = ("car", "person")
    device = Totals(names, (SIDE, SIDE), lines=lines, zones=zones, any_class=any_class)
    for number in range(1, 31):
        device.add(number * 100_000_000, moving(number))
    count, answered = SessionCount(names, REGIONS, any_class), set()
    for done, number in enumerate(order, 1):
        answered.add(number)
        header = FrameHeader(number, number * 100_000, 1000, SIDE, SIDE)
        count.add(header, moving(number))
        count.settle(next(n for n in range(32) if n + 1 not in answered))
        if done == saved_after:
            count = SessionCount.restored(pickle.loads(pickle.dumps(count.save())))
    assert count.report() == {
        "unique": device.unique(),
        "lines": [line.as_dict() for line in device.lines()],
        "zones": [zone.as_dict() for zone in device.zones()],
    }


def test_extended_lines_directions_and_minimum_dwell_times_count() -> None:
    count = SessionCount(("car", "person"), REGIONS, any_class=False)
    for number in range(1, 31):
        header = FrameHeader(number, number * 100_000, 1000, SIDE, SIDE)
        count.add(header, moving(number))
    count.settle(30)
    extended, short = count.report()["lines"]
    assert (extended["name"], extended["directions"]) == ("road", {"in": "down", "out": "up"})
    assert sum(extended["in"].values()) == 2
    assert (short["name"], short["in"]) == ("line 2", {})
    dwelling, passing = count.report()["zones"]
    assert dwelling["entered"] == {"car": 1}
    assert passing["entered"] == {"car": 1, "person": 1}


def test_smaller_images_of_the_same_view_count_the_same() -> None:
    count = SessionCount(("car", "person"), (Line(0.0, 0.5, 1.0, 0.5),), any_class=False)
    for number in range(1, 31):
        factor = 2 if number % 2 else 1
        found = moving(number)
        half = Detections(
            (found.xyxy / factor).astype(np.float32), found.confidence, found.class_id
        )
        side = SIDE // factor
        count.add(FrameHeader(number, number * 100_000, 1000, side, side), half)
    count.settle(30)
    assert count.report()["lines"][0]["in"] == {"car": 1, "person": 1}


def test_without_frames_there_is_no_report() -> None:
    assert SessionCount(("car",), (), any_class=False).report() == {}
