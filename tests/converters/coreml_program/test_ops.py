"""Every op against a few numbers worked out by hand or by another formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tallylens.converters.coreml_program.ops import OPS

pytestmark = pytest.mark.slow

FLOAT = np.dtype("float32")
HALF = np.dtype("float16")


def compute(kind: str, dtype: Any = FLOAT, **inputs: Any) -> Any:
    result = OPS[kind](
        {n: v if isinstance(v, tuple) else np.asarray(v) for n, v in inputs.items()},
        np.dtype(dtype),
    )
    assert result.dtype == dtype
    return result


def plane(*rows: list[float]) -> Any:
    return np.array(rows, np.float32)[None, None]


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        ("relu", {"x": [-1.0, 2.0]}, [0, 2]),
        ("leaky_relu", {"x": [-1.0, 2.0], "alpha": 0.1}, [-0.1, 2]),
        ("sigmoid", {"x": [0.0, np.log(3)]}, [0.5, 0.75]),
        ("silu", {"x": [0.0, np.log(3)]}, [0, 0.75 * np.log(3)]),
        ("sigmoid_hard", {"x": [-9.0, 0.0, 9.0], "alpha": 1 / 6, "beta": 0.5}, [0, 0.5, 1]),
        ("add", {"x": [1.0, 2.0], "y": 0.5}, [1.5, 2.5]),
        ("mul", {"x": [1.0, 2.0], "y": [3.0, 4.0]}, [3, 8]),
        ("slice_by_size", {"x": [1.0, 2.0, 3.0], "begin": [1], "size": [2]}, [2, 3]),
        ("slice_by_size", {"x": [1.0, 2.0, 3.0], "begin": [1], "size": [-1]}, [2, 3]),
        ("reshape", {"x": [[1.0, 2.0]], "shape": [2, 1]}, [[1], [2]]),
        ("transpose", {"x": [[1.0, 2.0]], "perm": [1, 0]}, [[1], [2]]),
        (
            "dequantize",
            {"input": np.array([3, 9], np.uint8), "scale": 0.5, "zero_point": 5},
            [-1, 2],
        ),
    ],
)
def test_by_hand(kind: str, inputs: dict[str, Any], expected: Any) -> None:
    inputs = {
        n: np.asarray(v, np.float32) if np.asarray(v).dtype == np.float64 else v
        for n, v in inputs.items()
    }
    np.testing.assert_allclose(compute(kind, **inputs), expected, rtol=1e-6, atol=1e-7)


def test_concat_and_upsample() -> None:
    x, y = plane([1, 2]), plane([3, 4])
    assert compute("concat", values=(x, y), axis=1).tolist() == [[[[1, 2]], [[3, 4]]]]
    grown = compute("upsample_nearest_neighbor", x=x, scale_factor_height=2, scale_factor_width=2)
    assert grown[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_quantize_rounds_to_even_and_saturates() -> None:
    x = np.array([-10, 0.25, 0.75, 1.0, 200], np.float32)
    numbers = {"scale": np.float32(0.5), "zero_point": np.uint8(4), "output_dtype": "uint8"}
    assert compute("quantize", np.uint8, input=x, **numbers).tolist() == [0, 4, 6, 6, 255]


def test_weights_expand_along_their_axis() -> None:
    data = np.array([[1, -2], [3, 4]], np.int8)
    scales = np.array([0.5, 2], np.float16)
    for axis, expected in ((0, [[0.5, -1], [6, 8]]), (1, [[0.5, -4], [1.5, 8]])):
        found = compute(
            "constexpr_affine_dequantize",
            HALF,
            quantized_data=data,
            scale=scales,
            zero_point=np.int8(0),
            axis=axis,
        )
        assert found.tolist() == expected


def test_convolution_pads_top_bottom_left_right() -> None:
    x = plane([1, 2], [3, 4])
    weight = np.ones((1, 1, 1, 1), np.float32)
    found = compute(
        "conv",
        x=x,
        weight=weight,
        bias=np.array([10], np.float32),
        pad_type="custom",
        pad=[1, 0, 0, 2],
    )
    assert found[0, 0].tolist() == [[10, 10, 10, 10], [11, 12, 10, 10], [13, 14, 10, 10]]


def test_grouped_and_strided_convolution() -> None:
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    weight = np.array([1, 10], np.float32).reshape(2, 1, 1, 1)
    found = compute("conv", x=x, weight=weight, groups=2, strides=[2, 2])
    assert found.tolist() == [[[[0, 2], [8, 10]], [[160, 180], [240, 260]]]]


def test_pooling_ignores_the_padding() -> None:
    found = compute(
        "max_pool",
        x=plane([-1, -2], [-3, -4]),
        kernel_sizes=[3, 3],
        strides=[1, 1],
        pad_type="custom",
        pad=[1, 1, 1, 1],
    )
    assert found[0, 0].tolist() == [[-1, -1], [-1, -1]]


def test_half_results_are_rounded_once_from_full_sums() -> None:
    """2049 has no float16 form, but a sum that passes through it does not lose anything."""
    x = np.array([2048, 1, 1], np.float16).reshape(1, 3, 1, 1)
    weight = np.ones((1, 3, 1, 1), np.float16)
    assert compute("conv", HALF, x=x, weight=weight).ravel().tolist() == [2050]
    assert compute("add", HALF, x=np.float16(2048), y=np.float16(1)).item() == 2048


def test_half_silu_is_near_the_exact_one() -> None:
    x = np.linspace(-12, 12, 999).astype(np.float16)
    exact = x.astype(np.float64) / (1 + np.exp(-x.astype(np.float64)))
    error = np.abs(compute("silu", HALF, x=x).astype(np.float64) - exact)
    assert (error <= np.maximum(np.abs(exact) * 2**-10, 1e-6)).all()


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("mul", {"x": np.ones((1 << 16, 1)), "y": np.ones((1, 1 << 16))}),
        ("upsample_nearest_neighbor", {"scale_factor_height": 1 << 20, "scale_factor_width": 999}),
        ("max_pool", {"kernel_sizes": [1 << 20, 1], "pad_type": "valid"}),
        ("max_pool", {"kernel_sizes": [1, 1], "pad_type": "custom", "pad": [0, 0, -1, 0]}),
        ("max_pool", {"kernel_sizes": [1, 1], "pad_type": "same"}),
        ("max_pool", {"kernel_sizes": [1, 1], "pad_type": "valid", "ceil_mode": True}),
    ],
)
def test_what_no_detector_asks_for(kind: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a tensor of|a window of|padding of|ceil_mode"):
        compute(kind, **({"x": plane([1, 2])} | inputs))
