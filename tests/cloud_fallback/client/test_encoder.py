"""Encoded images: no larger than needed, lossless where the link allows it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.client.encoder import BEST_JPEG, EXACT, LADDER, FrameEncoder
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.edge_runtime.core import Preprocessor
from tallylens.edge_runtime.types import Image


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


def test_pictures_are_no_larger_than_the_model_sees() -> None:
    encoder = FrameEncoder((384, 640), 1 << 20)
    encoded = encoder.encode(noise(1080, 1920))
    assert (encoded.width, encoded.height) == (640, 360)
    small = encoder.encode(noise(100, 200))
    assert (small.width, small.height) == (200, 100)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32))
def test_an_exact_picture_is_what_the_device_would_see(height: int, width: int, seed: int) -> None:
    """The server's letterbox of what was sent is the device's letterbox of what was taken."""
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    encoded = FrameEncoder((96, 160), 1 << 20, best=EXACT, start=EXACT).encode(image)
    assert encoded.codec is Codec.RAW
    sent = np.frombuffer(encoded.data, np.uint8).reshape(encoded.height, encoded.width, 3)
    here, there = (np.empty((1, 96, 160, 3), np.uint8) for _ in range(2))
    Preprocessor().run(image, here, layout="NHWC")
    Preprocessor().run(np.ascontiguousarray(sent), there, layout="NHWC")
    assert np.array_equal(here, there)


def test_exact_pictures_need_a_link_and_a_server_that_take_them() -> None:
    image = noise(96, 160)
    encoder = FrameEncoder((96, 160), 1 << 20, best=EXACT, start=EXACT)
    assert encoder.encode(image).codec is Codec.RAW
    encoder.adapt(image.nbytes * 2, 0.4)
    assert encoder.encode(image).codec is Codec.JPEG
    encoder.adapt(image.nbytes * 2, 0.8)
    assert encoder.encode(image).codec is Codec.JPEG, "better, but not by enough"
    encoder.adapt(image.nbytes * 2, 0.9)
    assert encoder.encode(image).codec is Codec.RAW
    small = FrameEncoder((96, 160), image.nbytes - 1, best=EXACT, start=EXACT)
    assert small.encode(image).codec is Codec.JPEG
    small.adapt(1e9, 1.0)
    assert small.encode(image).codec is Codec.JPEG


def test_a_poor_link_gets_smaller_pictures_and_a_better_one_its_quality_back() -> None:
    encoder = FrameEncoder((384, 640), 1 << 20)
    image = noise(360, 640)
    sizes = []
    for _ in range(len(LADDER) + 2):
        sizes.append(len(encoder.encode(image).data))
        encoder.adapt(1000.0, 0.1)
    assert encoder.step == LADDER[-1]
    assert min(step.quality for step in LADDER[BEST_JPEG:]) == 40
    assert sizes[-1] < sizes[0] / 10
    for _ in range(len(LADDER) + 2):
        encoder.encode(image)
        encoder.adapt(1e9, 0.1)
    assert encoder.step == LADDER[BEST_JPEG]
