"""The TFLite emitter: LiteRT on its files against ONNX Runtime on the graph."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import Interpreter

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.emit.tflite_file import float_tensors
from tallylens.converters.emit.tflite_input import FLOAT_IMAGES
from tallylens.converters.emit.tflite_ops import LOWERINGS
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.calibrate import observe_ranges
from tallylens.converters.quantize.scheme import Calibration
from tallylens.edge_runtime.engines.tflite_resize import resized
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError
from tallylens.edge_runtime.metadata import ModelMetadata, Quantization
from tallylens.edge_runtime.types import Image
from tests.support.tiny_graph import (
    Heads,
    build_graph,
    largest_error,
    random_images,
    run_graph,
    run_tflite,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session", params=["none", "fp16", "int8"])
def kind(request: pytest.FixtureRequest) -> Quantization:
    quantization: Quantization = request.param
    return quantization


@pytest.fixture(scope="session")
def files(graph: DetectorGraph, calibration: Calibration) -> Mapping[str, bytes]:
    """One file of each kind, converted once."""
    return {
        kind: emit_tflite(graph, quantization=kind, calibration=calibration)
        for kind in ("none", "fp16", "int8")
    }


def open_file(content: bytes) -> Interpreter:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def test_heads_are_those_of_the_graph(
    files: Mapping[str, bytes], kind: Quantization, image: Image, expected: Heads
) -> None:
    tolerance = {"none": 1e-5, "fp16": 2e-3, "int8": 0.05}[kind]
    assert largest_error(run_tflite(files[kind], image), expected) <= tolerance


@pytest.mark.parametrize("size", [(32, 64), (96, 32)])
def test_rectangles_pad_like_the_graph(size: tuple[int, int]) -> None:
    graph = build_graph(size)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    heads = run_tflite(emit_tflite(graph), image)
    assert largest_error(heads, run_graph(graph, image)) <= 1e-5


@pytest.mark.parametrize("quantization", ["none", "int8"])
@pytest.mark.parametrize("positive", [True, False])
def test_groups_and_uneven_padding(quantization: Quantization, positive: bool) -> None:
    """TFLite has neither: groups become zeros of a whole kernel, padding a row of its own."""
    random = np.random.default_rng(11)
    builder = GraphBuilder((32, 48), batch=1)

    def conv(name: str, x: ir.Value, shape: tuple[int, ...], stride: int, **how: Any) -> ir.Value:
        weight, bias = random.normal(0, 0.3, shape), random.normal(0, 0.1, shape[0])
        return builder.conv(name, x, weight, bias, strides=(stride, stride), **how)

    x = conv("a", builder.input, (8, 3, 2, 2), 2)
    x = conv("groups", x, (12, 2, 3, 3), 1, group=4, pads=(1, 1, 1, 1))
    x = builder.add("Relu" if positive else "HardSwish", "act", [x])
    x = builder.max_pool("pool", x, (3, 3), (2, 2), (1, 1, 1, 1))
    head = conv("head", x, (6, 12, 1, 1), 1)
    names = ("head4",)
    metadata = ModelMetadata(("thing",), (32, 48), (4,), (((1.0, 1.0),),), names, source_name="n")
    graph = builder.finish([head], metadata)
    images = random_images((32, 48), 4)
    ranges = observe_ranges(graph, images) if quantization == "int8" else None
    content = emit_tflite(graph, quantization=quantization, calibration=ranges)
    error = largest_error(run_tflite(content, images[0]), run_graph(graph, images[0]))
    assert error <= (1e-5 if quantization == "none" else 0.05)


def test_outputs_are_named_and_in_the_order_of_the_metadata(
    files: Mapping[str, bytes], kind: Quantization, graph: DetectorGraph
) -> None:
    interpreter = open_file(files[kind])
    names = list(graph.metadata.head_names)
    outputs = interpreter.get_output_details()
    assert [output["name"] for output in outputs] == names
    assert [tuple(output["shape"]) for output in outputs] == [
        (1, 8, 12, 16),
        (1, 4, 6, 16),
    ]
    assert interpreter.get_input_details()[0]["name"] == "images"
    (signature,) = interpreter.get_signature_list().values()
    assert signature == {"inputs": ["images"], "outputs": sorted(names)}
    runner = interpreter.get_signature_runner()
    heads = runner(images=np.zeros((1, 64, 96, 3), interpreter.get_input_details()[0]["dtype"]))
    assert heads["head8"].shape == (1, 8, 12, 16)


def test_int8_takes_camera_bytes_and_gives_raw_heads(files: Mapping[str, bytes]) -> None:
    interpreter = open_file(files["int8"])
    (entry,) = interpreter.get_input_details()
    assert entry["dtype"] == np.uint8
    assert entry["quantization"] == (pytest.approx(1 / 255), 0)
    for output in interpreter.get_output_details():
        assert output["dtype"] == np.int8
        assert output["quantization"][0] > 0


def test_int8_holds_no_float_and_one_scale_a_channel(files: Mapping[str, bytes]) -> None:
    # That of the input's conversion; tests/converters/emit/test_tflite_input.py.
    assert float_tensors(files["int8"]) == [FLOAT_IMAGES]
    details = open_file(files["int8"]).get_tensor_details()
    kernels = [
        d
        for d in details
        if len(d["shape"]) == 4 and d["quantization_parameters"]["scales"].size > 1
    ]
    channels = [d["quantization_parameters"]["scales"].size for d in kernels]
    assert sorted(channels) == [8, 8, 8, 8, 8, 16, 16, 16]


def test_float16_halves_the_weights(files: Mapping[str, bytes]) -> None:
    assert "float16" in {
        np.dtype(d["dtype"]).name for d in open_file(files["fp16"]).get_tensor_details()
    }
    assert len(files["fp16"]) < 0.8 * len(files["none"])


def test_metadata_travels_along(
    files: Mapping[str, bytes], kind: Quantization, graph: DetectorGraph
) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(files[kind], 0))
    (entry,) = [entry for entry in model.metadata if entry.name == b"tallylens"]
    metadata = ModelMetadata.from_json(bytes(model.buffers[entry.buffer].data), "tiny.tflite")
    assert (metadata.layout, metadata.quantization) == ("NHWC", kind)
    assert metadata.class_names == graph.metadata.class_names
    passes = [(record.name, dict(record.effect)) for record in metadata.passes]
    assert passes == ([("calibrate_minmax", {"images": 4})] if kind == "int8" else [])


def test_every_operator_that_is_written_can_be_resized(
    files: Mapping[str, bytes], graph: DetectorGraph
) -> None:
    """The tiny graph holds every operator of the table; see test_operators."""
    height, width = graph.metadata.input_size
    for content in files.values():
        changed = resized(content, (height, width), (2 * height, 2 * width))
        assert changed is not None
        assert changed != content, "sizes that are constants"
        assert resized(changed, (2 * height, 2 * width), (height, width)) == content


def test_weights_start_at_aligned_addresses(files: Mapping[str, bytes], kind: Quantization) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(files[kind], 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    starts = {b._tab.Vector(b._tab.Offset(4)) % 16 for b in buffers if b.DataLength()}
    assert starts == {0}


def test_another_process_writes_the_same_bytes_and_nothing_else(files: Mapping[str, bytes]) -> None:
    """In another order and with other hash seeds; standard error stays empty."""
    # A training in this process has left its settings of TensorFlow in the environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.emit_tflite_digests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"PYTHONHASHSEED": "12345"},
    )
    written = [hashlib.sha256(files[kind]).hexdigest() for kind in ("int8", "fp16", "none")]
    assert result.stdout.split() == written
    assert result.stderr == ""


def test_one_error_lists_every_unsupported_node() -> None:
    graph = build_graph()
    nodes = {node.name: node for node in graph.model.graph}
    pool = next(node for node in nodes.values() if node.op_type == "MaxPool")
    pool.attributes["ceil_mode"] = ir.AttrInt64("ceil_mode", 1)
    relu = next(node for node in nodes.values() if node.op_type == "Relu")
    relu.op_type = "Unheard"
    with pytest.raises(UnsupportedModelError) as refusal:
        emit_tflite(graph)
    assert str(refusal.value) == (
        f"tiny.pt: TFLite cannot hold 2 of its nodes: Unheard {relu.name}: not one of "
        f"{', '.join(LOWERINGS)}; MaxPool {pool.name}: its padding must be explicit, without "
        "ceil_mode. Convert to another target (--to onnx), or export the checkpoint from an "
        "unmodified YOLOv5."
    )


@pytest.mark.parametrize(
    ("op_type", "attribute", "problem"),
    [
        (
            "Conv",
            ir.AttrInt64s("dilations", [2, 2]),
            "dilated convolutions are not known",
        ),
        (
            "Conv",
            ir.AttrString("auto_pad", "SAME_UPPER"),
            "its padding must be explicit",
        ),
        ("Concat", ir.AttrInt64("axis", 2), "only channels can be joined"),
        (
            "Resize",
            ir.AttrString("mode", "linear"),
            "only nearest-neighbor doubling is known",
        ),
        (
            "Resize",
            ir.AttrString("nearest_mode", "ceil"),
            "only nearest-neighbor doubling is known",
        ),
        (
            "MaxPool",
            ir.AttrInt64s("dilations", [2, 2]),
            "only plain 2-D pooling is known",
        ),
    ],
)
def test_what_would_be_written_wrongly_is_refused(
    op_type: str, attribute: ir.Attr, problem: str
) -> None:
    graph = build_graph()
    node = next(node for node in graph.model.graph if node.op_type == op_type)
    node.attributes[attribute.name] = attribute
    with pytest.raises(UnsupportedModelError, match=f"{op_type} {node.name}: {problem}"):
        emit_tflite(graph)


def test_int8_without_ranges_is_refused(graph: DetectorGraph) -> None:
    with pytest.raises(UsageError) as refusal:
        emit_tflite(graph, quantization="int8")
    assert str(refusal.value) == (
        "int8 needs the range of every tensor. Give a folder of images with --calibration."
    )


def test_a_converter_that_gives_up_is_one_plain_error(
    graph: DetectorGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def refuse(converter: object) -> None:
        raise ValueError("no such kernel\nand a long trace")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "convert", refuse)
    with pytest.raises(ModelError) as failure:
        emit_tflite(graph)
    assert str(failure.value) == (
        "tiny.pt: TensorFlow's converter gave up (no such kernel). "
        "Convert with --to onnx, and please report the model."
    )
