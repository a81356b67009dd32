"""Servers that refuse a device: final from the start, tried again after they accepted it once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.client import connection as client_module
from tallylens.cloud_fallback.client.connection import CloudClient
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions
from tallylens.cloud_fallback.client.refusals import Refusals
from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tallylens.cloud_fallback.wire.messages import Hello
from tallylens.edge_runtime.errors import CloudError
from tests.support.faulty_link import FaultyLink
from tests.support.running_service import ServiceFactory

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_BACKOFF_S", "LONGEST_BACKOFF_S", "LONGEST_REFUSED_BACKOFF_S"):
        monkeypatch.setattr(client_module, name, 0.02)


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def error(problem: str) -> CloudError:
    return CloudError("wss://host", problem, "Look there")


def test_each_reason_is_said_once_and_counted() -> None:
    said: list[str] = []
    refusals = Refusals(said.append)
    for problem in ("no key", "no key", "no server"):
        refusals.refused(error(problem), final=False)
    refusals.accepted("wss://host")
    refusals.accepted("wss://host")
    again = "Counting on this device alone; it is tried again"
    assert said == [
        f"{error('no key')}. {again}",
        f"{error('no server')}. {again}",
        "wss://host: the server accepts this device again",
    ]
    assert refusals.report() == [
        {"reason": str(error("no key")), "times": 2},
        {"reason": str(error("no server")), "times": 1},
    ]
    assert refusals.current == ""


def test_a_final_refusal_says_so_unless_it_is_raised() -> None:
    said: list[str] = []
    Refusals(said.append).refused(error("no key"), final=True, quiet=True)
    assert not said
    Refusals(said.append).refused(error("no key"), final=True)
    end = "Counting on this device alone; the cloud is not asked again"
    assert said == [f"{error('no key')}. {end}"]


def test_a_notice_that_fails_does_not_end_the_connection() -> None:
    def fail(_: str) -> None:
        raise OSError("no more lines on this screen")

    refusals = Refusals(fail)
    refusals.refused(error("no key"), final=False)
    assert refusals.current


def test_a_proxy_that_loses_its_service_for_a_while_ends_nothing(
    serve: ServiceFactory, faulty: Callable[[int], FaultyLink]
) -> None:
    running, said = serve(), list[str]()
    link = faulty(running.port)
    client = CloudClient(f"ws://127.0.0.1:{link.port}", running.secret, on_notice=said.append)
    assert client.start() is not None
    link.missing()
    wait_until(lambda: link.refused > 1)
    assert client.refusals.current
    link.heal()
    wait_until(lambda: client.state().connected)
    assert client.problem is None
    assert client.refusals.current == ""
    assert len(said) == 2
    assert "not a tallylens server" in said[0]
    assert "accepts this device again" in said[1]
    client.close()


def test_a_key_that_is_removed_and_restored_works_again(serve: ServiceFactory) -> None:
    running = serve()
    client = CloudClient(running.url, running.secret)
    assert client.start() is not None
    kept = running.keys.with_suffix(".kept")
    shutil.copy(running.keys, kept)
    running.keys.write_text("")
    running.sweep()
    wait_until(lambda: client.refusals.current)
    shutil.copy(kept, running.keys)
    running.sweep()
    wait_until(lambda: client.state().connected)
    assert client.problem is None
    client.close()


@pytest.mark.slow
def test_a_certificate_that_expires_and_is_renewed_ends_nothing(
    serve: ServiceFactory, tiny_model: Path, free_port: int, tmp_path: Path
) -> None:
    """The same address with a certificate of a CA that the device does not know, for a while."""
    good = serve(tls=True, port=free_port)
    client = CloudClient(good.url, good.secret, ca=good.ca)
    assert client.start() is not None
    good.stop()
    strange = ServiceFactory(tiny_model, make_dev_certificates(tmp_path), tmp_path)
    bad = strange(tls=True, port=free_port, key=good.key)
    wait_until(lambda: "certificate" in client.refusals.current)
    bad.stop()
    serve(tls=True, port=free_port, key=good.key)
    wait_until(lambda: client.state().connected)
    assert client.problem is None
    client.close()


def test_what_was_never_right_is_final_and_said(serve: ServiceFactory, free_port: int) -> None:
    """The server comes after `start` has given up waiting, and does not know the key."""
    said: list[str] = []
    client = CloudClient(
        f"ws://127.0.0.1:{free_port}", Secret("tlk_" + "0" * 32), on_notice=said.append
    )
    assert client.start(0.01) is None
    serve(port=free_port)
    wait_until(lambda: said)
    assert client.problem is not None
    assert said[0].endswith("the cloud is not asked again")
    client.close()


def test_a_session_that_the_server_does_not_resume_is_not_asked_for_again(
    serve: ServiceFactory,
) -> None:
    """Another client has taken the session over; both continue, each with its own."""
    running = serve()
    first = CloudClient(running.url, running.secret)
    welcome = first.start()
    assert welcome is not None
    thief = CloudClient(
        running.url, running.secret, hello=Hello(session=welcome.session, resume=welcome.resume)
    )
    assert thief.start() is not None
    wait_until(lambda: first.refusals.report())
    wait_until(lambda: first.state().connected)
    assert first.welcome is not None
    assert first.welcome.session != welcome.session
    assert thief.state().connected
    for client in (first, thief):
        client.close()


def test_the_report_says_why_the_cloud_was_not_asked() -> None:
    class Client:
        def __init__(self, *_: Any, on_notice: Callable[[str], None], **__: Any) -> None:
            self.refusals = Refusals(on_notice)

    said: list[str] = []
    made: list[Client] = []

    def connect(*arguments: Any, **options: Any) -> Any:
        made.append(Client(*arguments, **options))
        return made[0]

    options = OffloadOptions("wss://host", Secret("k"))
    offloader = Offloader([], (), options, connect, on_notice=said.append)
    assert offloader.warnings() == []
    made[0].refusals.refused(error("no key"), final=False)
    assert len(said) == 1
    assert offloader.warnings() == [f"{error('no key')}. Counted on this device alone since then"]
