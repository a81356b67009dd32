"""Frames of one connection: decoded, repeated, over quota, late or invalid."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from tallylens.cloud_fallback.server import connection as connection_module
from tallylens.cloud_fallback.server import frame_handler as frame_handler_module
from tallylens.cloud_fallback.server import image_decoding
from tallylens.cloud_fallback.server.counting import SessionCount
from tallylens.cloud_fallback.server.image_decoding import decode_image
from tallylens.cloud_fallback.wire.constants import CloseCode
from tallylens.cloud_fallback.wire.frames import Codec, FrameHeader
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Hello,
    Reason,
    Reject,
    Result,
    Summary,
    encode,
)
from tallylens.edge_runtime.types import Detections, Image
from tests.support.running_service import (
    PATIENCE_S,
    ServiceFactory,
    close_code,
    receive,
    receive_as,
)
from tests.support.wire_frames import frame_message, jpeg


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_encoded_images_are_decoded(serve: ServiceFactory, image: Image, suffix: str) -> None:
    running = serve()
    encoded = cv2.imencode(suffix, image)[1].tobytes()
    codec = Codec.JPEG if suffix == ".jpg" else Codec.WEBP
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image, content=encoded, codec=codec))
        assert len(receive_as(websocket, Result).detections) == 2


def test_a_repeated_frame_is_answered_from_memory(serve: ServiceFactory, image: Image) -> None:
    running = serve()
    with running.session() as (websocket, _):
        for _ in range(3):
            websocket.send(frame_message(1, image))
        websocket.send(frame_message(2, image))
        answers = [receive_as(websocket, Result)]
        while answers[-1].sequence != 2:
            answers.append(receive_as(websocket, Result))
        assert {one.sequence for one in answers} == {1, 2}
        websocket.send(encode(Bye()))
        assert receive(websocket) == Summary(2, 2)


def test_frames_over_quota_are_refused_with_a_time(serve: ServiceFactory, image: Image) -> None:
    running = serve(plan="[plans.p]\nframes_per_day = 1\n")
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image))
        assert isinstance(receive(websocket), Result)
        websocket.send(frame_message(2, image))
        refusal = receive_as(websocket, Reject)
    assert refusal.reason == "over_quota"
    assert 0 < refusal.retry_after_ms <= 86_400_000


def test_a_client_that_ignores_the_quota_is_closed(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_handler_module, "MAX_IGNORED_REJECTS", 5)
    running = serve(plan="[plans.p]\nframes_per_day = 1\n")
    with running.session() as (websocket, _):
        with suppress(ConnectionClosed):  # it may be closed before the last one is sent
            for sequence in range(1, 8):
                websocket.send(frame_message(sequence, image))
        assert close_code(websocket) == CloseCode.TOO_MANY_REQUESTS


def test_frames_over_quota_close_a_client_only_in_a_row(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_handler_module, "MAX_IGNORED_REJECTS", 3)
    running, turns = serve(), itertools.cycle([1000, 1000, None])

    def frame(_: object) -> int | None:
        return next(turns)

    monkeypatch.setattr(running.service.quota, "frame", frame)
    with running.session() as (websocket, _):
        for sequence in range(1, 13):
            websocket.send(frame_message(sequence, image))
            answer = receive(websocket)
            assert isinstance(answer, Result if sequence % 3 == 0 else Reject)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e13])
def test_detections_that_no_message_can_hold_are_a_refusal(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    running = serve()
    box = np.array([[0, 0, value, 1]], np.float32)
    found = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32))
    (detector,) = running.model.detectors
    with running.session() as (websocket, _):
        with monkeypatch.context() as patch:
            patch.setattr(detector, "detect", lambda images: [found])
            websocket.send(frame_message(1, image))
            assert receive(websocket) == Reject(1, 1, 8, "failed")
        websocket.send(frame_message(2, image))
        assert len(receive_as(websocket, Result).detections) == 2


def test_a_frame_whose_quota_fails_is_answered_when_the_session_is_resumed(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve()

    def fail(_: object) -> int | None:
        raise ConnectionError("the store of quotas is away")

    with running.session() as (websocket, welcome), monkeypatch.context() as patch:
        patch.setattr(running.service.quota, "frame", fail)
        websocket.send(frame_message(1, image))
        assert close_code(websocket) == CloseCode.SERVER_FAULT
    again = Hello(session=welcome.session, resume=welcome.resume)
    with running.session(again) as (websocket, _):
        assert receive(websocket) == Reject(1, 1, 8, "failed")
        websocket.send(encode(Bye()))
        assert receive(websocket) == Summary(1, 0, {"failed": 1})


def test_frames_that_cannot_be_counted_are_answered(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("this cannot be counted")

    monkeypatch.setattr(SessionCount, "_count", fail)
    with serve().session(Hello("count")) as (websocket, _):
        for sequence in range(1, 7):
            websocket.send(frame_message(sequence, image))
        answers = [receive_as(websocket, Result) for _ in range(6)]
    assert sorted(one.sequence for one in answers) == [1, 2, 3, 4, 5, 6]


def bomb(height: int, width: int) -> bytes:
    """A small JPEG whose header claims other sides."""
    content = bytearray(jpeg(np.zeros((8, 8, 3), np.uint8)))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    assert len(content) < 1024
    return bytes(content)


def scans(image: Image) -> bytes:
    """A JPEG with a thousand passes."""
    content = jpeg(image)
    return content[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 1000 + content[-2:]


@pytest.mark.parametrize(
    ("content", "sides", "reason"),
    [
        (bomb(30_000, 30_000), (30_000, 30_000), "too_big"),
        (bomb(1, 40_000), (1, 40_000), "too_big"),
        (bomb(16_385, 1), (16_385, 1), "too_big"),
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
def test_an_invalid_image_costs_only_itself(
    serve: ServiceFactory,
    image: Image,
    content: bytes,
    sides: tuple[int, int],
    reason: Reason,
) -> None:
    with serve().session() as (websocket, _):
        websocket.send(frame_message(1, image, content=content, height=sides[0], width=sides[1]))
        assert receive(websocket) == Reject(1, 1, 8, reason)
        websocket.send(frame_message(2, image))
        assert len(receive_as(websocket, Result).detections) == 2


def test_raw_images_have_the_size_in_their_header(serve: ServiceFactory, image: Image) -> None:
    with serve().session() as (websocket, _):
        websocket.send(frame_message(1, image, content=image.tobytes()[1:], codec=Codec.RAW))
        assert receive_as(websocket, Reject).reason == "undecodable"


def test_a_late_frame_never_reaches_the_model(serve: ServiceFactory, image: Image) -> None:
    running = serve()
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image, deadline_ms=0))
        assert receive(websocket) == Reject(1, 1, 8, "late")
    assert b"batch_size_count 0.0" in running.service.metrics.text()


@pytest.mark.parametrize(
    ("name", "content"), [("oversized", bytes((1 << 20) + 1)), ("repeated", None), ("tiny", b"")]
)
def test_what_is_refused_costs_bytes_of_the_plan(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    """Until reading stops, a client with 8 MiB at once gets at most 128 refusals of 64 KiB."""
    monkeypatch.setattr(connection_module, "MAX_HOLD_S", 0.5)
    running = serve(plan="[plans.p]\nbytes_per_second = 1000\n")
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image))
        assert isinstance(receive(websocket), Result)
        websocket.socket.settimeout(PATIENCE_S)
        for number in range(2, 132):
            begun = time.monotonic()
            again = 1 if name == "repeated" else number
            websocket.send(frame_message(again, image, content=content, width=0x7FFF))
            receive(websocket)
            if time.monotonic() - begun > 0.4:
                return
    pytest.fail("130 refusals in a row")


def scanned(width: int, height: int, scans: int) -> tuple[FrameHeader, bytes]:
    """A JPEG whose header claims this size, and this many passes."""
    content = bomb(height, width)
    return FrameHeader(1, 1, 1, width, height), content[:-2] + b"\xff\xda" * (scans - 1)


def test_large_images_may_have_fewer_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    monkeypatch.setattr(
        image_decoding, "_decode", lambda content: decoded.append(content.count(b"\xff\xda"))
    )
    for width, height, scans in [
        (640, 384, 64),
        (640, 384, 65),
        (3840, 2160, 16),
        (3840, 2160, 17),
    ]:
        header, content = scanned(width, height, scans)
        assert decode_image(header, content, 1 << 23) is None
    assert decoded == [64, 16]
