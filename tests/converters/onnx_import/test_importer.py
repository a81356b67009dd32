"""ONNX exports of every kind, cut back to the raw head outputs that they hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from tallylens.converters.graph import DetectorGraph
from tallylens.converters.load import load
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError
from tallylens.edge_runtime.metadata import METADATA_KEY

ANCHORS = (((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0), (62.0, 45.0)))
CANONICAL = {
    "Add", "Concat", "Conv", "HardSwish", "LeakyRelu", "MaxPool", "Mul", "Relu", "Resize", "Sigmoid"
}  # fmt: skip


def run(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString())
    return list(session.run(None, {"images": images}))


def proto_of(graph: DetectorGraph) -> onnx.ModelProto:
    proto = ir.to_proto(graph.model)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def original_heads(model: onnx.ModelProto, heads: list[str], images: np.ndarray) -> list[Any]:
    """Outputs that the file itself computes at its heads' convolutions."""
    kind = model.graph.input[0].type.tensor_type.elem_type
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:]
    cut.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name in heads)
    return run(cut, images.astype(np.float16) if kind == TensorProto.FLOAT16 else images)


VARIANTS: dict[str, dict[str, Any]] = {
    "as exported today": {},
    "opset 12": {"opset": 12, "tail": "slices"},
    "opset 12 dynamic": {"opset": 12, "dynamic": True},
    "opset 13": {"opset": 13},
    "opset 18": {"opset": 18},
    "dynamic": {"dynamic": True},
    "dynamic slices": {"dynamic": True, "tail": "slices"},
    "simplified": {"constants": "initializers", "upsample": "scales"},
    "simplified dynamic": {"constants": "initializers", "dynamic": True},
    "half": {"half": True},
    "half dynamic": {"half": True, "dynamic": True, "upsample": "scales"},
    "half_pixel": {"upsample": "half_pixel"},
    "batch norm": {"batch_norm": True},
    "Focus": {"focus": True, "act": "LeakyReLU"},
    "Focus opset 12 Hardswish": {"focus": True, "act": "HardSwish as relu6", "opset": 12},
    **{
        act: {"act": act}
        for act in (
            "HardSwish",
            "HardSwish as relu6",
            "HardSwish as divided relu6",
            "HardSwish as HardSigmoid",
            "LeakyReLU",
            "ReLU",
            "Identity",
        )
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_heads_of_every_kind_of_export(exporter: Any, tmp_path: Path, variant: str) -> None:
    export = exporter(**VARIANTS[variant])
    path = export.save(tmp_path)
    graph = load(path, input_size=(64, 96))
    images = np.random.default_rng(5).random((1, 3, 64, 96), np.float32)
    expected = original_heads(onnx.load(path), export.heads, images)
    tolerance = 2e-2 if export.half else 1e-4
    for head, want in zip(run(proto_of(graph), images), expected, strict=True):
        np.testing.assert_allclose(head, want, atol=tolerance)
    assert graph.metadata.strides == (8, 16)
    assert graph.metadata.head_names == ("head8", "head16")
    assert graph.metadata.anchors == ANCHORS
    assert graph.metadata.class_names == ("cat", "dog's", "owl")
    assert {node.op_type for node in graph.model.graph} <= CANONICAL
    dtypes = {value.dtype for value in graph.model.graph.initializers.values()}
    assert dtypes == {ir.DataType.FLOAT}


def lowered(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The model in the forms of opset 9 or 10: attributes in place of inputs, and Upsample."""
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
    }
    for node in model.graph.node:
        inputs = list(node.input)
        if node.op_type == "Resize":
            node.op_type = "Upsample" if opset == 9 else "Resize"
            del node.input[:], node.attribute[:]
            node.input.extend((inputs[0], inputs[2]))
            node.attribute.append(helper.make_attribute("mode", "nearest"))
        elif node.op_type == "Clip":
            del node.input[1:]
            for key, name in zip(("min", "max"), inputs[1:], strict=True):
                node.attribute.append(helper.make_attribute(key, float(constants[name])))
        elif node.op_type == "Slice" and opset == 9 and len(inputs) == 4:
            del node.input[1:]
            for key, name in zip(("starts", "ends", "axes"), inputs[1:], strict=True):
                node.attribute.append(helper.make_attribute(key, constants[name].tolist()))
    model.opset_import[0].version = opset
    return model


@pytest.mark.parametrize("opset", [9, 10])
def test_old_opsets_are_raised(exporter: Any, tmp_path: Path, opset: int) -> None:
    settings = {"opset": 12, "tail": "slices", "constants": "initializers", "upsample": "scales"}
    export = exporter(**settings, act="HardSwish as relu6")
    model = export.model()
    images = np.random.default_rng(5).random((1, 3, 64, 96), np.float32)
    wanted = original_heads(model, export.heads, images)
    old = lowered(model, opset)
    onnx.checker.check_model(old)
    (tmp_path / "old.onnx").write_bytes(old.SerializeToString())
    graph = load(tmp_path / "old.onnx")
    for head, want in zip(run(proto_of(graph), images), wanted, strict=True):
        np.testing.assert_allclose(head, want, atol=1e-4)
    assert graph.metadata.anchors == ANCHORS


@pytest.mark.parametrize("opset", range(13, 27))
def test_new_opsets_are_read(exporter: Any, tmp_path: Path, opset: int) -> None:
    model = exporter().model()
    model.opset_import[0].version = opset
    (tmp_path / "new.onnx").write_bytes(model.SerializeToString())
    assert load(tmp_path / "new.onnx").metadata.anchors == ANCHORS


def test_weights_in_a_file_beside_it_are_read(exporter: Any, tmp_path: Path) -> None:
    model = exporter().model()
    images = np.random.default_rng(5).random((1, 3, 64, 96), np.float32)
    (tmp_path / "one.onnx").write_bytes(model.SerializeToString())
    one = run(proto_of(load(tmp_path / "one.onnx")), images)
    path = tmp_path / "two.onnx"
    onnx.save(model, path, save_as_external_data=True, location="two.data", size_threshold=0)
    for head, want in zip(run(proto_of(load(path)), images), one, strict=True):
        assert np.array_equal(head, want)


def test_heads_of_landmarks_are_called_so(
    exporter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules[exporter.__module__]
    monkeypatch.setattr(module, "CLASSES", 11)
    monkeypatch.setattr(module, "OUTPUTS", 2 * 16)
    path = exporter(metadata={"names": "{0: 'face'}"}).save(tmp_path)
    with pytest.raises(UnsupportedModelError, match=r"10 channels .* landmarks") as caught:
        load(path)
    assert "checkpoint" in caught.value.remedy


@pytest.mark.parametrize(("op_type", "kind"), [("LSTM", "recurrent model"), ("Gemm", "classif")])
def test_other_models_are_called_by_their_name(tmp_path: Path, op_type: str, kind: str) -> None:
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 32, 96])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])
    node = helper.make_node(op_type, ["images"], ["y"])
    graph = helper.make_graph([node], "other", [image], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModelError, match=kind):
        load(tmp_path / "other.onnx")


@pytest.mark.parametrize("variant", ["as exported today", "dynamic", "Focus"])
def test_another_size_and_batch(exporter: Any, tmp_path: Path, variant: str) -> None:
    """A file of fixed size is rebuilt: compared with the same weights exported at that size."""
    export = exporter(**VARIANTS[variant])
    path = export.save(tmp_path)
    graph = load(path, input_size=(32, 160), batch=None)
    assert graph.metadata.input_size == (32, 160)
    larger = exporter(**{**VARIANTS[variant], "size": (32, 160)})
    model = larger.model()
    images = np.random.default_rng(5).random((2, 3, 32, 160), np.float32)
    heads = run(proto_of(graph), images)
    for image in range(2):
        expected = original_heads(model, larger.heads, images[image : image + 1])
        for head, want in zip(heads, expected, strict=True):
            np.testing.assert_allclose(head[image], want[0], atol=1e-4)


def test_size_of_the_file_or_640(exporter: Any, tmp_path: Path) -> None:
    assert load(exporter().save(tmp_path)).metadata.input_size == (64, 96)
    assert load(exporter(dynamic=True).save(tmp_path)).metadata.input_size == (640, 640)
    with pytest.raises(UsageError, match="multiples of 16"):
        load(tmp_path / "export.onnx", input_size=(64, 72))


def test_a_file_of_our_own_is_read_back(exporter: Any, tmp_path: Path) -> None:
    first = load(exporter().save(tmp_path))
    proto = proto_of(first)
    helper.set_model_props(proto, {METADATA_KEY: first.metadata.to_json()})
    path = tmp_path / "own.onnx"
    path.write_bytes(proto.SerializeToString())
    again = load(path)
    assert again.metadata == first.metadata
    images = np.random.default_rng(5).random((1, 3, 64, 96), np.float32)
    for head, want in zip(run(proto_of(again), images), run(proto, images), strict=True):
        np.testing.assert_array_equal(head, want)


def test_missing_names_are_numbered(exporter: Any, tmp_path: Path) -> None:
    graph = load(exporter(metadata={}).save(tmp_path))
    assert graph.metadata.class_names == ("class0", "class1", "class2")


def test_raw_heads_without_anchors_say_what_is_missing(exporter: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not say what their anchors are"):
        load(exporter(tail="none").save(tmp_path))


def test_bare_convolution_outputs_say_what_is_missing(exporter: Any, tmp_path: Path) -> None:
    proto = proto_of(load(exporter().save(tmp_path)))
    path = tmp_path / "bare.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="says neither anchors nor class names"):
        load(path)


def test_all_unknown_operators_are_listed(exporter: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="does not know: Tanh"):
        load(exporter(act="Tanh").save(tmp_path))


def test_names_that_do_not_fit_the_classes(exporter: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a list of 3"):
        load(exporter(metadata={"names": "{0: 'a', 7: 'b'}"}).save(tmp_path))


def test_opset_8_is_refused_with_the_remedy(exporter: Any, tmp_path: Path) -> None:
    model = exporter().model()
    model.opset_import[0].version = 8
    path = tmp_path / "old.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModelError, match="--opset 17"):
        load(path)


@pytest.mark.realdata
def test_official_export_equals_its_checkpoint(data: Path) -> None:
    graph = load(data / "models" / "yolov5n-export-opset17.onnx")
    with np.load(data / "models" / "yolov5n-bus.golden.npz") as golden:
        images = golden["images_u8"].transpose(2, 0, 1)[None].astype(np.float32) / 255
        for index, head in enumerate(run(proto_of(graph), images)):
            n, na, h, w, no = golden[f"head{index}"].shape
            rearranged = head.reshape(n, na, no, h, w).transpose(0, 1, 3, 4, 2)
            np.testing.assert_allclose(rearranged, golden[f"head{index}"], atol=2e-3)
    checkpoint = load(data / "models" / "yolov5n.pt", input_size=(64, 64)).metadata
    assert graph.metadata.anchors == checkpoint.anchors
    assert graph.metadata.class_names == checkpoint.class_names
    assert graph.metadata.strides == checkpoint.strides


def test_nodes_in_any_order_are_one_model(exporter: Any, tmp_path: Path) -> None:
    """The ultralytics package appends the casts of a half-precision export at the end."""
    model = exporter().model()
    images = np.random.default_rng(2).random((1, 3, 64, 96), np.float32)
    (tmp_path / "sorted.onnx").write_bytes(model.SerializeToString())
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    (tmp_path / "reversed.onnx").write_bytes(model.SerializeToString())
    found, wanted = (
        run(proto_of(load(tmp_path / name)), images) for name in ("reversed.onnx", "sorted.onnx")
    )
    assert all((one == other).all() for one, other in zip(found, wanted, strict=True))
