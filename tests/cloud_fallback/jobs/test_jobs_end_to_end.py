"""Tests of the whole way of a video: upload, job, report, as processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome
from tests.support.video_server import VideoServer, comparable, job_of

LINES = ["0,0.5,1,0.5,road"]
pytestmark = pytest.mark.slow


def test_a_report_is_the_document_of_count(
    video_server: Callable[..., VideoServer],
    tallylens: Callable[..., Outcome],
    tiny_model: Path,
    crossing: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = video_server()
    job = server.upload(crossing, {"lines": LINES}, name="C:\\clips\\my street.mp4")
    ended = server.wait(job)
    assert (ended["state"], ended["error"]) == ("done", None)
    monkeypatch.chdir(tiny_model.parent)
    counted = tallylens("count", crossing, "--model", tiny_model.name, "--line", LINES[0], "--json")
    report = server.report(job)
    assert comparable(report) == comparable(json.loads(counted.out))
    assert report["unique"] == {"car": 1, "person": 1}
    assert report["source"] == "my street.mp4"
    everything = json.dumps(report) + server.get(f"/v1/jobs/{job}/report.html").text
    assert str(server.videos) not in everything
    assert str(tiny_model.parent) not in everything


def test_what_is_ignored_is_that_of_count(
    video_server: Callable[..., VideoServer],
    tallylens: Callable[..., Outcome],
    tiny_model: Path,
    crossing: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = "0,0,0.5,0,0.5,1,0,1,sidewalk"
    server = video_server()
    options = {"lines": LINES, "ignore": [left], "min_size": 0.05, "max_size": 0.9}
    job = server.upload(crossing, options)
    ended = server.wait(job)
    assert (ended["state"], ended["error"]) == ("done", None)
    monkeypatch.chdir(tiny_model.parent)
    filters = ["--ignore", left, "--min-size", "0.05", "--max-size", "0.9"]
    counted = tallylens(
        "count", crossing, "--model", tiny_model.name, "--line", LINES[0], *filters, "--json"
    )
    report = server.report(job)
    assert comparable(report) == comparable(json.loads(counted.out))
    assert report["unique"] == {"person": 1}
    assert [zone["name"] for zone in report["filters"]["ignore"]] == ["sidewalk"]
    # The page says why there is nothing, as the command does.
    nothing = server.wait(server.upload(crossing, {"min_size": 0.9}))
    (warning,) = server.report(nothing["id"])["warnings"]
    page = server.get(f"/videos/{nothing['video']}").text
    assert "all in ignored zones or outside the minimum and maximum size" in warning
    assert f"Warning: {warning}." in page
    # The form without JavaScript asks for the same: its count is that one.
    form = {"lines": LINES[0], "ignore": left, "min_size": "0.05", "max_size": "0.9"}
    file = {"file": (crossing.name, crossing.read_bytes(), "video/mp4")}
    answer = server.client.post("/videos", headers=server.headers(), data=form, files=file)
    assert answer.status_code == 303, answer.text
    assert server.wait(f"job_{answer.headers['location'][-26:]}")["same_as"] == job
    # A size of which nothing is left fails with the words of the command.
    refused = server.wait(server.upload(crossing, {"min_size": 300, "max_size": 200}))
    told = tallylens(
        *("count", crossing, "--model", tiny_model.name, "--min-size", "300", "--max-size", "200")
    )
    assert refused["state"] == "failed"
    assert told.status == 2
    assert f"tallylens: {refused['error']}\n" == told.err


def test_an_upload_in_parts_is_one_video(
    video_server: Callable[..., VideoServer], crossing: Path
) -> None:
    server, content = video_server(), crossing.read_bytes()
    location = server.create(len(content)).headers["location"]
    half = len(content) // 2
    assert server.patch(location, 0, content[:half]).headers["upload-offset"] == str(half)
    assert server.patch(location, 0, content).status_code == 409
    assert server.patch(location, half, content[half:]).status_code == 204
    assert server.wait(job_of(location))["frames"] == 30


@pytest.mark.realdata
def test_real_videos_give_the_documents_of_count(
    video_server: Callable[..., VideoServer], tallylens: Callable[..., Outcome], data: Path
) -> None:
    line = "0,0.6,1,0.6,road"
    server = video_server(model="demo", workers=2)
    videos = sorted((data / "videos").glob("*.mp4"))
    assert len(videos) == 3
    jobs = [server.upload(video, {"lines": [line]}) for video in videos]
    for video, job in zip(videos, jobs, strict=True):
        counted = tallylens("count", video, "--model", "demo", "--line", line, "--json")
        assert server.wait(job)["state"] == "done"
        assert comparable(server.report(job)) == comparable(json.loads(counted.out))
