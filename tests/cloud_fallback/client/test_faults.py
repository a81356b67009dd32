"""Counting through a network and a server that fail: the totals are the local ones, always."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens import Counter, Line
from tallylens.cloud_fallback.client import connection as client_module
from tallylens.cloud_fallback.client import keepalive as keepalive_module
from tallylens.cloud_fallback.client.connection import CloudClient
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.offloader import OffloadOptions
from tallylens.cloud_fallback.wire.client_session import EncodedImage
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.cloud_fallback.wire.messages import Hello, Result
from tallylens.counter import FrameResult
from tallylens.edge_runtime.counting.report import Report
from tallylens.edge_runtime.errors import CloudError
from tallylens.edge_runtime.types import Image
from tests.support.faulty_link import FaultyLink
from tests.support.running_service import RunningService, ServiceFactory
from tests.support.squares import scene, timed

FRAMES = 60
DEADLINE_S = 0.5
# Of what happens at all, however slow the machine.
PATIENCE_S = 30.0
SEEDS = range(4)
LINES = [Line(0, 0.5, 1, 0.5)]
Frames = list[tuple[int, Image]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back soon, and sure that a silent server is gone: tests have seconds, not minutes."""
    monkeypatch.setattr(client_module, "FIRST_BACKOFF_S", 0.02)
    for name in ("LONGEST_BACKOFF_S", "LONGEST_REFUSED_BACKOFF_S"):
        monkeypatch.setattr(client_module, name, 0.05)
    monkeypatch.setattr(keepalive_module, "INTERVAL_S", 0.5)
    monkeypatch.setattr(keepalive_module, "TIMEOUT_S", 0.5)


@pytest.fixture(scope="module")
def frames() -> Frames:
    return timed(scene(frames=FRAMES))


def count(
    model: Path,
    frames: Frames,
    offload: OffloadOptions | None = None,
    on_frame: Callable[[FrameResult], None] | None = None,
) -> Report:
    with Counter(model, lines=LINES, offload=offload, workers=1) as counter:
        return counter.run(frames, on_frame=on_frame)


@pytest.fixture(scope="module")
def local(tiny_model: Path, frames: Frames) -> Report:
    report = count(tiny_model, frames)
    assert report.lines[0].crossed_in == {"car": 1}
    assert report.lines[0].crossed_out == {"person": 1}
    return report


def options(running: RunningService, port: int | None = None, **changes: Any) -> OffloadOptions:
    scheme = "wss" if running.ca else "ws"
    address = f"{scheme}://localhost:{port or running.port}"
    chosen = {"mode": "always", "ca": running.ca, "deadline_s": DEADLINE_S} | changes
    return OffloadOptions(address, running.secret, **chosen)


def same_totals(report: Report, local: Report) -> None:
    assert report.frames == local.frames
    assert (report.unique, report.lines) == (local.unique, local.lines)
    assert report.offload is not None
    assert sum(report.offload["frames"].values()) == local.frames


def wait_until(holds: Callable[[], bool]) -> None:
    """The client comes back in its own time; the frames that follow must find it there."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def sent_to_cloud(report: Report) -> int:
    assert report.offload is not None
    found: int = report.offload["frames"]["cloud"]
    return found


def test_through_the_cloud_the_totals_are_the_same(
    serve: ServiceFactory, tiny_model: Path, frames: Frames, local: Report
) -> None:
    report = count(tiny_model, frames, options(serve(tls=True), deadline_s=PATIENCE_S))
    same_totals(report, local)
    assert sent_to_cloud(report) == FRAMES
    assert report.warnings == local.warnings


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "fault",
    ["cut", "half-open", "stall", "duplicate", "reorder", "slow", "far"],
)
def test_a_network_that_fails_changes_no_total(
    serve: ServiceFactory,
    faulty: Callable[[int], FaultyLink],
    tiny_model: Path,
    frames: Frames,
    local: Report,
    fault: str,
    seed: int,
) -> None:
    running = serve(tls=True)
    link = faulty(running.port)
    chance = random.Random(seed)
    begins = chance.randrange(5, 30)
    ends = begins + chance.randrange(1, 20)

    def interfere(result: FrameResult) -> None:
        if result.frame.index == begins:
            if fault == "cut":
                link.cut()
            elif fault == "half-open":
                link.half_open()
            elif fault == "stall":
                link.stall()
            elif fault == "slow":
                link.bytes_per_s = 20_000
            elif fault == "far":
                link.delay_s = 0.15
            else:
                link.once(fault)
        if result.frame.index == ends:
            # A busy machine may not have sent the chunk yet that is to be changed once.
            pending = fault in ("duplicate", "reorder") and bool(link.fault)
            if not pending:
                link.heal()
            link.bytes_per_s = link.delay_s = 0
            if fault in ("cut", "duplicate", "reorder") and not pending:
                wait_until(lambda: link.connections > 1)

    report = count(tiny_model, frames, options(running, link.port), interfere)
    same_totals(report, local)
    # How many answers come in time is up to the machine.
    assert sent_to_cloud(report) > 0
    assert report.offload is not None
    assert report.offload["longest_frame_ms"] < PATIENCE_S * 1000


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_that_dies_and_comes_back_changes_no_total(
    serve: ServiceFactory,
    tiny_model: Path,
    frames: Frames,
    local: Report,
    free_port: int,
    seed: int,
) -> None:
    """Nothing of the old process is left: sessions, answers and frames are gone."""
    running = [serve(tls=True, port=free_port)]
    dies = random.Random(seed).randrange(5, 30)

    def interfere(result: FrameResult) -> None:
        if result.frame.index == dies:
            running[0].break_connections()
            running[0].stop()
        if result.frame.index == dies + 10:
            running.append(serve(tls=True, port=free_port, key=running[0].key))

    report = count(tiny_model, frames, options(running[0]), interfere)
    same_totals(report, local)
    assert sent_to_cloud(report) > 0


@pytest.mark.slow
def test_without_a_server_it_counts_alone_and_says_so(
    serve: ServiceFactory,
    tiny_model: Path,
    frames: Frames,
    local: Report,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tallylens.cloud_fallback.client.offloader.CONNECT_S", 0.1)
    report = count(tiny_model, frames, options(serve(), free_port))
    same_totals(report, local)
    assert sent_to_cloud(report) == 0
    assert report.warnings[0] == "the cloud cannot be reached; counting on this device alone"


def test_a_wrong_key_is_an_error_not_a_silent_fallback(
    serve: ServiceFactory, tiny_model: Path, frames: Frames
) -> None:
    running = serve()
    wrong = OffloadOptions(running.url, Secret("tlk_" + "0" * 32), "always")
    with pytest.raises(CloudError, match="it does not know this key"):
        count(tiny_model, frames, wrong)


def test_a_certificate_of_nobody_is_refused(
    serve: ServiceFactory, tiny_model: Path, frames: Frames
) -> None:
    with pytest.raises(CloudError, match="its certificate cannot be trusted"):
        count(tiny_model, frames, options(serve(tls=True), ca=None))


@pytest.mark.slow
def test_the_server_counts_over_a_lost_connection(
    serve: ServiceFactory, faulty: Callable[[int], FaultyLink]
) -> None:
    """Mode count: every frame is result once although the connection breaks in between."""
    running = serve(credits=64)
    link = faulty(running.port)
    hello = Hello("count", regions=(Line(0.0, 0.5, 1.0, 0.5),))
    client = CloudClient(f"ws://127.0.0.1:{link.port}", running.secret, hello=hello)
    assert client.start() is not None
    for number, image in enumerate(scene()):
        if number in (10, 20):
            link.cut()
            link.heal()
        height, width = image.shape[:2]
        picture = EncodedImage(image.tobytes(), width, height, Codec.RAW)
        pending = None
        while pending is None:
            pending = client.submit(picture, number * 100_000, 30.0)
        assert isinstance(pending.reply.result(30), Result)
    summary = client.close()
    assert summary is not None
    assert (summary.frames, summary.answered) == (30, 30)
    assert summary.counts["unique"] == {"car": 1, "person": 1}
    assert client.totals.connections > 1


@pytest.mark.slow
def test_no_log_holds_a_key_a_token_or_a_picture(
    serve: ServiceFactory,
    faulty: Callable[[int], FaultyLink],
    tiny_model: Path,
    frames: Frames,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    running = serve(tls=True)
    link = faulty(running.port)

    def interfere(result: FrameResult) -> None:
        if result.frame.index == 20:
            link.cut()
            link.heal()

    sessions = running.service.sessions
    tokens: list[str] = []
    original = sessions.open

    def note(*arguments: Any) -> Any:
        session, token = original(*arguments)
        tokens.append(token)
        return session, token

    monkeypatch.setattr(sessions, "open", note)
    count(tiny_model, frames, options(running, link.port), interfere)
    text = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "session" in text
    assert tokens
    for secret in (running.key, running.key[4:], *tokens, "Bearer", "ff d8 ff", "\\xff\\xd8"):
        assert secret not in text, secret


def test_the_camera_loop_never_waits_for_a_connection(serve: ServiceFactory) -> None:
    """Handing a frame over is a matter of the lock alone, connected or not."""
    running = serve()
    client = CloudClient(running.url, running.secret)
    assert client.submit(EncodedImage(b"x", 4, 2), 0, 1.0) is None
    client.start()
    running.stop()
    begun = time.thread_time()
    for _ in range(100):
        client.submit(EncodedImage(b"x", 4, 2), 0, 1.0)
    assert time.thread_time() - begun < 1.0
    client.close()
