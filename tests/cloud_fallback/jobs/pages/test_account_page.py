"""The page of an account in Chromium: keys, webhooks and their secrets, usage, and its deletion."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.cloud_fallback.jobs.pages.conftest import Open
from tests.support.browsing import problems, reach
from tests.support.people import PASSWORD, Person, forget_tries, somebody, upload
from tests.support.video_server import VideoServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HOOK = "https://localhost/hook"


def opened(open_page: Open, person: Person, path: str = "/account", **options: Any) -> Any:
    """A page of somebody who signs in."""
    page = open_page(person.server, "/sign-in", **{"extra_http_headers": {}, **options})
    page.set_default_timeout(5000)
    page.get_by_label("E-mail address", exact=True).fill(person.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(path)
    return page


@pytest.fixture
def person(idle_server: VideoServer) -> Person:
    forget_tries(idle_server.videos)
    return somebody(idle_server)


def test_a_webhook_is_added_rotated_disabled_and_deleted(open_page: Open, person: Person) -> None:
    page = opened(open_page, person, java_script_enabled=False)
    page.get_by_text("Add a webhook").click()
    page.get_by_label("URL").fill(HOOK)
    page.get_by_label("job.late").uncheck()
    page.get_by_role("button", name="Add the webhook").click()
    first = page.locator("#secret").inner_text()
    assert first.startswith("whsec_")
    path = page.get_by_role("button", name="Save").locator("..").get_attribute("action")
    (document,) = person.request("GET", "/v1/webhooks").json()["webhooks"]
    assert document["events"] == ["job.done", "job.failed", "job.cancelled"]
    assert path == f"/account/webhooks/{document['id']}"
    page.goto(path)
    assert page.locator("#secret").count() == 0
    assert first not in page.content()
    page.get_by_role("button", name="Make a new secret").click()
    second = page.locator("#secret").inner_text()
    assert second.startswith("whsec_")
    assert second != first
    assert page.get_by_text("The secret before signs too until").count() == 1
    page.get_by_role("button", name="Disable").click()
    page.get_by_text("Disabled since").wait_for()
    page.get_by_role("button", name="Enable").click()
    page.get_by_text("Enabled.").wait_for()
    page.get_by_label("I am sure").check()
    page.get_by_role("button", name="Delete the webhook").click()
    page.get_by_role("heading", name="Account").wait_for()
    assert person.request("GET", "/v1/webhooks").json() == {"webhooks": []}


def test_plan_payment_and_usage_are_shown(
    open_page: Open, person: Person, complaints: list[str]
) -> None:
    upload(person)
    page = opened(open_page, person)
    text = page.locator("main").inner_text()
    account = person.request("GET", "/v1/account").json()["id"]
    assert f"Account\n{person.email}\nIdentifier\n{account}\nPlan\nfree\nPayment\nNone.\n" in text
    assert "0 counted, 1 waiting or counted now, 4 left" in text
    page.get_by_label("Name of a new key").fill("admin")
    page.get_by_label("Days until").fill("30")
    page.get_by_label("It may manage").check()
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#new-key").inner_text()
    headers = person.server.headers(key)
    (row,) = person.server.client.get("/v1/keys", headers=headers).json()["keys"]
    assert row["scopes"] == ["account", "videos"]
    assert row["expires"] is not None
    # A reload of the page with the key sends the form again: no second key.
    page.reload()
    assert "this form was sent already" in page.content().lower()
    assert len(person.request("GET", "/v1/keys").json()["keys"]) == 1
    assert [one for one in complaints if "409" not in one] == []
    complaints.clear()


def test_an_archive_is_downloaded_and_the_account_deleted(
    open_page: Open, person: Person, complaints: list[str]
) -> None:
    upload(person, b"not a video")
    page = opened(open_page, person)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all of it").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert person.email in archive.read("accounts.json").decode()
    page.get_by_role("link", name="Delete the account").click()
    page.get_by_label("I am sure").check()
    page.get_by_label("Password").fill("wrong wrong wrong")
    page.get_by_role("button", name="Delete the account for good").click()
    assert page.get_by_role("alert").inner_text() == "The password is wrong. Check it."
    assert person.request("GET", "/v1/account").status_code == 200
    # With the keyboard only.
    reach(page, "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The account is deleted").wait_for()
    assert person.request("GET", "/v1/account").status_code == 401
    # The browser notes the refused form in its console.
    assert [one for one in complaints if "403" not in one] == []
    complaints.clear()


def test_axe_finds_nothing_on_a_phone_by_day_and_night(open_page: Open, person: Person) -> None:
    body = {"url": f"https://hooks.example/{'a' * 300}"}
    hook = person.request("POST", "/v1/webhooks", json=body).json()["id"]
    screen: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
    page = opened(open_page, person, bypass_csp=True, **screen)
    for path in ("/account", "/account/delete", f"/account/webhooks/{hook}"):
        page.goto(path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert problems(page) == [], (path, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        for button in page.locator("main button, main summary").all():
            assert button.bounding_box()["height"] >= 44, path
