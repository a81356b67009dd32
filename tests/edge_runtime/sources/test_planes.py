"""Planes of the video decoder: no detour through BGR, and the same pixels, boxes and counts."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens import Counter, Line
from tallylens.edge_runtime.core import CounterOptions, Preprocessor
from tallylens.edge_runtime.detection.pipeline import detect_in_order
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.types import Detections, Frame, Image, PlanarFrame, YuvPlanes

av: Any = pytest.importorskip("av")
WIDTH, HEIGHT = 158, 94


def picture(index: int = 0) -> Image:
    """Smooth colors, and a square that moves."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([x + 20, 2 * y + 10, 180 - x // 2], -1).astype(np.uint8)
    image[20:50, 10 + 5 * index : 40 + 5 * index] = (40, 60, 200)
    return image


def encode(path: Path, pix_fmt: str = "yuv420p", codec: str = "mpeg4") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(picture(index), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, degrees: int) -> Path:
    """`path` with the display matrix of a phone held otherwise, `degrees` against the clock."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content = path.read_bytes()
    # The matrix is in the track header (tkhd), as 16.16 fixed point, the last column as 2.30.
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    matrix = (cosine << 16, -sine << 16, 0, sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    header = content.index(b"tkhd")
    at = content.index(upright, header)
    path.write_bytes(content[:at] + struct.pack(">9i", *matrix) + content[at + len(upright) :])
    return path


def frames_of(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def letterboxed(image: Image | YuvPlanes) -> Image:
    target = np.zeros((1, 64, 96, 3), np.uint8)
    Preprocessor().run(image, target, layout="NHWC")
    return target


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_letterbox_of_the_planes_is_that_of_the_image(tmp_path: Path, degrees: int) -> None:
    frames = frames_of(turned(encode(tmp_path / "video.mp4"), degrees))
    assert len(frames) == 10
    for frame in frames:
        assert isinstance(frame, PlanarFrame)
        height, width = frame.image.shape[:2]
        assert frame.size == (width, height) == ((94, 158) if degrees in (90, 270) else (158, 94))
        through_bgr = letterboxed(frame.image).astype(int)
        assert np.abs(letterboxed(frame.planes) - through_bgr).max() <= 3


def test_the_image_of_a_planar_frame_is_that_of_opencv(tmp_path: Path) -> None:
    path = encode(tmp_path / "video.mp4")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    for frame in frames_of(path):
        assert isinstance(frame, PlanarFrame)
        assert np.array_equal(frame.image, capture.read()[1])
        assert frame.image is frame.image


def test_planes_outlive_the_video(tmp_path: Path) -> None:
    frames = frames_of(encode(tmp_path / "video.mp4"))
    again = frames_of(tmp_path / "video.mp4")
    for one, other in zip(frames, again, strict=True):
        assert isinstance(one, PlanarFrame)
        assert isinstance(other, PlanarFrame)
        assert np.array_equal(one.planes.y, other.planes.y)
        assert np.array_equal(one.planes.u, other.planes.u)


def test_other_formats_are_read_as_bgr(tmp_path: Path) -> None:
    frames = frames_of(encode(tmp_path / "video.mkv", "yuv422p", "ffv1"))
    assert len(frames) == 10
    for index, frame in enumerate(frames):
        assert type(frame) is Frame
        assert np.abs(frame.image.astype(int) - picture(index)).mean() < 6


def test_jpeg_samples_are_of_full_range(tmp_path: Path) -> None:
    for frame in frames_of(encode(tmp_path / "video.avi", "yuvj420p", "mjpeg")):
        assert isinstance(frame, PlanarFrame)
        assert frame.planes.full_range
        assert difference(frame.planes, frame.image) < 1.5


def test_interleaved_chroma_is_read_in_place(tmp_path: Path) -> None:
    frames = frames_of(encode(tmp_path / "video.nut", "nv12", "rawvideo"))
    assert len(frames) == 10
    for index, frame in enumerate(frames):
        assert isinstance(frame, PlanarFrame)
        assert frame.planes.u.strides[1] == 2
        assert difference(frame.planes, picture(index)) < 2


# FFmpeg's numbers of color spaces and ranges; 2 and 0 say nothing.
MATRICES = {"BT.709": 1, "BT.601": 5, "unknown": 2}
RANGES = {"video": 1, "full": 2, "unknown": 0}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("samples", RANGES)
def test_matrix_and_range_are_those_of_the_file(tmp_path: Path, matrix: str, samples: str) -> None:
    path = tmp_path / "video.mp4"
    said = MATRICES[matrix], RANGES[samples]
    written = (1 if matrix == "BT.709" else 5), (2 if samples == "full" else 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = said
        frame = av.VideoFrame.from_ndarray(picture(), "bgr24").reformat(
            format="yuv420p", dst_colorspace=written[0], dst_color_range=written[1]
        )
        frame.colorspace, frame.color_range = said
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (frame,) = frames_of(path)
    assert isinstance(frame, PlanarFrame)
    assert frame.planes.matrix == ("BT.709" if matrix == "BT.709" else "BT.601")
    assert frame.planes.full_range == (samples == "full")
    # With the other matrix, or the other range, it is 4.6 and more.
    assert difference(frame.planes, picture()) < 2
    assert difference(frame.image, picture()) < 3


def difference(one: Image | YuvPlanes, other: Image) -> float:
    """Mean difference of what the model is given."""
    return float(np.abs(letterboxed(one).astype(int) - letterboxed(other)).mean())


class Recorder:
    """A detector that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[type] = []

    def detect(self, image: Image) -> Detections:
        self.given.append(type(image))
        return Detections.empty()


class PlaneRecorder(Recorder):
    def detect_planes(self, planes: YuvPlanes) -> Detections:
        self.given.append(type(planes))
        return Detections.empty()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_detector_gets_planes_if_it_reads_them(tmp_path: Path, workers: int) -> None:
    frames = frames_of(encode(tmp_path / "video.mp4"))
    for make, given in ((Recorder, np.ndarray), (PlaneRecorder, YuvPlanes)):
        detectors = [make() for _ in range(workers)]
        assert len(list(detect_in_order(detectors, frames))) == 10
        assert {one for detector in detectors for one in detector.given} == {given}


def test_a_count_converts_no_frame_that_nothing_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "video.mp4")
    converted = []
    original = PlanarFrame.image.func  # type: ignore[attr-defined]

    def note(frame: PlanarFrame) -> Image:
        converted.append(frame.index)
        image: Image = original(frame)
        return image

    monkeypatch.setattr(PlanarFrame, "image", property(note))
    # No object is as sure as this, so that rounding of colors decides nothing.
    options = CounterOptions(low_confidence=0.99)
    with Counter("demo", lines=[Line(0, 0.5, 1, 0.5)], options=options) as counter:
        assert counter.run(path).frames == 10
    # The history keeps the first frame, as long as no other has more objects.
    assert converted == [0]


@pytest.mark.slow
@pytest.mark.realdata
def test_counts_with_and_without_the_extra_agree(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count() -> tuple[int, Any, Any]:
        model = data / "models" / "yolov5n-export-opset17.onnx"
        with Counter(model, lines=[Line(0, 0.6, 1, 0.6)], classes=["car"]) as counter:
            report = counter.run(data / "videos" / "car-detection.mp4")
        return report.frames, report.lines[0].crossed_in, report.lines[0].crossed_out

    through_planes = count()
    monkeypatch.setitem(sys.modules, "av", None)
    assert count() == through_planes
