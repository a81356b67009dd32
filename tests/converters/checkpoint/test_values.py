"""Tensors of every number format, read from the bytes of a storage."""

from __future__ import annotations

import numpy as np
import pytest

from tallylens.converters.checkpoint.values import Storage, Tensor

NUMBERS = np.array([[1, 0, 3], [4, 5, 2]])


@pytest.mark.parametrize(
    ("kind", "dtype", "result"),
    [
        ("Half", "<f2", "float32"),
        ("Float", "<f4", "float32"),
        ("Double", "<f8", "float64"),
        ("Long", "<i8", "int64"),
        ("Int", "<i4", "int32"),
        ("Short", "<i2", "int16"),
        ("Char", "i1", "int8"),
        ("Byte", "u1", "uint8"),
        ("Bool", "?", "bool"),
    ],
)
def test_number_formats(kind: str, dtype: str, result: str) -> None:
    data = NUMBERS.astype(dtype)
    tensor = Tensor(Storage(f"torch.{kind}Storage", "0", 6), 0, (2, 3), (3, 1))
    array = tensor.read(data.tobytes())
    np.testing.assert_array_equal(array, data)
    assert array.dtype == result


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    data = np.array([1.5, -2.0, 0.15625], "<f4").view("<u4") >> 16
    tensor = Tensor(Storage("torch.BFloat16Storage", "0", 3), 0, (3,), (1,))
    assert tensor.read(data.astype("<u2").tobytes()).tolist() == [1.5, -2.0, 0.15625]


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "expected"),
    [
        (0, (3, 2), (1, 3), [[1, 4], [0, 5], [3, 2]]),
        (4, (2,), (1,), [5, 2]),
        (5, (), (), 2),
        (2, (1, 2), (1 << 60, 3), [[3, 2]]),
        (6, (0, 5), (5, 1), []),
    ],
)
def test_views(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], expected: object
) -> None:
    tensor = Tensor(Storage("torch.LongStorage", "0", 6), offset, shape, strides)
    assert tensor.read(NUMBERS.astype("<i8").tobytes()).tolist() == expected
