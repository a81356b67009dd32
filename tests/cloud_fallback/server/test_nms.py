"""Boxes of a server model: mapped back, and repeated ones suppressed as the core does it."""

from __future__ import annotations

import numpy as np
import pytest

from tallylens.cloud_fallback.server.nms import detections_of
from tallylens.edge_runtime.core import DecoderOptions

LETTERBOX = (0.5, 0.5, 10.0, 0.0, 200, 100)


def rows(*table: tuple[float, ...]) -> np.ndarray:
    return np.array(table, np.float32).reshape(-1, 6)


def test_boxes_are_mapped_back_and_cut_at_the_edge() -> None:
    found = detections_of(rows((10, 0, 60, 60, 0.9, 3)), LETTERBOX, DecoderOptions())
    assert found.xyxy.tolist() == [[0, 0, 100, 100]]
    assert found.class_id.tolist() == [3]


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        ((10, 0, 50, 40, 0.8, 1), 1),  # the same again
        ((10, 0, 50, 26, 0.8, 1), 1),  # half of it, same class
        ((10, 0, 50, 26, 0.8, 2), 2),  # another class overlaps by 0.65
        ((10, 0, 50, 32, 0.8, 2), 1),  # by 0.8: a second name
        ((50, 0, 90, 40, 0.8, 1), 2),  # beside it
        ((10, 0, 50, 40, 0.09, 2), 1),  # below the threshold
        ((np.nan, 0, 50, 40, 0.8, 2), 1),
    ],
)
def test_boxes_that_repeat_a_better_one_go(second: tuple[float, ...], kept: int) -> None:
    table = rows(second, (10, 0, 50, 40, 0.9, 1))
    found = detections_of(table, LETTERBOX, DecoderOptions())
    assert len(found) == kept
    assert found.confidence[0] == np.float32(0.9)


def test_no_more_boxes_than_asked_for() -> None:
    table = rows(*[(20 * i, 0, 20 * i + 9, 9, 0.9, 0) for i in range(9)])
    found = detections_of(table, (1, 1, 0, 0, 999, 999), DecoderOptions(max_detections=4))
    assert len(found) == 4
