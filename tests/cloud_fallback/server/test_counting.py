"""Mode `count`: the server counts what `tallylens count` counts."""

from __future__ import annotations

import pytest

from tallylens.cloud_fallback.wire.constants import CloseCode
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Hello,
    Summary,
    encode,
)
from tallylens.edge_runtime.counting.regions import Line, Zone
from tallylens.edge_runtime.types import Image
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
