"""Budgets, candidate sizes, and agreement against a plain oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.converters.budget.front import (
    IOUS,
    Budget,
    agreement,
    common_shape,
    fitting_sizes,
    smaller_sizes,
)
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import Detections


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("0.5", Budget(share=0.5)),
        ("1", Budget(share=1)),
        ("8ms", Budget(milliseconds=8)),
        (" 12.5 ms ", Budget(milliseconds=12.5)),
    ],
)
def test_budgets(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "0", "1.5", "-1", "0ms", "fast", "8s", "nan", "1e3ms"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(UsageError, match="--budget is"):
        Budget.parse(text)


def test_sizes_keep_the_shape() -> None:
    assert smaller_sizes((640, 640), 32, 0.8) == [(640, 640), (608, 608), (576, 576)]
    assert smaller_sizes((384, 640), 32, 0.7) == [(384, 640), (352, 608), (352, 576), (320, 544)]


@given(st.integers(1, 20), st.integers(1, 20), st.floats(0.1, 1))
def test_sizes_are_multiples_and_large_enough(rows: int, columns: int, lowest: float) -> None:
    size = (32 * rows, 32 * columns)
    sizes = smaller_sizes(size, 32, lowest)
    assert sizes[0] == size
    for height, width in sizes:
        assert height % 32 == width % 32 == 0
        assert height * width >= lowest * size[0] * size[1]


def test_sizes_without_a_border() -> None:
    assert fitting_sizes((640, 640), (1080, 1920), 32, 0.45) == [(384, 640), (352, 608), (352, 576)]
    assert fitting_sizes((640, 640), (640, 352), 32, 0.5) == [(640, 352), (608, 352)]
    assert fitting_sizes((384, 640), (1080, 1920), 32, 0.9) == [(384, 640)]
    assert fitting_sizes((384, 640), (1, 1), 32, 0.9) == [(480, 480)]
    assert fitting_sizes((640, 640), (10, 4000), 32, 0.1) == []


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.floats(0.1, 1),
)
def test_an_image_fills_such_a_size(
    rows: int, columns: int, height: int, width: int, lowest: float
) -> None:
    size = (32 * rows, 32 * columns)
    for fitted in fitting_sizes(size, (height, width), 32, lowest):
        assert fitted[0] % 32 == fitted[1] % 32 == 0
        assert lowest * size[0] * size[1] <= fitted[0] * fitted[1] <= size[0] * size[1]
        scale = min(fitted[0] / height, fitted[1] / width)
        assert fitted[0] - height * scale < 32
        assert fitted[1] - width * scale < 32


def test_the_common_shape_is_the_middle_one() -> None:
    assert common_shape([(480, 640), (640, 480), (375, 500), (480, 640), (360, 640)]) == (480, 640)
    assert common_shape([(3, 7)]) == (3, 7)


def detections(random: np.random.Generator, count: int) -> Detections:
    start = random.integers(0, 40, (count, 2))
    xyxy = np.concatenate([start, start + random.integers(5, 30, (count, 2))], axis=1)
    return Detections(
        xyxy.astype(np.float32),
        random.random(count).astype(np.float32),
        random.integers(0, 2, count).astype(np.int32),
    )


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(shared / (sum(areas) - shared))


def oracle(ours: Detections, theirs: Detections) -> float:
    """The most confident detection takes the best that is left, whatever the overlap is."""
    free, pairs = set(range(len(theirs))), []
    for index in np.argsort(-ours.confidence, kind="stable"):
        of_class = [o for o in free if theirs.class_id[o] == ours.class_id[index]]
        overlaps = {o: overlap(ours.xyxy[index], theirs.xyxy[o]) for o in of_class}
        best = max(overlaps, key=lambda o: overlaps[o], default=None)
        if best is not None and overlaps[best] > 0:
            pairs.append(overlaps[best])
            free.remove(best)
    total = len(ours) + len(theirs)
    scores = [2 * sum(pair >= iou for pair in pairs) / total for iou in IOUS]
    return float(np.mean(scores))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_agreement_is_that_of_an_oracle(seed: int, first: int, second: int) -> None:
    random = np.random.default_rng(seed)
    ours, theirs = detections(random, first), detections(random, second)
    assert agreement([ours], [theirs]) == pytest.approx(oracle(ours, theirs), abs=1e-6)


def test_agreement_with_itself_and_with_nothing() -> None:
    some = detections(np.random.default_rng(0), 5)
    none = detections(np.random.default_rng(0), 0)
    assert agreement([none], [none]) == 1
    assert agreement([some], [none]) == agreement([none], [some]) == 0
