"""How well a model of the demo finds what is in rendered frames."""

from __future__ import annotations

from pathlib import Path

from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.demo.stills import Stills
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine

AS_EVAL_DOES = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)


def measure(model: Path, stills: Stills) -> dict[str, float]:
    """mAP@0.5 and mAP@0.5:0.95 as fractions of 1, and average precision by class."""
    with open_engine(model) as engine:
        found = evaluate(Detector(engine, AS_EVAL_DOES).detect, stills.images, stills.labels)
        names = engine.metadata.class_names
    by_class = {f"ap_{names[index]}": value for index, value in found.per_class.items()}
    return {"map50": found.map50, "map50_95": found.map50_95, **by_class}
