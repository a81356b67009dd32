"""Decoding of heads whose box sides are distributions, against numpy and against the goldens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tallylens.edge_runtime.core import Decoder, DecoderOptions, Letterbox, Preprocessor
from tallylens.edge_runtime.errors import CoreError
from tallylens.edge_runtime.metadata import Layout
from tallylens.edge_runtime.types import Detections, HeadDtype, HeadSpec

Array = npt.NDArray[Any]
SIDES = 4
REG_MAX, CLASSES = 16, 3
WIDTH, HEIGHT = 96, 64  # of the input
OPEN = DecoderOptions(confidence=0.0, iou=1.0, cross_class_iou=1.0, max_detections=100_000)
TYPES: tuple[HeadDtype, ...] = ("float32", "uint8", "int8")
LAYOUTS: tuple[Layout, ...] = ("NCHW", "NHWC")


def letterbox_of(width: int, height: int) -> Letterbox:
    """That of a (height, width) image in an input of its size."""
    image = np.zeros((height, width, 3), np.uint8)
    return Preprocessor().run(image, np.zeros((1, height, width, 3), np.uint8), layout="NHWC")


@dataclass(frozen=True)
class Head:
    """`values` (4 * reg_max + classes, height, width), as the network gives them."""

    values: Array
    stride: int
    reg_max: int = REG_MAX
    scale: float = 1.0
    zero_point: int = 0

    def spec(self, layout: Layout) -> HeadSpec:
        dtype = "float32" if self.values.dtype == np.float16 else self.values.dtype.name
        return HeadSpec(
            name="head",
            dtype=dtype,  # type: ignore[arg-type]
            layout=layout,
            width=self.values.shape[2],
            height=self.values.shape[1],
            stride=self.stride,
            anchors=(),
            scale=self.scale,
            zero_point=self.zero_point,
            reg_max=self.reg_max,
        )

    def tensor(self, layout: Layout) -> Array:
        values = self.values if layout == "NCHW" else self.values.transpose(1, 2, 0)
        return np.ascontiguousarray(values[None])

    def rows(self) -> Array:
        """(n, 4 + classes): x1, y1, x2, y2 in input pixels, class scores; float64."""
        real = self.scale * (self.values.astype(np.float64) - self.zero_point)
        bins = real[: SIDES * self.reg_max].reshape(SIDES, self.reg_max, *real.shape[1:])
        weights = np.exp(bins - bins.max(axis=1, keepdims=True))
        steps = np.arange(self.reg_max)[None, :, None, None]
        left, top, right, bottom = (weights * steps).sum(1) / weights.sum(1)
        y, x = np.mgrid[: real.shape[1], : real.shape[2]] + 0.5
        box = np.stack([x - left, y - top, x + right, y + bottom]) * self.stride
        with np.errstate(over="ignore"):
            scores = 1 / (1 + np.exp(-real[SIDES * self.reg_max :]))
        table: Array = np.concatenate([box, scores]).reshape(4 + len(scores), -1).T
        return table


def some_heads(seed: int, dtype: str = "float32", classes: int = CLASSES) -> list[Head]:
    """Two heads of an input of 96x64 with random logits."""
    generator = np.random.default_rng(seed)
    heads = []
    for stride in (8, 16):
        shape = (SIDES * REG_MAX + classes, HEIGHT // stride, WIDTH // stride)
        if dtype in ("uint8", "int8"):
            limits = np.iinfo(dtype)
            values = generator.integers(limits.min, limits.max + 1, shape).astype(dtype)
            heads.append(
                Head(values, stride, scale=0.0627, zero_point=13 if dtype == "int8" else 140)
            )
        else:
            heads.append(Head(generator.normal(0, 3, shape).astype(dtype), stride))
    return heads


def decode(
    heads: list[Head], options: DecoderOptions, layout: Layout = "NCHW", classes: int = CLASSES
) -> Detections:
    decoder = Decoder([head.spec(layout) for head in heads], classes, options)
    return decoder.run([head.tensor(layout) for head in heads], letterbox_of(WIDTH, HEIGHT))


def expected(heads: list[Head], confidence: float, *, multi_label: bool = False) -> Array:
    """(n, 6): boxes cut to the image, score, class; best first, without suppression."""
    rows = np.concatenate([head.rows() for head in heads])
    scores = rows[:, 4:]
    if multi_label:
        row, label = np.nonzero(scores >= confidence)
    else:
        row = np.flatnonzero(scores.max(axis=1) >= confidence)
        label = scores.argmax(axis=1)[row]
    boxes = np.clip(rows[row, :4], 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    found = np.column_stack([boxes, scores[row, label], label])
    return found[np.argsort(-found[:, 4], kind="stable")]


def assert_same(found: Detections, rows: Array, tolerance: float = 1e-4) -> None:
    """The same boxes, whatever the order of equal scores."""
    assert len(found) == len(rows)
    ours = np.column_stack([found.xyxy, found.confidence, found.class_id])
    order = [np.lexsort(np.round(table, 3).T) for table in (ours, rows)]
    np.testing.assert_allclose(ours[order[0]], rows[order[1]], rtol=0, atol=tolerance)
    assert (np.diff(found.confidence) <= 0).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("confidence", [0.0, 0.3, 0.9])
def test_float_heads_are_those_of_numpy(
    layout: Layout, multi_label: bool, confidence: float
) -> None:
    heads = some_heads(1)
    options = DecoderOptions(
        confidence=confidence,
        iou=1.0,
        cross_class_iou=1.0,
        multi_label=multi_label,
        max_detections=100_000,
    )
    rows = expected(heads, confidence, multi_label=multi_label)
    assert_same(decode(heads, options, layout), rows)


def exact(head: Head, confidence: float) -> tuple[Array, Array, Array]:
    """Boxes, scores and classes of an integer head with every rounding to float32 in its place."""
    scale = np.float32(head.scale)
    raw = head.values.astype(np.int64)
    bins = raw[: SIDES * head.reg_max].reshape(SIDES, head.reg_max, -1)
    below = (bins.max(axis=1, keepdims=True) - bins).astype(np.float32)
    weights = np.exp((-scale * below).astype(np.float64)).astype(np.float32)
    total = np.zeros(weights.shape[::2], np.float32)
    weighted = np.zeros_like(total)
    for step in range(head.reg_max):
        total += weights[:, step]
        weighted += weights[:, step] * np.float32(step)
    left, top, right, bottom = weighted / total
    grid = np.mgrid[: raw.shape[1], : raw.shape[2]].reshape(2, -1).astype(np.float32)
    y, x = grid + np.float32(0.5)
    sides = [x - left, y - top, x + right, y + bottom]
    boxes = np.stack(sides, axis=1) * np.float32(head.stride)
    logits = raw[SIDES * head.reg_max :].reshape(-1, len(boxes))
    real = scale * (logits - head.zero_point).astype(np.float32)
    inverse = np.float32(1) + np.exp(-real.astype(np.float64)).astype(np.float32)
    scores = np.float32(1) / inverse
    best = logits.argmax(axis=0)
    score = scores[best, np.arange(len(boxes))]
    kept = score >= np.float32(confidence)
    return boxes[kept], score[kept], best[kept]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("confidence", [0.25, 0.97])
def test_integer_heads_are_exact(layout: Layout, dtype: str, confidence: float) -> None:
    heads = some_heads(2, dtype)
    options = DecoderOptions(
        confidence=confidence, iou=1.0, cross_class_iou=1.0, max_detections=100_000
    )
    found = decode(heads, options, layout)
    parts = [exact(head, confidence) for head in heads]
    boxes, scores, classes = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.argsort(-scores, kind="stable")
    boxes = np.clip(boxes, 0, np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32))
    np.testing.assert_array_equal(found.xyxy, boxes[order])
    np.testing.assert_array_equal(found.confidence, scores[order])
    np.testing.assert_array_equal(found.class_id, classes[order])


def test_half_precision_heads() -> None:
    heads = some_heads(3, "float16")
    assert_same(decode(heads, OPEN), expected(heads, 0.0), tolerance=1e-3)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_outputs_with_gaps_give_the_same_boxes(dtype: str, layout: Layout) -> None:
    heads = some_heads(4, dtype)
    tensors = []
    for head in heads:
        tensor = head.tensor(layout)
        shape = tuple(side + gap for side, gap in zip(tensor.shape, (0, 3, 2, 5), strict=True))
        wide = np.full(shape, 77, tensor.dtype)
        view = wide[tuple(slice(side) for side in tensor.shape)]
        view[...] = tensor
        tensors.append(view)
    decoder = Decoder([head.spec(layout) for head in heads], CLASSES, OPEN)
    found = decoder.run(tensors, letterbox_of(WIDTH, HEIGHT))
    whole = decode(heads, OPEN, layout)
    np.testing.assert_array_equal(found.xyxy, whole.xyxy)
    np.testing.assert_array_equal(found.confidence, whole.confidence)


def test_boxes_are_suppressed_as_those_with_anchors() -> None:
    head = Head(np.full((SIDES * REG_MAX + 1, 8, 12), -9, np.float32), 8)
    for column, logit in ((4, 2.0), (5, 1.0)):
        head.values[SIDES * REG_MAX, 4, column] = logit
        for side, cells in enumerate((3 + column - 4, 3, 4 - column + 4, 3)):
            head.values[side * REG_MAX + cells, 4, column] = 30
    found = decode([head], DecoderOptions(confidence=0.5), classes=1)
    assert len(found) == 1
    np.testing.assert_allclose(found.xyxy, [[12, 12, 68, 60]], atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_numbers_give_no_box(value: float) -> None:
    heads = some_heads(5)
    heads[0].values[0, 2, 3] = value  # a bin of a left side
    heads[1].values[:, 1, 1] = np.nan
    assert len(decode(heads, OPEN)) == 8 * 12 + 4 * 6 - 2


@pytest.mark.parametrize("reg_max", [-1, 1, 65, 1 << 30])
def test_impossible_bins_are_refused(reg_max: int) -> None:
    head = some_heads(6)[0]
    spec = Head(head.values, 8, reg_max).spec("NCHW")
    with pytest.raises(CoreError, match="reg_max must be 0 or 2 to 64"):
        Decoder([spec], CLASSES).run([head.tensor("NCHW")], letterbox_of(WIDTH, HEIGHT))


@pytest.mark.parametrize("missing", [1, SIDES * REG_MAX])
def test_a_buffer_of_another_size_is_refused(missing: int) -> None:
    head = some_heads(7)[0]
    with pytest.raises(CoreError, match="not the size of its shape"):
        Decoder([head.spec("NCHW")], CLASSES).run(
            [np.ascontiguousarray(head.tensor("NCHW")[:, missing:])], letterbox_of(WIDTH, HEIGHT)
        )


def overlaps(a: Array, b: Array) -> Array:
    """IoU of every box of (n, 4) with every box of (m, 4)."""
    low = np.maximum(a[:, None, :2], b[:, :2])
    common = np.prod(np.clip(np.minimum(a[:, None, 2:], b[:, 2:]) - low, 0, None), axis=2)
    first, second = (np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (a, b))
    shares: Array = common / (first[:, None] + second - common)
    return shares


@pytest.mark.realdata
@pytest.mark.parametrize(
    "stem", [f"ultra-{name}" for name in ("yolov5u", "yolov8", "yolov8-8.0.40", "yolo11")]
)
def test_decoding_is_that_of_the_package(data: Path, stem: str) -> None:
    golden = np.load(data / "checkpoints" / "wild" / f"{stem}.golden.npz")
    height, width = golden["images"].shape[2:]
    decoded = golden["decoded"][0]
    classes = decoded.shape[1] - 4
    strides = golden["strides"].ravel().astype(int).tolist()
    heads = [
        Head(golden[f"head{i}"][0].astype(np.float32), stride, int(golden["reg_max"]))
        for i, stride in enumerate(strides)
    ]
    decoder = Decoder(
        [head.spec("NCHW") for head in heads],
        classes,
        DecoderOptions(0.0, 1.0, 1.0, True, 1_000_000, 1_000_000),
    )
    found = decoder.run([head.tensor("NCHW") for head in heads], letterbox_of(width, height))
    assert len(found) == len(decoded) * classes
    for label in range(classes):
        ours = found.class_id == label
        scores = decoded[:, 4 + label]
        boxes = np.clip(decoded[:, :4], 0, [width, height, width, height])
        confidence, xyxy = found.confidence[ours], found.xyxy[ours].astype(np.float64)
        np.testing.assert_allclose(confidence, np.sort(scores)[::-1], rtol=0, atol=1e-4)
        shared = overlaps(xyxy, boxes) * (np.abs(confidence[:, None] - scores) <= 1e-4)
        assert shared.max(axis=1).min() >= 0.999
        assert shared.max(axis=0).min() >= 0.999
