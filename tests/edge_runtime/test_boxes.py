"""Intersection over union against an independent count of covered cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.boxes import box_iou

SIDE = 12
corner = st.integers(0, SIDE)
box = st.tuples(corner, corner, corner, corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


def cells(x1: int, y1: int, x2: int, y2: int) -> set[tuple[int, int]]:
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


@given(st.lists(box, max_size=4), st.lists(box, max_size=4))
def test_iou_is_the_share_of_covered_cells(
    first: list[tuple[int, int, int, int]], second: list[tuple[int, int, int, int]]
) -> None:
    found = box_iou(
        np.array(first, np.float32).reshape(-1, 4), np.array(second, np.float32).reshape(-1, 4)
    )
    assert found.shape == (len(first), len(second))
    assert found.dtype == np.float32
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            union = cells(*a) | cells(*b)
            expected = len(cells(*a) & cells(*b)) / len(union) if union else 0.0
            assert abs(found[i, j] - expected) < 1e-6
