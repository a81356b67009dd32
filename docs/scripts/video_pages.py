"""Renders docs/images/{videos,video-report,account}.jpg: the pages of uploaded videos, in Chromium.

python docs/scripts/video_pages.py [PATH OF CHROMIUM]

A server of its own counts the demo's street, so that nothing on the images is anybody's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.people import PASSWORD, somebody
from tests.support.video_server import VideoServer

IMAGES = Path(__file__).resolve().parents[1] / "images"
OPTIONS = {"lines": ["0.5,0.2,0.5,1,middle"]}


def main() -> None:
    """Count two videos, and save the pages."""
    path = sys.argv[1] if sys.argv[1:] else shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo = [sys.executable, "-m", "tallylens", "demo", "--seconds", "20", "--seed", "56"]
        subprocess.run([*demo, "--out", str(folder / "demo")], check=True)
        (folder / "server").mkdir()
        server = VideoServer(folder / "server", "demo")
        with server.start().running(), sync_playwright() as playwright:
            street = folder / "demo" / "street.mp4"
            ended = server.wait(server.upload(street, OPTIONS, "market street.mp4"))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            context: dict[str, Any] = {"base_url": str(server.client.base_url)}
            page = browser.new_page(viewport={"width": 900, "height": 760}, **context)
            sign_in(page, server.key)
            page.set_input_files("#file", street)
            page.get_by_role("button", name="Upload and count").click()
            page.locator("#videos .words", has_text="Counting").first.wait_for()
            page.screenshot(path=IMAGES / "videos.jpg", type="jpeg", quality=80)
            phone = browser.new_page(
                viewport={"width": 390, "height": 900}, color_scheme="dark", **context
            )
            sign_in(phone, server.key)
            phone.goto(f"/videos/{ended['video']}")
            phone.frame_locator("iframe").locator("h1").wait_for()
            phone.screenshot(path=IMAGES / "video-report.jpg", type="jpeg", quality=80)
            account = browser.new_page(viewport={"width": 900, "height": 1000}, **context)
            show_account(account, server)
            account.screenshot(path=IMAGES / "account.jpg", type="jpeg", quality=80)
            browser.close()


def show_account(page: Page, server: VideoServer) -> None:
    """Open the page of an account with a key and a webhook."""
    person = somebody(server, "ada@example.org")
    person.request("POST", "/v1/keys", json={"name": "parking counter", "days": 90})
    person.request("POST", "/v1/webhooks", json={"url": "https://hooks.example.org/counts"})
    page.goto("/sign-in")
    page.get_by_label("E-mail address", exact=True).fill(person.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator("#upload").wait_for()
    page.goto("/account")


def sign_in(page: Page, key: str) -> None:
    """Sign in with a key."""
    page.goto("/sign-in")
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in with the key").click()
    page.locator("#upload").wait_for()


if __name__ == "__main__":
    main()
