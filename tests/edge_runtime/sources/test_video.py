from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tallylens.edge_runtime.errors import SourceError
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.sources.video import VideoReader, lacks_index

cv2 = pytest.importorskip("cv2")

LEVEL = 8
MakeVideo = Callable[..., Path]


def index_of(image: np.ndarray) -> int:
    return round((float(image.mean()) - 10) / LEVEL)


@pytest.mark.parametrize("name", ["video.mp4", "video.avi", "no_suffix.mkv"])
def test_every_frame_in_order(make_video: MakeVideo, name: str) -> None:
    with open_source(make_video(name)) as source:
        assert source.size == (64, 48)
        assert source.fps == pytest.approx(10)
        assert not source.live
        frames = list(source)
    assert [index_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    steps = np.diff([frame.timestamp_ns for frame in frames])
    assert np.abs(steps - 100_000_000).max() <= 1_000_000
    assert frames[0].timestamp_ns == 0
    assert source.warnings == []


def test_frames_are_contiguous_bgr_and_stay_valid(make_video: MakeVideo) -> None:
    with open_source(str(make_video())) as source:
        first = next(source)
        kept = first.image.copy()
        list(source)
    assert first.image.dtype == np.uint8
    assert first.image.flags.c_contiguous
    assert np.array_equal(first.image, kept)


def test_the_announced_number_of_frames(make_video: MakeVideo) -> None:
    with open_source(make_video(frames=7)) as source:
        assert source.frames_total == 7
        assert source.name.endswith("video.mp4")


def test_rotation_metadata_is_honored(make_video: MakeVideo) -> None:
    path = make_video(frames=2)
    content = bytearray(path.read_bytes())
    # The matrix in the track header, 40 bytes after the type of a version 0 box: 90 degrees.
    matrix = content.index(b"tkhd") + 4 + 40
    turn = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    content[matrix : matrix + 36] = turn
    path.write_bytes(content)
    with open_source(path) as source:
        assert source.size == (48, 64)
        image = next(source).image
    assert image.shape == (64, 48, 3)
    # The bright top left corner is the top right one after a quarter turn clockwise.
    assert image[8, 40].mean() > image[8, 8].mean() + 20


@pytest.mark.realdata
def test_a_video_damaged_in_the_middle_says_so(data: Path, tmp_path: Path) -> None:
    content = bytearray((data / "videos" / "street.mp4").read_bytes())
    rng = np.random.default_rng(0)
    content[300_000:320_000] = rng.integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with open_source(path) as source:
        read = sum(1 for _ in source)
    assert 0 < read < 265
    lost = f"{265 - read} of the 265 frames could not be decoded; the video is damaged"
    assert source.warnings == [lost]


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "frames"),
    [("street", 265), ("car-detection", 377), ("one-by-one-person-detection", 1394)],
)
def test_real_videos_lose_no_frame(data: Path, name: str, frames: int) -> None:
    with open_source(data / "videos" / f"{name}.mp4") as source:
        times = [frame.timestamp_ns for frame in source]
        assert len(times) == source.frames_total == frames
    assert source.fps is not None
    assert min(np.diff(times)) > 0
    assert times[-1] == pytest.approx((frames - 1) / source.fps * 1e9, abs=2e6)
    assert source.warnings == []


def test_a_video_cut_short_before_its_index(make_video: MakeVideo) -> None:
    path = make_video()
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match="not a video, or an unsupported format") as caught:
        open_source(path)
    assert "the file ends before its index (moov)" in caught.value.problem
    assert caught.value.remedy == (
        "Copy the file again; an unfinished recording needs a repair tool such as untrunc"
    )


def box(kind: bytes, content: bytes = b"", length: int | None = None) -> bytes:
    """A box of an MP4 file."""
    return (8 + len(content) if length is None else length).to_bytes(4) + kind + content


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        (box(b"ftyp", b"mp42") + box(b"mdat", b"x" * 100), True),
        (box(b"ftyp", b"mp42") + box(b"mdat", b"x" * 100, length=5000), True),
        (box(b"ftyp", b"mp42") + box(b"mdat", b"x" * 100, length=0), True),
        (box(b"ftyp", b"mp42") + box(b"mdat", (24).to_bytes(8) + b"x" * 8, length=1), True),
        (box(b"ftyp", b"mp42"), True),
        (box(b"ftyp", b"mp42") + box(b"mdat", b"x" * 100) + box(b"moov", b"x"), False),
        (
            box(b"ftyp") + box(b"mdat", (24).to_bytes(8) + b"x" * 8, length=1) + box(b"moov"),
            False,
        ),
        (box(b"ftyp") + box(b"moov", b"x", length=2000), True),
        (box(b"ftyp") + box(b"moof", b"x"), False),
        (box(b"free") * 3, False),
        (b"RIFF\0\0\0\0AVI ", False),
        (b"", False),
    ],
)
def test_an_mp4_without_its_index(tmp_path: Path, content: bytes, lacks: bool) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    assert lacks_index(path) is lacks


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"just some text\n" * 40, "a text file, not a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\nhttp://127.0.0.1:1/x.ts\n", "a text file"),
        (b"#EXTM3U\n\x01" + b"\0" * 600, "a text file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 600, "not a video|no frame"),
        (bytes(range(256)) * 40, "not a video, or an unsupported format"),
    ],
)
def test_what_is_no_video(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=problem) as caught:
        open_source(path)
    assert caught.value.remedy == "Use a video that a player can play, such as an .mp4 with H.264"


def test_a_video_without_frames(make_video: MakeVideo) -> None:
    with pytest.raises(SourceError, match=r"no frame can be decoded|not a video"):
        open_source(make_video("video.avi", frames=0))


class Tape:
    """A capture that plays given positions in milliseconds."""

    def __init__(self, positions: list[float]) -> None:
        self.positions = positions
        self.at = -1
        self.released = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.at += 1
        if self.at >= len(self.positions):
            return False, None
        return True, np.zeros((2, 4, 3), np.uint8)

    def get(self, _: int) -> float:
        return self.positions[self.at]

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(
    ("positions", "fps", "expected_ms"),
    [
        ([0, 40, 80], 25, [0, 40, 80]),
        ([500, 700, 701], 25, [500, 700, 701]),
        ([0, 0, 0], 10, [0, 100, 200]),
        ([0, 0, 0], None, [0, 40, 80]),
        ([0, 100, 50, 300], 10, [0, 100, 200, 300]),
        ([float("nan"), -5, float("inf")], 10, [0, 100, 200]),
    ],
)
def test_time_moves_forward(
    positions: list[float], fps: float | None, expected_ms: list[float]
) -> None:
    warnings: list[str] = []
    reader = VideoReader(Tape(positions), "tape", fps, None, warnings)
    times = []
    while (frame := reader.read()) is not None:
        times.append(frame.timestamp_ns)
    assert times == [round(ms * 1e6) for ms in expected_ms]
    assert bool(warnings) == (expected_ms != positions)


def test_a_missing_frame_is_missed_and_one_of_rounding_is_not() -> None:
    for total, warned in ((3, False), (4, False), (5, True)):
        warnings: list[str] = []
        reader = VideoReader(Tape([0, 40, 80]), "tape", 25, total, warnings)
        while reader.read() is not None:
            pass
        assert bool(warnings) == warned


def test_no_frame_releases_the_capture() -> None:
    tape = Tape([])
    with pytest.raises(SourceError, match="no frame can be decoded"):
        VideoReader(tape, "tape", 25, None, [])
    assert tape.released
