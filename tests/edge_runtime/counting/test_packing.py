from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest

from tallylens.edge_runtime.counting import packing
from tallylens.edge_runtime.counting.packing import pack, unpack


@pytest.mark.parametrize("values", [[], [1, "two", None], {"a": [1.5]}, [{"é": True}]])
def test_values_are_read_back(values: Any) -> None:
    assert unpack(pack(values)) == values


def test_what_is_not_packed_is_returned_as_is() -> None:
    assert unpack([[1, {"a": 2}]]) == [[1, {"a": 2}]]


@pytest.mark.parametrize(
    "text", ["!", "AAAA", base64.b64encode(zlib.compress(b"no JSON")).decode(), pack([1])[:-8]]
)
def test_damage_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        unpack(text)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="more values"):
        unpack(pack([0] * 1000))
