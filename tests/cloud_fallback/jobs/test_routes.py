"""Tests of the routes of videos and jobs over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs.probe import probe
from tests.support.video_server import VideoServer, wait_until

pytestmark = pytest.mark.slow


def upload(server: VideoServer, name: str = "a.mp4", content: bytes = b"not a video") -> str:
    location = server.create(len(content), name).headers["location"]
    assert server.patch(location, 0, content).status_code == 204
    return f"job_{location[-26:]}"


def test_lists_come_in_pages(idle_server: VideoServer) -> None:
    made = [upload(idle_server) for _ in range(5)]
    for path, key in (("/v1/jobs", "jobs"), ("/v1/videos", "videos")):
        listed, url = [], f"{path}?limit=2"
        for _ in range(10):
            answer = idle_server.get(url)
            listed += [one["id"][-26:] for one in answer.json()[key]]
            link = answer.headers.get("link")
            if link is None:
                break
            assert link.endswith('; rel="next"')
            url = link[1 : link.index(">")]
            assert url.startswith(f"{path}?limit=2&after=")
        assert listed[:5] == [one[-26:] for one in reversed(made)]
        assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", f"after={'x' * 65}"])
def test_pages_that_are_refused(idle_server: VideoServer, query: str) -> None:
    answer = idle_server.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_an_unknown_path_and_method_are_problems(idle_server: VideoServer) -> None:
    for answer, status in (
        (idle_server.get("/v1/nothing"), 404),
        (idle_server.post("/v1/events"), 405),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_another_account_sees_nothing(idle_server: VideoServer) -> None:
    job = upload(idle_server)
    video = idle_server.job(job)["video"]
    headers = idle_server.headers(idle_server.other_key)
    for method, path in (
        ("GET", f"/v1/jobs/{job}"),
        ("POST", f"/v1/jobs/{job}/cancel"),
        ("POST", f"/v1/jobs/{job}/retry"),
        ("GET", f"/v1/jobs/{job}/report.json"),
        ("GET", f"/v1/videos/{video}"),
        ("DELETE", f"/v1/videos/{video}"),
        ("POST", f"/v1/videos/{video}/jobs"),
    ):
        answer = idle_server.client.request(method, path, headers=headers)
        assert answer.status_code == 404, (method, path, answer.text)
    assert idle_server.client.get("/v1/jobs", headers=headers).json() == {"jobs": []}
    assert idle_server.job(job)["state"] == "queued"


def test_a_queued_job_is_cancelled_and_tried_again(idle_server: VideoServer) -> None:
    job = upload(idle_server)
    cancelled = idle_server.post(f"/v1/jobs/{job}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert idle_server.post(f"/v1/jobs/{job}/cancel").status_code == 409
    again = idle_server.post(f"/v1/jobs/{job}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert idle_server.post(f"/v1/jobs/{job}/retry").status_code == 409


def test_there_is_no_report_before_the_end(idle_server: VideoServer) -> None:
    job = upload(idle_server)
    answer = idle_server.get(f"/v1/jobs/{job}/report.json")
    assert (answer.status_code, answer.json()["detail"]) == (409, "the job is queued")
    assert idle_server.get(f"/v1/jobs/{job}/report.exe").status_code == 404


def test_a_deleted_video_is_gone_with_its_file(idle_server: VideoServer) -> None:
    job = upload(idle_server)
    video = idle_server.job(job)["video"]
    file = idle_server.videos / "files" / video[-26:]
    assert file.exists()
    headers = idle_server.headers()
    assert idle_server.client.delete(f"/v1/videos/{video}", headers=headers).status_code == 204
    assert not file.exists()
    assert idle_server.get(f"/v1/videos/{video}").status_code == 404
    assert idle_server.get(f"/v1/jobs/{job}").status_code == 404


def test_the_same_key_gives_the_same_answer(idle_server: VideoServer) -> None:
    def create(key: str, length: int) -> Any:
        headers = {**idle_server.headers(), "Tus-Resumable": "1.0.0", "Idempotency-Key": key}
        headers["Upload-Length"] = str(length)
        return idle_server.client.post("/v1/uploads", headers=headers)

    first, second = create("one", 9), create("one", 9)
    assert first.status_code == second.status_code == 201
    assert first.headers["location"] == second.headers["location"]
    assert create("two", 9).headers["location"] != first.headers["location"]
    other = create("one", 10)
    assert (other.status_code, other.json()["title"]) == (422, "Unprocessable Entity")
    refused = [create("three", 0) for _ in range(2)]
    assert [one.status_code for one in refused] == [400, 400]
    assert refused[0].json() == refused[1].json()
    assert create("x" * 201, 9).status_code == 400


def test_a_video_is_counted_again_with_other_options(idle_server: VideoServer) -> None:
    video = idle_server.job(upload(idle_server))["video"]
    answer = idle_server.post(f"/v1/videos/{video}/jobs", json={"any_class": True})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    assert idle_server.job(answer.json()["id"])["options"]["any_class"] is True
    listed = idle_server.get(f"/v1/videos/{video}").json()["jobs"]
    assert [one["id"] for one in listed][1] == answer.json()["id"]
    refused = idle_server.post(f"/v1/videos/{video}/jobs", json={"lines": ["x"]})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/options")


def test_the_stream_shows_each_change(idle_server: VideoServer) -> None:
    job = upload(idle_server)
    with idle_server.client.stream("GET", "/v1/events", headers=idle_server.headers()) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines) == ": jobs"
        cancel = threading.Timer(0.5, lambda: idle_server.post(f"/v1/jobs/{job}/cancel"))
        cancel.start()
        version = ""
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "id":
                version = value
            if name == "data" and json.loads(value)["id"] == job:
                document = json.loads(value)
                assert document["version"] == version
                if document["state"] == "cancelled":
                    break
    headers = {**idle_server.headers(), "Last-Event-ID": str(int(version) - 1)}
    with idle_server.client.stream("GET", "/v1/events", headers=headers) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                assert json.loads(line[6:])["id"] == job
                break


def test_waiting_for_a_job(
    video_server: Callable[..., VideoServer], crossing: Path, tmp_path: Path
) -> None:
    server = video_server()
    job = server.upload(crossing)
    headers = {**server.headers(), "Prefer": "wait=50"}
    answer = server.client.get(f"/v1/jobs/{job}", headers=headers)
    assert answer.headers["preference-applied"] == "wait=50"
    assert answer.json()["state"] == "done"
    report = server.get(f"/v1/jobs/{job}/report.csv")
    part = server.client.get(
        f"/v1/jobs/{job}/report.csv", headers={**server.headers(), "Range": "bytes=0-4"}
    )
    assert (part.status_code, part.text) == (206, report.text[:5])
    known = {**server.headers(), "If-None-Match": report.headers["etag"]}
    assert server.client.get(f"/v1/jobs/{job}/report.csv", headers=known).status_code == 304
    # The same bytes again: nothing is counted.
    again = server.wait(server.upload(crossing, name="again.mp4"))
    assert (again["state"], again["same_as"], again["attempt"]) == ("done", job, 1)
    assert server.report(again["id"])["source"] == "again.mp4"
    # The annotated video is a pass and a job of its own.
    drawn = server.wait(server.upload(crossing, {"annotated": True, "any_class": True}))
    url = drawn["reports"]["mp4"]
    wait_until(lambda: server.get(url).status_code == 200, server.log())
    film = server.get(url)
    assert film.headers["content-type"] == "video/mp4"
    path = tmp_path / "drawn.mp4"
    path.write_bytes(film.content)
    assert probe(path, 100).frames == 30
    part = server.client.get(url, headers={**server.headers(), "Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    passes = [one for one in server.get("/v1/jobs").json()["jobs"] if one["kind"] == "annotate"]
    assert [(one["state"], one["frames"], one["reports"]) for one in passes] == [("done", 30, None)]
    assert len(list((server.videos / "files").iterdir())) == 4
    headers = server.headers()
    server.client.delete(f"/v1/videos/{drawn['video']}", headers=headers)
    assert len(list((server.videos / "files").iterdir())) == 2
    # A file that is not a video.
    path = tmp_path / "notes.mp4"
    path.write_text("not a video " * 100)
    refused = server.wait(server.upload(path))
    assert refused["state"] == "failed"
    assert refused["error"] == "the file is not a video of a supported format"
    video = server.get(f"/v1/videos/{refused['video']}").json()
    assert (video["state"], video["reason"]) == ("refused", refused["error"])
