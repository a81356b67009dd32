"""The page of `tallylens pick` in Chromium: what is drawn is what comes out, and it counts."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens import Line, Zone
from tests.sdk.pick.conftest import Picking

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Start = Callable[..., Picking]
LINE = ((0.05, 0.5), (0.95, 0.5))
ZONE = ((0.1, 0.55), (0.9, 0.55), (0.9, 0.95), (0.1, 0.95))
PIXEL = 1 / 128


def screen(page: Any, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of the frame is on the screen."""
    box = page.locator("#frame").bounding_box()
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]


def copied(page: Any) -> list[str]:
    """The options, as they are in the clipboard after Copy, split as a shell does."""
    text(page.locator("#options"), "--zone")
    page.click("#copy")
    page.locator("#status", has_text="Copied.").wait_for()
    return shlex.split(page.evaluate("navigator.clipboard.readText()"))


def check(options: list[str], tolerance: float) -> None:
    assert options[::2] == ["--line", "--zone"]
    line, zone = Line.parse(options[1]), Zone.parse(options[3])
    for found, expected in (
        (((line.x1, line.y1), (line.x2, line.y2)), LINE),
        (zone.points, ZONE),
    ):
        assert len(found) == len(expected)
        for point, drawn in zip(found, expected, strict=True):
            assert point == pytest.approx(drawn, abs=tolerance)


def count(tallylens: Callable[..., Any], crossing: Path, model: Path, options: list[str]) -> None:
    """The car of the video goes down over the line into the zone, the person comes up."""
    outcome = tallylens("count", crossing, "--model", model, "--json", *options)
    assert outcome.status == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["lines"][0]["in"] == {"car": 1}
    assert document["lines"][0]["out"] == {"person": 1}
    assert document["zones"][0]["entered"]["car"] == 1


def test_by_mouse(
    picking: Start, page: Any, crossing: Path, tiny_model: Path, tallylens: Callable[..., Any]
) -> None:
    running = picking(crossing, "--json")
    page.goto(running.url)
    page.click("text=Add line")
    page.mouse.move(*screen(page, LINE[0]))
    page.mouse.down()
    page.mouse.move(*screen(page, LINE[1]), steps=5)
    page.mouse.up()
    page.click("text=Add zone")
    for corner in (*ZONE, ZONE[0]):
        page.mouse.click(*screen(page, corner))
    options = copied(page)
    check(options, 1 / 900)
    page.click("#done")
    status, out = running.end()
    assert status == 0
    document = json.loads(out)
    assert document["options"] == options
    assert (document["width"], document["height"], document["at_s"]) == (128, 128, 0)
    count(tallylens, crossing, tiny_model, options)


def test_by_touch_on_a_narrow_screen(
    picking: Start, phone: Any, crossing: Path, tiny_model: Path, tallylens: Callable[..., Any]
) -> None:
    running = picking(crossing)
    phone.goto(running.url)
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    phone.tap("text=Add line")
    for end in LINE:
        phone.touchscreen.tap(*screen(phone, end))
    phone.tap("text=Add zone")
    for corner in ZONE:
        phone.touchscreen.tap(*screen(phone, corner))
    phone.tap("#finish")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    options = copied(phone)
    check(options, 1 / 350)
    count(tallylens, crossing, tiny_model, options)
    phone.tap("#done")
    assert running.end() == (0, shlex.join(options) + "\n")


def test_by_keyboard(
    picking: Start, page: Any, crossing: Path, tiny_model: Path, tallylens: Callable[..., Any]
) -> None:
    running = picking(crossing)
    page.goto(running.url)

    def go(start: tuple[float, float], end: tuple[float, float]) -> None:
        for axis, keys in enumerate((("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"))):
            steps = round(100 * (end[axis] - start[axis]))
            key = keys[steps > 0]
            for _ in range(abs(steps) // 10):
                page.keyboard.press(f"Shift+{key}")
            for _ in range(abs(steps) % 10):
                page.keyboard.press(key)
        page.keyboard.press("Enter")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    at = (0.5, 0.5)
    for end in LINE:
        go(at, end)
        at = end
    page.focus("text=Add zone")
    page.keyboard.press("Enter")
    at = (0.5, 0.5)
    for corner in ZONE:
        go(at, corner)
        at = corner
    page.keyboard.press("Enter")
    options = copied(page)
    check(options, 1e-9)
    count(tallylens, crossing, tiny_model, options)


def test_points_are_moved_and_regions_named_flipped_and_deleted(
    picking: Start, page: Any, crossing: Path
) -> None:
    running = picking(crossing, "--line", "0.1,0.5,0.9,0.5,main road,in=south,out=north")
    page.goto(running.url)
    options = page.locator("#options")
    # The same region again, with what the page does not know.
    assert text(options, "--line") == "--line '0.1,0.5,0.9,0.5,main road,in=south,out=north'"
    page.mouse.move(*screen(page, (0.9, 0.5)))
    page.mouse.down()
    page.mouse.move(*screen(page, (0.7, 0.8)), steps=4)
    page.mouse.up()
    moved = Line.parse(shlex.split(text(options, "0.8"))[1])
    assert (moved.x2, moved.y2) == pytest.approx((0.7, 0.8), abs=1 / 900)
    page.focus('[data-key="0.0"]')
    page.keyboard.press("ArrowDown")
    assert "0.1,0.51," in text(options, "0.51")
    # The handle keeps the focus while it moves.
    page.keyboard.press("Shift+ArrowRight")
    assert "0.2,0.51," in text(options, "0.2,0.51")
    page.click("text=Flip")
    flipped = Line.parse(shlex.split(text(options, ",0.2,0.51"))[1])
    assert (flipped.x2, flipped.y2) == (0.2, 0.51)
    assert (flipped.in_name, flipped.out_name) == ("south", "north")
    page.fill("li input", "it's the road")
    named = Line.parse(shlex.split(text(options, "it"))[1])
    assert named.name == "it's the road"
    # Enter and Delete are for the keyboard: focus a point.
    page.focus('[data-key="0.1"]')
    page.keyboard.press("Delete")
    page.wait_for_selector("#options:empty", state="attached")
    assert running.end(signal.SIGINT) == (130, "")


def text(options: Any, part: str) -> str:
    """The text of the options once it holds `part`."""
    options.filter(has_text=part).wait_for()
    found: str = options.inner_text()
    return found


def test_a_region_that_count_refuses_is_left_out_and_explained(
    picking: Start, page: Any, crossing: Path
) -> None:
    running = picking(crossing)
    page.goto(running.url)
    page.click("text=Add zone")
    for corner in ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)):
        page.mouse.click(*screen(page, corner))
    page.click("#finish")
    page.wait_for_selector("text=the sides of a zone cross")
    assert page.inner_text("#options") == ""
    # Moving two corners mends it.
    page.fill("li input", "extend")
    for index, end in ((1, (0.9, 0.1)), (2, (0.9, 0.9))):
        page.mouse.move(*screen(page, [(0.9, 0.9), (0.9, 0.1)][index - 1]))
        page.mouse.down()
        page.mouse.move(*screen(page, end), steps=3)
        page.mouse.up()
    assert "extend" in text(page.locator("#options"), "--zone")
    page.reload()
    assert "extend" in text(page.locator("#options"), "--zone")
    status, out = running.end(signal.SIGINT)
    assert status == 130
    assert Zone.parse(shlex.split(out)[1]).name == "extend"


def test_what_is_drawn_before_the_first_answer_is_kept(
    picking: Start, page: Any, crossing: Path
) -> None:
    """A slow machine: the first request waits until a line is drawn beside the one given."""
    running = picking(crossing, "--line", "0.1,0.2,0.9,0.2,given")
    waiting: list[Any] = []

    def hold_first(route: Any) -> None:
        if waiting:
            route.continue_()
        else:
            waiting.append(route)

    page.route("**/regions", hold_first)
    page.goto(running.url)
    page.click("text=Add line")
    for end in LINE:
        page.mouse.click(*screen(page, end))
    page.locator("#status", has_text="line 2 added").wait_for()
    waiting[0].continue_()
    assert text(page.locator("#options"), "0.95,0.5").count("--line") == 2
    page.click("#done")
    assert shlex.split(running.end()[1])[::2] == ["--line", "--line"]


def test_what_is_being_drawn_can_be_taken_back(picking: Start, page: Any, crossing: Path) -> None:
    running = picking(crossing)
    page.goto(running.url)
    page.click("text=Add line")
    page.mouse.click(*screen(page, (0.2, 0.2)))
    page.keyboard.press("Backspace")
    page.mouse.click(*screen(page, (0.3, 0.3)))
    page.mouse.click(*screen(page, (0.6, 0.6)))
    line = Line.parse(shlex.split(text(page.locator("#options"), "--line"))[1])
    assert (line.x1, line.y1) == pytest.approx((0.3, 0.3), abs=1 / 900)
    page.click("text=Add zone")
    page.mouse.click(*screen(page, (0.2, 0.2)))
    page.keyboard.press("Escape")
    assert page.locator(".handle").count() == 2
