"""Predicted benefit of a bigger model for a frame, from the scores of the smaller one.

After Qiu et al., SEC 2024 (arXiv 2410.18919): the detections that the small model is unsure of are
the ones that the big one decides. The weights are fitted on the calibration images by
`python benchmarks/reward.py`: reward is 1 less the agreement (F1) of the small model's detections
with those of the big one. Held out, prediction and truth correlate by 0.60; the 40% of images that
are predicted to gain most gain 0.54, the average image 0.36.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...edge_runtime.types import Detections

# Edges of the bands of scores; the counter ignores detections below 0.1.
EDGES = (0.1, 0.25, 0.4, 0.6, 1.01)
WEIGHTS = (0.4211, 0.1329, 0.0234, -0.1327, -0.2131)


def features(found: Detections) -> npt.NDArray[np.float64]:
    """1, and the square roots of the numbers of detections in each band of scores."""
    numbers, _ = np.histogram(found.confidence, EDGES)
    return np.array([1.0, *np.sqrt(numbers)])


def predicted_reward(found: Detections) -> float:
    """Benefit to expect from the bigger model: 0 for nothing, 1 for every detection."""
    return float(np.clip(features(found) @ np.array(WEIGHTS), 0.0, 1.0))
