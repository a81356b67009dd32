"""Which input a model gets: the rectangle that fits, and smaller ones for the governor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallylens.detector_pool import DetectorPool, ModelVariant, RateLimits, fitted
from tallylens.edge_runtime.core import DecoderOptions


def team(model: Path, **options: object) -> DetectorPool:
    return DetectorPool(
        model,
        (128, 96),
        imgsz=None,
        workers=int(str(options.get("workers", 1))),
        decoding=DecoderOptions(),
        limits=options.get("limits", RateLimits()),
    )


def test_a_fixed_model_stays_as_it_is(tiny_model: Path) -> None:
    assert fitted(tiny_model, (128, 64)) == ModelVariant(tiny_model)
    assert not ModelVariant(tiny_model, (64, 128)).can_open()


def test_a_worker_has_its_own_engine(tiny_model: Path) -> None:
    made = team(tiny_model, workers=3, limits=RateLimits(budget_ms=10))
    engines = {id(worker.engine) for worker in made.workers}
    assert len(engines) == 3
    made.close()


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
    form = fitted(small_int8, frame)
    with form.open() as engine:
        assert engine.metadata.input_size == size


@pytest.fixture(scope="session")
def small_int8(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tallylens.converters.convert import convert

    source = data / "checkpoints" / "v7-tiny-3class.pt"
    out = tmp_path_factory.mktemp("fitted")
    report = convert(source, out_dir=out, targets=["tflite"], input_size=(320, 320))
    return Path(report.path_of("tflite"))


@pytest.mark.slow
@pytest.mark.realdata
def test_the_governor_gets_smaller_inputs(small_int8: Path) -> None:
    made = DetectorPool(
        small_int8,
        (640, 352),
        imgsz=None,
        workers=1,
        decoding=DecoderOptions(),
        limits=RateLimits(budget_ms=10),
    )
    sizes = [one.engine.metadata.input_size for one in made.workers[0].detectors]
    assert sizes == [(192, 320), (160, 256), (96, 160)]
    made.close()
