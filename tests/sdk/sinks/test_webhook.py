from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tallylens import UsageError
from tallylens.sinks import open_sink
from tallylens.sinks.webhook import SECRET, signature
from tests.support.crossings import FRAMES_PER_CAR, count, push, session

KEY = b"0123456789abcdef01234567"


class Receiver:
    """A webhook receiver on loopback that answers with `statuses` first, then with 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.port = 0

    def start(self) -> None:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status == 204:
                    headers = {key.lower(): value for key, value in self.headers.items()}
                    receiver.requests.append((self.path, headers, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/hidden?token=hidden"

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        documents = [json.loads(body) for _, _, body in self.requests]
        return [one for one in documents if one["type"] == kind]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    one.start()
    yield one
    one.stop()


def test_each_event_is_a_signed_request(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "whsec_" + base64.b64encode(KEY).decode())
    report = count(2, [open_sink(receiver.url)])
    assert report.warnings == ()
    assert len(receiver.bodies("count.crossed_in")) == 2
    ids = [headers["webhook-id"] for _, headers, _ in receiver.requests]
    assert len(set(ids)) == len(ids) == 8
    for path, headers, body in receiver.requests:
        assert path == "/hooks/hidden?token=hidden"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(KEY, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_the_signature_is_that_of_the_specification() -> None:
    """The test vector of the reference libraries of Standard Webhooks."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', secret, 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_is_retried_until_it_is_accepted(receiver: Receiver) -> None:
    receiver.statuses = [503, 204, 500]
    report = count(1, [open_sink(receiver.url)])
    assert report.warnings == ()
    assert len(receiver.requests) == 4


def test_a_refused_event_is_said_and_the_others_arrive(receiver: Receiver) -> None:
    receiver.statuses = [400]
    (warning,) = count(1, [open_sink(receiver.url)]).warnings
    assert warning == (
        f"http://127.0.0.1:{receiver.port}: 1 events were refused (it answers with status 400)"
    )
    assert len(receiver.requests) == 3


def test_a_receiver_that_goes_away_and_returns_loses_nothing(receiver: Receiver) -> None:
    notices: list[str] = []
    with session(2, [open_sink(receiver.url, on_notice=notices.append)]) as counting:
        push(counting, 0, FRAMES_PER_CAR)
        receiver.stop()
        push(counting, FRAMES_PER_CAR, 2 * FRAMES_PER_CAR)
        receiver.start()
        counting.conclude()
    assert counting.report().warnings == ()
    ids = {headers["webhook-id"] for _, headers, _ in receiver.requests}
    assert len(ids) == 8


def test_no_secret_is_in_any_message(receiver: Receiver) -> None:
    receiver.stop()
    notices: list[str] = []
    url = receiver.url.replace("//", "//user:hidden@")
    sink = open_sink(url, on_notice=notices.append)
    sink._finish_s = 0.05
    warnings = count(1, [sink]).warnings
    assert len(warnings) == len(notices) == 1
    assert warnings[0].startswith(f"http://127.0.0.1:{receiver.port}: 4 events were not delivered")
    assert "hidden" not in repr((warnings, notices, sink.name, sink.key))


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [301] * 100
    sink = open_sink(receiver.url)
    sink._finish_s = 0.05
    (warning,) = count(1, [sink]).warnings
    assert "status 301: redirects are not followed" in warning
    assert receiver.requests == []


def test_a_damaged_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "whsec_damaged!")
    with pytest.raises(UsageError, match=f"the secret in {SECRET} is damaged") as caught:
        open_sink("https://host/")
    assert "damaged!" not in str(caught.value)
