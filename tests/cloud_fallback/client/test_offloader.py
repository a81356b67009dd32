"""What the policy is told: an offloader with a client that answers from memory."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tallylens.cloud_fallback.client.connection import (
    ClassTotals,
    LinkState,
    PendingReply,
)
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions
from tallylens.cloud_fallback.wire.client_session import PendingFrame, Picture
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.cloud_fallback.wire.messages import Limits, Result, Welcome
from tallylens.edge_runtime.types import Detections

WELCOME = Welcome(
    session="s",
    resume="r",
    resumed=False,
    ack=0,
    credits=8,
    limits=Limits(1 << 20, 1 << 23, 100, 1000),
    model="big.onnx",
    input_size=(96, 160),
    classes=("bicycle", "car"),
    strides=(8, 16, 32),
)
FAST = LinkState(True, 8, 0, True, 0.0, 0.001, 1e9, 0.001)
HERE, THERE = 0.5, 0.75


class Client:
    """Answers everything at once with one car; notes what it was sent."""

    def __init__(self) -> None:
        self.welcome: Welcome | None = WELCOME
        self.link = FAST
        self.expected = 0.01
        self.pictures: list[Picture] = []
        self.totals = ClassTotals()

    def __call__(self, *_: Any, **__: Any) -> Client:
        return self

    def state(self) -> LinkState:
        return self.link

    def expected_s(self, _: int) -> float:
        return self.expected

    def submit(self, picture: Picture, capture_us: int, deadline_s: float) -> PendingReply:
        self.pictures.append(picture)
        number = len(self.pictures)
        reply: Future[Any] = Future()
        box = (0.0, 0.0, float(picture.width), float(picture.height), THERE, 1)
        reply.set_result(Result(number, number, 8, (box,)))
        return PendingReply(PendingFrame(number, capture_us, deadline_s, picture), reply)

    def close(self) -> None:
        pass


class Local:
    """The device's own model: one car, of which it is unsure."""

    def __init__(self) -> None:
        self.frames = 0

    def detect(self, image: np.ndarray) -> Detections:
        self.frames += 1
        box = np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)
        return Detections(box, np.array([HERE], np.float32), np.array([0], np.int32))


def make(client: Client, local: Local, mode: Any = "auto", **changes: Any) -> Offloader:
    digest = changes.pop("model_digest", "")
    live = changes.pop("live", True)
    model_bytes = changes.pop("model_bytes", 0)
    options = OffloadOptions("wss://host", Secret("k"), mode, **changes)
    return Offloader(
        [local],
        ("car", "bicycle"),
        options,
        client,  # type: ignore[arg-type]
        live=live,
        model_bytes=model_bytes,
        model_digest=digest,
    )


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (90, 160, 3), np.uint8)


def reasons(offloader: Offloader) -> dict[tuple[str, str], int]:
    return {
        (one["action"], one["reason"]): one["frames"] for one in offloader.report()["decisions"]
    }


def test_what_does_not_change_is_looked_at_by_nobody() -> None:
    client, local = Client(), Local()
    offloader = make(client, local)
    first, second = (offloader.detect(picture(1)) for _ in range(2))
    assert second is first
    assert (local.frames, len(client.pictures)) == (1, 1)
    assert reasons(offloader)["skip", "nothing changed"] == 1


def test_a_model_that_does_not_fit_sends_every_frame_and_runs_only_where_it_must() -> None:
    client, local = Client(), Local()
    offloader = make(client, local, memory_bytes=299, model_bytes=100)
    for seed in range(5):
        assert offloader.detect(picture(seed)).confidence == THERE
    assert reasons(offloader) == {("cloud", "the model does not fit this device"): 5}
    assert local.frames == 1, "once, to know how long it takes"
    client.link = replace(FAST, connected=False)
    assert offloader.detect(picture(9)).confidence == HERE
    assert reasons(offloader)["local", "no connection"] == 1


@pytest.mark.parametrize("live", [True, False])
def test_a_file_goes_where_it_is_done_sooner(live: bool) -> None:
    client, local = Client(), Local()
    offloader = make(client, local, live=live)
    offloader._local_s.add(1.0)
    for seed in range(3):
        offloader.detect(picture(seed))
    sooner = reasons(offloader).get(("cloud", "the file is done sooner there"), 0)
    assert sooner == (0 if live else 3)


def test_a_file_stays_where_the_link_is_not_known() -> None:
    client, local = Client(), Local()
    client.link = replace(FAST, bandwidth=0.0)
    offloader = make(client, local, live=False)
    offloader._local_s.add(1.0)
    offloader.detect(picture(1))
    assert ("cloud", "the file is done sooner there") not in reasons(offloader)


def test_a_key_that_has_nothing_left_is_not_asked_for() -> None:
    client, local = Client(), Local()
    client.link = replace(FAST, allowed=False)
    offloader = make(client, local, "always")
    assert offloader.detect(picture(1)).confidence == HERE
    assert reasons(offloader) == {("local", "no quota"): 1}
    assert not client.pictures


def test_always_sends_a_file_pixel_by_pixel_and_auto_spares_bytes() -> None:
    for mode, codec in (("always", Codec.RAW), ("auto", Codec.JPEG)):
        client = Client()
        make(client, Local(), mode, live=False).detect(picture(1))
        assert [one.codec for one in client.pictures] == [codec]


def test_a_late_answer_of_another_model_corrects_classes() -> None:
    client = Client()
    offloader = make(client, Local(), "always")
    offloader.detect(picture(1))
    box = (0.0, 0.0, 160.0, 90.0, THERE, 0)
    offloader._asking._waits[99] = (1.0, 1.0)
    offloader._asking._correct(
        PendingFrame(99, 0, 0.0, client.pictures[0]), Result(99, 99, 8, (box,))
    )
    client.link = replace(FAST, connected=False)
    assert offloader.detect(picture(9)).class_id.tolist() == [1]


@pytest.mark.parametrize("live", [True, False])
def test_the_same_model_is_sent_the_same_pixels_or_nothing(live: bool) -> None:
    """On the poorest link, and where a picture is over the server's limit."""
    client = Client()
    client.welcome = replace(WELCOME, digest="d")
    client.link = replace(FAST, bandwidth=10.0)
    offloader = make(client, Local(), "always", live=live, model_digest="d")
    for seed in range(5):
        offloader.detect(picture(seed))
    client.welcome = replace(client.welcome, limits=Limits(100, 1 << 23, 100, 1000))
    offloader.detect(picture(9))
    assert {one.codec for one in client.pictures} == {Codec.RAW}
    box = (0.0, 0.0, 160.0, 90.0, THERE, 0)
    offloader._asking._waits[99] = (1.0, 1.0)
    offloader._asking._correct(
        PendingFrame(99, 0, 0.0, client.pictures[0]), Result(99, 99, 8, (box,))
    )
    client.link = replace(FAST, connected=False)
    assert offloader.detect(picture(9)).class_id.tolist() == [0]
    report = offloader.report()
    assert (report["late"], report["corrected"]) == (1, 0)


def test_a_server_that_comes_back_with_another_model_is_understood() -> None:
    client = Client()
    offloader = make(client, Local(), "always")
    assert len(offloader.detect(picture(1))) == 1
    client.welcome = replace(WELCOME, classes=("car", "unicorn"), input_size=(48, 80))
    assert len(offloader.detect(picture(2))) == 0, "there are no unicorns here"
    assert client.pictures[-1].width == 80
