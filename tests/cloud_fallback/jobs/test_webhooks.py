"""Tests of webhooks: where they may go, what is sent, and what happens when it does not arrive."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Row
from standardwebhooks.webhooks import Webhook

from tallylens.cloud_fallback.jobs import job_queue
from tallylens.cloud_fallback.jobs.clock import DAY, SECOND, now_us
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.cloud_fallback.jobs.tables import deliveries, webhooks
from tallylens.cloud_fallback.jobs.webhooks import delivery_queue
from tallylens.cloud_fallback.jobs.webhooks.addresses import (
    AddressRules,
    RefusedAddressError,
    reached_by,
)
from tallylens.cloud_fallback.jobs.webhooks.delivery_queue import DELAYS_S
from tallylens.cloud_fallback.jobs.webhooks.runner import WebhookRunner
from tallylens.cloud_fallback.jobs.webhooks.sender import MAX_ANSWER, Outcome, Sender
from tallylens.cloud_fallback.jobs.webhooks.signing import (
    SignatureError,
    check_signature,
    new_secret,
    signed_headers,
)
from tests.support.job_rows import add_job
from tests.support.video_server import VideoServer
from tests.support.webhook_receiver import Receiver, bait, receiver

LOOPBACK = AddressRules((ipaddress.ip_network("127.0.0.0/8"),), any_port=True)
NOT_PUBLIC = {
    "loopback": "127.0.0.1",
    "loopback, another": "127.8.8.8",
    "this host": "0.0.0.0",
    "link-local: the metadata of clouds": "169.254.169.254",
    "private 10": "10.0.0.1",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "shared": "100.64.0.1",
    "documentation": "192.0.2.1",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "loopback of IPv6": "::1",
    "unspecified": "::",
    "IPv4-mapped": "::ffff:127.0.0.1",
    "IPv4-mapped metadata": "::ffff:169.254.169.254",
    "IPv4-compatible": "::7f00:1",
    "NAT64": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "local NAT64": "64:ff9b:1::7f00:1",
    "6to4": "2002:7f00:1::1",
    "6to4 of a private one": "2002:a00:1::1",
    "Teredo": "2001:0:7f00:1::1",
    "unique local": "fd00::1",
    "link-local of IPv6": "fe80::1",
    "site-local": "fec0::1",
    "multicast of IPv6": "ff02::1",
}


class Names:
    """A resolver whose answer changes with each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def send(sender: Sender, url: str) -> Outcome:
    return asyncio.run(sender.send(url, b"{}", {}))


@pytest.mark.parametrize("address", NOT_PUBLIC.values(), ids=NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with bait() as caught:
        host = f"[{address}]" if ":" in address else address
        literal = send(Sender(AddressRules(any_port=True)), f"https://{host}:{caught.port}/")
        names = Names([address])
        named = send(
            Sender(AddressRules(any_port=True), names), f"https://hooks.example:{caught.port}/"
        )
        both = Names(["8.8.8.8", address])
        mixed = send(
            Sender(AddressRules(any_port=True), both), f"https://hooks.example:{caught.port}/"
        )
    for outcome in (literal, named, mixed):
        assert outcome.status is None
        assert outcome.answer.startswith("refused: ")
    assert caught.connections == 0
    assert (names.asked, both.asked) == (1, 1)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"],
)
def test_public_addresses_are_allowed(address: str) -> None:
    AddressRules().check(ipaddress.ip_address(address))


def test_addresses_inside_addresses() -> None:
    def inside(text: str) -> list[str]:
        return [str(one) for one in reached_by(ipaddress.ip_address(text))]

    assert inside("64:ff9b::c000:221") == ["192.0.2.33"]
    assert inside("2002:c000:221::1") == ["192.0.2.33"]
    # RFC 4380, section 4: server and client, whose bits are inverted.
    assert inside("2001:0000:4136:e378:8000:63bf:3fff:fdd2") == ["65.54.227.120", "192.0.2.45"]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "https://hooks.example:8443/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://user:password@hooks.example/",
        "https://hooks.example@127.0.0.1/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/\r\nHost: evil",
        "https://hooks.example/ x",
        "https://hooks.example/#fragment",
        "https:///path",
        "https://[::1",
        "https://[:::::]/",
        "https://[fe80::1%25eth0]/",
        "https://ⓔxample.com/",
        "ftp://hooks.example/",
        "https://hooks.example/" + "x" * 2000,
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        AddressRules().target(url)


@pytest.mark.parametrize("host", ["0x7f000001", "2130706433", "127.1", "0177.0.0.1"])
def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    outcome = send(Sender(AddressRules()), f"https://{host}/")
    assert outcome.status is None


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path / "tls") as found:
        yield found


def sender_to(received: Receiver) -> Sender:
    return Sender(LOOPBACK, Names(["127.0.0.1"]), received.tls)


def test_a_message_arrives_at_the_address_that_was_checked(tmp_path: Path) -> None:
    only = AddressRules((ipaddress.ip_network("127.0.0.2/32"),), any_port=True)
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    with receiver(tmp_path / "tls", "127.0.0.2") as received:
        url = f"https://localhost:{received.port}/hook?a=b"
        outcome = send(Sender(only, names, received.tls), url)
        assert (outcome.status, outcome.answer, names.asked) == (200, "ok", 1)
        headers, body = received.messages[0]
        assert (headers["host"], body) == (f"localhost:{received.port}", b"{}")
        # A name that changes: the second time it is one of ours.
        again = send(Sender(only, names, received.tls), url)
        assert again.answer == "refused: the address 127.0.0.1 is not public"
        assert len(received.messages) == 1


def test_a_redirect_is_not_followed(received: Receiver) -> None:
    with bait() as caught:
        location = {"location": f"https://127.0.0.1:{caught.port}/"}
        received.answer = lambda: (302, location, b"")
        outcome = send(sender_to(received), f"https://localhost:{received.port}/")
    assert (outcome.status, outcome.delivered) == (302, False)
    assert caught.connections == 0


def test_proxies_of_the_environment_are_not_used(
    received: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bait() as caught:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{caught.port}")
        outcome = send(sender_to(received), f"https://localhost:{received.port}/")
    assert (outcome.status, caught.connections) == (200, 0)


def test_the_certificate_must_be_that_of_the_name(received: Receiver) -> None:
    outcome = send(sender_to(received), f"https://hooks.example:{received.port}/")
    assert outcome.status is None
    assert "certificate verify failed" in outcome.answer
    unknown = send(Sender(LOOPBACK, Names(["127.0.0.1"])), f"https://localhost:{received.port}/")
    assert "certificate verify failed" in unknown.answer
    assert received.messages == []


def test_a_long_answer_is_read_to_its_limit(received: Receiver) -> None:
    received.answer = lambda: (200, {}, b"\x1b[2Jx" * (100 * MAX_ANSWER))
    outcome = send(sender_to(received), f"https://localhost:{received.port}/")
    assert outcome.status == 200
    assert len(outcome.answer) <= 500
    assert "\x1b" not in outcome.answer


def test_signatures_are_those_of_standard_webhooks() -> None:
    secret, old, body, now = new_secret(), new_secret(), b'{"a": 1}', int(time.time())
    headers = signed_headers("evt_1", now, body, (secret, old))
    for one in (secret, old):
        assert Webhook(one).verify(body.decode(), headers) == {"a": 1}
        assert check_signature(headers, body, one, now) == "evt_1"
    for changed, text, at in (
        ({"webhook-id": "evt_2"}, body, now),
        ({"webhook-timestamp": str(now + 1)}, body, now),
        ({"webhook-signature": "v1,AAAA"}, body, now),
        ({"webhook-signature": "é"}, body, now),
        ({}, b'{"a": 2}', now),
        ({}, body, now + 301),
        ({}, body, now - 301),
    ):
        with pytest.raises(SignatureError):
            check_signature({**headers, **changed}, text, secret, at)


def add_webhook(connection: Connection, url: str, events: str = "", **values: Any) -> str:
    account = connection.scalar(sa.text("SELECT id FROM accounts"))
    row = {"id": "whk_1", "account": account, "url": url, "secret": new_secret()}
    connection.execute(
        sa.insert(webhooks).values(**{**row, "events": events, "created": now_us(), **values})
    )
    return str(row["secret"])


def due(connection: Connection) -> None:
    connection.execute(
        sa.update(deliveries).where(deliveries.c.state == "waiting").values(next_at=now_us())
    )


def rows(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(sa.select(deliveries).order_by(deliveries.c.id)))


def prepare(database: Database, url: str, **values: Any) -> str:
    def work(connection: Connection) -> str:
        job = add_job(connection)
        secret = add_webhook(connection, url, **values)
        job_queue.cancel(connection, job)
        return secret

    return database.run(work)


def deliver(database: Database, sender: Sender) -> list[Row[Any]]:
    """Make what is due now."""

    async def work() -> None:
        runner = WebhookRunner(database, sender)
        await runner.start_due()
        await asyncio.gather(*runner._running)

    asyncio.run(work())
    return database.run(rows)


def test_an_event_is_delivered_and_verified(database: Database, received: Receiver) -> None:
    secret = prepare(database, f"https://localhost:{received.port}/")
    (row,) = deliver(database, sender_to(received))
    assert (row.state, row.attempt, row.status, row.answer) == ("delivered", 1, 200, "ok")
    headers, body = received.messages[0]
    document = Webhook(secret).verify(body.decode(), headers)
    assert document["type"] == "job.cancelled"
    assert document["data"]["state"] == "cancelled"
    assert headers["webhook-id"] == row.event_id
    assert deliver(database, sender_to(received)) == [row]


def test_only_events_that_are_wanted(database: Database, received: Receiver) -> None:
    prepare(database, f"https://localhost:{received.port}/", events="job.done,job.late")
    assert database.run(rows) == []


def test_a_disabled_webhook_gets_nothing(database: Database, received: Receiver) -> None:
    prepare(database, f"https://localhost:{received.port}/", disabled=1)
    assert database.run(rows) == []


def test_a_rolled_back_event_is_none(database: Database, received: Receiver) -> None:
    def work(connection: Connection) -> None:
        job = add_job(connection)
        add_webhook(connection, f"https://localhost:{received.port}/")
        job_queue.cancel(connection, job)
        assert len(rows(connection)) == 1
        raise KeyError

    with pytest.raises(KeyError):
        database.run(work)
    assert database.run(rows) == []


def test_attempts_take_three_days(database: Database, received: Receiver) -> None:
    received.answer = lambda: (500, {}, b"no")
    prepare(database, f"https://localhost:{received.port}/")
    for number, delay_s in enumerate(DELAYS_S[1:], 1):
        (row,) = deliver(database, sender_to(received))
        assert (row.state, row.attempt, row.status) == ("waiting", number, 500)
        assert 0.9 * delay_s - 5 <= (row.next_at - now_us()) / SECOND <= 1.1 * delay_s
        database.run(due)
    (row,) = deliver(database, sender_to(received))
    assert (row.state, row.attempt, row.next_at) == ("failed", 10, None)
    assert 71 <= sum(DELAYS_S) / 3600 <= 73
    assert len(received.messages) == 10


def test_410_disables_the_webhook(database: Database, received: Receiver) -> None:
    received.answer = lambda: (410, {}, b"")
    prepare(database, f"https://localhost:{received.port}/")
    (row,) = deliver(database, sender_to(received))
    assert (row.state, row.status) == ("failed", 410)
    disabled = database.run(lambda one: one.scalar(sa.select(webhooks.c.disabled)))
    assert disabled is not None


def test_a_process_that_ends_loses_an_attempt_not_the_delivery(
    database: Database, received: Receiver
) -> None:
    prepare(database, f"https://localhost:{received.port}/")
    (lost,) = database.run(delivery_queue.claim, 10)
    assert database.run(delivery_queue.claim, 10) == []
    database.run(due)
    (row,) = deliver(database, sender_to(received))
    assert (row.state, row.attempt) == ("delivered", 2)
    # A late write of the first one changes nothing.
    database.run(delivery_queue.record, lost, Outcome(500, "late"))
    assert database.run(rows) == [row]


def test_the_old_secret_signs_for_a_day(database: Database, received: Receiver) -> None:
    old = new_secret()
    until = now_us() + DAY
    prepare(
        database,
        f"https://localhost:{received.port}/",
        old_secret=old,
        old_secret_until=until,
    )
    deliver(database, sender_to(received))
    headers, body = received.messages[0]
    Webhook(old).verify(body.decode(), headers)
    database.run(lambda one: one.execute(sa.update(webhooks).values(old_secret_until=1)) and None)
    database.run(
        lambda one: delivery_queue.again(one, one.execute(sa.select(deliveries.c.id)).scalar_one())
    )
    deliver(database, sender_to(received))
    assert len(received.messages[1][0]["webhook-signature"].split()) == 1


@pytest.mark.slow
def test_the_routes_of_webhooks(idle_server: VideoServer) -> None:
    for url in ("http://hooks.example/", "https://127.0.0.1/", "https://[::ffff:7f00:1]/"):
        answer = idle_server.post("/v1/webhooks", json={"url": url})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/url")
    # The name is one of this machine: refused once it is resolved, and logged.
    made = idle_server.post("/v1/webhooks", json={"url": "https://localhost/hook"})
    assert made.status_code == 201
    document, path = made.json(), made.headers["location"]
    assert document["secret"].startswith("whsec_")
    shown = idle_server.get(path).json()
    assert "secret" not in shown
    assert shown["events"] == ["job.done", "job.failed", "job.cancelled", "job.late"]
    assert idle_server.get("/v1/webhooks").json()["webhooks"][0] == shown
    location = idle_server.create(5).headers["location"]
    idle_server.patch(location, 0, b"bytes")
    idle_server.post(f"/v1/jobs/job_{location[-26:]}/cancel")
    deadline = time.monotonic() + 30
    while True:
        (delivery,) = idle_server.get(f"{path}/deliveries").json()["deliveries"]
        if delivery["answer"] is not None:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert delivery["answer"].startswith("refused: the address ")
    assert (delivery["state"], delivery["status"]) == ("waiting", None)
    again = idle_server.post(f"/v1/deliveries/{delivery['id']}/redeliver")
    assert (again.status_code, again.json()["attempt"]) == (202, 0)
    rotated = idle_server.post(f"{path}/rotate").json()
    assert rotated["secret"] != document["secret"]
    assert rotated["old_secret_until"] is not None
    headers = idle_server.headers()
    changed = idle_server.client.patch(path, headers=headers, json={"disabled": True})
    assert changed.json()["disabled"] is not None
    (delivery,) = idle_server.get(f"{path}/deliveries").json()["deliveries"]
    assert (delivery["state"], delivery["answer"]) == ("failed", "the webhook is disabled")
    assert idle_server.post(f"/v1/deliveries/{delivery['id']}/redeliver").status_code == 409
    changed = idle_server.client.patch(
        path, headers=headers, json={"disabled": False, "events": ["job.done"]}
    )
    assert (changed.json()["disabled"], changed.json()["events"]) == (None, ["job.done"])
    assert idle_server.client.delete(path, headers=headers).status_code == 204
    assert idle_server.get(path).status_code == 404
    assert json.loads(idle_server.get("/v1/webhooks").text) == {"webhooks": []}
