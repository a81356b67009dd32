"""Core ML packages against ONNX Runtime on the same graph, run from the saved files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.coreml_program.evaluator import evaluate_program
from tallylens.converters.coreml_program.package import Package, read_package
from tallylens.converters.coreml_program.program import read_program
from tallylens.converters.emit.coreml.emitter import emit_coreml
from tallylens.converters.emit.coreml.nms import padded_labels
from tallylens.converters.emit.coreml.quantize import affine, quantize_weights
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.scheme import Calibration
from tallylens.edge_runtime.errors import UnsupportedModelError, UsageError
from tests.support.tiny_graph import Heads, build_graph, largest_error

pytestmark = pytest.mark.slow
Write = Callable[[Mapping[str, bytes]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(files: Mapping[str, bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "model.mlpackage" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "model.mlpackage"

    return write


def heads_of(package: Path, image: Any) -> Heads:
    """As the oracle gives them: (1, h, w, channels)."""
    return [head.transpose(0, 2, 3, 1) for head in evaluate_program(package)(image)]


def kinds(package: Package) -> list[str]:
    return [op.kind for op in read_program(package).ops]


def test_float32_is_the_graph(
    graph: DetectorGraph, image: Any, expected: Heads, write: Write
) -> None:
    assert largest_error(heads_of(write(emit_coreml(graph)), image), expected) < 2e-5


def test_float16_stays_close_and_is_float16(
    graph: DetectorGraph, image: Any, expected: Heads, write: Write
) -> None:
    package = write(emit_coreml(graph, quantization="fp16"))
    error = largest_error(heads_of(package, image), expected)
    assert 1e-5 < error < 0.02
    program = read_program(read_package(package))
    assert {op.dtype.name for op in program.ops if op.output not in program.outputs} == {"float16"}


@pytest.mark.parametrize("weights_only", [True, False])
def test_int8_stays_close(
    graph: DetectorGraph,
    calibration: Calibration,
    image: Any,
    expected: Heads,
    write: Write,
    weights_only: bool,
) -> None:
    files = emit_coreml(
        graph,
        quantization="int8",
        calibration=None if weights_only else calibration,
        weights_only=weights_only,
    )
    spread = float(np.std(expected[0]))
    assert largest_error(heads_of(write(files), image), expected) < 0.3 * spread


@pytest.mark.parametrize(
    ("arguments", "version", "opset"),
    [
        ({"quantization": "none"}, 7, "CoreML6"),
        ({"quantization": "fp16"}, 7, "CoreML6"),
        ({"quantization": "int8", "weights_only": True}, 7, "CoreML6"),
        ({"quantization": "int8"}, 8, "CoreML7"),
    ],
)
def test_what_the_package_says(
    graph: DetectorGraph,
    calibration: Calibration,
    write: Write,
    arguments: dict[str, Any],
    version: int,
    opset: str,
) -> None:
    package = read_package(write(emit_coreml(graph, calibration=calibration, **arguments)))
    spec = package.detector
    assert spec.specificationVersion == version
    assert spec.mlProgram.functions["main"].opset == opset
    (image,) = spec.description.input
    assert image.name == "image"
    assert (image.type.imageType.height, image.type.imageType.width) == (64, 96)
    assert image.type.imageType.colorSpace == image.type.imageType.ColorSpace.Value("RGB")
    assert [(o.name, list(o.type.multiArrayType.shape)) for o in spec.description.output] == [
        ("head8", [1, 16, 8, 12]),
        ("head16", [1, 16, 4, 6]),
    ]
    assert package.metadata.quantization == arguments["quantization"]
    assert package.metadata.class_names == ("car", "bus", "späti")
    assert package.metadata.layout == "NCHW"
    assert spec.description.metadata.userDefined["classes"] == "car,bus,späti"


def test_what_flows_is_quantized_but_not_what_an_activation_reads(
    graph: DetectorGraph, calibration: Calibration, write: Write
) -> None:
    files = emit_coreml(graph, quantization="int8", calibration=calibration)
    program = read_program(read_package(write(files)))
    by_name = {op.output: op for op in program.ops}
    weights = [op for op in program.ops if op.kind == "constexpr_affine_dequantize"]
    convolutions = [op for op in program.ops if op.kind == "conv"]
    assert len(weights) == len(convolutions) == 8
    assert {by_name[op.inputs["x"].text].kind for op in convolutions} == {"dequantize"}
    assert {by_name[op.inputs["x"].text].kind for op in program.ops if op.kind == "silu"} == {
        "conv"
    }
    assert {op.inputs["quantized_data"].dtype.name for op in weights} == {"int8"}


def test_silu_is_one_op(graph: DetectorGraph, write: Write) -> None:
    found = kinds(read_package(write(emit_coreml(graph))))
    assert found.count("silu") == 2
    assert "sigmoid" not in found


def test_a_sigmoid_that_is_read_twice_is_written_once(write: Write) -> None:
    from dataclasses import replace

    random = np.random.default_rng(1)
    builder = GraphBuilder((32, 32), batch=1)
    weight = random.normal(0, 0.2, (6, 3, 3, 3)).astype(np.float32)
    x = builder.conv("c", builder.input, weight, np.zeros(6, np.float32), pads=(1, 1, 1, 1))
    gate = builder.add("Sigmoid", "gate", [x])
    product = builder.add("Mul", "product", [gate, x])
    head = builder.add("Add", "sum", [product, gate])
    from tallylens.edge_runtime.metadata import ModelMetadata

    metadata = ModelMetadata(("car",), (32, 32), (1,), (((4.0, 4.0),),), ("head1",))
    graph = builder.finish([head], replace(metadata, source_name="net"))
    assert kinds(read_package(write(emit_coreml(graph)))).count("sigmoid") == 1


def test_the_same_graph_gives_the_same_bytes(graph: DetectorGraph) -> None:
    assert emit_coreml(graph, quantization="fp16") == emit_coreml(graph, quantization="fp16")


def test_coremltools_reads_it(graph: DetectorGraph, write: Write) -> None:
    """Through coremltools' own reader of packages and of MIL, which checks every op's types."""
    from tallylens.converters.coreml_program.coremltools import quiet_coremltools

    package = write(emit_coreml(graph, quantization="fp16"))
    with quiet_coremltools() as ct:
        model = ct.models.MLModel(str(package), skip_model_load=True)
        from coremltools.converters.mil.frontend.milproto.load import load

        program = load(model.get_spec(), 7, model.weights_dir)
    assert [output.name for output in program.functions["main"].outputs] == ["head8", "head16"]


def test_nms_gives_boxes_and_labels(
    graph: DetectorGraph, image: Any, expected: Heads, write: Write
) -> None:
    """Against YOLOv5's formulas, written here once more."""
    files = emit_coreml(graph, nms=True)
    package = read_package(write(files))
    confidence, coordinates = evaluate_program(write(files))(image)
    height, width = graph.metadata.input_size
    rows, boxes = [], []
    for head, stride, anchors in zip(
        expected, graph.metadata.strides, graph.metadata.anchors, strict=True
    ):
        chances = 1 / (1 + np.exp(-head[0].reshape(*head.shape[1:3], 2, 8)))
        for anchor in range(2):
            for y in range(head.shape[1]):
                for x in range(head.shape[2]):
                    cell = chances[y, x, anchor]
                    cx, cy = (2 * cell[:2] - 0.5 + (x, y)) * stride / (width, height)
                    w, h = (2 * cell[2:4]) ** 2 * anchors[anchor] / (width, height)
                    rows.append(cell[5:] * cell[4])
                    boxes.append((cx, cy, w, h))
    assert confidence.shape == (len(rows), 80)
    np.testing.assert_allclose(confidence[:, :3], rows, atol=1e-5)
    assert not confidence[:, 3:].any()
    np.testing.assert_allclose(coordinates, boxes, atol=1e-5)
    assert package.is_pipeline


def test_nms_pipeline_is_wired(graph: DetectorGraph) -> None:
    from coremltools.proto import Model_pb2

    content = emit_coreml(graph, nms=True)["Data/com.apple.CoreML/model.mlmodel"]
    spec = Model_pb2.Model.FromString(content)
    detector, suppression = spec.pipeline.models
    nms = suppression.nonMaximumSuppression
    outputs = [output.name for output in detector.description.output]
    assert outputs == [nms.confidenceInputFeatureName, nms.coordinatesInputFeatureName]
    assert [value.name for value in spec.description.output] == ["confidence", "coordinates"]
    assert [(value.name, value.type.isOptional) for value in spec.description.input] == [
        ("image", False),
        ("iouThreshold", True),
        ("confidenceThreshold", True),
    ]
    assert list(nms.stringClassLabels.vector)[:4] == ["car", "bus", "späti", "unused 0"]
    assert nms.pickTop.perClass


@pytest.mark.parametrize(("classes", "columns"), [(1, 80), (79, 80), (80, 80), (81, 160)])
def test_labels_fill_whole_eighties(classes: int, columns: int) -> None:
    labels = padded_labels([f"class {number}" for number in range(classes)])
    assert len(labels) == len(set(labels)) == columns


def test_int8_needs_ranges(graph: DetectorGraph) -> None:
    with pytest.raises(UsageError, match="int8 needs the range of every tensor"):
        emit_coreml(graph, quantization="int8")


def test_unknown_nodes_are_listed_together() -> None:
    graph = build_graph()
    for node in graph.model.graph:
        if node.op_type in ("Relu", "LeakyRelu"):
            node.op_type = "Unheard"
    with pytest.raises(UnsupportedModelError, match="Core ML cannot hold 2 of its nodes: Unheard"):
        emit_coreml(graph)


def test_weights_are_within_half_a_step_on_the_whole() -> None:
    kernel = np.random.default_rng(4).normal(0, 1, (5, 7, 3, 3)).astype(np.float32)
    kernel[2] = 0
    steps, scale = quantize_weights(kernel)
    restored = steps.astype(np.float32) * scale.astype(np.float32).reshape(-1, 1, 1, 1)
    assert (np.abs(restored - kernel) <= 1.01 * scale.reshape(-1, 1, 1, 1)).all()
    # The errors of a channel cancel out, where plain rounding lets them add up.
    assert (np.abs((restored - kernel).sum((1, 2, 3))) <= 0.6 * scale).all()
    assert not steps[2].any()


def test_weights_on_the_grid_stay_there() -> None:
    grid = np.random.default_rng(4).integers(-127, 128, (5, 7, 3, 3))
    grid[:, 0, 0, 0] = 127
    kernel = (grid * np.float32(0.0123)).astype(np.float32)
    assert (quantize_weights(kernel)[0] == grid).all()


@pytest.mark.parametrize(
    ("limits", "zero_point"), [((0.0, 1.0), 0), ((-1.0, 0.0), 255), ((-1.0, 1.0), 128)]
)
def test_ranges_hold_zero_exactly(limits: tuple[float, float], zero_point: int) -> None:
    form = affine(limits)
    assert abs(int(form.zero_point) - zero_point) <= 1
    assert float(form.scale) == pytest.approx((limits[1] - limits[0]) / 255, rel=1e-3)
    assert affine((0.0, 0.0)).scale > 0


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["leaky-tiny-2class", "p6-tiny-4class", "v5-focus-spp-tiny", "v7-tiny-3class"]
)
def test_every_architecture(name: str, data: Path, write: Write) -> None:
    from tallylens.converters.load import load
    from tallylens.converters.quantize.calibrate import observe_ranges

    golden = np.load(data / "checkpoints" / f"{name}.golden.npz")
    image = np.rint(golden["images"][0].transpose(1, 2, 0) * 255).astype(np.uint8)
    graph = load(data / "checkpoints" / f"{name}.pt", input_size=image.shape[:2])
    wanted = run(graph, image)
    ranges = observe_ranges(graph, [image])
    for quantization, limit in (("none", 1e-3), ("fp16", 0.05), ("int8", 1.0)):
        files = emit_coreml(graph, quantization=quantization, calibration=ranges)  # type: ignore[arg-type]
        found = evaluate_program(write(files))(image)
        error = max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))
        assert error < limit, (quantization, error)


def run(graph: DetectorGraph, image: Any) -> Heads:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        ir.to_proto(graph.model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    pixels = image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    return list(session.run(list(graph.metadata.head_names), {"images": pixels}))


@pytest.mark.realdata
def test_float16_yolov5n_matches_pytorch(data: Path, write: Write) -> None:
    from tallylens.converters.load import load

    golden = np.load(data / "models" / "yolov5n-bus.golden.npz")
    files = emit_coreml(load(data / "models" / "yolov5n.pt"), quantization="fp16")
    found = evaluate_program(write(files))(golden["images_u8"])
    for index, head in enumerate(found):
        wanted = golden[f"head{index}"].transpose(0, 1, 4, 2, 3).reshape(head.shape)
        assert np.abs(head - wanted).max() <= 0.05
