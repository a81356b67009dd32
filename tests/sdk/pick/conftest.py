"""`tallylens pick` as a process, and its page in Chromium."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Picking:
    """A running `tallylens pick`."""

    process: subprocess.Popen[str]
    url: str

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Exit status and standard output, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, out


@pytest.fixture
def picking() -> Iterator[Callable[..., Picking]]:
    started: list[subprocess.Popen[str]] = []

    def start(source: Path, *options: str) -> Picking:
        process = subprocess.Popen(
            [sys.executable, "-m", "tallylens", "pick", source, "--no-browser", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell may have started the tests with the interrupt ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        assert process.stderr is not None
        seen = ""
        for line in process.stderr:
            seen += line
            found = re.search(r"http://\S+", line)
            if found:
                return Picking(process, found[0])
        raise AssertionError(seen)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test if it breaks its own content policy or throws."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 1400},
        permissions=["clipboard-read", "clipboard-write"],
    )
    yield from _watched(context)


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """A page on a touch screen, 390 pixels wide, in dark mode."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        color_scheme="dark",
        permissions=["clipboard-read", "clipboard-write"],
    )
    yield from _watched(context)


def _watched(context: Any) -> Iterator[Any]:
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
    yield page
    context.close()
    assert not errors, errors
