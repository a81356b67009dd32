"""Reshapes and transposes of maps against numpy's."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.onnx_import.arranged import (
    Arranged,
    moved,
    of_map,
    reshaped,
    transposed,
)
from tallylens.converters.shapes import ShapeError
from tallylens.edge_runtime.metadata import ModelMetadata

SIZE = (4, 6)
CHANNELS = 12
METADATA = ModelMetadata(
    class_names=("car",),
    input_size=SIZE,
    strides=(1,),
    anchors=(((1.0, 1.0),),),
    head_names=("head1",),
)


def start() -> tuple[GraphBuilder, ir.Value]:
    """A map of 12 channels, 4 rows and 6 columns."""
    builder = GraphBuilder(SIZE, 1)
    weight = np.arange(CHANNELS * 3, dtype=np.float32).reshape(CHANNELS, 3, 1, 1)
    return builder, builder.conv("x", builder.input, weight, None)


def read(value: Arranged, array: np.ndarray) -> np.ndarray:
    """The numbers of `value`, whose map holds `array` (channels, rows, columns)."""
    parts = [part for dimension in value.dimensions for part in dimension]
    found = []
    for steps in product(*(range(part.size) for part in parts)):
        index = [0, 0, 0]
        for step, part in zip(steps, parts, strict=True):
            index[part.side] += step * part.stride
        found.append(array[tuple(index)])
    return np.array(found).reshape(value.shape)


def shapes_of(count: int) -> st.SearchStrategy[list[int]]:
    """Ways to write `count` as a product of up to four sizes."""
    divisors = [n for n in range(1, count + 1) if count % n == 0]

    def complete(sizes: list[int]) -> list[int]:
        kept: list[int] = []
        for size in sizes:
            if count % (prod(kept) * size) == 0:
                kept.append(size)
        return [*kept, count // prod(kept)]

    return st.lists(st.sampled_from(divisors), max_size=3).map(complete)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_reshapes_and_transposes_are_numpys(data: Any) -> None:
    _, x = start()
    array = np.arange(CHANNELS * 4 * 6).reshape(CHANNELS, 4, 6)
    value, wanted = of_map(x), array[None]
    for _ in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans()):
            order = data.draw(st.permutations(range(wanted.ndim)))
            value, wanted = transposed(value, order), wanted.transpose(order)
        else:
            shape = data.draw(shapes_of(wanted.size))
            try:
                value = reshaped(value, shape)
            except ShapeError:
                return  # sizes that cut a side in no whole parts
            wanted = wanted.reshape(shape)
        assert value.shape == wanted.shape
        assert (read(value, array) == wanted).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_moved_numbers_are_numpys(data: Any) -> None:
    builder, x = start()
    images = np.random.default_rng(0).random((1, 3, *SIZE), np.float32)
    heads = data.draw(st.sampled_from([1, 2, 3, 4]))
    value = reshaped(of_map(x), (heads, CHANNELS // heads, *SIZE))
    order = data.draw(st.permutations(range(4)))
    value = transposed(value, order)
    shape = [value.shape[0], value.shape[1], value.shape[2] * value.shape[3]]
    value = reshaped(value, shape)
    try:
        result = moved(builder, "moved", value, value.dimensions)
    except ShapeError:
        return  # two sides of the size of the image, or four directions
    flat = builder.reshape("flat", result, (1, 1, -1))
    model = ir.to_proto(builder.finish([flat], METADATA).model)
    (found,) = ort.InferenceSession(model.SerializeToString()).run(None, {"images": images})
    weight = np.arange(CHANNELS * 3, dtype=np.float32).reshape(CHANNELS, 3)
    whole = np.einsum("oc,chw->ohw", weight, images[0])
    wanted = whole.reshape(heads, -1, *SIZE).transpose(order).reshape(shape)
    np.testing.assert_allclose(found.ravel(), wanted.ravel(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 58), (7,), (0, 288), (-1, 288), (1,) * 8 + (288,)])
def test_impossible_reshapes_are_refused(shape: tuple[int, ...]) -> None:
    _, x = start()
    with pytest.raises(ShapeError):
        reshaped(of_map(x), shape)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 1, 1, 2), (0, 1, 2, 4)])
def test_impossible_transposes_are_refused(order: tuple[int, ...]) -> None:
    _, x = start()
    with pytest.raises(ShapeError):
        transposed(of_map(x), order)
