"""The input size of a model: rectangular inference, and smaller sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallylens.edge_runtime.detection.model_variant import ModelVariant
from tallylens.models import model_variants
from tests.support.conversions import converted


def test_a_fixed_model_keeps_its_size(tiny_model: Path) -> None:
    assert ModelVariant.fitting(tiny_model, (128, 64)) == ModelVariant(tiny_model)
    assert not ModelVariant(tiny_model, (64, 128)).can_open()


def test_smaller_inputs_are_whole_strides(tiny_model: Path) -> None:
    with ModelVariant(tiny_model).open() as engine:
        assert engine.metadata.input_size == (128, 128)
    assert ModelVariant(tiny_model).smaller_inputs() == [(96, 96), (64, 64)]
    assert ModelVariant(tiny_model, (64, 128)).smaller_inputs() == [(48, 96), (32, 64)]


def test_a_fixed_model_has_no_smaller_variants(tiny_model: Path) -> None:
    variants = model_variants(tiny_model, frame_size=(128, 96), smaller=True)
    assert variants == [ModelVariant(tiny_model)]


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("frame", "size"),
    [
        ((640, 352), (192, 320)),
        ((1920, 1080), (192, 320)),
        ((352, 640), (320, 192)),
        ((500, 500), (320, 320)),
    ],
)
def test_a_tflite_takes_the_rectangle_that_fits(
    small_int8: Path, frame: tuple[int, int], size: tuple[int, int]
) -> None:
    with ModelVariant.fitting(small_int8, frame).open() as engine:
        assert engine.metadata.input_size == size


@pytest.fixture(scope="session")
def small_int8(data: Path) -> Path:
    return converted(data / "checkpoints" / "v7-tiny-3class.pt", "tflite", "320")


@pytest.mark.slow
@pytest.mark.realdata
def test_the_governor_gets_smaller_inputs(small_int8: Path) -> None:
    sizes = []
    for variant in model_variants(small_int8, frame_size=(640, 352), smaller=True):
        with variant.open() as engine:
            sizes.append(engine.metadata.input_size)
    assert sizes == [(192, 320), (160, 256), (96, 160)]
