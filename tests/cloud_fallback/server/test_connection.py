"""A connection from its first message to its close code, with good and bad clients."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from tallylens.cloud_fallback.server import connection as connection_module
from tallylens.cloud_fallback.wire.constants import CloseCode
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Hello,
    Reject,
    Result,
    Summary,
    encode,
)
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.types import Detections, Image
from tests.support.running_service import (
    PATIENCE_S,
    ServiceFactory,
    close_code,
    receive,
    receive_as,
)
from tests.support.wire_frames import frame_message


def test_a_frame_gets_what_the_local_detector_finds(
    serve: ServiceFactory, tiny_model: Path, image: Image
) -> None:
    running = serve(tls=True)
    with running.session() as (websocket, welcome):
        assert (welcome.resumed, welcome.ack, welcome.model) == (False, 0, "squares.onnx")
        assert welcome.classes == ("car", "person")
        assert welcome.input_size == (128, 128)
        websocket.send(frame_message(1, image, content=image.tobytes(), codec=Codec.RAW))
        answer = receive_as(websocket, Result)
        websocket.send(encode(Bye()))
        assert receive(websocket) == Summary(1, 1)
        assert close_code(websocket) == CloseCode.NORMAL
    with open_engine(tiny_model) as engine:
        expected = Detector(engine).detect(image)
    assert (answer.sequence, answer.ack) == (1, 1)
    rows = np.array(answer.detections)
    np.testing.assert_allclose(rows[:, :4], expected.xyxy, atol=1e-3)
    np.testing.assert_allclose(rows[:, 4], expected.confidence, atol=1e-5)
    assert rows[:, 5].tolist() == expected.class_id.tolist()
    assert answer.work_ms > 0


def test_a_session_is_resumed_with_its_answers(serve: ServiceFactory, image: Image) -> None:
    running = serve()
    with running.session() as (websocket, welcome):
        websocket.send(frame_message(1, image))
        first = receive(websocket)
    again = Hello(session=welcome.session, resume=welcome.resume)
    with running.session(again) as (websocket, resumed):
        assert (resumed.resumed, resumed.session, resumed.ack) == (True, welcome.session, 1)
        assert receive(websocket) == first
    stolen = Hello(session=welcome.session, resume="0" * 32)
    with running.session(stolen) as (_, fresh):
        assert (fresh.resumed, fresh.ack) == (False, 0)
        assert fresh.session != welcome.session


def test_the_newer_connection_takes_the_session_over(serve: ServiceFactory) -> None:
    running = serve()
    with running.session() as (older, welcome):
        hello = Hello(session=welcome.session, resume=welcome.resume)
        with running.session(hello) as (_, resumed):
            assert resumed.resumed
            assert close_code(older) == CloseCode.DUPLICATE_SESSION


def test_a_key_allows_only_what_its_scopes_say(serve: ServiceFactory) -> None:
    running = serve(scopes=("detect",))
    with running.connect() as websocket:
        websocket.send(encode(Hello("count")))
        assert close_code(websocket) == CloseCode.FORBIDDEN
    with pytest.raises(urllib.request.HTTPError, match="403"):
        running.post("/v1/tokens", running.key)


@pytest.mark.parametrize(
    "first", [b"frame", "{", '{"type":"bye"}', '{"type":"hello","mode":"x"}', "[" * 9000]
)
def test_a_first_message_other_than_hello_is_refused(
    serve: ServiceFactory, first: str | bytes
) -> None:
    with serve().connect() as websocket:
        websocket.send(first)
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


LINE: dict[str, Any] = {"kind": "line", "points": [[0, 0.5], [1, 0.5]]}
ZONE: dict[str, Any] = {"kind": "zone", "points": [[0, 0], [1, 0], [1, 1]]}


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (LINE | {"points": [[0.5, 0.5], [0.5, 0.5]]}, "itself has no length"),
        (LINE | {"points": [[0.5, 0.5], [0.5, 0.500000001]]}, "hardly any length"),
        (LINE | {"points": [[0, 0], [1e-200, 0]]}, "hardly any length"),
        (LINE | {"in_name": "\U0001f600" * 200, "out_name": "\U0001f600" * 200}, "the directions"),
        (LINE | {"name": "\ud800"}, "missing or invalid name"),
        (ZONE | {"points": [[0, 0], [0.5, 0.5], [1, 1]]}, "are collinear"),
        (ZONE | {"min_dwell_s": 1e11}, "minimum dwell time"),
    ],
)
def test_regions_are_checked_before_the_first_frame(
    serve: ServiceFactory, region: dict[str, Any], reason: str
) -> None:
    with serve().connect() as websocket:
        websocket.send(json.dumps({"type": "hello", "mode": "count", "places": [region]}))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR
        assert reason in websocket.protocol.close_rcvd.reason  # type: ignore[union-attr]


@pytest.mark.parametrize("field", ["session", "resume"])
def test_half_a_character_is_a_protocol_error(serve: ServiceFactory, field: str) -> None:
    with serve().session() as (_, welcome), serve().connect() as websocket:
        given = {"session": welcome.session, "resume": welcome.resume, field: "\udfff"}
        websocket.send(json.dumps({"type": "hello", **given}))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


def test_a_silent_client_is_closed(serve: ServiceFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "FIRST_MESSAGE_SECONDS", 0.05)
    with serve().connect() as websocket:
        assert close_code(websocket) == CloseCode.FIRST_MESSAGE_TIMEOUT


@pytest.mark.parametrize("second", [b"half a header", encode(Hello()), "{}", "no"])
def test_invalid_later_messages_end_the_connection(
    serve: ServiceFactory, second: str | bytes
) -> None:
    with serve().session() as (websocket, _):
        websocket.send(second)
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


def test_a_sequence_number_too_far_ahead_ends_the_connection(
    serve: ServiceFactory, image: Image
) -> None:
    with serve().session() as (websocket, _):
        websocket.send(frame_message(1, image))
        websocket.send(frame_message(1 << 20, image))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


def test_a_message_beyond_all_limits_is_closed(serve: ServiceFactory) -> None:
    """The length in its header is enough (RFC 6455, section 5.2: binary, masked, 64-bit length)."""
    header = b"\x82\xff" + (5 << 20).to_bytes(8, "big") + bytes(4)
    with serve().session() as (websocket, _):
        websocket.socket.sendall(header)
        assert close_code(websocket) == CloseCode.MESSAGE_TOO_BIG


def test_fuzzed_messages_leave_the_others_alone(serve: ServiceFactory, image: Image) -> None:
    """Mutations of good messages; every connection ends with a code or continues."""
    running = serve(credits=64, plan="[plans.p]\nframes_per_second = 100000\n")
    chance = np.random.default_rng(5)
    good = [frame_message(1, image), encode(Hello()).encode(), encode(Bye()).encode()]
    with running.session() as (bystander, _):
        for _ in range(60):
            with running.connect() as websocket:
                websocket.send(encode(Hello()))
                with contextlib.suppress(ConnectionClosed):
                    for _ in range(20):
                        content = bytearray(good[chance.integers(3)])
                        for at in chance.integers(0, len(content), 3):
                            content[at] = chance.integers(256)
                        text = content.decode("utf-8", "replace")
                        websocket.send(bytes(content) if chance.random() < 0.8 else text)
        bystander.send(frame_message(1, image))
        assert len(receive_as(bystander, Result).detections) == 2
    assert b'faults_total{where="reading"}' not in running.service.metrics.text()


def test_frames_that_wait_when_their_client_goes_are_dropped_and_may_come_again(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, go = serve(), threading.Event()
    (detector,) = running.model.detectors
    seen, detect = list[int](), detector.detect

    def hold(images: Sequence[Image]) -> list[Detections]:
        assert go.wait(PATIENCE_S)
        seen.append(len(images))
        return detect(images)

    monkeypatch.setattr(detector, "detect", hold)
    with running.session() as (websocket, welcome):
        for sequence in range(1, 6):
            websocket.send(frame_message(sequence, image))
        running.wait_until(lambda: running.service.queue.queued == 4)
    running.wait_until_left()
    running.wait_until(lambda: not running.service.queue.queued)
    go.set()
    running.wait_until(lambda: len(seen) == 1)
    again = Hello(session=welcome.session, resume=welcome.resume)
    with running.session(again) as (websocket, resumed):
        assert (resumed.resumed, resumed.ack) == (True, 1)
        for sequence in range(2, 6):
            websocket.send(frame_message(sequence, image))
        answers = [receive_as(websocket, Result) for _ in range(5)]
        assert [one.sequence for one in answers] == [1, 2, 3, 4, 5]
        websocket.send(encode(Bye()))
        assert receive(websocket) == Summary(5, 5)
    assert sum(seen) == 5


def test_no_frame_waits_for_longer_than_the_server_allows(
    serve: ServiceFactory, image: Image
) -> None:
    with serve(deadline_s=0.0).session() as (websocket, _):
        websocket.send(frame_message(1, image, deadline_ms=(1 << 32) - 1))
        assert receive_as(websocket, Reject).reason == "late"
