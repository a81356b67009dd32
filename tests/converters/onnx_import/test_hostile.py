"""ONNX files that refer elsewhere, lie about their sizes, or are damaged."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tallylens.converters.load import load
from tallylens.edge_runtime.errors import (
    ModelError,
    TallyLensError,
    UnsafeModelError,
)


@pytest.fixture
def attempt(exporter: Any, tmp_path: Path) -> Callable[..., TallyLensError]:
    """The error for an export after `change`, which must be one of ours."""

    def run(change: Callable[[ModelProto], None], **fields: Any) -> TallyLensError:
        model = exporter(**fields).model()
        change(model)
        path = tmp_path / "hostile.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(TallyLensError) as caught:
            load(path)
        assert str(caught.value).isprintable()
        return caught.value

    return run


def external(tensor: TensorProto, location: str = "/etc/passwd") -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def constant_node(model: ModelProto) -> TensorProto:
    node = next(node for node in model.graph.node if node.op_type == "Constant")
    tensor: TensorProto = node.attribute[0].t
    return tensor


@pytest.mark.parametrize(
    "tensor", [lambda model: model.graph.initializer[0], constant_node], ids=["weight", "constant"]
)
@pytest.mark.parametrize("location", ["/etc/passwd", "../../etc/passwd", "sub/weights.bin", ".."])
def test_external_data_elsewhere_is_never_opened(
    attempt: Any, tensor: Any, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = open

    def noting(file: Any, *rest: Any, **kw: Any) -> Any:
        opened.append(str(file))
        return real(file, *rest, **kw)

    monkeypatch.setattr("builtins.open", noting)
    error = attempt(lambda model: external(tensor(model), location))
    assert isinstance(error, UnsafeModelError)
    assert "lie in another file" in error.problem
    assert not any("passwd" in name or "weights.bin" in name for name in opened)


def test_external_data_that_is_missing_a_link_or_too_short(
    attempt: Any, exporter: Any, tmp_path: Path
) -> None:
    def weight(model: ModelProto) -> TensorProto:
        first: TensorProto = model.graph.initializer[0]
        return first

    error = attempt(lambda model: external(weight(model), "missing.bin"))
    assert "missing.bin, which is not beside it" in error.problem
    model = exporter().model()
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 20))
    (tmp_path / "link.bin").symlink_to(tmp_path / "secret.bin")
    (tmp_path / "short.bin").write_bytes(bytes(10))
    for name, problem in (("link.bin", "another file"), ("short.bin", "fewer weights")):
        external(weight(model), name)
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match=problem):
            load(tmp_path / "model.onnx")
        del weight(model).external_data[:]


def test_the_name_of_a_file_that_is_no_text(exporter: Any, tmp_path: Path) -> None:
    model = exporter().model()
    external(model.graph.initializer[0], "weights.bin")
    content = model.SerializeToString().replace(b"weights.bin", b"\xffeights.bin")
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(UnsafeModelError, match="lie in another file"):
        load(tmp_path / "model.onnx")


def test_what_comes_behind_the_heads_is_not_looked_at(exporter: Any, tmp_path: Path) -> None:
    model = exporter().model()
    name = model.graph.output[0].name
    nms = helper.make_node("EfficientNMS_TRT", [name], ["boxes"], domain="TRT")
    model.graph.node.append(nms)
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["boxes"], ["y"], then_branch=inner))
    (tmp_path / "nms.onnx").write_bytes(model.SerializeToString())
    assert load(tmp_path / "nms.onnx").metadata.strides == (8, 16)


def set_dims(*dims: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    return change


@pytest.mark.parametrize("dims", [(1 << 40, 1 << 40), (-1, 3), (8, 3, 8, 9), (0,), (1,) * 20])
def test_tensors_that_lie_about_their_shape(attempt: Any, dims: tuple[int, ...]) -> None:
    assert isinstance(attempt(set_dims(*dims)), ModelError)


def test_a_huge_constant_of_no_data(attempt: Any) -> None:
    def change(model: ModelProto) -> None:
        tensor = constant_node(model)
        tensor.ClearField("raw_data")
        del tensor.dims[:]
        tensor.dims.extend([1 << 31, 1 << 31])

    assert isinstance(attempt(change), ModelError)


def add_subgraph(model: ModelProto) -> None:
    graph = helper.make_graph([], "inner", [], [])
    model.graph.node.insert(0, helper.make_node("If", ["images"], ["y"], then_branch=graph))
    model.graph.node[1].input[0] = "y"


def add_function(model: ModelProto) -> None:
    model.functions.add(name="f", domain="custom")


def custom_domain(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.evil\x1b[2J"


def sparse(model: ModelProto) -> None:
    model.graph.sparse_initializer.add()


def second_input(model: ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def five_channels(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


def bytes_in(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def masks(model: ModelProto) -> None:
    """As in a segmentation export, where the sigmoid does not take the whole head."""
    for node in model.graph.node:
        if node.op_type == "Sigmoid" and "Transpose" in node.input[0]:
            node.op_type = "Identity"


def nothing(model: ModelProto) -> None:
    del model.graph.node[:]


def no_heads(model: ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "Transpose":
            node.attribute[0].ints[:] = [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_subgraph, "holds a graph of its own"),
        (add_function, "functions"),
        (custom_domain, "is of com.evil\\x1b[2J"),
        (sparse, "sparse weights"),
        (second_input, "2 inputs"),
        (five_channels, "5 channels"),
        (bytes_in, "not one image of floating point numbers"),
        (masks, "segmentation model"),
        (nothing, "no operators"),
        (no_heads, "no YOLOv5 heads"),
    ],
)
def test_what_a_detector_does_not_need(
    attempt: Any, change: Callable[[ModelProto], None], message: str
) -> None:
    error = attempt(change)
    assert message in error.problem
    assert error.remedy


def cycle(model: ModelProto) -> None:
    first, last = model.graph.node[0], model.graph.node[-1]
    first.input[0] = last.output[0]


def made_twice(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["images"], [model.graph.node[0].output[0]]))


@pytest.mark.parametrize(
    ("change", "message"), [(cycle, "before it is made"), (made_twice, "made twice")]
)
def test_graphs_that_are_none(
    attempt: Any, change: Callable[[ModelProto], None], message: str
) -> None:
    assert message in attempt(change).problem


def test_weights_used_again_and_again_are_refused(attempt: Any) -> None:
    def change(model: ModelProto) -> None:
        weight = numpy_helper.from_array(np.ones((OUT, OUT, 3, 3), np.float32), "big.weight")
        model.graph.initializer.append(weight)
        head = next(
            index for index, node in enumerate(model.graph.node) if node.op_type == "Reshape"
        )
        node, name = model.graph.node[head], model.graph.node[head].input[0]
        extra = []
        for index in range(50):
            after = f"again{index}"
            pads = [1, 1, 1, 1]
            extra.append(helper.make_node("Conv", [name, "big.weight"], [after], pads=pads))
            name = after
        node.input[0] = name
        rest = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend([*rest[:head], *extra, *rest[head:]])

    assert "more often than it holds them" in attempt(change).problem


OUT = 16


def test_sums_that_double_are_walked_once(exporter: Any, tmp_path: Path) -> None:
    """Three hundred sums of a value with itself: 2 ** 300 paths from the last to the first."""
    model = exporter().model()
    chain, name = [], "images"
    for index in range(300):
        chain.append(helper.make_node("Add", [name, name], [f"sum{index}"]))
        name = f"sum{index}"
    stem = next(node for node in model.graph.node if node.op_type == "Conv")
    stem.input[0] = name
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*chain, *rest])
    path = tmp_path / "sums.onnx"
    path.write_bytes(model.SerializeToString())
    graph = load(path).model.graph
    assert sum(node.op_type == "Add" for node in graph) == 301


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "{}", '{"format_version": 1}', '{"format_version": 99}', "[" * 100_000],
)
def test_bad_metadata_of_our_own(attempt: Any, document: str) -> None:
    def change(model: ModelProto) -> None:
        helper.set_model_props(model, {"tallylens": document})

    assert "metadata" in attempt(change).problem


def test_truncated_anywhere(exporter: Any, tmp_path: Path) -> None:
    whole = exporter().model().SerializeToString()
    path = tmp_path / "cut.onnx"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            load(path)


def test_a_length_beyond_the_end(tmp_path: Path) -> None:
    path = tmp_path / "long.onnx"
    path.write_bytes(b"\x08\x08\x3a" + b"\xff\xff\xff\xff\x07" + struct.pack("<Q", 0))
    with pytest.raises(ModelError, match="truncated or damaged"):
        load(path)


FUZZ = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def complaint(call: Callable[[], object]) -> str:
    """The message of the one error that may happen, nothing where all went well."""
    try:
        call()
    except TallyLensError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def exported(exporter: Any) -> Callable[[bool], bytes]:
    models = [
        exporter(dynamic=dynamic, constants="initializers").model().SerializeToString()
        for dynamic in (False, True)
    ]
    return lambda dynamic: models[dynamic]


@pytest.mark.slow
@FUZZ
@given(dynamic=st.booleans(), place=st.floats(0, 0.9999), value=st.binary(min_size=1, max_size=4))
def test_a_mutated_file_gives_a_graph_or_one_of_our_errors(
    exported: Callable[[bool], bytes], tmp_path: Path, dynamic: bool, place: float, value: bytes
) -> None:
    data = exported(dynamic)
    start = int(place * len(data))
    path = tmp_path / "fuzz.onnx"
    path.write_bytes(data[:start] + value + data[start + len(value) :])
    assert complaint(lambda: load(path, input_size=(64, 96))).isprintable()


def test_onnx_is_not_changed_by_reading(exporter: Any, tmp_path: Path) -> None:
    path = exporter().save(tmp_path)
    before = path.read_bytes()
    load(path)
    assert path.read_bytes() == before
    onnx.checker.check_model(onnx.load(path))
