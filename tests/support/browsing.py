"""Chromium in tests of pages: faults by the rules of axe-core, and the keyboard."""

from __future__ import annotations

from importlib import import_module
from typing import Any

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def problems(page: Any) -> list[str]:
    """The findings of axe-core, with all parts of the page opened."""
    axe = import_module("axe_playwright_python.sync_playwright").Axe()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    # The report in the frame is another document, which its sandbox lets no script into.
    options = {"runOnly": WCAG, "iframes": False, "resultTypes": ["violations"]}
    found = axe.run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


def reach(page: Any, wanted: str) -> None:
    """Press Tab until an element has the focus whose text is this, or whose id ends so."""
    for _ in range(60):
        found, text = page.evaluate(
            "[document.activeElement.id, document.activeElement.textContent.trim()]"
        )
        if text == wanted or (found and found.endswith(wanted)):
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert page.evaluate(style) != "none"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")
