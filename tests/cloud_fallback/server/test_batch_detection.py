"""Frames of several customers in one batch: a fault of one leaves the answers of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tallylens.cloud_fallback.server.batch_detection import decode_safely, detect_each
from tallylens.cloud_fallback.server.image_decoding import decode_image
from tallylens.cloud_fallback.wire.frames import FrameHeader
from tallylens.edge_runtime.core import Preprocessor
from tallylens.edge_runtime.types import Detections, Image
from tests.support.wire_frames import jpeg

HONEST = np.full((8, 8, 3), 7, np.uint8)


class Letterboxing:
    """A detector that only prepares its input, with the core, which refuses sides over 32768."""

    max_batch = 8

    def __init__(self) -> None:
        self._input = np.zeros((1, 8, 8, 3), np.uint8)
        self._preprocessor = Preprocessor()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        for image in images:
            self._preprocessor.run(image, self._input, layout="NHWC")
        return [Detections.empty() for _ in images]


def decoded(image: Image) -> Image | None:
    height, width = image.shape[:2]
    header = FrameHeader(1, capture_us=1, deadline_ms=1, width=width, height=height)
    return decode_image(header, jpeg(image), 1 << 23)


@pytest.mark.parametrize("shape", [(1, 40_000), (40_000, 1)])
def test_a_thin_image_fails_no_frame_of_its_batch_but_its_own(shape: tuple[int, int]) -> None:
    thin = decoded(np.zeros((*shape, 3), np.uint8))
    assert thin is not None
    assert len(jpeg(thin)) < 30_000
    honest = decoded(HONEST)
    detector, faults = Letterboxing(), list[str]()
    for at in range(100):
        images = [honest] * 4
        images.insert(at % 5, thin)
        outcomes = detect_each(detector, images, faults.append)
        assert outcomes.pop(at % 5) == "failed"
        assert all(isinstance(one, Detections) for one in outcomes)
    assert set(faults) == {"detecting"}


def test_a_detector_that_loses_a_result_fails_only_what_it_loses() -> None:
    class Forgetful(Letterboxing):
        def detect(self, images: Sequence[Image]) -> list[Detections]:
            return [Detections.empty() for image in images if image[0, 0, 0]]

    outcomes = detect_each(Forgetful(), [HONEST, HONEST * 0, None, HONEST], lambda _: None)
    assert [one if isinstance(one, str) else len(one) for one in outcomes] == [
        0,
        "failed",
        "undecodable",
        0,
    ]


def test_a_batch_without_a_valid_image_needs_no_model() -> None:
    class Never(Letterboxing):
        def detect(self, images: Sequence[Image]) -> list[Detections]:
            raise AssertionError

    assert detect_each(Never(), [None, None], lambda _: None) == ["undecodable"] * 2


def test_a_decoder_that_raises_refuses_its_frame() -> None:
    def decode() -> Image:
        raise MemoryError

    faults: list[str] = []
    assert decode_safely(decode, faults.append) is None
    assert faults == ["decoding"]
