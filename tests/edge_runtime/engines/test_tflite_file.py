"""Damaged and adversarial .tflite files are refused before an interpreter sees them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.engines.tflite_model import check_tflite, read_tflite_metadata
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError
from tallylens.edge_runtime.metadata import MAX_DOCUMENT_BYTES
from tests.support.engine_models import METADATA, edit_tflite, with_document

pytestmark = pytest.mark.slow


def graph(tree: Any) -> Any:
    return tree.subgraphs[0]


def image(tree: Any) -> Any:
    return graph(tree).tensors[graph(tree).inputs[0]]


def weights(tree: Any) -> Any:
    """The first int8 tensor with a scale for each channel."""
    return next(
        tensor
        for tensor in graph(tree).tensors
        if tensor.type == 9 and np.size(tensor.quantization.scale) > 1
    )


def put(name: str, value: Any, part: Callable[[Any], Any] = graph) -> Callable[[Any], None]:
    return lambda tree: setattr(part(tree), name, value)


DAMAGE = {
    "no subgraph": (lambda tree: tree.subgraphs.clear(), "0 subgraphs"),
    "two subgraphs": (lambda tree: tree.subgraphs.append(graph(tree)), "2 subgraphs"),
    "input that is not there": (put("inputs", [999]), "an input or output"),
    "negative output": (put("outputs", [-1]), "an input or output"),
    "operator code": (
        put("opcodeIndex", 9, lambda tree: graph(tree).operators[0]),
        "an operator that does not exist",
    ),
    "operator input": (
        put("inputs", [0, 1, 999], lambda tree: graph(tree).operators[0]),
        "reads a tensor before it is written",
    ),
    "operator output": (
        put("outputs", [-1], lambda tree: graph(tree).operators[0]),
        "writes an invalid tensor",
    ),
    "operators out of order": (
        lambda tree: graph(tree).operators.append(graph(tree).operators[0]),
        "writes an invalid tensor",
    ),
    "operator that is missing": (
        lambda tree: graph(tree).operators.pop(),
        "an output that is never written",
    ),
    "operator that writes a scalar": (
        put("shape", [], lambda tree: graph(tree).tensors[graph(tree).operators[0].outputs[0]]),
        "a tensor without a shape",
    ),
    "rescaling": (
        lambda tree: setattr(weights(tree).quantization, "scale", np.full(21, 1e30, np.float32)),
        "scales out of range",
    ),
    "buffer index": (put("buffer", 999, image), "a buffer that does not exist"),
    "type": (put("type", 5, image), "an element type"),
    "negative side": (put("shape", [1, -64, 96, 3], image), "the invalid shape"),
    "rank": (put("shape", [1] * 9, image), "the invalid shape"),
    "size": (put("shape", [1, 1 << 20, 1 << 20, 3], image), "more than 2 GiB"),
    "short weights": (put("shape", [21, 3, 3, 4], weights), "bytes of data for"),
    "zero point": (
        lambda tree: setattr(image(tree).quantization, "zeroPoint", np.array([256])),
        "a zero point out of its range",
    ),
    "zero point of a channel": (
        lambda tree: setattr(weights(tree).quantization, "zeroPoint", np.array([1] * 21)),
        "a zero point out of its range",
    ),
    "scale": (
        lambda tree: setattr(image(tree).quantization, "scale", np.array([np.nan], np.float32)),
        "a quantization scale",
    ),
    "scales": (
        lambda tree: setattr(weights(tree).quantization, "quantizedDimension", 3),
        "quantization scales for the shape",
    ),
    "zero points": (
        lambda tree: setattr(image(tree).quantization, "zeroPoint", np.array([0, 0])),
        "2 zero points for 1 scales",
    ),
}


def test_sound_models_pass(bare_float: bytes, bare_int8: bytes) -> None:
    check_tflite(bare_float, "m")
    check_tflite(bare_int8, "m")


@pytest.mark.parametrize("what", DAMAGE)
def test_contradictions_are_named(bare_int8: bytes, what: str) -> None:
    change, problem = DAMAGE[what]
    with pytest.raises(ModelError, match=f"damaged .*{problem}"):
        check_tflite(edit_tflite(bare_int8, change), "m")


@pytest.mark.parametrize("name", ["FlexErf", ""])
def test_custom_operations_are_refused(bare_int8: bytes, name: str) -> None:
    def change(tree: Any) -> None:
        code = tree.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode, code.customCode = 32, 32, name

    with pytest.raises(UnsupportedModelError, match=f"the custom operator '{name}'"):
        check_tflite(edit_tflite(bare_int8, change), "m")


def test_the_document_is_read_whole(bare_int8: bytes) -> None:
    model = with_document(bare_int8, METADATA.to_json().encode())
    assert read_tflite_metadata(model, "m") == METADATA


def test_a_model_without_the_document_says_how_to_get_one(bare_int8: bytes) -> None:
    with pytest.raises(UnsupportedModelError, match="without tallylens metadata") as caught:
        read_tflite_metadata(bare_int8, "m")
    assert "tallylens convert" in caught.value.remedy


@pytest.mark.realdata
def test_the_official_exporter_s_file(data: Path) -> None:
    content = (data / "peers" / "yolov5-export-int8.tflite").read_bytes()
    check_tflite(content, "m")
    with pytest.raises(UnsupportedModelError, match="without tallylens metadata"):
        read_tflite_metadata(content, "m")


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"\xff\xfe", b" " * 2000])
def test_a_document_that_is_none(bare_int8: bytes, document: bytes) -> None:
    with pytest.raises(ModelError):
        read_tflite_metadata(with_document(bare_int8, document), "m")


def test_a_document_beyond_its_bound(bare_int8: bytes) -> None:
    for size in (MAX_DOCUMENT_BYTES + 1, MAX_DOCUMENT_BYTES + 2):
        with pytest.raises(ModelError, match=r"damaged|larger than"):
            read_tflite_metadata(with_document(bare_int8, b" " * size), "m")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"TFL3",
        b"\x18\x00\x00\x00TFL3",
        b"\xff\xff\xff\xffTFL3" + bytes(100),
        struct.pack("<I", 8) + b"TFL3" + b"\xff" * 100,
        b"not a model at all, by any means",
    ],
)
def test_what_is_no_model(content: bytes) -> None:
    with pytest.raises(ModelError):
        read_tflite_metadata(content, "m")


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_mutated_files_give_metadata_or_a_model_error(
    int8_tflite: bytes, data: st.DataObject
) -> None:
    content = bytearray(int8_tflite[: data.draw(st.integers(8, len(int8_tflite)))])
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[place] = value
    for read in (read_tflite_metadata, check_tflite):
        with suppress(ModelError):
            read(bytes(content), "m")
