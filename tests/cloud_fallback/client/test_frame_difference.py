"""How much one frame differs from another."""

from __future__ import annotations

import numpy as np

from tallylens.cloud_fallback.client.frame_difference import largest_difference, thumbnail


def test_the_most_changed_part_counts() -> None:
    before = np.zeros((180, 320, 3), np.uint8)
    after = before.copy()
    after[100:110, 100:110] = 255
    assert largest_difference(thumbnail(before), thumbnail(before)) == 0
    assert largest_difference(thumbnail(before), thumbnail(after)) > 200
