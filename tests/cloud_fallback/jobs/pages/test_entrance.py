"""Signing in, in Chromium and over HTTP: with a password, with a key, and never for other sites."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cloud_fallback.jobs.pages.conftest import Open
from tests.support.people import PASSWORD, SAME_SITE, mails, somebody, token_of
from tests.support.video_server import VideoServer, wait_until

pytestmark = pytest.mark.slow
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.browser
def test_a_person_registers_uploads_downloads_and_leaves(
    video_server: Callable[..., VideoServer], open_page: Open, crossing: Path
) -> None:
    server = video_server()
    page = open_page(server, extra_http_headers={})
    assert page.url.endswith("/sign-in")
    page.get_by_role("link", name="Register").last.click()
    page.get_by_label("E-mail address", exact=True).fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    page.get_by_role("heading", name="Check your e-mail").wait_for()
    wait_until(lambda: bool(mails(server, "ada@example.org")), "no e-mail came")
    page.goto(f"/verify?token={token_of(mails(server, 'ada@example.org')[0])}")
    page.get_by_role("button", name="Verify").click()
    page.locator("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address", exact=True).fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.set_input_files("#file", crossing)
    page.get_by_role("button", name="Upload and count").click()
    page.locator("#videos .words", has_text="Done").wait_for()
    page.locator("#videos a").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    report = json.loads(Path(download.value.path()).read_text())
    assert report["unique"] == {"car": 1, "person": 1}
    page.get_by_role("link", name="Account").click()
    page.get_by_label("Name of a new key").fill("my program")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#new-key").inner_text()
    listed = server.client.get("/v1/videos", headers=server.headers(key)).json()["videos"]
    assert [one["name"] for one in listed] == [crossing.name]
    page.get_by_role("button", name="Delete the key my program").click()
    page.get_by_role("list", name="Keys").get_by_text("None yet.").wait_for()
    assert server.client.get("/v1/videos", headers=server.headers(key)).status_code == 401
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.context.cookies() == []


@pytest.mark.browser
def test_a_key_signs_in_and_ends_with_the_key(
    video_server: Callable[..., VideoServer], open_page: Open, crossing: Path
) -> None:
    server = video_server(workers=0)
    page = open_page(server, extra_http_headers={}, java_script_enabled=False)
    page.get_by_label("Key", exact=True).fill(server.key)
    page.get_by_role("button", name="Sign in with the key").click()
    page.set_input_files("#file", crossing)
    page.get_by_role("button", name="Upload and count").click()
    assert page.locator("h1").inner_text() == crossing.name
    page.get_by_role("button", name="Cancel").click()
    assert page.locator(".words").inner_text() == "Canceled."
    page.get_by_role("link", name="Account").click()
    assert page.get_by_label("Name of a new key").count() == 0
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    text = server.keys.read_text()
    server.keys.write_text(text[text.index("[[", 2) :])
    wait_until(lambda: server.get("/v1/videos").status_code == 401, "the key stays valid")
    page.goto("/videos")
    assert page.url.endswith("/sign-in")


def test_what_does_not_sign_in(idle_server: VideoServer) -> None:
    fields: tuple[dict[str, str], ...] = (
        {"email": "nobody@example.org", "password": PASSWORD},
        {"key": "tl_wrong"},
        {"key": "x y"},
        {"key": idle_server.key[:-1] + "~"},
    )
    for form in fields:
        answer = idle_server.client.post("/sign-in", data=form)
        assert answer.status_code == 401, form
        assert 'role="alert"' in answer.text
        assert "set-cookie" not in answer.headers
        assert form.get("key", "<nothing>") not in answer.text
    assert (
        idle_server.client.post("/sign-in", data={"key": idle_server.weak_key}).status_code == 403
    )
    cross = {"Sec-Fetch-Site": "cross-site"}
    answer = idle_server.client.post("/sign-in", data={"key": idle_server.key}, headers=cross)
    assert answer.status_code == 403


def cookies_of(server: VideoServer) -> list[tuple[str, str]]:
    """A cookie of each kind, with the token of its forms."""
    person = somebody(server)
    answer = server.client.post("/sign-in", data={"key": server.key})
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page = server.client.get("/", headers={"Cookie": cookie}).text
    token = page.partition('name="csrf" value="')[2].partition('"')[0]
    server.client.cookies.clear()
    return [(person.cookie, person.csrf), (cookie, token)]


def test_forms_need_the_token_of_their_session(idle_server: VideoServer) -> None:
    """Forms of all kinds: small ones, one with a file, and requests of scripts."""
    content = b"not a video"
    for cookie, token in cookies_of(idle_server):
        headers = {"Cookie": cookie, **SAME_SITE}

        def post(path: str, headers: Any = headers, **options: Any) -> int:
            return idle_server.client.post(path, headers=headers, **options).status_code

        file = {"file": ("a.mp4", content, "video/mp4")}
        assert post("/videos", files=file) == 403
        assert post("/videos", files=file, data={"csrf": "x"}) == 403
        elsewhere = {**headers, "Sec-Fetch-Site": "same-site"}
        assert post("/videos", files=file, data={"csrf": token}, headers=elsewhere) == 403
        assert post("/videos", files=file, data={"csrf": token}) == 303
        video = idle_server.client.get("/v1/videos", headers=headers).json()["videos"][0]["id"]
        again = {"lines": "0,0.5,1,0.5"}
        assert post(f"/videos/{video}/jobs", data=again) == 403
        assert post(f"/videos/{video}/jobs", data={**again, "csrf": token}) == 303
        assert post(f"/v1/videos/{video}/jobs", json={}) == 403
        with_token = {**headers, "X-CSRF-Token": token}
        assert post(f"/v1/videos/{video}/jobs", json={}, headers=with_token) == 202
        assert post(f"/videos/{video}/delete", data={"sure": "1"}) == 403
        assert post(f"/videos/{video}/delete", data={"csrf": token}) == 422
        assert post(f"/videos/{video}/delete", data={"csrf": token, "sure": "1"}) == 303


def test_a_password_is_set_again(idle_server: VideoServer) -> None:
    from tests.support.people import newest_mail, sign_in

    person = somebody(idle_server)
    number = len(mails(idle_server, person.email)) + 1
    answer = idle_server.client.post("/forgot", data={"email": person.email})
    assert "Check your e-mail" in answer.text
    token = token_of(newest_mail(idle_server, person.email, number))
    assert token in idle_server.client.get(f"/reset?token={token}").text
    for password, status in (("short", 422), ("another long password", 200)):
        form = {"token": token, "password": password}
        assert idle_server.client.post("/reset", data=form).status_code == status
    assert sign_in(idle_server, person.email, "another long password").cookie
    assert person.request("GET", "/").headers["location"] == "/sign-in"


@pytest.mark.browser
def test_a_captcha_is_shown_and_registering_fails_closed(
    video_server: Callable[..., VideoServer], open_page: Open, complaints: list[str]
) -> None:
    """The script of the provider is not within reach here: another one stands for it."""
    captcha = ("--captcha", "turnstile", "--captcha-site-key", "1x00000000000000000000AA")
    secret = {"TALLYLENS_CAPTCHA_SECRET": "secret"}
    server = video_server(*captcha, workers=0, environment=secret)
    page = open_page(server, "/sign-in", extra_http_headers={})
    script = """{ const element = document.querySelector(".cf-turnstile");
        const field = document.createElement("input");
        field.type = "hidden"; field.name = "cf-turnstile-response";
        field.value = `solved for ${element.dataset.sitekey}`; element.append(field); }"""
    page.route(
        "https://challenges.cloudflare.com/**",
        lambda route: route.fulfill(body=script, content_type="text/javascript"),
    )
    page.goto("/register")
    token = page.locator("[name=cf-turnstile-response]")
    token.wait_for(state="attached")
    assert token.input_value() == "solved for 1x00000000000000000000AA"
    page.get_by_label("E-mail address", exact=True).fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    # 503 where the provider cannot be asked, 403 where it does not know the token.
    assert page.get_by_role("alert").inner_text().startswith("The captcha ")
    assert page.get_by_label("E-mail address", exact=True).input_value() == "ada@example.org"
    assert mails(server, "ada@example.org") == []
    assert [one for one in complaints if "503" not in one and "403" not in one] == []
    complaints.clear()
