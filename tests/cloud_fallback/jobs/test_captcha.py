"""Tests of captchas against a provider on loopback: only a clear yes lets somebody pass.

The providers themselves are services on the internet: their scripts are not run here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import httpx
import pytest
from fastapi import FastAPI

from tallylens.cloud_fallback.jobs.account_settings import AccountSettings, account_settings
from tallylens.cloud_fallback.jobs.extension import VideoExtension
from tallylens.cloud_fallback.jobs.pages.render import POLICY
from tallylens.cloud_fallback.jobs.problems import ProblemError
from tallylens.cloud_fallback.jobs.settings import VideoSettings
from tallylens.cloud_fallback.jobs.sign_in.captcha import (
    PROVIDERS,
    NoCaptcha,
    ProviderCaptcha,
    Widget,
)
from tallylens.cloud_fallback.server.metrics import Metrics
from tallylens.edge_runtime.errors import UsageError


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


SITE_KEY = "1x00000000000000000000AA"
PASSWORD = "correct horse battery"


def app_of(folder: Path, captcha: ProviderCaptcha, name: str = "turnstile") -> FastAPI:
    """The pages in this process, without what counts."""
    widget = Widget(PROVIDERS[name], SITE_KEY)
    settings = VideoSettings(folder, accounts=AccountSettings(captcha=captcha, widget=widget))
    app = FastAPI()
    app.state.service = SimpleNamespace(queue=None, missing=set(), metrics=Metrics())
    VideoExtension(settings, "0" * 64).install(app)
    return app


def ask(app: FastAPI, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.request(method, path, data=form)
        await app.state.videos.registration.close()
        return answer

    return asyncio.run(work())


def mails(folder: Path) -> int:
    return len(list((folder / "mail").glob("*.eml")))


@pytest.mark.slow
def test_the_form_registers_only_who_solved_the_captcha(
    captcha: ProviderCaptcha, tmp_path: Path
) -> None:
    form = {"email": "ada@example.org", "password": PASSWORD}
    Provider.status, Provider.answer = 200, b'{"success": true}'
    for path in ("/register", "/forgot"):
        answer = ask(app_of(tmp_path, captcha), "POST", path, form)
        assert (answer.status_code, 'role="alert"' in answer.text) == (403, True)
        assert "The captcha is not solved" in answer.text
        assert 'value="ada@example.org"' in answer.text
        assert PASSWORD not in answer.text
    other = {**form, "h-captcha-response": "of another provider"}
    assert ask(app_of(tmp_path, captcha), "POST", "/register", other).status_code == 403
    solved = {**form, "cf-turnstile-response": "solved"}
    Provider.status = 500
    answer = ask(app_of(tmp_path, captcha), "POST", "/register", solved)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert mails(tmp_path) == 0
    Provider.status = 200
    answer = ask(app_of(tmp_path, captcha), "POST", "/register", solved)
    assert (answer.status_code, "Check your e-mail" in answer.text) == (200, True)
    assert Provider.form["response"] == ["solved"]
    assert mails(tmp_path) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVIDERS)
def test_the_policy_is_wider_only_where_a_captcha_is(
    captcha: ProviderCaptcha, tmp_path: Path, name: str
) -> None:
    app, provider = app_of(tmp_path, captcha, name), PROVIDERS[name]
    for path in ("/register", "/forgot"):
        answer = ask(app, "GET", path)
        element = f'<div class="{provider.element}" data-sitekey="{SITE_KEY}"></div>'
        assert element in answer.text
        assert f'<script src="{provider.script}" async defer></script>' in answer.text
        policy = answer.headers["content-security-policy"]
        assert f"script-src 'self' {provider.sources}; " in policy
        assert f"frame-src 'self' {provider.sources}; " in policy
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert policy.replace(f" {provider.sources}", "") == POLICY
    for path in ("/sign-in", "/reset", "/verify"):
        assert ask(app, "GET", path).headers["content-security-policy"] == POLICY
        assert provider.script not in ask(app, "GET", path).text


def test_settings_of_the_command() -> None:
    variables = {"TALLYLENS_CAPTCHA_SECRET": "secret"}

    def settings(captcha: str | None, key: str | None) -> AccountSettings:
        return account_settings(
            None, captcha, [], site_key=key, development=False, environment=variables
        )

    assert settings("hcaptcha", SITE_KEY).widget == Widget(PROVIDERS["hcaptcha"], SITE_KEY)
    assert settings(None, None).widget is None
    for captcha, key, told in (
        (None, SITE_KEY, "--captcha-site-key needs --captcha. Add --captcha PROVIDER."),
        ("turnstile", None, "--captcha needs the site key"),
        ("turnstile", '"><script>', "--captcha needs the site key"),
    ):
        with pytest.raises(UsageError) as refused:
            settings(captcha, key)
        assert str(refused.value).startswith(told)
