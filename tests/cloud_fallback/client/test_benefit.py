"""The predicted benefit of a bigger model."""

from __future__ import annotations

from tallylens.cloud_fallback.client.benefit import features, predicted_reward
from tallylens.edge_runtime.types import Detections
from tests.support.detections import detections


def test_unsure_detections_promise_more_than_sure_ones() -> None:
    sure = detections(*[(0, 0, 9, 9, 0.9, 0)] * 5)
    unsure = detections(*[(0, 0, 9, 9, 0.3, 0)] * 5)
    assert features(sure).tolist() == [1, 0, 0, 0, 5**0.5]
    assert 0 <= predicted_reward(sure) < predicted_reward(unsure) <= 1
    assert 0 <= predicted_reward(Detections.empty()) <= 1
