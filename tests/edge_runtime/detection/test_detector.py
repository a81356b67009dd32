"""One frame through letterbox, engine and decoder, and where its time went."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.core import DecoderOptions, Preprocessor
from tallylens.edge_runtime.detection.detector import Detector, Timing
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import HeadSpec

ANCHOR = (20.0, 30.0)


class FakeEngine:
    """A 64x32 input; sees one object in the first cell, surer of it the brighter its input is."""

    def __init__(self, layout: Any = "NHWC", dtype: str = "uint8") -> None:
        self.metadata = ModelMetadata(
            class_names=("cat", "dog"),
            input_size=(64, 32),
            strides=(32,),
            anchors=((ANCHOR,),),
            head_names=("head32",),
            layout=layout,
        )
        self.name = "fake"
        self.heads = [HeadSpec("head32", "float32", "NHWC", 1, 2, 32, (ANCHOR,))]
        self.input = np.full((1, 64, 32, 3) if layout == "NHWC" else (1, 3, 64, 32), 9, dtype)
        self.seen: list[Any] = []

    def run(self) -> list[Any]:
        self.seen.append(self.input.copy())
        head = np.zeros((1, 2, 1, 7), np.float32)
        head[..., 4] = -9
        head[0, 0, 0] = (0, 0, 0, 0, 9, -9, self.input.max() / 85)
        return [head]


def picture(value: int = 255) -> Any:
    image = np.zeros((64, 32, 3), np.uint8)
    image[20:40, 5:20] = value
    return image


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_the_engine_gets_the_letterboxed_picture(layout: Any, dtype: str) -> None:
    engine = FakeEngine(layout, dtype)
    expected = np.empty_like(engine.input)
    Preprocessor().run(picture(), expected, layout=layout)
    Detector(engine).detect(picture())  # type: ignore[arg-type]
    assert np.array_equal(engine.seen[0], expected)


def test_detections_are_in_the_pictures_own_pixels() -> None:
    detector = Detector(FakeEngine())  # type: ignore[arg-type]
    found = detector.detect(np.full((128, 64, 3), 255, np.uint8))  # twice the input's size
    assert found.class_id.tolist() == [1]
    assert found.xyxy.tolist() == [[12, 2, 52, 62]]  # (6, 1) to (26, 31) in the input


def test_format_and_rotation_are_passed_on() -> None:
    engine = FakeEngine()
    detector = Detector(engine)  # type: ignore[arg-type]
    detector.detect(picture())
    lying = np.ascontiguousarray(np.rot90(picture()))
    found = detector.detect(lying, rotation=90)
    detector.detect(np.dstack([picture(), picture()[..., :1]]), pixel_format="RGBA")
    assert np.array_equal(engine.seen[0], engine.seen[1])
    assert np.array_equal(engine.seen[0], engine.seen[2])
    assert found.xyxy.max() <= 64


def test_thresholds_are_the_callers() -> None:
    dim = picture(60)  # objectness and class score come to 0.67
    strict = DecoderOptions(confidence=0.8)
    assert len(Detector(FakeEngine()).detect(dim)) == 1  # type: ignore[arg-type]
    assert len(Detector(FakeEngine(), strict).detect(dim)) == 0  # type: ignore[arg-type]


def test_what_is_no_picture_takes_no_time() -> None:
    detector = Detector(FakeEngine())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is not a BGR frame"):
        detector.detect(np.zeros((4, 4), np.uint8))
    assert detector.timing == Timing()


def test_times_are_summed_by_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 100, 1000, 1200])
    own_time = iter([0, 10, 50, 51, 100, 120, 200, 202])
    detector = Detector(FakeEngine())  # type: ignore[arg-type]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(clock))
    monkeypatch.setattr(time, "thread_time_ns", lambda: next(own_time))
    detector.detect(picture())
    assert detector.timing == Timing(1, 10, 100, 1)
    detector.detect(picture())
    assert detector.timing == Timing(2, 30, 300, 3)


def test_timings_add_up() -> None:
    assert Timing(1, 2, 3, 4) + Timing(10, 20, 30, 40) == Timing(11, 22, 33, 44)
    assert sum([Timing(1, 1, 1, 1)] * 3, Timing()) == Timing(3, 3, 3, 3)
