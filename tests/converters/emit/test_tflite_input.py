"""Camera bytes to int8: through float, with the same integers as QUANTIZE gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.emit.tflite_input import FLOAT_IMAGES, convert_through_float
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.scheme import Calibration
from tests.support.engine_models import edit_tflite

pytestmark = pytest.mark.slow
QUANTIZE, DEQUANTIZE = schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE


@pytest.fixture(scope="module")
def model(graph: DetectorGraph, calibration: Calibration) -> bytes:
    return emit_tflite(graph, quantization="int8", calibration=calibration)


def with_one_quantize(model: bytes) -> bytes:
    """The model as TensorFlow's converter writes it: uint8 to int8 in one operator."""

    def change(tree: Any) -> None:
        graph = tree.subgraphs[0]
        first, second = graph.operators[:2]
        second.inputs = first.inputs
        graph.operators = graph.operators[1:]

    return edit_tflite(model, change)


def operators(model: bytes) -> list[int]:
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    codes = [code.builtinCode for code in tree.operatorCodes]
    return [codes[one.opcodeIndex] for one in tree.subgraphs[0].operators]


def heads(model: bytes, image: npt.NDArray[np.uint8], resolver: Any) -> list[npt.NDArray[Any]]:
    interpreter = Interpreter(
        model_content=model, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]


@pytest.mark.parametrize(
    "resolver", [OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES]
)
def test_the_same_heads_to_the_bit(model: bytes, resolver: Any) -> None:
    plain = with_one_quantize(model)
    assert operators(model)[:2] == [DEQUANTIZE, QUANTIZE]
    assert operators(plain)[0] == QUANTIZE
    assert operators(plain) == operators(model)[1:]
    height, width = 64, 96
    ramp = np.arange(height * width * 3).reshape(1, height, width, 3) % 256
    noise = np.random.default_rng(4).integers(0, 256, ramp.shape)
    for image in (ramp.astype(np.uint8), noise.astype(np.uint8)):
        for ours, theirs in zip(
            heads(model, image, resolver), heads(plain, image, resolver), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_another_step_is_left_alone(model: bytes) -> None:
    def change(tree: Any) -> None:
        graph = tree.subgraphs[0]
        graph.tensors[int(graph.operators[0].outputs[0])].quantization.scale = [0.01]
        before = len(graph.operators)
        convert_through_float(schema, tree)
        assert len(graph.operators) == before

    edit_tflite(with_one_quantize(model), change)


def test_the_float_tensor_has_the_name_of_its_purpose(model: bytes) -> None:
    interpreter = Interpreter(model_content=model)
    (floats,) = (one for one in interpreter.get_tensor_details() if one["dtype"] == np.float32)
    assert floats["name"] == FLOAT_IMAGES
