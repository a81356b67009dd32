"""Tests of captchas against a provider on loopback: only a clear yes lets somebody pass."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from tallylens.cloud_fallback.jobs.problems import ProblemError
from tallylens.cloud_fallback.jobs.sign_in.captcha import NoCaptcha, ProviderCaptcha


class Provider(BaseHTTPRequestHandler):
    status, answer = 200, b""
    form: dict[str, list[str]] = {}  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        Provider.form = parse_qs(body.decode())
        self.send_response(Provider.status)
        self.send_header("content-length", str(len(Provider.answer)))
        self.end_headers()
        self.wfile.write(Provider.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def captcha() -> Iterator[ProviderCaptcha]:
    server = HTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield ProviderCaptcha(f"http://127.0.0.1:{server.server_address[1]}/", "the secret")
    server.shutdown()
    server.server_close()
    thread.join(10)


def status_of(captcha: ProviderCaptcha, token: str = "token") -> int:
    try:
        asyncio.run(captcha.check(token, "203.0.113.9"))
    except ProblemError as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, b'{"success": true}', 200),
        (200, b'{"success": false, "error-codes": ["x"]}', 403),
        (200, b'{"success": "true"}', 403),
        (200, b"[]", 403),
        (200, b"no JSON", 503),
        (200, b" " * 70_000, 503),
        (500, b'{"success": true}', 503),
        (302, b'{"success": true}', 503),
    ],
)
def test_answers_of_the_provider(
    captcha: ProviderCaptcha, status: int, answer: bytes, expected: int
) -> None:
    Provider.status, Provider.answer = status, answer
    assert status_of(captcha) == expected
    assert Provider.form == {
        "secret": ["the secret"],
        "response": ["token"],
        "remoteip": ["203.0.113.9"],
    }


def test_nobody_passes_without_a_token_or_a_provider() -> None:
    away = ProviderCaptcha("http://127.0.0.1:9/", "the secret")
    assert status_of(away) == 503
    assert status_of(away, "") == 403
    assert status_of(away, "x" * 5000) == 403
    assert "the secret" not in repr(away)
    asyncio.run(NoCaptcha().check("", ""))
