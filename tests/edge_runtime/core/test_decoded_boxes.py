"""Boxes that the model decoded itself, against numpy: layouts, types, units, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tallylens.edge_runtime.core import Decoder, DecoderOptions, Letterbox, Preprocessor
from tallylens.edge_runtime.errors import CoreError
from tallylens.edge_runtime.metadata import Layout
from tallylens.edge_runtime.types import Detections, HeadContent, HeadDtype, HeadSpec

Array = npt.NDArray[Any]
WIDTH, HEIGHT = 96, 64
BOXES, CLASSES, EXTRA = 120, 3, 5
UNITS = (float(WIDTH), float(HEIGHT))
FIRST = {"scored_boxes": 5, "class_boxes": 4}
CONTENTS: tuple[HeadContent, ...] = ("scored_boxes", "class_boxes")
LAYOUTS: tuple[Layout, ...] = ("NHWC", "NCHW")


def letterbox() -> Letterbox:
    """That of an image of the input's size."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return Preprocessor().run(image, np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), layout="NHWC")


def spec(content: HeadContent, dtype: HeadDtype = "float32", **changes: Any) -> HeadSpec:
    fields: dict[str, Any] = {
        "name": "boxes",
        "dtype": dtype,
        "layout": "NHWC",
        "width": BOXES,
        "height": 1,
        "stride": 32,
        "anchors": (),
        "content": content,
        "units": UNITS,
    }
    return HeadSpec(**fields | changes)


def some_rows(content: HeadContent, seed: int, extra: int = 0) -> Array:
    """(boxes, channels) float32 in 0..1."""
    random = np.random.default_rng(seed)
    return random.uniform(0, 1, (BOXES, FIRST[content] + CLASSES + extra)).astype(np.float32)


def decode(head: HeadSpec, rows: Array, **options: Any) -> Detections:
    open_options = {"iou": 1.0, "cross_class_iou": 1.0, "max_detections": 10_000}
    decoder = Decoder([head], CLASSES, DecoderOptions(**open_options | options))
    values = rows if head.layout == "NHWC" else rows.T
    return decoder.run([np.ascontiguousarray(values[None])], letterbox())


def expected(rows: Array, content: HeadContent, least: float, *, multi: bool = False) -> Array:
    """(n, 6): x1, y1, x2, y2 inside the image, confidence, class; best first."""
    rows = rows.astype(np.float64)
    xy, wh = rows[:, :2] * UNITS, rows[:, 2:4] * UNITS
    box = np.clip(np.hstack([xy - wh / 2, xy + wh / 2]), 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    first = FIRST[content]
    scores = rows[:, first : first + CLASSES] * (rows[:, 4:5] if first == 5 else 1)
    usable: Array = np.all(wh > 0, axis=1)
    if first == 5:
        usable &= rows[:, 4] >= least
    if multi:
        row, label = np.nonzero((scores >= least) & usable[:, None])
    else:
        row = np.flatnonzero(usable & (scores.max(1) >= least))
        label = scores.argmax(1)[row]
    found = np.column_stack([box[row], np.minimum(scores[row, label], 1), label])
    return found[np.argsort(-scores[row, label], kind="stable")]


def assert_same(found: Detections, rows: Array) -> None:
    """The same boxes, whatever the order of equal scores."""
    ours = np.column_stack([found.xyxy, found.confidence, found.class_id])
    assert ours.shape == rows.shape
    assert len(rows)
    order = [np.lexsort(np.round(table, 3).T) for table in (ours, rows)]
    np.testing.assert_allclose(ours[order[0]], rows[order[1]], rtol=0, atol=1e-4)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("multi", [False, True])
def test_floats_in_both_layouts(content: HeadContent, layout: Layout, multi: bool) -> None:
    rows = some_rows(content, 1, EXTRA)
    head = spec(content, layout=layout, extra_channels=EXTRA)
    found = decode(head, rows, confidence=0.45, multi_label=multi)
    assert_same(found, expected(rows, content, 0.45, multi=multi))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("confidence", [0.0, 0.001, 0.3, 0.9, 1.0])
def test_integers(
    content: HeadContent, dtype: HeadDtype, layout: Layout, confidence: float
) -> None:
    limits = np.iinfo(dtype)
    random = np.random.default_rng(2)
    shape = (BOXES, FIRST[content] + CLASSES)
    raw = random.integers(limits.min, limits.max + 1, shape).astype(dtype)
    scale, zero_point = 0.0044, limits.min + 3
    head = spec(content, dtype, layout=layout, scale=scale, zero_point=zero_point)
    found = decode(head, raw, confidence=confidence)
    real = np.float32(scale) * (raw.astype(np.float32) - zero_point)
    assert_same(found, expected(real, content, confidence))


@pytest.mark.parametrize("content", CONTENTS)
def test_half_floats_and_pixels(content: HeadContent) -> None:
    rows = some_rows(content, 3).astype(np.float16)
    pixels = rows.copy()
    pixels[:, :4] *= np.array([*UNITS, *UNITS], np.float16)
    found = decode(spec(content, units=(1.0, 1.0)), pixels, confidence=0.3)
    in_units = pixels.astype(np.float64)
    in_units[:, :4] /= [*UNITS, *UNITS]
    assert_same(found, expected(in_units, content, 0.3))


def test_what_is_no_box_is_left_out() -> None:
    rows = some_rows("scored_boxes", 4)
    rows[:, 4:] = 0.9
    rows[0, 4] = rows[1, 5] = np.nan
    rows[2, 2] = 0.0
    rows[3, 3] = -0.1
    rows[4, 0] = np.inf
    rows[5, 2] = np.nan
    found = decode(spec("scored_boxes"), rows, confidence=0.5)
    assert len(found) == BOXES - 5, "another class of row 1 is sound"
    assert np.isfinite(found.xyxy).all()
    assert np.isfinite(found.confidence).all()


def test_overlapping_boxes_are_suppressed() -> None:
    rows = np.tile(some_rows("class_boxes", 5)[:1], (BOXES, 1))
    rows[:, 2:4] = 0.5
    found = decode(spec("class_boxes"), rows, confidence=0.01, iou=0.45)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"height": 2, "width": BOXES // 2}, "in one row"),
        ({"width": 0}, "in one row"),
        ({"units": (0.0, 1.0)}, "unit_x and unit_y"),
        ({"units": (1.0, float("nan"))}, "unit_x and unit_y"),
        ({"extra_channels": -1}, "extra_channels"),
        ({"extra_channels": 1}, "size of its shape"),
        ({"width": BOXES + 1}, "size of its shape"),
        ({"scale": 0.0, "dtype": "uint8"}, "scale must be above zero"),
    ],
)
def test_a_spec_that_does_not_fit_its_array(change: dict[str, Any], problem: str) -> None:
    rows = some_rows("scored_boxes", 6)
    if change.get("dtype") == "uint8":
        rows = rows.astype(np.uint8)
    with pytest.raises(CoreError, match=problem):
        decode(spec("scored_boxes", **change), rows)
