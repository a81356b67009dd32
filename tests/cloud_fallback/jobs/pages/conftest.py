"""Chromium on the pages of a server, which must neither fail nor complain in its console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.video_server import VideoServer

Open = Callable[..., Any]
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """Chromium, for the tests of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors and warnings in the consoles of pages; none may be left at the end."""
    return []


@pytest.fixture
def open_page(browser: Any, complaints: list[str]) -> Iterator[Open]:
    """Opens a page of a server for the tester; at the end no console may have an error."""
    contexts: list[Any] = []

    def open_one(server: VideoServer, path: str = "/", **options: Any) -> Any:
        defaults = {"extra_http_headers": server.headers()}
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{server.port}", **{**defaults, **options}
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on(
            "console",
            lambda told: complaints.append(told.text) if told.type in ("error", "warning") else 0,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
