from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.errors import (
    NetworkError,
    SourceError,
    TimestampError,
    UnavailableError,
    UsageError,
)
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.sources.images import GIVE_IMAGES, find_images
from tallylens.edge_runtime.sources.stream import is_youtube, redact
from tallylens.edge_runtime.types import Image

IMAGE = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("nothing.mp4", "no such file or folder"),
        ("nothing*.png", "no images found"),
        ("ftp://user:secret@host/video.mp4", "unsupported URL scheme"),
        ("file:///etc/passwd", "unsupported URL scheme"),
        ("rtsp://", "incomplete URL"),
        ("http://[::1/x", "incomplete URL"),
    ],
)
def test_what_is_not_there(
    spec: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=problem) as caught:
        open_source(spec)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "page"),
    [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s", "/watch?v=dQw4w9WgXcQ'"),
        ("https://youtu.be/dQw4w9WgXcQ?si=abc", "youtu.be/dQw4w9WgXcQ,"),
        ("youtube.com/live/dQw4w9WgXcQ", "https://youtube.com/live/dQw4w9WgXcQ,"),
        ("https://m.youtube.com/';reboot;'", """'https://m.youtube.com/'"'"';reboot;'"'"''"""),
        ("https://YouTube.com/watch?v=$(reboot)", "https://YouTube.com/watch,"),
    ],
)
def test_a_youtube_page_says_how_to_fetch_the_video(spec: str, page: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(spec)
    assert caught.value.exit_status == 3
    assert caught.value.problem.endswith(": a YouTube page, not a video")
    assert caught.value.remedy.startswith(
        "Fetch the video with yt-dlp (pip install yt-dlp): yt-dlp -f mp4 -o video.mp4 "
    )
    assert page in caught.value.remedy
    assert caught.value.remedy.endswith(", then count video.mp4")


@pytest.mark.parametrize("host", ["notyoutube.com", "youtube.com.example.org"])
def test_other_hosts_are_not_youtube(host: str) -> None:
    assert not is_youtube(host)


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no images found"):
        open_source(tmp_path)


def test_of_a_folder_of_videos_one_is_named(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    for name in ("b.mp4", "a.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"")
    for spec in (tmp_path, f"{tmp_path}/*.mp4"):
        with pytest.raises(SourceError, match="no images found") as caught:
            open_source(spec)
        assert caught.value.remedy.endswith(f", or one file, such as {video}")
    with pytest.raises(SourceError, match="no images found") as caught:  # where no video would do
        find_images(tmp_path)
    assert caught.value.remedy == GIVE_IMAGES


@pytest.mark.parametrize("spec", [900, "900"])
def test_a_camera_that_is_not_there(spec: int | str) -> None:
    with pytest.raises(UnavailableError, match="camera 900 cannot be opened") as caught:
        open_source(spec)
    assert caught.value.exit_status == 4


@pytest.mark.parametrize("spec", [-1, 1000])
def test_a_camera_number_out_of_range(spec: int) -> None:
    with pytest.raises(UsageError, match="the camera number is"):
        open_source(spec)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_makes_no_sense(fps: float) -> None:
    with pytest.raises(UsageError, match="image_fps"):
        open_source("x", image_fps=fps)


def test_an_address_that_does_not_answer_keeps_the_password_secret() -> None:
    with pytest.raises(NetworkError) as caught:
        open_source("rtsp://user:se/cr@et@127.0.0.1:1/stream?token=hidden")
    assert caught.value.url == "rtsp://127.0.0.1:1/stream"
    assert caught.value.exit_status == 4


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://host/1", "rtsp://host/1"),
        ("rtsp://user:password@host:554/1", "rtsp://host:554/1"),
        ("http://u:p?a@s/s@host/video?key=1#x", "http://host/video"),
    ],
)
def test_redaction(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_nothing_is_printed_about_broken_files(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    program = (
        "import sys\n"
        "from tallylens.edge_runtime.sources import open_source\n"
        "assert 'cv2' not in sys.modules\n"
        "try: open_source(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("SourceError\n", "")


def test_pairs_of_time_and_image() -> None:
    pairs: Any = [(5, IMAGE), (np.int64(9), IMAGE[:, ::-1])]
    with open_source(pairs) as source:
        assert (source.size, source.frames_total, source.name) == ((6, 4), 2, "frames")
        frames = list(source)
    assert [(frame.timestamp_ns, frame.index) for frame in frames] == [(5, 0), (9, 1)]
    assert frames[1].image.flags.c_contiguous


def test_a_generator_is_taken_one_at_a_time_and_closed() -> None:
    log: list[str] = []

    def pairs() -> Iterator[tuple[int, Image]]:
        try:
            for time in range(100):
                log.append(f"made {time}")
                yield time, IMAGE
        finally:
            log.append("closed")

    with open_source(pairs()) as source:
        assert next(source).index == 0
        assert next(source).index == 1
        assert source.frames_total is None
    assert log == ["made 0", "made 1", "closed"]


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (IMAGE, "not a pair"),
        ((1.5, IMAGE), "not a pair"),
        (("1", IMAGE), "not a pair"),
        ((1, IMAGE.astype(np.float32)), "not a BGR image"),
        ((1, IMAGE[..., 0]), "not a BGR image"),
        ((1, IMAGE[:0]), "not a BGR image"),
        ((1, None), "not a BGR image"),
    ],
)
def test_what_is_no_pair(pair: Any, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        open_source([pair])


def test_no_pairs_at_all() -> None:
    with pytest.raises(SourceError, match="the iterable is empty"):
        open_source(iter([]))


@pytest.mark.parametrize("second", [5, 4])
def test_time_that_does_not_move_forward(second: int) -> None:
    source = open_source([(5, IMAGE), (second, IMAGE)])
    next(source)
    with pytest.raises(TimestampError):
        next(source)
