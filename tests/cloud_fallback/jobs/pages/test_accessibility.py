"""Each page by the rules of axe-core, on a phone, in the dark, and under its policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs.pages.render import POLICY
from tests.cloud_fallback.jobs.pages.conftest import Open
from tests.support.browsing import problems
from tests.support.video_server import VideoServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATHS = ("/", "/videos", "/cost", "/account", "/sign-in", "/register", "/forgot", "/reset")
Start = Callable[..., VideoServer]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, crossing: Path) -> Any:
    """A server with a video that is counted and corrected, one that is refused, and their pages."""
    server = VideoServer(tmp_path_factory.mktemp("counted"), tiny_model).start()
    with server.running():
        job = server.upload(crossing, {"lines": ["0,0.5,1,0.5,road"]}, name="a" * 90 + ".mp4")
        paths = [*PATHS, f"/videos/{server.wait(job)['video']}"]
        correction = {"class_name": "car", "number": 3}
        assert server.post(f"/v1/jobs/{job}/feedback", json=correction).status_code == 201
        location = server.create(3, "notes.mp4").headers["location"]
        server.patch(location, 0, b"abc")
        paths.append(f"/videos/{server.wait(f'job_{location[-26:]}')['video']}")
        yield server, paths


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(counted: Any, open_page: Open, scheme: str) -> None:
    server, paths = counted
    page = open_page(server, color_scheme=scheme, bypass_csp=True)
    for path in paths:
        page.goto(path)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, re.findall(r"\d+", ground))) > 380
        assert light == (scheme == "light")
        assert problems(page) == [], path


def test_axe_finds_what_is_wrong(counted: Any, open_page: Open) -> None:
    page = open_page(counted[0], bypass_csp=True)
    page.evaluate("document.querySelector('label[for=file]').remove()")
    page.evaluate("document.body.style.color = '#ccc'")
    found = " ".join(problems(page))
    assert "label: " in found
    assert "color-contrast: " in found


def test_nothing_is_wider_than_a_phone(counted: Any, open_page: Open) -> None:
    server, paths = counted
    page = open_page(server, viewport={"width": 390, "height": 800}, has_touch=True)
    for path in paths:
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        for button in page.locator("main button, main summary").all():
            assert button.bounding_box()["height"] >= 44, path


def test_the_policy_allows_nothing_inline(counted: Any) -> None:
    server, paths = counted
    assert POLICY.startswith("default-src 'none'; ")
    assert "unsafe" not in POLICY
    for path in [*paths, "/videos/vid_0", "/cost?fps=-1"]:
        answer = server.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<style|\sstyle=|<script(?![^>]* src=)|\son\w+=", answer.text), path


def test_the_browser_enforces_the_policy(
    counted: Any, open_page: Open, complaints: list[str]
) -> None:
    page = open_page(counted[0])
    with page.expect_console_message() as told:
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"top: 0\">x</p>')")
    assert "Content Security Policy" in told.value.text
    assert complaints == [told.value.text]
    complaints.clear()


def test_errors_are_pages(counted: Any) -> None:
    server, _ = counted
    answer = server.get("/videos/vid_0")
    assert answer.status_code == 404
    assert "There is no such video." in answer.text
    answer = server.get("/cost?fps=-1")
    assert answer.status_code == 422
    assert "fps is -1" in answer.text.lower()


def test_texts_of_users_are_escaped(counted: Any) -> None:
    server, _ = counted
    name = "<img src=x onerror=alert(1)>.mp4"
    location = server.create(3, name).headers["location"]
    server.patch(location, 0, b"abc")
    text = server.get("/").text
    assert "&lt;img src=x" in text
    assert "<img" not in text


def test_files_of_pages_are_kept_by_browsers_until_they_change(counted: Any) -> None:
    server, _ = counted
    paths = re.findall(r'(?:href|src)="(/assets/[^"]+)"', server.get("/").text)
    assert len(paths) == 3
    for path in paths:
        answer = server.get(path)
        assert answer.headers["cache-control"].endswith("immutable")
        assert (
            server.get(f"/assets/old/{path.rpartition('/')[2]}").headers["cache-control"]
            == "no-cache"
        )
    assert server.get("/assets/x/nothing.js").status_code == 404
