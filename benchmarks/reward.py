"""Fit the reward of asking a bigger model, and measure what it is worth.

python benchmarks/reward.py [--small MODEL.tflite] [--big MODEL.onnx] [--json FILE]

Runs both models on the calibration images (no labels): the reward of an image is 1 less the F1 of
the small model's detections against the big one's. Prints the weights for
edge_runtime/core/src/offload.cpp, and the correlation of predicted and true rewards when each fifth
of the images is left out of the fit. Needs TALLYLENS_DATA and tallylens[convert].
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from offloading.auto import agreement
from offloading.work import CALIBRATION, add_models, two_models

from tallylens.cloud_fallback.client.benefit import features
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.sources.images import read_image
from tallylens.edge_runtime.types import Detections

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
RIDGE = 1e-2


def reward(small: Detections, big: Detections) -> float:
    """0 where both find the same."""
    agreed, seen, true = agreement(small, big)
    return 1 - 2 * agreed / (seen + true) if seen + true else 0.0


def fit(rows: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Least squares with a small ridge, so that rare bands keep small weights."""
    return np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]), rows.T @ rewards)


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    add_models(parser)
    options = parser.parse_args()
    with (
        two_models(options) as (small, big),
        open_engine(small) as one,
        open_engine(big) as other,
    ):
        detectors = Detector(one), Detector(other)
        images = [read_image(path) for path in sorted(CALIBRATION.iterdir())]
        pairs = [tuple(each.detect(image) for each in detectors) for image in images]
    rows = np.stack([features(found) for found, _ in pairs])
    rewards = np.array([reward(found, truth) for found, truth in pairs])
    weights = fit(rows, rewards)
    fold = np.arange(len(rows)) % 5
    predicted = np.empty(len(rows))
    for left_out in range(5):
        held = fold == left_out
        predicted[held] = rows[held] @ fit(rows[~held], rewards[~held])
    best = np.argsort(-predicted)[: int(0.4 * len(rows))]
    result = {
        "images": len(rows),
        "weights": [round(float(one), 4) for one in weights],
        "mean reward": float(rewards.mean()),
        "mean reward of the 40% predicted best": float(rewards[best].mean()),
        "correlation, held out": float(np.corrcoef(predicted, rewards)[0, 1]),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
