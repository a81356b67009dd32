"""The ONNX emitter against ONNX Runtime on the graph it was given."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.statistics import to_input
from tallylens.edge_runtime.errors import UnsupportedModelError
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Image
from tests.support.tiny_graph import HEAD_CHANNELS, Heads, build_graph, largest_error


def run(content: bytes, batch: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [head.transpose(0, 2, 3, 1) for head in session.run(None, {"images": batch})]


def test_float_is_the_graph_itself(graph: DetectorGraph, image: Image, expected: Heads) -> None:
    content = emit_onnx(graph)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    assert largest_error(run(content, to_input(image)), expected) <= 1e-6


def test_half_keeps_float_input_and_output(
    graph: DetectorGraph, image: Image, expected: Heads
) -> None:
    content = emit_onnx(graph, half=True)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    types = {
        value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)
    }
    assert types == {onnx.TensorProto.FLOAT}
    kernels = [entry for entry in model.graph.initializer if len(entry.dims) == 4]
    assert {kernel.data_type for kernel in kernels} == {onnx.TensorProto.FLOAT16}
    assert len(content) < 0.7 * len(emit_onnx(graph))
    assert largest_error(run(content, to_input(image)), expected) <= 0.01


@pytest.mark.parametrize("half", [False, True])
def test_open_batch_runs_any_batch(
    graph: DetectorGraph, image: Image, expected: Heads, half: bool
) -> None:
    content = emit_onnx(graph, half=half, dynamic_batch=True)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    flipped = image[:, ::-1]
    heads = run(content, np.concatenate([to_input(flipped), to_input(image)]))
    assert largest_error([head[1:] for head in heads], expected) <= (0.01 if half else 1e-6)


@pytest.mark.parametrize(("half", "quantization"), [(False, "none"), (True, "fp16")])
def test_metadata_travels_along(graph: DetectorGraph, half: bool, quantization: str) -> None:
    model = onnx.load_from_string(emit_onnx(graph, half=half))
    (entry,) = model.metadata_props
    metadata = ModelMetadata.from_json(entry.value, "tiny.onnx")
    assert entry.key == "tallylens"
    assert metadata.class_names == graph.metadata.class_names
    assert (metadata.layout, metadata.quantization) == ("NCHW", quantization)
    assert [output.name for output in model.graph.output] == ["head8", "head16"]
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]


def test_same_graph_gives_same_bytes_and_stays_as_it_is(graph: DetectorGraph) -> None:
    before = ir.to_proto(graph.model).SerializeToString()
    for options in ({}, {"half": True}, {"dynamic_batch": True}):
        assert emit_onnx(graph, **options) == emit_onnx(build_graph(), **options)
    assert ir.to_proto(graph.model).SerializeToString() == before


def test_weights_beyond_float16_are_refused() -> None:
    graph = build_graph()
    value = graph.model.graph.initializers["head_a.bias"]
    value.const_value = ir.tensor(np.full(HEAD_CHANNELS, 1e6, np.float32), name=value.name)
    with pytest.raises(UnsupportedModelError) as refusal:
        emit_onnx(graph, half=True)
    assert str(refusal.value) == (
        "tiny.pt: the weights head_a.bias are too large for float16. Convert with --quantize none."
    )
