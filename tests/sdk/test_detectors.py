from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tallylens import Detections, Frame, Tracks
from tallylens.detectors import ModelDetectors, decoder_options
from tallylens.edge_runtime.core import CounterOptions, DecoderOptions
from tallylens.edge_runtime.detection.model_variant import ModelVariant
from tallylens.edge_runtime.rate_control.frame_filter import FrameFeedback
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits


def detectors(model: Path, limits: RateLimits | None = None) -> ModelDetectors:
    return ModelDetectors(
        model,
        (128, 96),
        imgsz=None,
        workers=2,
        decoding=DecoderOptions(),
        limits=limits or RateLimits(),
    )


def test_there_is_one_detector_per_worker(tiny_model: Path) -> None:
    made = detectors(tiny_model)
    assert list(made.workers) == made.pool.workers
    assert len(made.workers) == 2
    assert made.offload_report() is None
    made.close()


def test_all_of_them_follow_the_governor(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of two sizes that is always too slow ends at the smaller one."""
    two = [ModelVariant(tiny_model)] * 2
    monkeypatch.setattr("tallylens.detectors.model_variants", lambda *_, **__: two)
    made = detectors(tiny_model, RateLimits(budget_ms=10, sample="auto"))
    governor, _ = made.filters
    image = np.zeros((96, 128, 3), np.uint8)
    nothing = Detections.empty()
    made.pool.workers[1].detect(image)
    for index in range(100):
        frame = Frame(image, index * 100_000_000, index)
        governor.learn(FrameFeedback(frame, nothing, Tracks(**vars(nothing)), latency_ms=70.0))
    made.pool.workers[1].detect(image)
    assert [one.timing.frames for one in made.pool.workers[1].detectors] == [1, 1]
    made.close()


@pytest.mark.parametrize(
    ("iou", "any_class", "expected"),
    [
        (None, False, DecoderOptions(confidence=0.1)),
        (0.3, False, DecoderOptions(confidence=0.1, iou=0.3)),
        (0.3, True, DecoderOptions(confidence=0.1, iou=0.3, cross_class_iou=0.3)),
    ],
)
def test_thresholds_of_decoding(
    iou: float | None, any_class: bool, expected: DecoderOptions
) -> None:
    assert decoder_options(CounterOptions(low_confidence=0.1), iou, any_class) == expected
