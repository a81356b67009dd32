from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.engines.onnx_file import read_onnx_metadata
from tallylens.edge_runtime.errors import (
    ModelError,
    UnsafeModelError,
    UnsupportedModelError,
    UsageError,
)
from tests.support.engine_models import METADATA, Save, make_onnx, onnx_weights

onnxruntime = pytest.importorskip("onnxruntime")


def oracle(weight: np.ndarray, image: np.ndarray, stride: int) -> np.ndarray:
    """A 1x1 convolution with a stride, by hand."""
    heads = np.einsum("oc,bchw->bohw", weight[:, :, 0, 0], image[:, :, ::stride, ::stride])
    return np.asarray(heads)


@pytest.mark.parametrize("batch", [1, "batch"])
def test_heads_are_right_and_bound_once(save: Save, batch: int | str) -> None:
    with open_engine(
        save(make_onnx(batch=batch).SerializeToString()), providers=["CPUExecutionProvider"]
    ) as engine:
        assert engine.name == "onnxruntime-cpu"
        assert engine.input.shape == (1, 3, 64, 96)
        target, addresses = engine.input, set()
        for seed in range(3):
            target[...] = np.random.default_rng(seed).uniform(0, 1, target.shape)
            heads = engine.run()
            addresses.add(tuple(head.ctypes.data for head in heads))
            for head, weight, spec in zip(heads, onnx_weights(), engine.heads, strict=True):
                assert np.abs(head - oracle(weight, target, spec.stride)).max() < 1e-5
                assert (spec.layout, spec.dtype) == ("NCHW", "float32")
        assert len(addresses) == 1
    assert np.isfinite(heads[0]).all()


def test_outputs_in_another_order(
    save: Save,
) -> None:
    model = make_onnx()
    first = model.graph.output.pop(0)
    model.graph.output.append(first)
    with open_engine(save(model.SerializeToString())) as engine:
        engine.input[...] = 0.5
        heads = engine.run()
        assert [head.name for head in engine.heads] == ["head8", "head16"]
        assert np.abs(heads[0] - oracle(onnx_weights()[0], engine.input, 8)).max() < 1e-5


def test_a_plain_export_says_what_to_do(save: Save) -> None:
    with pytest.raises(UnsupportedModelError, match="without tallylens metadata") as caught:
        open_engine(save(make_onnx(document=None).SerializeToString()))
    assert "tallylens convert" in caught.value.remedy


@pytest.mark.realdata
def test_the_official_export(data: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="without tallylens metadata"):
        open_engine(data / "models" / "yolov5n-export-opset17.onnx")


def test_metadata_that_does_not_fit(save: Save) -> None:
    wrong = replace(METADATA, layout="NCHW", class_names=("one",)).to_json()
    with pytest.raises(ModelError, match=r"head head8 has shape \(1, 21, 8, 12\)"):
        open_engine(save(make_onnx(document=wrong).SerializeToString()))
    with pytest.raises(ModelError, match="the number of outputs is 1, by its metadata 2"):
        open_engine(save(make_onnx(outputs=1).SerializeToString()))
    with pytest.raises(ModelError, match=r"the input has shape \(4, 3, 64, 96\)"):
        open_engine(save(make_onnx(batch=4).SerializeToString()))


@pytest.mark.parametrize("where", ["initializer", "constant", "subgraph", "function", "sparse"])
def test_weights_in_other_files_are_refused(save: Save, where: str) -> None:
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    model = make_onnx()
    constant = onnx.helper.make_node("Constant", [], ["c"])
    constant.attribute.add(name="value", type=4).t.CopyFrom(tensor)
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "constant":
        model.graph.node.append(constant)
    elif where == "subgraph":
        branch = onnx.helper.make_graph([constant], "branch", [], [])
        model.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch))
    elif where == "function":
        model.functions.add(name="f").node.append(constant)
    else:
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    with pytest.raises(UnsafeModelError, match="weights in other files"):
        open_engine(save(model.SerializeToString()))


@pytest.mark.parametrize(
    "content", [b"\x08", b"\x00" * 40, b"text that is no model", b"\x08\x08", b"\xff" * 40]
)
def test_what_is_no_model(save: Save, content: bytes) -> None:
    with pytest.raises(ModelError, match="not an ONNX model, or damaged"):
        open_engine(save(content))


def test_a_cut_off_model(save: Save) -> None:
    content = make_onnx().SerializeToString()
    for size in range(1, len(content), 37):
        with pytest.raises(ModelError):
            open_engine(save(content[:size]))


def test_a_model_that_the_runtime_refuses(save: Save, capfd: pytest.CaptureFixture[str]) -> None:
    model = make_onnx()
    model.graph.node[0].op_type = "NoSuchOperation"
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        open_engine(save(model.SerializeToString()))
    assert capfd.readouterr() == ("", "")


def test_an_accelerator_that_does_not_start_gives_way_to_the_cpu(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = onnxruntime.InferenceSession
    asked: list[list[str]] = []

    def start(*arguments: Any, providers: list[str], **settings: Any) -> Any:
        asked.append(providers)
        if providers[0] == "CUDAExecutionProvider":
            raise RuntimeError("no driver")
        return session(*arguments, providers=providers, **settings)

    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    monkeypatch.setattr(onnxruntime, "InferenceSession", start)
    with open_engine(save(make_onnx().SerializeToString())) as engine:
        assert engine.name == "onnxruntime-cpu"
    assert asked == [there, there[1:]]
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot load it \(no driver\)"):
        open_engine(save(make_onnx().SerializeToString()), providers=there)


def test_an_unknown_provider(save: Save) -> None:
    with pytest.raises(UsageError, match="lacks WishfulExecutionProvider"):
        open_engine(save(make_onnx().SerializeToString()), providers=["WishfulExecutionProvider"])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_metadata_or_a_model_error(content: bytes) -> None:
    with pytest.raises(ModelError):
        read_onnx_metadata(content, "m")


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_mutated_models_give_metadata_or_a_model_error(data: st.DataObject) -> None:
    content = bytearray(make_onnx().SerializeToString())
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[place] = value
    with suppress(ModelError):
        read_onnx_metadata(bytes(content), "m")
