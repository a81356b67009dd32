"""The offloader with a client that answers at once: what it asks, and what it does with answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.encoder import LADDER
from tallylens.cloud_fallback.client.link_state import LinkState, LinkTotals
from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions
from tallylens.cloud_fallback.client.pending_replies import PendingReply
from tallylens.cloud_fallback.client.refusals import Refusals
from tallylens.cloud_fallback.wire.client_session import EncodedImage, PendingFrame
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.cloud_fallback.wire.messages import DetectionRow, Limits, Result, Welcome
from tallylens.edge_runtime.types import Detections, Image

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
    """Answers everything at once with one car, or nothing in time; notes what it was sent."""

    def __init__(self) -> None:
        self.answers = True
        self.on_late: Callable[[PendingFrame, Result], None] | None = None
        self.welcome: Welcome | None = WELCOME
        self.link = FAST
        self.expected = 0.01
        self.images: list[EncodedImage] = []
        self.still_sent: list[PendingFrame] = []
        self.totals = LinkTotals()
        self.refusals = Refusals(lambda _: None)

    def __call__(self, *_: Any, **options: Any) -> Client:
        self.on_late = options["on_late"]
        return self

    def state(self) -> LinkState:
        return self.link

    def expected_s(self, _: int) -> float:
        return self.expected

    def submit(self, image: EncodedImage, capture_us: int, deadline_s: float) -> PendingReply:
        self.images.append(image)
        number = len(self.images)
        self.frame = PendingFrame(number, capture_us, deadline_s, image)
        reply: Future[Any] = Future()
        box = (0.0, 0.0, float(image.width), float(image.height), THERE, 1)
        reply.set_result(Result(number, number, 8, (box,)) if self.answers else None)
        return PendingReply(self.frame, reply)

    def abandon(self, pending: PendingReply) -> None:
        assert pending.frame is self.frame

    def stop_waiting(self, pending: PendingReply) -> None:
        self.still_sent.append(pending.frame)

    def answer_late(self, offloader: Offloader, box: DetectionRow) -> None:
        """A frame gets its answer after it was counted."""
        self.answers = False
        offloader.detect(noise(99))
        assert self.on_late is not None
        self.on_late(self.frame, Result(self.frame.sequence, 0, 8, (box,)))

    def close(self, _: float) -> None:
        pass


class Local:
    """The device's own model: one car, of which it is unsure."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.frames = 0
        self.seconds = seconds
        self.spent_s = 0.0

    def detect(self, image: Image) -> Detections:
        started = time.monotonic()
        time.sleep(self.seconds)
        self.spent_s += time.monotonic() - started
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


def noise(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (90, 160, 3), np.uint8)


def reasons(offloader: Offloader) -> dict[tuple[str, str], int]:
    return {
        (one["action"], one["reason"]): one["frames"] for one in offloader.report()["decisions"]
    }


def test_what_does_not_change_is_looked_at_by_nobody() -> None:
    client, local = Client(), Local()
    offloader = make(client, local)
    first, second = (offloader.detect(noise(1)) for _ in range(2))
    assert second is first
    assert (local.frames, len(client.images)) == (1, 1)
    assert reasons(offloader)["skip", "nothing changed"] == 1


def test_a_model_that_does_not_fit_sends_every_frame_and_runs_only_where_it_must() -> None:
    client, local = Client(), Local()
    offloader = make(client, local, memory_bytes=299, model_bytes=100)
    for seed in range(5):
        assert offloader.detect(noise(seed)).confidence == THERE
    assert reasons(offloader) == {("cloud", "the model does not fit this device"): 5}
    assert local.frames == 1, "once, to know how long it takes"
    client.link = replace(FAST, connected=False)
    assert offloader.detect(noise(9)).confidence == HERE
    assert reasons(offloader)["local", "no connection"] == 1


@pytest.mark.parametrize("live", [True, False])
def test_a_file_goes_where_it_is_done_sooner(live: bool) -> None:
    client, local = Client(), Local(seconds=0.05)
    client.expected = 0.001
    offloader = make(client, local, live=live)
    # The first one shows how long the device takes.
    for seed in range(4):
        offloader.detect(noise(seed))
    sooner = reasons(offloader).get(("cloud", "the file is done sooner there"), 0)
    assert sooner == (0 if live else 3)


def test_a_file_stays_where_the_link_is_not_known() -> None:
    client, local = Client(), Local(seconds=0.05)
    client.link = replace(FAST, bandwidth=0.0)
    offloader = make(client, local, live=False)
    for seed in range(2):
        offloader.detect(noise(seed))
    assert ("cloud", "the file is done sooner there") not in reasons(offloader)


def test_a_key_that_has_nothing_left_is_not_asked_for() -> None:
    client, local = Client(), Local()
    client.link = replace(FAST, allowed=False)
    offloader = make(client, local, "always")
    assert offloader.detect(noise(1)).confidence == HERE
    assert reasons(offloader) == {("local", "no quota"): 1}
    assert not client.images


def test_always_sends_a_file_pixel_by_pixel_and_auto_spares_bytes() -> None:
    for mode, codec in (("always", Codec.RAW), ("auto", Codec.JPEG)):
        client = Client()
        client.expected = 0.0
        make(client, Local(), mode, live=False).detect(noise(1))
        assert [one.codec for one in client.images] == [codec]


def test_a_late_answer_of_another_model_corrects_classes() -> None:
    client = Client()
    offloader = make(client, Local(), "always")
    offloader.detect(noise(1))
    box = (0.0, 0.0, 160.0, 90.0, THERE, 0)
    client.answer_late(offloader, box)
    client.link = replace(FAST, connected=False)
    assert offloader.detect(noise(9)).class_id.tolist() == [1]


@pytest.mark.parametrize("live", [True, False])
def test_the_same_model_is_sent_the_same_pixels_or_nothing(live: bool) -> None:
    """On the poorest link, and where an image is over the server's limit."""
    client = Client()
    client.welcome = replace(WELCOME, digest="d")
    client.link = replace(FAST, bandwidth=10.0)
    offloader = make(client, Local(), "always", live=live, model_digest="d")
    for seed in range(5):
        offloader.detect(noise(seed))
    client.welcome = replace(client.welcome, limits=Limits(100, 1 << 23, 100, 1000))
    offloader.detect(noise(9))
    assert {one.codec for one in client.images} == {Codec.RAW}
    box = (0.0, 0.0, 160.0, 90.0, THERE, 0)
    client.answer_late(offloader, box)
    client.link = replace(FAST, connected=False)
    assert offloader.detect(noise(9)).class_id.tolist() == [0]
    report = offloader.report()
    assert (report["late"], report["corrected"]) == (1, 0)


def test_a_server_that_comes_back_with_another_model_is_understood() -> None:
    client = Client()
    offloader = make(client, Local(), "always")
    assert len(offloader.detect(noise(1))) == 1
    client.welcome = replace(WELCOME, classes=("car", "unicorn"), input_size=(48, 80))
    assert len(offloader.detect(noise(2))) == 0, "there are no unicorns here"
    assert client.images[-1].width == 80


def test_a_server_whose_model_knows_none_of_the_classes_is_not_asked() -> None:
    client, local = Client(), Local()
    client.welcome = replace(WELCOME, classes=("unicorn", "dragon"))
    offloader = make(client, local, "always")
    assert len(offloader.detect(noise(1))) == 1, "an object of the device's model"
    assert client.images == []
    (warning,) = offloader.warnings()
    assert "knows none of this model's classes" in warning
    client.welcome = WELCOME
    offloader.detect(noise(2))
    assert len(client.images) == 1
    assert offloader.warnings() == []


class MuteClient(Client):
    """Never answers."""

    def submit(self, image: EncodedImage, capture_us: int, deadline_s: float) -> PendingReply:
        self.images.append(image)
        self.frame = PendingFrame(len(self.images), capture_us, deadline_s, image)
        return PendingReply(self.frame, Future())


def test_exact_pixels_that_cannot_come_in_time_are_not_sent() -> None:
    client = Client()
    client.welcome = replace(WELCOME, digest="d")
    client.expected = 20.0
    offloader = make(client, Local(), "always", live=False, model_digest="d")
    assert offloader.detect(noise(1)).confidence == HERE
    assert reasons(offloader) == {("local", "too late for the deadline"): 1}
    assert not client.images


def test_what_may_be_encoded_smaller_is_sent_until_it_fits() -> None:
    client = Client()
    client.expected, client.link = 20.0, replace(FAST, bandwidth=10.0)
    offloader = make(client, Local(), "always", live=False)
    for seed in range(len(LADDER) + 1):
        offloader.detect(noise(seed))
    assert len(client.images) == len(LADDER) - 1
    assert reasons(offloader)["local", "too late for the deadline"] == 2


def test_one_frame_at_a_time_measures_the_link_and_is_not_taken_back() -> None:
    client = MuteClient()
    client.link = replace(FAST, measured=False)
    offloader = make(client, Local(), "always", deadline_s=0.05)
    assert offloader.detect(noise(1)).confidence == HERE
    assert client.still_sent == [client.frame]
    client.link = replace(client.link, unanswered=1)
    assert offloader.detect(noise(2)).confidence == HERE
    assert len(client.images) == 1, "the link is busy with the first"
    assert reasons(offloader)["local", "the link is being measured"] == 1


def test_a_file_in_mode_auto_does_not_end_late_for_a_server_that_is_slow() -> None:
    """Every frame would wait for its deadline, five times as long as the device needs."""
    client, local = MuteClient(), Local(seconds=0.02)
    client.expected = 0.001
    offloader = make(client, local, live=False, deadline_s=0.2)
    started = time.monotonic()
    for seed in range(20):
        offloader.detect(noise(seed))
    assert time.monotonic() - started < 2 * local.spent_s
    assert client.images
    assert reasons(offloader)["local", "the file would end later"] > 0
