"""Decoding and NMS against numpy: every dtype and layout, borders, broken heads, the goldens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallylens.edge_runtime.core import Decoder, DecoderOptions, Letterbox, Preprocessor
from tallylens.edge_runtime.errors import CoreError, UsageError
from tallylens.edge_runtime.types import Detections, HeadSpec

Array = npt.NDArray[Any]
ANCHORS = ((10.0, 13.0), (16.0, 30.0))
WIDTH, HEIGHT = 96, 64  # of the input
OPEN = DecoderOptions(confidence=0.0, iou=1.0, cross_class_iou=1.0, max_detections=100_000)


def letterbox_of(width: int, height: int, target: tuple[int, int] = (HEIGHT, WIDTH)) -> Letterbox:
    """That of a (height, width) source in a (height, width) input, owned by the caller."""
    image = np.zeros((height, width, 3), np.uint8)
    return Preprocessor().run(image, np.zeros((1, *target, 3), np.uint8), layout="NHWC")


@dataclass(frozen=True)
class Head:
    """`values` (anchors, height, width, 5 + classes), as the network gives them."""

    values: Array
    stride: int
    anchors: tuple[tuple[float, float], ...] = ANCHORS
    scale: float = 1.0
    zero_point: int = 0

    def spec(self, layout: str) -> HeadSpec:
        _, height, width, _ = self.values.shape
        return HeadSpec(
            name="head",
            dtype=self.values.dtype.name,  # type: ignore[arg-type]
            layout=layout,  # type: ignore[arg-type]
            width=width,
            height=height,
            stride=self.stride,
            anchors=self.anchors,
            scale=self.scale,
            zero_point=self.zero_point,
        )

    def tensor(self, layout: str) -> Array:
        """(1, anchors * channels, h, w) or (1, h, w, anchors * channels)."""
        anchors, height, width, channels = self.values.shape
        if layout == "NCHW":
            planes = self.values.transpose(0, 3, 1, 2)
            return np.ascontiguousarray(planes.reshape(1, anchors * channels, height, width))
        cells = self.values.transpose(1, 2, 0, 3)
        return np.ascontiguousarray(cells.reshape(1, height, width, anchors * channels))

    def logits(self) -> Array:
        return self.scale * (self.values.astype(np.float64) - self.zero_point)


def decode(
    heads: list[Head],
    options: DecoderOptions,
    layout: str = "NCHW",
    letterbox: Letterbox | None = None,
) -> Detections:
    classes = heads[0].values.shape[-1] - 5
    decoder = Decoder([head.spec(layout) for head in heads], classes, options)
    tensors = [head.tensor(layout) for head in heads]
    return decoder.run(tensors, letterbox or letterbox_of(WIDTH, HEIGHT))


def sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def rows_of(head: Head) -> Array:
    """(n, 5 + classes): x1, y1, x2, y2 in input pixels, objectness, class scores."""
    s = sigmoid(head.logits())
    _, height, width, channels = s.shape
    y, x = np.mgrid[:height, :width]
    center_x, center_y = (
        (2 * s[..., 0] - 0.5 + x) * head.stride,
        (2 * s[..., 1] - 0.5 + y) * head.stride,
    )
    sizes = np.array(head.anchors)[:, None, None]
    w, h = (2 * s[..., 2]) ** 2 * sizes[..., 0], (2 * s[..., 3]) ** 2 * sizes[..., 1]
    box = [center_x - w / 2, center_y - h / 2, center_x + w / 2, center_y + h / 2]
    return np.concatenate([np.stack(box, axis=-1), s[..., 4:]], axis=-1).reshape(-1, channels)


def overlaps(box: Array, others: Array) -> Array:
    """Intersection over union of one xyxy box with (n, 4) others."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - common
    shares: Array = np.divide(common, union, out=np.zeros(len(others)), where=union > 0)
    return shares


def candidates_of(heads: list[Head], options: DecoderOptions) -> Array:
    """(n, 6) boxes, scores and classes above the threshold, best first."""
    rows = np.concatenate([rows_of(head) for head in heads])
    scores = rows[:, 4:5] * rows[:, 5:]
    assume(np.abs(scores - options.confidence).min() > 1e-6 or options.confidence == 0)
    if options.multi_label:
        row, label = np.nonzero(scores >= options.confidence)
    else:
        row = np.flatnonzero(scores.max(axis=1) >= options.confidence)
        label = scores.argmax(axis=1)[row]
    found = np.column_stack([rows[row, :4], scores[row, label], label])
    return found[np.argsort(-found[:, 4], kind="stable")]


def suppressed(found: Array, options: DecoderOptions) -> Array:
    """Greedy non-maximum suppression, quadratic and plain."""
    kept: list[Array] = []
    for row in found[: options.max_candidates]:
        better = np.array(kept).reshape(-1, 6)
        limit = np.where(better[:, 5] == row[5], options.iou, options.cross_class_iou)
        shared = overlaps(row[:4], better[:, :4])
        assume(not np.any(np.abs(shared - limit) < 1e-5))  # rounding decides
        if not np.any((shared > limit) & (limit < 1)):
            kept.append(row)
    return np.array(kept[: options.max_detections]).reshape(-1, 6)


def assert_same(found: Detections, expected: Array, tolerance: float = 1e-3) -> None:
    """`found` holds the rows of `expected` (n, 6) in the same order."""
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.confidence, expected[:, 4], rtol=0, atol=1e-6)
    assert found.class_id.tolist() == expected[:, 5].astype(int).tolist()
    np.testing.assert_allclose(found.xyxy, expected[:, :4], rtol=0, atol=tolerance)


def clipped(rows: Array) -> Array:
    return np.column_stack([np.clip(rows[:, :4], 0, [WIDTH, HEIGHT] * 2), rows[:, 4:]])


def random_heads(seed: int, dtype: str, classes: int) -> list[Head]:
    """Two heads of a 96x64 input with about a third of the cells worth a look."""
    rng = np.random.default_rng(seed)
    heads = []
    for stride in (16, 32):
        cells = (HEIGHT // stride, WIDTH // stride)
        logits = rng.normal(-0.5, 2.5, (len(ANCHORS), *cells, 5 + classes))
        logits[..., 2:4] *= 0.4  # no box too thin for the areas of float32
        if dtype in ("float32", "float16"):
            heads.append(Head(logits.astype(dtype), stride))
            continue
        scale, zero = 0.05 + 0.05 * rng.random(), int(rng.integers(-20, 20))
        zero += 128 * (dtype == "uint8")
        limits = np.iinfo(dtype)
        raw = np.clip(np.rint(logits / scale + zero), limits.min, limits.max).astype(dtype)
        heads.append(Head(raw, stride, scale=np.float32(scale).item(), zero_point=zero))
    return heads


def distinct(heads: list[Head], options: DecoderOptions) -> Array:
    """The candidates, where no two scores are too close for an order."""
    found = candidates_of(heads, options)
    assume(not np.any(np.diff(found[:, 4]) > -1e-6))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8"])
@given(
    seed=st.integers(0, 2**32),
    classes=st.integers(1, 5),
    confidence=st.sampled_from((0.001, 0.05, 0.1, 0.25, 0.5, 0.9)),
    iou=st.sampled_from((0.0, 0.2, 0.45, 0.6, 1.0)),
    cross=st.sampled_from((0.0, 0.45, 0.7, 1.0)),
    multi_label=st.booleans(),
)
def test_random_heads(
    layout: str,
    dtype: str,
    seed: int,
    classes: int,
    confidence: float,
    iou: float,
    cross: float,
    multi_label: bool,
) -> None:
    heads = random_heads(seed, dtype, classes)
    options = DecoderOptions(confidence, iou, cross, multi_label)
    found = distinct(heads, options)
    assert_same(decode(heads, options, layout), clipped(suppressed(found, options)))


def in_order(rows: Array) -> Array:
    """Rows by their rounded values, so that two orders of near values compare."""
    return rows[np.lexsort(np.round(rows, 2).T)]


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@given(seed=st.integers(0, 2**32))
def test_equal_scores_keep_the_order_of_the_heads(dtype: str, seed: int) -> None:
    # Without suppression: as many rows, as a set the same.
    heads = random_heads(seed, dtype, 2)
    options = replace(OPEN, confidence=0.05)
    expected = clipped(candidates_of(heads, options))
    found = decode(heads, options)
    rows = np.column_stack([found.xyxy, found.confidence, found.class_id])
    assert np.all(np.diff(found.confidence) <= 0)
    np.testing.assert_allclose(in_order(rows), in_order(expected), atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    ("scale", "shift"), [(0.02, 0), (0.07, -40), (0.1, 30), (0.173, 0), (0.5, 90), (3.0, -5)]
)
def test_the_quantized_threshold_loses_nothing(dtype: str, scale: float, shift: int) -> None:
    """All 256 objectness values against thresholds on and around every one of them."""
    zero = shift + (128 if dtype == "uint8" else 0)
    every = np.arange(256) + np.iinfo(dtype).min
    scale = np.float32(scale).item()
    values = np.full((1, 16, 16, 6), np.iinfo(dtype).max, dtype)
    values[0, ..., 4] = every.reshape(16, 16)
    head = Head(values, 4, anchors=((4.0, 4.0),), scale=scale, zero_point=zero)
    single = sigmoid(np.float32(scale) * (every - zero).astype(np.float32))
    best = sigmoid(np.array(scale * (np.iinfo(dtype).max - zero), np.float32))
    scores = (single.astype(np.float32) * best.astype(np.float32)).astype(np.float64)
    decoder = Decoder([head.spec("NHWC")], 1, OPEN)
    whole = decoder.run([head.tensor("NHWC")], letterbox_of(WIDTH, HEIGHT))
    np.testing.assert_allclose(np.sort(whole.confidence), np.sort(scores), atol=1e-6)
    for threshold in np.unique(whole.confidence):
        options = replace(OPEN, confidence=float(threshold))
        found = decode([head], options, "NHWC")
        assert len(found) == np.count_nonzero(whole.confidence >= threshold)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_the_float_threshold_loses_nothing(layout: str) -> None:
    values = np.full((1, 16, 16, 6), 30.0, np.float32)  # a class score of exactly 1
    values[0, ..., 4] = np.linspace(-9, 9, 256, dtype=np.float32).reshape(16, 16)
    head = Head(values, 4, anchors=((4.0, 4.0),))
    whole = decode([head], OPEN, layout).confidence
    assert len(whole) == 256
    for threshold in whole:
        found = decode([head], replace(OPEN, confidence=float(threshold)), layout)
        assert len(found) == np.count_nonzero(whole >= threshold)


def padded(tensor: Array, gaps: tuple[int, int, int]) -> Array:
    """`tensor` as a view of a larger array, with noise between its values."""
    _, *shape = tensor.shape
    random = np.random.default_rng(3)
    whole = random.integers(0, 256, (*np.add(shape, gaps), tensor.itemsize), np.uint8)
    rows, columns, channels = shape
    view: Array = whole.view(tensor.dtype)[..., 0][:rows, :columns, :channels][None]
    view[:] = tensor
    return view


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8"])
@pytest.mark.parametrize("gaps", [(0, 0, 5), (0, 3, 0), (2, 1, 7), (1, 0, 0)])
def test_gaps_in_a_head_change_nothing(gaps: tuple[int, int, int], dtype: str, layout: str) -> None:
    heads = random_heads(5, dtype, 3)
    decoder = Decoder([head.spec(layout) for head in heads], 3, replace(OPEN, confidence=0.1))
    box = letterbox_of(WIDTH, HEIGHT)
    packed = [head.tensor(layout) for head in heads]
    expected = decoder.run(packed, box)
    assert len(expected) > 10
    for tensors in ([padded(tensor, gaps) for tensor in packed], packed):  # and without again
        found = decoder.run(tensors, box)
        for name in ("xyxy", "confidence", "class_id"):
            assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_a_head_read_in_the_other_layout_through_its_strides() -> None:
    (head, _) = random_heads(6, "float16", 2)
    box, options = letterbox_of(WIDTH, HEIGHT), replace(OPEN, confidence=0.1)
    expected = Decoder([head.spec("NHWC")], 2, options).run([head.tensor("NHWC")], box)
    turned = head.tensor("NCHW").transpose(0, 2, 3, 1)
    found = Decoder([head.spec("NHWC")], 2, options).run([turned], box)
    assert np.array_equal(found.xyxy, expected.xyxy)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_head_with_gaps_of_another_shape(layout: str) -> None:
    (head, _) = random_heads(6, "float32", 2)
    tensor = padded(head.tensor(layout), (0, 0, 4))
    decoder = Decoder([head.spec(layout)], 2)
    with pytest.raises(UsageError, match=r"a head has shape .*\. Give \(1, "):
        decoder.run([tensor[:, :, :, :-1]], letterbox_of(WIDTH, HEIGHT))


def one_cell(**channels: float) -> Head:
    """A head of one sure object of class 1 among three."""
    names = ("x", "y", "w", "h", "objectness", "c0", "c1", "c2")
    values = dict.fromkeys(names, 0.0) | {"objectness": 9.0, "c1": 9.0, "c0": -9.0, "c2": -9.0}
    values |= channels
    cell = np.array([values[name] for name in names], np.float32)
    return Head(cell.reshape(1, 1, 1, 8), 64, anchors=((20.0, 30.0),))


def test_one_cell_by_hand() -> None:
    found = decode([one_cell()], DecoderOptions())
    assert found.xyxy.tolist() == [[22, 17, 42, 47]]
    assert found.class_id.tolist() == [1]
    assert found.confidence[0] == pytest.approx(0.99975, abs=1e-5)
    dtypes = [array.dtype for array in (found.xyxy, found.confidence, found.class_id)]
    assert dtypes == [np.dtype(np.float32), np.dtype(np.float32), np.dtype(np.int32)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", ["x", "y", "w", "h", "objectness", "c0", "c1", "c2"])
def test_no_broken_number_comes_out(channel: str, bad: float) -> None:
    broken = one_cell(**{channel: bad})
    for multi_label in (False, True):
        sound = one_cell(x=-1.0)  # beside it
        found = decode([broken, sound], DecoderOptions(multi_label=multi_label))
        assert np.isfinite(found.xyxy).all()
        assert np.isfinite(found.confidence).all()
        assert 1 in found.class_id, "the sound head is still decoded"
        if np.isnan(bad) and channel in ("x", "y", "w", "h", "objectness"):
            assert len(found) == 1


def test_a_head_of_nothing_but_nan() -> None:
    head = one_cell()
    broken = replace(head, values=np.full_like(head.values, np.nan))
    assert len(decode([broken], OPEN)) == 0


def grid(count: int) -> Head:
    """`count` sure objects that do not touch, in the order of falling confidence."""
    values = np.zeros((1, 8, 8, 6), np.float32)
    values[..., 4] = -20
    values[..., 5] = 20
    values[0].reshape(64, 6)[:count, 4] = np.linspace(3, 1, count)
    return Head(values, 8, anchors=((6.0, 6.0),))


@pytest.mark.parametrize("limit", [1, 7, 40, 41])
def test_limits_keep_the_best(limit: int) -> None:
    everything = decode([grid(40)], DecoderOptions())
    assert len(everything) == 40
    for options in (DecoderOptions(max_detections=limit), DecoderOptions(max_candidates=limit)):
        found = decode([grid(40)], options)
        assert len(found) == min(limit, 40)
        assert np.array_equal(found.confidence, everything.confidence[:limit])
        assert np.array_equal(found.xyxy, everything.xyxy[:limit])


def test_candidates_are_cut_before_suppression() -> None:
    best = one_cell()
    twin, other = one_cell(objectness=8.0), one_cell(objectness=7.0, x=9.0, y=9.0)
    heads = [best, twin, other]
    assert len(decode(heads, DecoderOptions())) == 2
    assert len(decode(heads, DecoderOptions(max_candidates=2))) == 1
    assert len(decode(heads, DecoderOptions(max_detections=2))) == 2


@pytest.mark.parametrize(
    ("iou", "cross_class_iou", "kept"),
    [(0.45, 1.0, 2), (0.45, 0.7, 1), (0.45, 0.0, 1), (1.0, 1.0, 2), (1.0, 0.5, 1)],
)
def test_two_names_for_one_object(iou: float, cross_class_iou: float, kept: int) -> None:
    car, truck = one_cell(c1=4.0), one_cell(c1=-9.0, c2=3.0)
    options = DecoderOptions(iou=iou, cross_class_iou=cross_class_iou)
    found = decode([truck, car], options)
    assert found.class_id.tolist() == [1, 2][:kept]


def test_multi_label_gives_every_class_above_the_threshold() -> None:
    head = one_cell(c0=2.0, c1=1.0, c2=-5.0)
    options = DecoderOptions(confidence=0.25, cross_class_iou=1.0)
    assert decode([head], options).class_id.tolist() == [0]
    both = decode([head], replace(options, multi_label=True))
    assert both.class_id.tolist() == [0, 1]
    assert np.array_equal(both.xyxy[0], both.xyxy[1])


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 1000))
def test_boxes_come_in_source_pixels_and_stay_in_the_frame(
    width: int, height: int, seed: int
) -> None:
    heads = random_heads(seed, "float32", 2)
    options = replace(OPEN, confidence=0.1)
    box = letterbox_of(width, height)
    found = decode(heads, options, letterbox=box)
    rows = candidates_of(heads, options)
    w, h = round(box.gain_x * width), round(box.gain_y * height)
    left, top = (WIDTH - w) // 2, (HEIGHT - h) // 2
    x = np.clip((rows[:, 0:4:2] - left) * width / w, 0, width)
    y = np.clip((rows[:, 1:4:2] - top) * height / h, 0, height)
    expected = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)
    np.testing.assert_allclose(found.xyxy, expected, atol=0.02)
    assert np.all(found.xyxy >= 0)
    assert np.all(found.xyxy[:, 2:] >= found.xyxy[:, :2])
    assert np.all(found.xyxy <= [width, height, width, height])


def test_results_outlive_the_next_frame() -> None:
    head, empty = one_cell(), one_cell(objectness=-9.0)
    decoder = Decoder([head.spec("NHWC")], 3, DecoderOptions())
    first = decoder.run([head.tensor("NHWC")], letterbox_of(WIDTH, HEIGHT))
    before = first.xyxy.copy()
    assert len(decoder.run([empty.tensor("NHWC")], letterbox_of(WIDTH, HEIGHT))) == 0
    assert np.array_equal(first.xyxy, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 2}, "head buffer has not the size of its shape"),
        ({"width": 0}, "head sides must be 1 to 8192"),
        ({"stride": 0}, "head stride must be 1 to 1024"),
        ({"anchors": ((0.0, 30.0),)}, "anchors must be above zero"),
        ({"anchors": ((np.nan, 30.0),)}, "anchors must be above zero"),
        ({"anchors": ()}, "a head has 1 to 64 anchors"),
    ],
)
def test_specs_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    head = one_cell()
    decoder = Decoder([replace(head.spec("NHWC"), **change)], 3)
    with pytest.raises(CoreError, match=message):
        decoder.run([head.tensor("NHWC")], letterbox_of(WIDTH, HEIGHT))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_mean_nothing(scale: float) -> None:
    head = Head(np.zeros((1, 1, 1, 6), np.uint8), 64, anchors=((4.0, 4.0),), scale=scale)
    with pytest.raises(CoreError, match="head scale must be above zero"):
        decode([head], DecoderOptions())


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": -0.1},
        {"confidence": 1.1},
        {"confidence": np.nan},
        {"iou": -1.0},
        {"iou": np.nan},
        {"cross_class_iou": -0.5},
        {"max_candidates": 0},
    ],
)
def test_options_out_of_bounds(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(CoreError, match=f"decoder: {name} is .*; use "):
        Decoder([one_cell().spec("NHWC")], 3, replace(DecoderOptions(), **change))


def test_one_array_a_head() -> None:
    head = one_cell()
    decoder = Decoder([head.spec("NHWC")], 3)
    with pytest.raises(ValueError, match="zip"):
        decoder.run([head.tensor("NHWC")] * 2, letterbox_of(WIDTH, HEIGHT))


# The anchors that YOLOv5 ships with, in input pixels.
P5 = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)
P6 = (
    ((19.0, 27.0), (44.0, 40.0), (38.0, 94.0)),
    ((96.0, 68.0), (86.0, 152.0), (180.0, 137.0)),
    ((140.0, 301.0), (303.0, 264.0), (238.0, 542.0)),
    ((436.0, 615.0), (739.0, 380.0), (925.0, 792.0)),
)


def golden_heads(golden: Any, side: int) -> list[Head]:
    names = sorted(name for name in golden.files if name.startswith("head"))
    anchors = P6 if len(names) == 4 else P5
    return [
        Head(golden[name][0], side // golden[name].shape[2], pair)
        for name, pair in zip(names, anchors, strict=True)
    ]


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["v7-tiny-3class", "p6-tiny-4class", "leaky-tiny-2class", "v5-focus-spp-tiny"]
)
def test_official_decoding(data: Path, name: str) -> None:
    """Every row of PyTorch's own decoding, one for each class, comes out in its place."""
    golden = np.load(data / "checkpoints" / f"{name}.golden.npz")
    side = golden["images"].shape[2]
    rows = golden["decoded"][0].astype(np.float64)
    options = replace(OPEN, multi_label=True)
    found = decode(
        golden_heads(golden, side), options, "NHWC", letterbox_of(side, side, (side, side))
    )
    x, y, w, h = rows[:, :4].T
    boxes = np.clip(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1), 0, side)
    scores = rows[:, 4:5] * rows[:, 5:]
    row, label = np.divmod(np.arange(scores.size), scores.shape[1])
    assert len(found) == scores.size
    table = np.column_stack([boxes[row], scores.ravel(), label])
    # Sorted by class and by the exact cell, which follows from the boxes' positions.
    assert np.allclose(np.sort(found.confidence), np.sort(table[:, 4]), atol=2e-6)
    for class_id in range(scores.shape[1]):
        mine = found.class_id == class_id
        a = np.column_stack([found.xyxy[mine], found.confidence[mine]])
        b = table[label == class_id, :5]
        nearest = np.abs(b[:, None, :] - a[None]).max(axis=2).min(axis=1)
        assert nearest.max() < 2e-3


@pytest.mark.realdata
def test_official_detections(data: Path) -> None:
    golden = np.load(data / "models" / "yolov5n-bus.golden.npz")
    options = DecoderOptions(confidence=0.25, iou=0.45, cross_class_iou=1.0)
    letterbox = letterbox_of(810, 1080, (640, 640))
    found = decode(golden_heads(golden, 640), options, letterbox=letterbox)
    expected = golden["detections"].astype(np.float64)
    assert found.class_id.tolist() == expected[:, 5].astype(int).tolist()
    np.testing.assert_allclose(found.confidence, expected[:, 4], atol=0.005)
    for box, row in zip(found.xyxy, expected, strict=True):
        assert overlaps(box.astype(np.float64), row[None, :4])[0] >= 0.99
