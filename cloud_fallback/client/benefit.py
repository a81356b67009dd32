"""Predicted benefit of a bigger model for a frame, from the scores of the smaller one.

After Qiu et al., SEC 2024 (arXiv 2410.18919): the detections that the small model is unsure of are
the ones that the big one decides. The weights are in the core (`offload.cpp`), fitted on the
calibration images by `python benchmarks/reward.py`: reward is 1 less the agreement (F1) of the
small model's detections with those of the big one. Held out, prediction and truth correlate by
0.60; the 40% of images that are predicted to gain most gain 0.54, the average image 0.36.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.core.native import check_status, detection_rows, ffi, lib
from ...edge_runtime.types import Detections

FEATURES = 5


def features(found: Detections) -> npt.NDArray[np.float64]:
    """1, and the square roots of the numbers of detections in each band of scores."""
    return np.array(list(_reward(found)[0]))


def predicted_reward(found: Detections) -> float:
    """Benefit to expect from the bigger model: 0 for nothing, 1 for every detection."""
    return float(_reward(found)[1][0])


def _reward(found: Detections) -> tuple[Any, Any]:
    rows, numbers = detection_rows(found), ffi.new("double[]", FEATURES)
    pointer, reward = ffi.from_buffer("tally_detection[]", rows), ffi.new("double *")
    check_status(lib.tally_offload_reward(pointer, len(rows), numbers, reward))
    return numbers, reward
