"""Links that die or crawl: waits end at once, and bytes on their way do not count as silence."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tallylens.cloud_fallback.client import connection as client_module
from tallylens.cloud_fallback.client import keepalive as keepalive_module
from tallylens.cloud_fallback.client import link_estimate as estimate_module
from tallylens.cloud_fallback.client.connection import CloudClient
from tallylens.cloud_fallback.client.keepalive import keep_alive
from tallylens.cloud_fallback.wire.client_session import EncodedImage
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.cloud_fallback.wire.messages import Result
from tests.support.faulty_link import FaultyLink
from tests.support.running_service import RunningService, ServiceFactory
from tests.support.squares import scene

PATIENCE_S = 30.0
DEADLINE_S = 600.0
"""Longer than any test may take: what ends sooner did not wait for its deadline."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_BACKOFF_S", 0.02)
    monkeypatch.setattr(client_module, "LONGEST_BACKOFF_S", 0.05)


def image() -> EncodedImage:
    frame = next(iter(scene()))
    return EncodedImage(frame.tobytes(), frame.shape[1], frame.shape[0], Codec.RAW)


def connected(running: RunningService, link: FaultyLink) -> CloudClient:
    client = CloudClient(f"ws://127.0.0.1:{link.port}", running.secret)
    assert client.start(PATIENCE_S) is not None
    return client


def answer(client: CloudClient) -> Any:
    pending = client.submit(image(), 0, DEADLINE_S)
    assert pending is not None
    return pending.reply.result(PATIENCE_S)


def test_what_is_open_ends_with_the_connection(
    serve: ServiceFactory, faulty: Callable[[int], FaultyLink]
) -> None:
    running = serve()
    link = faulty(running.port)
    client = connected(running, link)
    assert isinstance(answer(client), Result)
    link.half_open()
    pending = [client.submit(image(), number, DEADLINE_S) for number in range(3)]
    link.cut()
    for one in pending:
        assert one is not None
        assert one.reply.result(PATIENCE_S) is None
    assert client.totals.dropped == 3
    client.close()


def test_what_is_open_ends_with_a_long_silence(
    serve: ServiceFactory,
    faulty: Callable[[int], FaultyLink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before any keepalive has found the connection dead."""
    monkeypatch.setattr(keepalive_module, "INTERVAL_S", DEADLINE_S)
    monkeypatch.setattr(estimate_module, "MIN_SILENCE_S", 0.1)
    monkeypatch.setattr(estimate_module, "SILENCE_FACTOR", 0.0)
    running = serve()
    link = faulty(running.port)
    client = connected(running, link)
    assert isinstance(answer(client), Result)
    link.half_open()
    assert answer(client) is None
    state = client.state()
    assert state.silent_s > state.silence_limit_s
    client.close(0.0)


@pytest.mark.slow
def test_a_slow_link_is_not_a_dead_one(
    serve: ServiceFactory,
    faulty: Callable[[int], FaultyLink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bytes of one image take ten times as long as a ping may."""
    monkeypatch.setattr(keepalive_module, "INTERVAL_S", 0.1)
    monkeypatch.setattr(keepalive_module, "TIMEOUT_S", 0.1)
    running = serve()
    link = faulty(running.port)
    client = connected(running, link)
    link.bytes_per_s = len(image().data)
    assert isinstance(answer(client), Result)
    assert (client.totals.connections, link.connections) == (1, 1)
    client.close()


def test_a_name_that_is_not_resolved_for_a_while_ends_nothing(
    serve: ServiceFactory,
    faulty: Callable[[int], FaultyLink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = serve()
    link = faulty(running.port)
    client = CloudClient(f"ws://localhost:{link.port}", running.secret)
    assert client.start(PATIENCE_S) is not None
    tried = threading.Semaphore(0)

    def no_name(*_: Any, **__: Any) -> Any:
        tried.release()
        raise socket.gaierror(socket.EAI_AGAIN, "temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_name)
        link.cut()
        link.heal()
        for _ in range(3):
            assert tried.acquire(timeout=PATIENCE_S)
        assert not client.state().connected
    pending = None
    while pending is None:
        pending = client.submit(image(), 0, DEADLINE_S)
    assert isinstance(pending.reply.result(PATIENCE_S), Result)
    assert client.problem is None
    client.close()


class Socket:
    """A websocket whose pings are never answered."""

    def __init__(self) -> None:
        self.pings = 0
        self.aborted = asyncio.Event()
        self.transport = SimpleNamespace(abort=self.aborted.set)

    async def ping(self) -> asyncio.Future[float]:
        self.pings += 1
        return asyncio.get_running_loop().create_future()


def aborts(on_the_way_s: float, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a mute socket is aborted in a hundred times the patience of its keepalive."""
    monkeypatch.setattr(keepalive_module, "INTERVAL_S", 0.0)
    monkeypatch.setattr(keepalive_module, "TIMEOUT_S", 0.002)

    async def run() -> bool:
        mute = Socket()
        task = asyncio.create_task(keep_alive(mute, lambda: 0.0, lambda: on_the_way_s))
        await asyncio.wait({task}, timeout=0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert mute.pings == 1
        return mute.aborted.is_set()

    return asyncio.run(run())


def test_a_mute_connection_is_aborted_unless_our_bytes_are_on_their_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert aborts(0.0, monkeypatch)
    assert not aborts(1.0, monkeypatch)
