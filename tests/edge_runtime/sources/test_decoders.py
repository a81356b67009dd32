"""Both decoders of video files, OpenCV and PyAV, on the media that differ between them."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens import Counter, Line
from tallylens.edge_runtime.errors import SourceError
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.sources.blank import BlankFrames
from tallylens.edge_runtime.sources.decoder_check import decodes_interlaced, video_decoder
from tallylens.edge_runtime.sources.opencv import fails_at_interlaced
from tallylens.edge_runtime.sources.video import VideoReader, counts_frames
from tallylens.edge_runtime.types import Frame

MakeVideo = Callable[..., Path]
BLANKS_INTERLACED = fails_at_interlaced(cv2)


def use_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.fixture(params=["OpenCV", "PyAV"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Reads video files in this test."""
    if request.param == "OpenCV":
        use_opencv(monkeypatch)
    else:
        pytest.importorskip("av")
    assert video_decoder().startswith(request.param)
    return str(request.param)


def frames_of(path: Path) -> tuple[list[Frame], list[str]]:
    with open_source(path) as source:
        frames = list(source)
    return frames, source.warnings


@pytest.mark.parametrize("name", ["video.mp4", "video.avi", "video.mkv"])
def test_both_decoders_give_the_same_pixels_and_times(
    make_video: MakeVideo, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    path = make_video(name)
    through_av, _ = frames_of(path)
    use_opencv(monkeypatch)
    through_opencv, _ = frames_of(path)
    assert len(through_av) == len(through_opencv) == 20
    for one, other in zip(through_av, through_opencv, strict=True):
        assert np.array_equal(one.image, other.image)
        assert (one.timestamp_ns, one.index) == (other.timestamp_ns, other.index)


@pytest.mark.realdata
def test_interlaced_video_is_right_or_said_to_be_blank(data: Path, decoder: str) -> None:
    frames, warnings = frames_of(data / "media" / "interlaced-576i.mp4")
    assert len(frames) == 100
    brightness = np.mean([frame.image.mean() for frame in frames])
    if decoder == "OpenCV" and BLANKS_INTERLACED:
        assert [one.startswith("frames are blank") for one in warnings] == [True]
    else:
        assert brightness == pytest.approx(96.69, abs=0.5)
        assert warnings == []


@pytest.mark.slow
@pytest.mark.realdata
def test_interlaced_cars_are_counted(data: Path, decoder: str) -> None:
    if decoder == "OpenCV" and BLANKS_INTERLACED:
        pytest.skip("this OpenCV decodes interlaced video to blank frames")
    model = data / "models" / "yolov5n-export-opset17.onnx"
    with Counter(model, lines=[Line(0, 0.6, 1, 0.6)]) as counter:
        report = counter.run(data / "media" / "interlaced-576i.mp4")
    assert (report.lines[0].crossed_in, report.lines[0].crossed_out) == ({"car": 2}, {})


def test_the_check_of_doctor_knows_the_decoders_that_fail(decoder: str) -> None:
    assert decodes_interlaced() is not (decoder == "OpenCV" and BLANKS_INTERLACED)


@pytest.mark.realdata
@pytest.mark.usefixtures("decoder")
def test_damage_in_the_middle_is_read_past(data: Path) -> None:
    frames, warnings = frames_of(data / "media" / "damaged-middle.mp4")
    assert 245 <= len(frames) <= 250
    lost = 265 - len(frames)
    assert warnings == [f"{lost} of the 265 frames could not be decoded; the video is damaged"]


def encode(path: Path, codec: str, **options: str) -> Path:
    """A video of 20 frames by PyAV; the test is skipped without it or its encoder."""
    av: Any = pytest.importorskip("av")
    with av.open(str(path), "w", options=options) as container:
        try:
            stream = container.add_stream(codec, rate=25)
        except ValueError:
            pytest.skip(f"PyAV has no encoder {codec} here")
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for index in range(20):
            image = np.full((96, 160, 3), 40, np.uint8)
            image[10:40, index * 5 : index * 5 + 30] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    return path


@pytest.mark.slow
def test_av1_is_decoded_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "video.mp4", "libsvtav1")
    assert len(frames_of(path)[0]) == 20
    use_opencv(monkeypatch)
    if cv2.VideoCapture(str(path), cv2.CAP_FFMPEG).read()[0]:
        assert len(frames_of(path)[0]) == 20
        return
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert caught.value.problem == f"{path}: no frame of its codec, AV1, can be decoded"
    assert caught.value.remedy == (
        "Install its decoder with: pip install 'tallylens[video]'. Convert it to H.264, for "
        "example with ffmpeg -i VIDEO -c:v libx264 NEW.mp4"
    )


def test_an_undecodable_codec_is_named_whatever_the_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_opencv(monkeypatch)
    with pytest.raises(SourceError, match=r"no frame of its codec, HEVC, can be decoded"):
        VideoReader(Damaged([]), "video", 25, None, [], codec="HEVC")


class Damaged:
    """A capture whose frames at the times `None` cannot be decoded."""

    def __init__(self, times_ms: list[float | None]) -> None:
        self.times_ms = times_ms
        self.at = -1

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.at += 1
        if self.at >= len(self.times_ms) or self.times_ms[self.at] is None:
            return False, None
        return True, np.zeros((2, 4, 3), np.uint8)

    def get(self, _: int) -> float:
        return self.times_ms[self.at] or 0.0

    def release(self) -> None:
        pass


def read_all(times_ms: list[float | None], total: int | None) -> tuple[int, list[str]]:
    warnings: list[str] = []
    reader = VideoReader(Damaged(times_ms), "video", 25, total, warnings)
    number = 0
    while reader.read() is not None:
        number += 1
    return number, warnings


def test_a_decoder_that_fails_in_the_middle_is_asked_again() -> None:
    assert read_all([0, 40, None, None, None, 200, 240], 7) == (
        4,
        ["3 of the 7 frames could not be decoded; the video is damaged"],
    )


def test_cut_off_is_said_of_an_exact_count_only() -> None:
    assert read_all([0, 40, 80], 50) == (3, ["the video is cut off after 3 of its 50 frames"])
    assert read_all([0, 40, 80], None) == (3, [])


@pytest.mark.parametrize(("name", "exact"), [("v.mp4", True), ("v.avi", True), ("v.mkv", False)])
def test_the_containers_that_count_their_frames(
    make_video: MakeVideo, name: str, exact: bool
) -> None:
    assert counts_frames(make_video(name)) is exact


def test_a_fragmented_mp4_does_not_count_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    encode(path, "mpeg4", movflags="frag_keyframe+empty_moov")
    assert counts_frames(path) is False
    assert frames_of(path)[1] == []


@pytest.mark.parametrize(("frames", "warned"), [(9, False), (12, True)])
@pytest.mark.usefixtures("decoder")
def test_a_second_of_one_color_is_reported(tmp_path: Path, frames: int, warned: bool) -> None:
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    for image in [noise, *[np.zeros_like(noise)] * frames, noise]:
        writer.write(image)
    writer.release()
    _, warnings = frames_of(path)
    assert [one.startswith("frames are blank from 0.1 to") for one in warnings] == ([True] * warned)


@pytest.mark.parametrize("unchanged", [False, True])
def test_what_was_in_memory_before_is_reported_as_blank(unchanged: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    frames = BlankFrames(unchanged=unchanged)
    for index in range(12):
        frames.see(Frame(noise, index * 100_000_000, index))
    assert (frames.warning() is not None) is unchanged
    frames = BlankFrames(unchanged=unchanged)
    for index in range(12):
        frames.see(Frame(noise + np.uint8(index), index * 100_000_000, index))
    assert frames.warning() is None


def test_rtsp_is_live_whatever_length_it_announces(monkeypatch: pytest.MonkeyPatch) -> None:
    class Announces:
        """A capture of 20 frames that announces them, as an RTSP server with a file does."""

        def __init__(self, *_: object) -> None:
            self.left = 20

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.left -= 1
            return self.left >= 0, np.full((4, 6, 3), self.left, np.uint8)

        def get(self, key: int) -> float:
            return 20.0 if key == cv2.CAP_PROP_FRAME_COUNT else 0.0

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Announces)
    with open_source("rtsp://camera/1") as source:
        assert source.live
        assert source.frames_total is None


@pytest.fixture(params=["with a length", "without a length"])
def server(request: pytest.FixtureRequest, make_video: MakeVideo) -> Iterator[tuple[str, bool]]:
    """The URL of a video with a login, and whether the server says its length."""
    content, length = make_video("video.avi").read_bytes(), request.param == "with a length"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != "Basic dXNlcjpwQHNz":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            self.send_response(200)
            if length:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://user:p%40ss@127.0.0.1:{server.server_address[1]}/video.avi", length
    server.shutdown()
    server.server_close()
    thread.join(30)


def test_http_is_a_file_only_if_it_has_a_length(server: tuple[str, bool]) -> None:
    url, length = server
    with open_source(url) as source:
        assert source.live is not length
        assert next(source).image.shape == (48, 64, 3)
