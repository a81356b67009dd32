"""The document inside every artifact: it survives a round trip, and foreign values are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.errors import ModelError
from tallylens.edge_runtime.metadata import (
    MAX_ANCHORS,
    MAX_CLASSES,
    MAX_DOCUMENT_BYTES,
    MAX_HEADS,
    MAX_INPUT_SIDE,
    ModelMetadata,
    PassRecord,
)

SOUND = ModelMetadata(
    class_names=("person", "café ☕"),
    input_size=(384, 640),
    strides=(8, 16, 32),
    anchors=(((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0),), ((116.0, 90.5),)),
    head_names=("head8", "head16", "head32"),
    source_name="yolov5n.pt",
    source_sha256="ab" * 32,
    passes=(PassRecord("prune", {"removed": 12, "map": 0.25, "how": "norm"}),),
)


def document(**changes: Any) -> str:
    return json.dumps({**json.loads(SOUND.to_json()), **changes})


def refusal(text: str | bytes) -> str:
    with pytest.raises(ModelError) as refused:
        ModelMetadata.from_json(text, "model.onnx")
    assert refused.value.path == "model.onnx"
    return str(refused.value)


names = st.text(max_size=20)
sides = st.floats(0.01, 5000)
head = st.lists(st.tuples(sides, sides), min_size=1, max_size=4).map(tuple)
figures = st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@st.composite
def documents(draw: st.DrawFn) -> ModelMetadata:
    strides = draw(st.lists(st.sampled_from((4, 8, 16, 32, 64)), min_size=1, max_size=4))
    count = len(strides)
    cells = st.integers(1, MAX_INPUT_SIDE // max(strides))
    return ModelMetadata(
        class_names=tuple(draw(st.lists(names, min_size=1, max_size=5))),
        input_size=(draw(cells) * max(strides), draw(cells) * max(strides)),
        strides=tuple(strides),
        anchors=tuple(draw(head) for _ in range(count)),
        head_names=tuple(draw(st.lists(names, min_size=count, max_size=count))),
        layout=draw(st.sampled_from(("NCHW", "NHWC"))),
        quantization=draw(st.sampled_from(("none", "fp16", "int8"))),
        source_name=draw(names),
        source_sha256=draw(st.text("0123456789abcdef", max_size=64)),
        weights_license=draw(names),
        passes=tuple(
            PassRecord(name, effect)
            for name, effect in draw(
                st.lists(st.tuples(names, st.dictionaries(names, figures, max_size=3)), max_size=3)
            )
        ),
    )


@given(documents())
def test_comes_back_as_it_was_written(metadata: ModelMetadata) -> None:
    text = metadata.to_json()
    for form in (text, text.encode()):
        assert ModelMetadata.from_json(form, "m") == metadata
    assert ModelMetadata.from_json(text, "m").to_json() == text


def test_bytes_do_not_depend_on_the_order_of_the_effects() -> None:
    one = SOUND.with_pass("fold", nodes=3, ratio=0.5)
    other = SOUND.with_pass("fold", ratio=0.5, nodes=3)
    assert one.to_json() == other.to_json()
    assert one.to_json() != SOUND.to_json()
    assert "\n" not in one.to_json()
    assert "café ☕" in one.to_json()


def test_a_pass_is_appended_and_the_original_stays() -> None:
    longer = SOUND.with_pass("fold", nodes=3)
    assert longer.passes == (*SOUND.passes, PassRecord("fold", {"nodes": 3}))
    assert len(SOUND.passes) == 1
    assert SOUND.num_classes == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"class_names": []}, "expected 1 to 10000 classes"),
        ({"class_names": ["c"] * (MAX_CLASSES + 1)}, "expected 1 to 10000 classes"),
        ({"head_names": []}, "expected 1 to 8 heads"),
        ({"head_names": ["h"] * (MAX_HEADS + 1)}, "expected 1 to 8 heads"),
        ({"strides": [8, 16]}, "expected one stride and one list of anchors per head"),
        ({"anchors": [[[1, 2]]] * 2}, "expected one stride and one list of anchors per head"),
        ({"strides": [0, 0, 0]}, "expected strides of 1 to 1024"),
        ({"strides": [-8, 16, 32]}, "expected strides of 1 to 1024"),
        ({"strides": [8, 16, 2048]}, "expected strides of 1 to 1024"),
        ({"anchors": [[], [[1, 2]], [[1, 2]]]}, "expected 1 to 16 anchors per head"),
        ({"anchors": [[[1, 2]] * (MAX_ANCHORS + 1)] * 3}, "expected 1 to 16 anchors per head"),
        ({"anchors": [[[float("nan"), 2]]] * 3}, "expected anchors above zero"),
        ({"anchors": [[[1, float("inf")]]] * 3}, "expected anchors above zero"),
        ({"anchors": [[[1, 0]]] * 3}, "expected anchors above zero"),
        ({"anchors": [[[-1, 2]]] * 3}, "expected anchors above zero"),
        (
            {"input_size": [384, 650]},
            "expected an input size in multiples of the largest stride, up to 8192 pixels",
        ),
        (
            {"input_size": [0, 640]},
            "expected an input size in multiples of the largest stride, up to 8192 pixels",
        ),
        (
            {"input_size": [-32, 640]},
            "expected an input size in multiples of the largest stride, up to 8192 pixels",
        ),
        (
            {"input_size": [384, 8224]},
            "expected an input size in multiples of the largest stride, up to 8192 pixels",
        ),
        ({"layout": "CHWN"}, "expected layout NCHW or NHWC"),
        ({"layout": ["NCHW"]}, "expected layout NCHW or NHWC"),
        ({"colour_order": "BGR"}, "expected color order RGB"),
        ({"quantization": "int4"}, "expected quantization none, fp16 or int8"),
    ],
)
def test_bounds(changes: dict[str, Any], expected: str) -> None:
    assert refusal(document(**changes)) == (
        f"model.onnx: the metadata is inconsistent: {expected}. "
        "Convert the original checkpoint again with tallylens convert."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": "abc"},
        {"class_names": {"0": "person"}},
        {"class_names": [1]},
        {"class_names": ["x" * 201]},
        {"class_names": ["\ud800"]},
        {"class_names": None},
        {"input_size": "88"},
        {"input_size": [640]},
        {"input_size": [384.0, 640]},
        {"input_size": [float("inf"), 640]},
        {"strides": "8"},
        {"strides": [8.7, 16, 32]},
        {"strides": [True, True, True]},
        {"strides": ["8", "16", "32"]},
        {"strides": 8},
        {"anchors": [["12"]] * 3},
        {"anchors": [[["1", "2"]]] * 3},
        {"anchors": [[[1, 2, 3]]] * 3},
        {"anchors": [[[10**400, 1]]] * 3},
        {"head_names": "abc"},
        {"source_name": 5},
        {"source_name": "x" * 1001},
        {"source_sha256": "a" * 65},
        {"weights_licence": []},
        {"passes": "x"},
        {"passes": [["name", "effect"]]},
        {"passes": [{"name": "prune"}]},
        {"passes": [{"name": "prune", "effect": [["a", 1]]}]},
        {"passes": [{"name": "prune", "effect": {"a": [1]}}]},
    ],
)
def test_wrong_kinds(changes: dict[str, Any]) -> None:
    assert "a field of the metadata is missing or has the wrong type" in refusal(
        document(**changes)
    )


@pytest.mark.parametrize("field", sorted(json.loads(SOUND.to_json())))
def test_no_field_may_be_missing(field: str) -> None:
    incomplete = json.loads(SOUND.to_json())
    del incomplete[field]
    refusal(json.dumps(incomplete))


@pytest.mark.parametrize("version", [0, 3, None, "1", [[1]], True, "x" * 5000])
def test_another_version(version: Any) -> None:
    assert refusal(document(format_version=version)) == (
        f"model.onnx: unsupported metadata format version {version!r:.20}; this tallylens reads "
        "versions 1 and 2. Update tallylens, or convert the original checkpoint again."
    )


DISTRIBUTION = replace(SOUND, anchors=((),) * len(SOUND.strides), reg_max=16)


def test_heads_without_anchors_have_a_version_of_their_own() -> None:
    text = json.loads(DISTRIBUTION.to_json())
    assert (text["format_version"], text["reg_max"]) == (2, 16)
    assert ModelMetadata.from_json(DISTRIBUTION.to_json(), "model.onnx") == DISTRIBUTION
    assert DISTRIBUTION.head_channels(0) == 64 + DISTRIBUTION.num_classes
    written = json.loads(SOUND.to_json())
    assert written["format_version"] == 1
    assert "reg_max" not in written


@pytest.mark.parametrize("reg_max", [0, 1, 65, -16, True, 16.0, "16", None])
def test_impossible_bins(reg_max: Any) -> None:
    text = json.dumps({**json.loads(DISTRIBUTION.to_json()), "reg_max": reg_max})
    assert "missing or has the wrong type" in refusal(text)


def test_a_head_has_anchors_or_bins() -> None:
    with_both = json.dumps({**json.loads(DISTRIBUTION.to_json()), "anchors": [[[1, 2]]] * 3})
    assert "expected no anchors" in refusal(with_both)
    assert "1 to 16 anchors" in refusal(document(anchors=[[]] * len(SOUND.strides)))
    assert "missing" in refusal(document(format_version=2))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the metadata is not JSON"),
        (b"\xff\xfe\x00", "the metadata is not JSON"),
        ("[" * 100_000, "the metadata is not JSON"),
        ("[]", "the metadata is not a JSON object"),
        ("null", "the metadata is not a JSON object"),
        (" " * (MAX_DOCUMENT_BYTES + 1), "the metadata is larger than 1048576 bytes"),
    ],
    ids=["empty", "not UTF-8", "deep", "list", "null", "large"],
)
def test_not_a_document(text: str | bytes, problem: str) -> None:
    assert problem in refusal(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_politely(content: bytes) -> None:
    refusal(content)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(json.loads(SOUND.to_json()))), values)
def test_any_value_in_any_field_is_taken_whole_or_refused(field: str, value: Any) -> None:
    text = document(**{field: value})
    try:
        metadata = ModelMetadata.from_json(text, "m")
    except ModelError:
        return
    assert ModelMetadata.from_json(metadata.to_json(), "m").to_json() == metadata.to_json()
    hash(metadata.class_names + metadata.head_names + metadata.strides)
    metadata.to_json().encode()
