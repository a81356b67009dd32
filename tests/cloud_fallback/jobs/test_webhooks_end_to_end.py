"""A webhook of a real server to a real receiver over TLS: events, rotation, delivery once more."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.support.video_server import VideoServer, wait_until
from tests.support.webhook_receiver import Receiver, receiver

pytestmark = pytest.mark.slow


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path / "tls") as found:
        yield found


def message(received: Receiver, number: int) -> tuple[dict[str, str], str]:
    """The headers and the body of a message, once it is there."""
    wait_until(lambda: len(received.messages) > number, "no message came")
    headers, body = received.messages[number]
    return headers, body.decode()


def test_events_arrive_signed(
    video_server: Callable[..., VideoServer], received: Receiver, tmp_path: Path, crossing: Path
) -> None:
    # The server trusts the CA of the receiver's certificate, as it does those of the system.
    environment = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "tls" / "ca.pem")}
    allowed = ("--webhook-network", "127.0.0.0/8")
    server = video_server(*allowed, environment=environment, development=True)
    url = f"https://127.0.0.1:{received.port}/hook?a=b"
    made = server.post("/v1/webhooks", json={"url": url, "events": ["job.done", "job.failed"]})
    assert made.status_code == 201, made.text
    secret, path = made.json()["secret"], made.headers["location"]

    job = server.upload(crossing)
    headers, body = message(received, 0)
    event: dict[str, Any] = Webhook(secret).verify(body, headers)
    assert (event["type"], event["data"]["id"]) == ("job.done", job)
    assert event["data"]["state"] == "done"
    assert server.get(event["data"]["reports"]["json"]).json()["unique"]["car"] == 1
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("done", "none"), headers)

    # For a day both secrets sign: a receiver checks with either.
    rotated = server.post(f"{path}/rotate").json()["secret"]
    received.answer = lambda: (500, {}, b"not now")
    failed = server.create(5, "notes.mp4").headers["location"]
    server.patch(failed, 0, b"notes")
    headers, body = message(received, 1)
    for one in (secret, rotated):
        assert Webhook(one).verify(body, headers)["type"] == "job.failed"

    def newest() -> dict[str, Any]:
        return dict(server.get(f"{path}/deliveries").json()["deliveries"][0])

    wait_until(lambda: newest()["status"] == 500, "the answer is not in the log")
    delivery = newest()
    assert (delivery["state"], delivery["answer"]) == ("waiting", "not now")
    received.answer = lambda: (204, {}, b"")
    assert server.post(f"/v1/deliveries/{delivery['id']}/redeliver").status_code == 202
    wait_until(lambda: newest()["state"] == "delivered", "it was not delivered again")
    again, _ = received.messages[-1]
    assert again["webhook-id"] == headers["webhook-id"] == delivery["event_id"]
    assert json.loads(received.messages[-1][1]) == json.loads(body)
    assert secret not in server.log()
    assert rotated not in server.log()
