"""The pages in Chromium: a video goes in, its count comes out, however it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cloud_fallback.jobs.pages.conftest import Open
from tests.conftest import Outcome
from tests.support.browsing import reach
from tests.support.video_server import VideoServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LINE = "0,0.5,1,0.5,road"
Start = Callable[..., VideoServer]


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("speed", "source")}


def choose(page: Any, *paths: Path, lines: str = LINE) -> None:
    """Fill the form of an upload."""
    page.click("#upload summary")
    page.fill("#upload-lines", lines)
    page.set_input_files("#file", list(paths))


def upload(page: Any, *paths: Path, lines: str = LINE) -> None:
    choose(page, *paths, lines=lines)
    page.get_by_role("button", name="Upload and count").click()


def done(page: Any, name: str) -> None:
    """Wait until the list says that the video is counted, without a reload."""
    row = page.locator("#videos li", has_text=name)
    row.locator(".words", has_text="Done").wait_for()


def test_a_video_is_counted_while_the_page_tells(
    video_server: Start,
    open_page: Open,
    tallylens: Callable[..., Outcome],
    tiny_model: Path,
    crossing: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = video_server()
    page = open_page(server)
    upload(page, crossing)
    done(page, crossing.name)
    page.locator("#videos a").click()
    page.locator("tbody").wait_for()
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [["car", "1", "1", "0"], ["person", "1", "0", "1"]]
    assert page.frame_locator("iframe").locator("h1").inner_text() == f"Count of {crossing.name}"
    report = server.report(page.locator("section[data-job]").get_attribute("data-job"))
    monkeypatch.chdir(tiny_model.parent)
    counted = tallylens("count", crossing, "--model", tiny_model.name, "--line", LINE, "--json")
    assert comparable(report) == comparable(json.loads(counted.out))
    assert report["source"] == crossing.name


def test_a_wrong_count_is_corrected_and_exported(
    video_server: Start, open_page: Open, crossing: Path
) -> None:
    import io
    import zipfile

    server = video_server()
    job = server.upload(crossing, {"lines": [LINE]})
    video = server.wait(job)["video"]
    page = open_page(server, f"/videos/{video}")
    page.get_by_text("This count is wrong").click()
    page.get_by_label("Class", exact=True).fill("car")
    page.get_by_label("Right number").fill("2")
    page.get_by_label("Frame where").fill("7")
    page.get_by_label("Note").fill("<b>behind</b> the tree")
    page.get_by_role("button", name="Send").click()
    told = page.get_by_role("list", name="Your corrections")
    assert told.inner_text() == "Right is 2 car, at frame 7: <b>behind</b> the tree"
    archive = zipfile.ZipFile(io.BytesIO(server.get("/v1/feedback.zip").content))
    assert "car,1,2,7," in archive.read("labels.csv").decode()


def test_without_javascript(video_server: Start, open_page: Open, crossing: Path) -> None:
    server = video_server()
    page = open_page(server, java_script_enabled=False)
    upload(page, crossing)
    page.wait_for_url("**/videos/vid_*")
    assert page.locator("h1").inner_text() == crossing.name
    job = f"job_{page.url[-26:]}"
    server.wait(job)
    page.reload()
    assert page.locator("tbody tr").first.inner_text().split() == ["car", "1", "1", "0"]
    page.locator("#again-lines").fill("")
    page.get_by_role("button", name="Count again").click()
    page.locator("h2", has_text="Count 2").wait_for()
    page.get_by_label("I am sure").check()
    page.get_by_role("button", name="Delete the video").click()
    page.wait_for_url("**/videos")
    assert page.locator("#videos").inner_text() == "None yet."
    assert server.get("/v1/videos").json() == {"videos": []}


def test_with_the_keyboard_only(video_server: Start, open_page: Open, crossing: Path) -> None:
    server = video_server()
    page = open_page(server)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    reach(page, "What to count")
    page.keyboard.press("Enter")
    reach(page, "upload-lines")
    page.keyboard.type(LINE)
    reach(page, "file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(crossing)
    reach(page, "Upload and count")
    page.keyboard.press("Enter")
    done(page, crossing.name)
    reach(page, crossing.name)
    page.keyboard.press("Enter")
    page.locator("h1", has_text=crossing.name).wait_for()
    reach(page, "This count is wrong")
    page.keyboard.press("Enter")
    reach(page, "-number")


def slow_down(page: Any, bytes_per_s: int) -> None:
    """Limit how fast the browser sends; -1 for no limit."""
    session = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": bytes_per_s})


@pytest.fixture
def large(crossing: Path, tmp_path: Path) -> Path:
    """A video with a long end that no reader of its container reads."""
    path = tmp_path / "large.mp4"
    free = 6 << 20
    path.write_bytes(crossing.read_bytes() + free.to_bytes(4, "big") + b"free" + bytes(free - 8))
    return path


def test_an_upload_pauses_resumes_and_survives_a_reload(
    video_server: Start, open_page: Open, large: Path
) -> None:
    server = video_server()
    page = open_page(server)
    slow_down(page, 1 << 20)
    upload(page, large)
    row = page.locator("#uploads li", has_text=large.name)
    row.locator(".words", has_text=re.compile(r"^[1-9]\d?%")).wait_for()
    page.get_by_role("button", name=f"Pause {large.name}").click()
    row.locator(".words", has_text="Paused").wait_for()
    page.reload()
    left = page.locator("#uploads li", has_text="choose the same file again")
    assert large.name in left.inner_text()
    slow_down(page, -1)
    page.set_input_files("#file", large)
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one))
    page.get_by_role("button", name="Upload and count").click()
    done(page, large.name)
    first = next(one for one in sent if one.method == "PATCH")
    assert int(first.headers["upload-offset"]) > 0
    assert page.locator("#uploads li").count() == 0
    video = server.get("/v1/videos").json()["videos"]
    assert [one["bytes"] for one in video] == [large.stat().st_size]


def test_an_upload_is_canceled(video_server: Start, open_page: Open, large: Path) -> None:
    server = video_server(workers=0)
    page = open_page(server)
    slow_down(page, 1 << 20)
    upload(page, large)
    page.locator("#uploads .words", has_text="%").wait_for()
    page.get_by_role("button", name=f"Cancel {large.name}").click()
    page.get_by_role("status").filter(has_text="was canceled").wait_for()
    assert page.locator("#uploads li").count() == 0
    page.reload()
    assert page.locator("#uploads li").count() == 0
    assert server.get("/v1/videos").json() == {"videos": []}


def test_several_videos_and_one_that_is_none(
    video_server: Start, open_page: Open, crossing: Path, tmp_path: Path
) -> None:
    other = tmp_path / "notes.mp4"
    other.write_bytes(b"not a video")
    server = video_server()
    page = open_page(server)
    upload(page, crossing, other)
    done(page, crossing.name)
    refused = page.locator("#videos li", has_text="notes.mp4").locator(".words")
    refused.filter(has_text="Refused: the file is not a video").wait_for()


@pytest.mark.realdata
@pytest.mark.timeout(900)
def test_shared_videos_are_counted_as_on_the_command_line(
    video_server: Start,
    open_page: Open,
    tallylens: Callable[..., Outcome],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    videos = sorted((data / "videos").glob("*.mp4"))
    model = data / "models" / "yolov5n-export-opset17.onnx"
    assert len(videos) == 3
    server = video_server(model=model)
    page = open_page(server)
    upload(page, *videos)
    page.context.set_default_timeout(600_000)
    monkeypatch.chdir(model.parent)
    for path in videos:
        done(page, path.name)
        page.locator("#videos a", has_text=path.name).click()
        document = server.report(page.locator("section[data-job]").get_attribute("data-job"))
        counted = tallylens("count", path, "--model", model.name, "--line", LINE, "--json")
        assert comparable(document) == comparable(json.loads(counted.out))
        assert sum(document["unique"].values()) > 0
        page.go_back()


def test_two_tabs_make_one_video_of_one_file(
    video_server: Start, open_page: Open, large: Path, complaints: list[str]
) -> None:
    server = video_server(workers=0)
    page = open_page(server)
    slow_down(page, 1 << 20)
    upload(page, large)
    page.locator("#uploads .words", has_text=re.compile(r"^[1-9]\d?%")).wait_for()
    other = page.context.new_page()
    other.goto("/")
    upload(other, large)
    for one in (other, page):
        one.locator("#uploads li").wait_for(state="detached")
        one.locator("#videos a", has_text=large.name).wait_for()
    (video,) = server.get("/v1/videos").json()["videos"]
    assert video["bytes"] == large.stat().st_size
    # The first tab is refused where the second has sent.
    assert [text for text in complaints if "409" not in text] == []
    complaints.clear()
    assert "Traceback" not in server.log()
