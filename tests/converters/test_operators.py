"""The operator table, and that every other table about operators agrees with it.

A test that fails here after an operator was added says which table does not know it yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.checkpoint import allowed, architecture
from tallylens.converters.coreml_program.ops import OPS
from tallylens.converters.emit.coreml import ops as coreml
from tallylens.converters.emit.coreml.quantize import EIGHT_BIT_READERS
from tallylens.converters.emit.tflite_ops import LOWERINGS as TFLITE
from tallylens.converters.onnx_import import map_operators
from tallylens.converters.onnx_import.rearranging import STEPS
from tallylens.converters.operators import ACTIVATIONS, OPERATORS, infer_shape
from tallylens.converters.shapes import ShapeError
from tests.support.tiny_graph import build_gated_graph, build_graph

EMITTED = {name for name, operator in OPERATORS.items() if not operator.folded}


def test_every_emitter_writes_every_operator_that_passes_leave() -> None:
    """The ONNX emitter has no table: it writes the graph's own nodes."""
    assert set(TFLITE) == EMITTED
    assert set(coreml.LOWERINGS) == EMITTED


def test_the_onnx_importer_knows_every_operator_and_what_becomes_one() -> None:
    # Casts between float types and identities leave a float32 graph as it is.
    known = {*map_operators.HANDLERS, *STEPS, *ACTIVATIONS, "Cast", "Identity"}
    sizes = {"Expand", "Flatten", "Gather", "Split", "Squeeze", "Unsqueeze"}
    assert known == OPERATORS.keys() | sizes | {
        "Cast",
        "Clip",
        "Div",
        "Gemm",
        "HardSigmoid",
        "Identity",
        "ReduceMean",
        "Sub",
    }


def test_every_module_of_a_checkpoint_is_allowed_and_has_a_handler() -> None:
    handled_elsewhere = {
        # The model as a whole, its list of layers, and what reads several layers: `detector`.
        *allowed.DETECTORS,
        *("ModuleList", "Concat", "ADD", "Detect", "Segment"),
        "MultiheadAttention",  # three values go in: `gate_blocks`
        # Parts of gates, which `gates` reads by what they are for.
        *("AdaptiveMaxPool2d", "ChannelPool", "Conv1d", "Flatten"),
    }
    assert allowed.MODULES - handled_elsewhere == set(architecture.HANDLERS)
    modules = {name for row in OPERATORS.values() for name in row.modules}
    assert all(map(allowed.is_module, modules))


def test_only_activations_have_modules_and_attributes() -> None:
    others = [row for row in OPERATORS.values() if row.name not in ACTIVATIONS]
    assert not any(row.modules or row.attributes for row in others)
    assert all(row.channels == "same" for row in ACTIVATIONS.values())


def test_core_ml_reads_8_bits_where_arithmetic_is_in_8_bits() -> None:
    """Activations and the Mul of a SiLU are computed in float16 behind the convolution.

    So are gates, attention and transposed convolutions.
    """
    gates = {"ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "ReduceMax"}
    gates |= {"MatMul", "Reshape", "Softmax", "Transpose"}
    assert set(EIGHT_BIT_READERS) == EMITTED - ACTIVATIONS.keys() - {"Mul"} - gates


class RecordingBuilder:
    """A stand-in for coremltools' MIL builder that notes which operations it was asked for."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()

    def __getattr__(self, kind: str) -> Any:
        def operation(**_arguments: Any) -> str:
            self.kinds.add(kind)
            return "value"

        return operation


def mil_operations(nodes: Sequence[ir.Node]) -> set[str]:
    builder = RecordingBuilder()
    writer = coreml.Writer(builder, lambda _name, kernel: kernel, np.float32)
    for node in nodes:
        inputs = ["value"] * len(node.inputs)
        coreml.LOWERINGS[node.op_type].emit(writer, node, inputs, "name")
    return builder.kinds


def test_the_evaluator_computes_every_operation_that_core_ml_lowerings_write() -> None:
    nodes = [*build_graph().model.graph, *build_gated_graph().model.graph]
    assert {node.op_type for node in nodes} == EMITTED
    x = ir.Value(name="x", shape=ir.Shape([1, 8, 4, 4]))
    # In the graph every Mul is a SiLU and its Sigmoid is part of it; alone they are their own ops.
    alone = [ir.node("Mul", [x, x]), ir.node("Sigmoid", [x])]
    written_around_them = {
        # Input, weights and roundings of the program; the boxes of --nms.
        *("cast", "constexpr_affine_dequantize", "quantize", "dequantize"),
        *("slice_by_size", "reduce_sum"),
    }
    written = mil_operations([*nodes, *alone])
    assert not written & written_around_them
    assert written | written_around_them == set(OPS)


def test_an_unknown_operator_has_no_shape() -> None:
    node = ir.node("Unheard", [ir.Value(name="x", shape=ir.Shape([1, 8, 4, 4]))], name="soft")
    with pytest.raises(ShapeError, match="soft: no shape rule for Unheard"):
        infer_shape(node)


@pytest.mark.parametrize("op_type", ["Add", "Mul"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_sums_and_products_have_two_inputs(op_type: str, count: int) -> None:
    x = ir.Value(name="x", shape=ir.Shape([1, 3, 8, 8]), type=ir.TensorType(ir.DataType.FLOAT))
    with pytest.raises(ShapeError, match=f"{count} maps to"):
        infer_shape(ir.node(op_type, [x] * count, name="n"))
