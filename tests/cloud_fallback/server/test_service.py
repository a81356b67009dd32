"""The service against clients that keep to docs/protocol.md, and against those that do not."""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import jwt
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tallylens.cloud_fallback.server import connection as connection_module
from tallylens.cloud_fallback.wire.frames import (
    SUBPROTOCOL,
    CloseCode,
    Codec,
    FrameHeader,
    decode_server,
    encode_frame,
)
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Drain,
    Hello,
    Place,
    Reject,
    Result,
    Summary,
    encode,
)
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine

PATIENCE_S = 30.0


def jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def message(
    sequence: int,
    image: np.ndarray,
    *,
    picture: bytes | None = None,
    codec: Codec = Codec.JPEG,
    deadline_ms: int = 30_000,
    **header: Any,
) -> bytes:
    height, width = image.shape[:2]
    fields = {"capture_us": sequence * 100_000, "width": width, "height": height} | header
    made = FrameHeader(sequence, deadline_ms=deadline_ms, codec=codec, **fields)
    return encode_frame(made, jpeg(image) if picture is None else picture)


def hear(websocket: ClientConnection) -> Any:
    return decode_server(str(websocket.recv(timeout=PATIENCE_S)))


def close_code(websocket: ClientConnection) -> int:
    """The code that the service ends the connection with."""
    try:
        while True:
            websocket.recv(timeout=PATIENCE_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


@pytest.fixture
def image(squares: Any) -> np.ndarray:
    return squares.scene(frames=5)[2]


def test_a_frame_gets_what_the_local_detector_finds(
    serve: Callable[..., Any], tiny_model: Path, image: np.ndarray
) -> None:
    running = serve(tls=True)
    with running.session() as (websocket, welcome):
        assert (welcome.resumed, welcome.ack, welcome.model) == (False, 0, "squares.onnx")
        assert welcome.classes == ("car", "person")
        assert welcome.input_size == (128, 128)
        websocket.send(message(1, image, picture=image.tobytes(), codec=Codec.RAW))
        answer = hear(websocket)
        websocket.send(encode(Bye()))
        assert hear(websocket) == Summary(1, 1)
        assert close_code(websocket) == CloseCode.NORMAL
    with open_engine(tiny_model) as engine:
        expected = Detector(engine).detect(image)
    assert (answer.sequence, answer.ack) == (1, 1)
    rows = np.array(answer.detections)
    np.testing.assert_allclose(rows[:, :4], expected.xyxy, atol=1e-3)
    np.testing.assert_allclose(rows[:, 4], expected.confidence, atol=1e-5)
    assert rows[:, 5].tolist() == expected.class_id.tolist()
    assert answer.work_ms > 0


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_packed_pictures_are_read(
    serve: Callable[..., Any], image: np.ndarray, suffix: str
) -> None:
    running = serve()
    packed = cv2.imencode(suffix, image)[1].tobytes()
    codec = Codec.JPEG if suffix == ".jpg" else Codec.WEBP
    with running.session() as (websocket, _):
        websocket.send(message(1, image, picture=packed, codec=codec))
        assert len(hear(websocket).detections) == 2


def test_a_repeated_frame_is_answered_from_memory(
    serve: Callable[..., Any], image: np.ndarray
) -> None:
    running = serve()
    with running.session() as (websocket, _):
        for _ in range(3):
            websocket.send(message(1, image))
        websocket.send(message(2, image))
        answers = [hear(websocket)]
        while answers[-1].sequence != 2:
            answers.append(hear(websocket))
        assert {one.sequence for one in answers} == {1, 2}
        websocket.send(encode(Bye()))
        assert hear(websocket) == Summary(2, 2)


def test_a_session_is_resumed_with_its_answers(
    serve: Callable[..., Any], image: np.ndarray
) -> None:
    running = serve()
    with running.session() as (websocket, welcome):
        websocket.send(message(1, image))
        first = hear(websocket)
    again = Hello(session=welcome.session, resume=welcome.resume)
    with running.session(again) as (websocket, resumed):
        assert (resumed.resumed, resumed.session, resumed.ack) == (True, welcome.session, 1)
        assert hear(websocket) == first
    stolen = Hello(session=welcome.session, resume="0" * 32)
    with running.session(stolen) as (_, fresh):
        assert (fresh.resumed, fresh.ack) == (False, 0)
        assert fresh.session != welcome.session


def test_the_newer_connection_takes_the_session_over(serve: Callable[..., Any]) -> None:
    running = serve()
    with running.session() as (older, welcome):
        hello = Hello(session=welcome.session, resume=welcome.resume)
        with running.session(hello) as (_, resumed):
            assert resumed.resumed
            assert close_code(older) == CloseCode.DUPLICATE_SESSION


def test_the_server_counts_what_it_is_asked_to(serve: Callable[..., Any], squares: Any) -> None:
    running = serve(credits=64)
    places = (
        Place("line", ((0.0, 0.5), (1.0, 0.5)), "middle"),
        Place("zone", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))),
    )
    with running.session(Hello("count", places=places)) as (websocket, _):
        for number, picture in enumerate(squares.scene(), 1):
            websocket.send(message(number, picture))
            websocket.send(message(number, picture))
        websocket.send(encode(Bye()))
        last = hear(websocket)
        while not isinstance(last, Summary):
            last = hear(websocket)
    assert (last.frames, last.answered) == (30, 30)
    assert last.counts["unique"] == {"car": 1, "person": 1}
    assert last.counts["lines"] == [{"name": "middle", "in": {"car": 1}, "out": {"person": 1}}]
    assert last.counts["zones"][0]["entered"] == {"car": 1, "person": 1}


@pytest.mark.parametrize("capture_us", [-(1 << 63), (1 << 63) - 1, (1 << 62) // 1000 + 1])
def test_capture_times_are_times_where_the_server_counts(
    serve: Callable[..., Any], image: np.ndarray, capture_us: int
) -> None:
    with serve().session(Hello("count")) as (websocket, _):
        websocket.send(message(1, image, capture_us=capture_us))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("places", [(), (Place("line", ((0.0, 0.0), (1.0, 1.0))),)])
def test_capture_times_rise_where_the_server_counts(
    serve: Callable[..., Any], image: np.ndarray, places: tuple[Place, ...]
) -> None:
    with serve().session(Hello("count", places=places)) as (websocket, _):
        websocket.send(message(1, image, capture_us=5))
        websocket.send(message(2, image, capture_us=5))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


# ---- who may


def refused(running: Any, status: int, **options: Any) -> None:
    with pytest.raises(InvalidStatus) as refusal, running.connect(**options):
        pass
    assert refusal.value.response.status_code == status


def post(running: Any, path: str, key: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}{path}", b"", headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        found: dict[str, Any] = json.load(response)
        return found


@pytest.mark.parametrize("key", [None, "tlk_" + "0" * 32, "a b", "x" * 5000])
def test_strangers_are_refused_before_the_upgrade(
    serve: Callable[..., Any], key: str | None
) -> None:
    refused(serve(), 401, key=key)


def test_a_token_stands_for_its_key_until_it_ends(serve: Callable[..., Any]) -> None:
    running = serve()
    issued = post(running, "/v1/tokens", running.key)
    assert issued["expires_in"] == 900
    with running.connect(key=issued["token"]) as websocket:
        websocket.send(encode(Hello()))
        assert hear(websocket).session
    secret = running.service.auth._secret
    claims = jwt.decode(issued["token"], secret, ["HS256"])
    over = jwt.encode(claims | {"exp": int(time.time()) - 1}, secret, "HS256")
    forged = jwt.encode(claims, b"x" * 32, "HS256")
    unsigned = jwt.encode(claims, "", "none")
    for token in (over, forged, unsigned):
        refused(running, 401, key=token)


def test_a_web_page_needs_its_origin_and_a_ticket_that_works_once(
    serve: Callable[..., Any],
) -> None:
    running = serve(origins=("https://shop.example",))
    ticket = post(running, "/v1/tickets", running.key)["ticket"]
    page = {"key": None, "subprotocols": [SUBPROTOCOL, f"ticket.{ticket}"]}
    refused(running, 403, origin="https://other.example", **page)
    with running.connect(origin="https://shop.example", **page) as websocket:
        assert websocket.subprotocol == SUBPROTOCOL
        websocket.send(encode(Hello()))
        assert hear(websocket).session
    refused(running, 401, origin="https://shop.example", **page)


def test_a_key_alone_does_not_let_a_foreign_page_in(serve: Callable[..., Any]) -> None:
    refused(serve(), 403, origin="https://other.example")


def test_another_protocol_is_refused(serve: Callable[..., Any]) -> None:
    refused(serve(), 400, subprotocols=["chat"])
    refused(serve(), 400, subprotocols=None)


def test_connections_of_a_key_are_limited(serve: Callable[..., Any]) -> None:
    running = serve(plan="[plans.p]\nconnections = 1\n")
    with running.connect():
        refused(running, 429)
    with running.connect():
        pass


def test_a_key_may_only_what_its_scopes_say(serve: Callable[..., Any]) -> None:
    running = serve(scopes=("detect",))
    with running.connect() as websocket:
        websocket.send(encode(Hello("count")))
        assert close_code(websocket) == CloseCode.FORBIDDEN
    with pytest.raises(urllib.request.HTTPError, match="403"):
        post(running, "/v1/tokens", running.key)


def test_a_revoked_key_is_closed_while_connected(serve: Callable[..., Any]) -> None:
    running = serve()
    with running.session() as (websocket, _):
        running.keys.write_text("")
        running.call(lambda: (running.service.auth.keys.refresh(), running.service.sweep()))
        assert close_code(websocket) == CloseCode.UNAUTHORISED
    refused(running, 401)


def test_a_key_that_ends_is_closed(serve: Callable[..., Any]) -> None:
    running = serve()
    soon = datetime.now(UTC) - timedelta(seconds=1)
    with running.session() as (websocket, _):
        text = running.keys.read_text() + f"expires = {soon.isoformat()}\n"
        running.keys.write_text(text)
        running.call(lambda: (running.service.auth.keys.refresh(), running.service.sweep()))
        assert close_code(websocket) == CloseCode.UNAUTHORISED


def test_a_broken_file_of_keys_changes_nothing(serve: Callable[..., Any]) -> None:
    running = serve()
    running.keys.write_text("[[keys")
    with running.session() as (_, welcome):
        assert welcome.session


def test_frames_over_quota_are_refused_with_a_time(
    serve: Callable[..., Any], image: np.ndarray
) -> None:
    running = serve(plan="[plans.p]\nframes_per_day = 1\n")
    with running.session() as (websocket, _):
        websocket.send(message(1, image))
        assert isinstance(hear(websocket), Result)
        websocket.send(message(2, image))
        refusal = hear(websocket)
    assert refusal.reason == "over_quota"
    assert 0 < refusal.retry_after_ms <= 86_400_000


def test_who_does_not_listen_to_the_quota_is_closed(
    serve: Callable[..., Any], image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "MAX_IGNORED_REJECTS", 5)
    running = serve(plan="[plans.p]\nframes_per_day = 1\n")
    with running.session() as (websocket, _):
        for sequence in range(1, 8):
            websocket.send(message(sequence, image))
        assert close_code(websocket) == CloseCode.TOO_MANY_REQUESTS


def test_a_key_keeps_no_more_sessions_waiting_than_it_may_connect(
    serve: Callable[..., Any],
) -> None:
    running = serve(plan="[plans.p]\nconnections = 2\n")
    left = []
    for _ in range(4):
        with running.session() as (_, welcome):
            left.append(welcome.session)
        while running.call(lambda: any(one.outlet for one in running.service.sessions)):
            time.sleep(0.005)
    running.call(running.service.sweep)
    assert [one.id for one in running.service.sessions] == left[2:]


# ---- what may not be said


@pytest.mark.parametrize(
    "first", [b"frame", "{", '{"type":"bye"}', '{"type":"hello","mode":"x"}', "[" * 9000]
)
def test_a_first_message_that_is_no_hello(serve: Callable[..., Any], first: str | bytes) -> None:
    with serve().connect() as websocket:
        websocket.send(first)
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


def test_who_says_nothing_is_closed(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FIRST_MESSAGE_SECONDS", 0.05)
    with serve().connect() as websocket:
        assert close_code(websocket) == CloseCode.FIRST_MESSAGE_TIMEOUT


@pytest.mark.parametrize("second", [b"half a header", encode(Hello()), "{}", "no"])
def test_later_messages_that_are_none(serve: Callable[..., Any], second: str | bytes) -> None:
    with serve().session() as (websocket, _):
        websocket.send(second)
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


def test_a_sequence_that_leaps_is_closed(serve: Callable[..., Any], image: np.ndarray) -> None:
    with serve().session() as (websocket, _):
        websocket.send(message(1, image))
        websocket.send(message(1 << 20, image))
        assert close_code(websocket) == CloseCode.PROTOCOL_ERROR


def test_a_message_beyond_all_limits_is_closed(serve: Callable[..., Any]) -> None:
    """The length in its header is enough (RFC 6455, section 5.2: binary, masked, 64-bit length)."""
    header = b"\x82\xff" + (5 << 20).to_bytes(8, "big") + bytes(4)
    with serve().session() as (websocket, _):
        websocket.socket.sendall(header)
        assert close_code(websocket) == CloseCode.MESSAGE_TOO_BIG


def bomb(height: int, width: int) -> bytes:
    """A small JPEG whose header claims other sides."""
    content = bytearray(jpeg(np.zeros((8, 8, 3), np.uint8)))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    assert len(content) < 1024
    return bytes(content)


def scans(image: np.ndarray) -> bytes:
    """A JPEG with a thousand passes."""
    content = jpeg(image)
    return content[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 1000 + content[-2:]


@pytest.mark.parametrize(
    ("picture", "sides", "reason"),
    [
        (bomb(30_000, 30_000), (30_000, 30_000), "too_big"),
        (bomb(30_000, 30_000), (128, 128), "undecodable"),
        (bomb(65_000, 1), (128, 128), "undecodable"),
        (bytes((1 << 20) + 1), (128, 128), "too_big"),
        (b"", (128, 128), "undecodable"),
        (b"\xff\xd8\xff", (128, 128), "undecodable"),
        (b"GIF89a" + bytes(99), (128, 128), "undecodable"),
        (scans(np.zeros((128, 128, 3), np.uint8)), (128, 128), "undecodable"),
        (jpeg(np.zeros((128, 128, 3), np.uint8))[:300], (64, 64), "undecodable"),
        (
            cv2.imencode(".png", np.zeros((128, 128), np.uint8))[1].tobytes(),
            (128, 128),
            "undecodable",
        ),
    ],
)
def test_pictures_that_are_none_cost_only_themselves(
    serve: Callable[..., Any],
    image: np.ndarray,
    picture: bytes,
    sides: tuple[int, int],
    reason: str,
) -> None:
    with serve().session() as (websocket, _):
        websocket.send(message(1, image, picture=picture, height=sides[0], width=sides[1]))
        assert hear(websocket) == Reject(1, 1, 8, reason)
        websocket.send(message(2, image))
        assert len(hear(websocket).detections) == 2


def test_raw_pictures_have_the_bytes_that_they_say(
    serve: Callable[..., Any], image: np.ndarray
) -> None:
    with serve().session() as (websocket, _):
        websocket.send(message(1, image, picture=image.tobytes()[1:], codec=Codec.RAW))
        assert hear(websocket).reason == "undecodable"


def test_a_late_frame_never_reaches_the_model(serve: Callable[..., Any], image: np.ndarray) -> None:
    running = serve()
    with running.session() as (websocket, _):
        websocket.send(message(1, image, deadline_ms=0))
        assert hear(websocket) == Reject(1, 1, 8, "late")
    assert b"batch_size_count 0.0" in running.service.metrics.text()


def test_fuzzed_messages_leave_the_others_alone(
    serve: Callable[..., Any], image: np.ndarray
) -> None:
    """Mutations of good messages; every connection ends with a code or goes on."""
    running = serve(credits=64, plan="[plans.p]\nframes_per_second = 100000\n")
    chance = np.random.default_rng(5)
    good = [message(1, image), encode(Hello()).encode(), encode(Bye()).encode()]
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
        bystander.send(message(1, image))
        assert len(hear(bystander).detections) == 2
    assert b'faults_total{where="reading"}' not in running.service.metrics.text()


def stuffed(websocket: ClientConnection, once: bytes) -> bool:
    """Whether the service stopped taking messages at some time."""
    try:
        for _ in range(200_000):
            websocket.send(once)
    except (ConnectionClosed, OSError):
        return True
    return False


@pytest.mark.slow
def test_who_does_not_read_is_closed_and_costs_little(
    serve: Callable[..., Any], image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeats of one frame, answered from memory, by a client that never reads an answer."""
    monkeypatch.setattr(connection_module, "SEND_SECONDS", 0.2)
    running = serve()
    with running.session() as (bystander, _), running.connect(max_queue=1) as deaf:
        deaf.send(encode(Hello()))
        once = message(1, image)
        deaf.send(once)
        deaf.socket.settimeout(5)
        assert stuffed(deaf, once)
        bystander.send(message(1, image))
        assert len(hear(bystander).detections) == 2
        deaf.socket.close()


# ---- pages, and the end


def get(running: Any, path: str) -> tuple[int, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}{path}") as response:
        return response.status, response.read().decode()


def test_pages(serve: Callable[..., Any], image: np.ndarray) -> None:
    running = serve()
    assert get(running, "/healthz") == (200, "ok")
    assert get(running, "/readyz") == (200, "ready")
    with running.session() as (websocket, _):
        websocket.send(message(1, image))
        hear(websocket)
        _, text = get(running, "/metrics")
    assert re.search(r"^tallylens_connections 1.0$", text, re.MULTILINE)
    assert 'tallylens_frames_total{outcome="answered"} 1.0' in text
    for name in ("queue_age_seconds", "batch_size", "stage_seconds", "queued_frames"):
        assert f"tallylens_{name}" in text


def test_a_planned_end_is_announced_and_what_was_sent_is_answered(
    serve: Callable[..., Any], image: np.ndarray
) -> None:
    running = serve()
    with running.session() as (websocket, _):
        for sequence in (1, 2, 3):
            websocket.send(message(sequence, image))
        hear(websocket)
        running.stop()
        heard = [hear(websocket) for _ in range(3)]
        assert sum(isinstance(one, Drain) for one in heard) == 1
        assert {one.sequence for one in heard if isinstance(one, Result)} == {2, 3}
        assert close_code(websocket) == CloseCode.RESTART
