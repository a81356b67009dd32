"""A model of fewer classes computes what the whole one does for them, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.convert import convert
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.converters.evaluation.verify import verify
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.passes.keep_classes import KeepClasses, label_numbers
from tallylens.converters.prune.cost import multiply_adds
from tallylens.converters.quantize.scheme import Calibration
from tallylens.converters.request import AcceptanceCheck
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import UnsupportedModelError, UsageError
from tallylens.edge_runtime.metadata import ModelMetadata, Quantization

NAMES = ("car", "bus", "dog", "person")
ANCHORS = ((4.0, 4.0), (8.0, 8.0))
PER_ANCHOR = 5 + len(NAMES)
SCORED = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1.0, multi_label=True)


def detector(*, bias: bool = True, then_silu: bool = False) -> DetectorGraph:
    random = np.random.default_rng(3)
    builder = GraphBuilder((16, 24), batch=1)
    features = builder.conv(
        "a", builder.input, random.normal(0, 1, (8, 3, 2, 2)), None, strides=(2, 2)
    )
    channels = PER_ANCHOR * len(ANCHORS)
    offset = random.normal(0, 1, channels) if bias else None
    head = builder.conv("head", features, random.normal(0, 1, (channels, 8, 1, 1)), offset)
    if then_silu:
        head = builder.silu("act", head)
    metadata = ModelMetadata(NAMES, (16, 24), (2,), (ANCHORS,), ("head2",), source_name="net")
    return builder.finish([head], metadata)


def head_of(graph: DetectorGraph) -> np.ndarray:
    proto = ir.to_proto(graph.model)
    onnx.checker.check_model(proto, full_check=True)
    images = np.random.default_rng(1).random((1, 3, 16, 24), np.float32)
    session = ort.InferenceSession(proto.SerializeToString())
    head: np.ndarray = session.run(None, {"images": images})[0]
    return head


def rows_of(*classes: int) -> list[int]:
    """The channels of x, y, w, h, objectness and `classes`, counted by hand."""
    return [
        anchor * PER_ANCHOR + channel
        for anchor in range(len(ANCHORS))
        for channel in (0, 1, 2, 3, 4, *(5 + one for one in classes))
    ]


@pytest.mark.parametrize("bias", [True, False])
def test_what_is_left_is_the_same_to_the_bit(bias: bool) -> None:
    whole = detector(bias=bias)
    before = head_of(whole)
    smaller = KeepClasses(["person", "car"])(whole)
    assert smaller.metadata.class_names == ("car", "person")
    assert smaller.metadata.passes[-1].effect == {"kept": 2, "of": 4, "numbers": "0 3"}
    assert np.array_equal(head_of(smaller), before[:, rows_of(0, 3)])
    assert np.array_equal(head_of(whole), before)
    assert multiply_adds(smaller) < multiply_adds(whole)


def test_all_classes_is_the_same_graph() -> None:
    whole = detector()
    assert KeepClasses(NAMES)(whole) is whole


@pytest.mark.parametrize(
    ("names", "problem"), [(["cat"], "'cat'.*car, bus, dog, person"), ([], "no class is left")]
)
def test_unknown_classes_are_refused(names: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        KeepClasses(names)(detector())


def test_a_head_that_ends_otherwise_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="without --classes"):
        KeepClasses(["car"])(detector(then_silu=True))


def test_a_calibration_loses_the_same_rows() -> None:
    graph = detector()
    weight = np.arange(18 * 8, dtype=np.float32).reshape(18, 8, 1, 1)
    conv = graph.model.graph.outputs[0].producer()
    assert conv is not None
    names = [str(value.name) for value in conv.inputs[1:] if value is not None]
    scales = np.arange(18, dtype=np.float32)
    whole = Calibration(
        {}, {}, 1, weights={names[0]: weight, "other": scales}, weight_scales={names[0]: scales}
    )
    cut = KeepClasses(["dog"]).calibration(graph, whole)
    assert np.array_equal(cut.weights[names[0]], weight[rows_of(2)])
    assert np.array_equal(cut.weight_scales[names[0]], scales[rows_of(2)])
    assert np.array_equal(cut.weights["other"], scales)
    assert len(whole.weights[names[0]]) == 18


def test_label_files_keep_the_numbers_of_the_whole_model() -> None:
    """Also where a cut model is cut again."""
    whole = detector()
    cut = KeepClasses(["bus", "dog", "person"])(whole)
    assert label_numbers(whole.metadata) == [0, 1, 2, 3]
    assert label_numbers(cut.metadata) == [1, 2, 3]
    assert label_numbers(KeepClasses(["person", "dog"])(cut).metadata) == [2, 3]


def test_a_cut_that_does_not_say_its_numbers_is_not_measured() -> None:
    metadata = replace(detector().metadata, class_names=("dog",))
    for effect in ({}, {"numbers": "x"}, {"numbers": "1 2"}):
        with pytest.raises(UnsupportedModelError, match="numbers of its classes"):
            label_numbers(metadata.with_pass("keep_classes", **effect))


@pytest.mark.slow
@pytest.mark.realdata
def test_a_cut_model_is_measured_with_the_labels_of_the_whole(data: Path, tmp_path: Path) -> None:
    images, labels = tmp_path / "images", data / "coco/labels/val"
    images.mkdir()
    for image in sorted((data / "coco/images/val").glob("*.jpg"))[:12]:
        (images / image.name).write_bytes(image.read_bytes())
    found = {}
    for classes in ((), ("person", "car", "bus")):
        report = convert(
            data / "models/yolov5n.pt",
            out_dir=tmp_path,
            targets=("onnx",),
            classes=classes,
            check=AcceptanceCheck(images=images, labels=labels),
        )
        with open_engine(report.path_of("onnx")) as engine:
            names = engine.metadata.class_names
            detect = Detector(engine, SCORED)
            numbers = label_numbers(engine.metadata)
            result = evaluate(detect.detect, images, labels, numbers=numbers)
        found[len(classes)] = {names[at]: value for at, value in result.per_class.items()}
        checked = report.artifacts[0].check
        assert checked is not None
        assert checked.model_precision is not None
        assert checked.model_precision.map50_95 == pytest.approx(result.map50_95, abs=1e-6)
    for name, value in found[3].items():
        assert value == pytest.approx(found[0][name], abs=0.01)
    assert set(found[3]) <= {"person", "car", "bus"}
    cut, whole = report.path_of("onnx"), data / "models/yolov5n.pt"
    assert verify(cut, whole, images).detections.agreement == 1


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_yolov5n(data: Path, tmp_path: Path, quantize: Quantization) -> None:
    """The heads of four classes are those of all eighty, in float and in int8."""
    calibration = tmp_path / "images"
    calibration.mkdir()
    for image in sorted((data / "coco/images/calib").glob("*.jpg"))[:2]:
        (calibration / image.name).write_bytes(image.read_bytes())
    heads = {}
    for classes in ((), ("car", "truck", "bus", "person")):
        report = convert(
            data / "models/yolov5n.pt",
            out_dir=tmp_path,
            quantize=quantize,
            calibration=calibration if quantize == "int8" else None,
            input_size=(320, 320),
            classes=classes,
            check=None,
        )
        assert report.name == "yolov5n" + "-4classes" * bool(classes) + (
            "-int8" if quantize == "int8" else ""
        )
        with open_engine(report.path_of("tflite")) as engine:
            pixels = np.random.default_rng(0).integers(0, 256, engine.input.shape, np.uint8)
            scale = 1 if engine.input.dtype == np.uint8 else 255
            engine.input[...] = pixels / scale
            heads[len(classes)] = [np.array(head) for head in engine.run()]
    rows = [a * 85 + c for a in range(3) for c in (0, 1, 2, 3, 4, 5 + 0, 5 + 2, 5 + 5, 5 + 7)]
    for whole, cut in zip(heads[0], heads[4], strict=True):
        assert np.array_equal(whole[..., rows], cut)
    assert report.metadata.class_names == ("person", "car", "bus", "truck")
