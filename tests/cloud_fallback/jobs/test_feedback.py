"""Tests of corrections, and of the labeled set that they make."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs.feedback import Correction
from tallylens.cloud_fallback.jobs.frame_image import frame_jpeg
from tallylens.cloud_fallback.jobs.frame_images import FrameImages
from tallylens.cloud_fallback.jobs.problems import ProblemError
from tests.support.video_server import VideoServer

RIGHT = {"class_name": "car", "number": 2}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"class_name": ""}, "class_name"),
        ({"class_name": " "}, "class_name"),
        ({"class_name": "x" * 101}, "class_name"),
        ({"class_name": 3}, "class_name"),
        ({"number": -1}, "number"),
        ({"number": True}, "number"),
        ({"number": 1.5}, "number"),
        ({"number": "2"}, "number"),
        ({"number": None}, "number"),
        ({"number": 1_000_001}, "number"),
        ({"frame": -1}, "frame"),
        ({"frame": "x"}, "frame"),
        ({"note": 1}, "note"),
        ({"note": "x" * 1001}, "note"),
        ({"extra": 1}, "extra"),
    ],
)
def test_corrections_that_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ProblemError) as refused:
        Correction.of({**RIGHT, **change})
    assert refused.value.status == 422
    assert refused.value.errors[0]["field"] == field


def test_a_correction_is_plain_text() -> None:
    given = Correction.of({**RIGHT, "class_name": " car\x1b[2J ", "frame": 0})
    assert "\x1b" not in given.class_name
    assert (given.number, given.frame, given.note) == (2, 0, "")


@pytest.mark.slow
def test_a_frame_is_the_one_with_its_index(crossing: Path) -> None:
    import cv2
    import numpy as np

    capture = cv2.VideoCapture(str(crossing))
    shown = [capture.read()[1] for _ in range(30)]
    images = FrameImages()
    for index in (0, 13, 29):
        image = images.jpeg(crossing, index)
        found = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        assert found is not None
        errors = [float(np.abs(found.astype(int) - one).mean()) for one in shown]
        assert errors.index(min(errors)) == index
        assert min(errors) < 6
    assert images.jpeg(crossing, 30) == b""
    assert images.jpeg(crossing.parent / "nothing.mp4", 0) == b""
    images.close()
    assert images.jpeg(crossing, 0) == b""
    with pytest.raises(ValueError, match="no frame"):
        frame_jpeg(crossing, -1)


@pytest.mark.slow
def test_the_labeled_set_has_the_right_numbers_and_the_frames(
    video_server: Callable[..., VideoServer], crossing: Path
) -> None:
    server = video_server()
    job = server.upload(crossing, {"lines": ["0,0.5,1,0.5,road"]}, name="=street.mp4")
    assert server.post(f"/v1/jobs/{job}/feedback", json=RIGHT).status_code == 409
    server.wait(job)
    for document, status in (
        ({**RIGHT, "frame": 7, "note": "=1+1"}, 201),
        ({"class_name": "dog", "number": 1}, 201),
        ({**RIGHT, "frame": 30}, 422),
        ({**RIGHT, "number": -1}, 422),
        ([], 422),
    ):
        answer = server.post(f"/v1/jobs/{job}/feedback", json=document)
        assert answer.status_code == status, answer.text
    listed = server.get(f"/v1/jobs/{job}/feedback").json()["feedback"]
    assert [one["class_name"] for one in listed] == ["car", "dog"]
    archive = zipfile.ZipFile(io.BytesIO(server.get("/v1/feedback.zip").content))
    assert archive.testzip() is None
    rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [(row["class_name"], row["counted"], row["right"], row["frame"]) for row in rows] == [
        ("car", "1", "2", "7"),
        ("dog", "0", "1", ""),
    ]
    assert (rows[0]["name"], rows[0]["note"]) == ("'=street.mp4", "'=1+1")
    assert archive.read(rows[0]["image"]).startswith(b"\xff\xd8")
    assert rows[1]["image"] == ""
    other: dict[str, Any] = {"headers": server.headers(server.other_key)}
    assert server.client.get(f"/v1/jobs/{job}/feedback", **other).status_code == 404
    assert server.client.post(f"/v1/jobs/{job}/feedback", json=RIGHT, **other).status_code == 404
    empty = zipfile.ZipFile(io.BytesIO(server.client.get("/v1/feedback.zip", **other).content))
    assert empty.namelist() == ["README.txt", "labels.csv"]


@pytest.mark.slow
def test_the_cost_is_that_of_the_command(
    idle_server: VideoServer, tallylens: Callable[..., Any]
) -> None:
    import json

    outcome = tallylens("cost", "--videos-per-day", "200", "--way", "cpu", "--json")
    answer = idle_server.get("/v1/cost?videos_per_day=200&way=cpu")
    assert answer.json() == json.loads(outcome.out)
    for query in ("fps=x", "fps=-1", "fps=nan", "fps=inf", "shade=red", "way=air"):
        answer = idle_server.get(f"/v1/cost?{query}")
        assert answer.status_code == 422, query
        assert answer.headers["content-type"] == "application/problem+json"
    assert idle_server.client.get("/v1/cost").status_code == 401
