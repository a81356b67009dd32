"""Split channels, gates and attention as PyTorch's exporter writes them, in up to 5 dimensions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.load import load
from tallylens.converters.operators import OPERATORS
from tallylens.edge_runtime.errors import ModelError

CHANNELS, HEADS, WIDTH = 8, 2, 4
FOLDED = {name for name, operator in OPERATORS.items() if operator.folded}


def integers(e: Any, *values: int) -> str:
    return str(e.constant(list(values), np.int64))


def matrix(e: Any, inputs: int, outputs: int) -> str:
    return str(e.constant(e.random.normal(0, inputs**-0.5, (inputs, outputs))))


def linear(e: Any, x: str, inputs: int = CHANNELS, outputs: int = CHANNELS) -> str:
    """A Linear of any rank: a product, and the bias added to it."""
    product = e.node("MatMul", [x, matrix(e, inputs, outputs)])
    return str(e.node("Add", [e.constant(e.random.normal(0, 0.5, outputs)), product]))


def chunked(e: Any, x: str) -> str:
    """C2f: a convolution of half of the channels, and all parts joined."""
    whole = e.activated(e.conv(x, CHANNELS, CHANNELS))
    kept, deep = e.node("Split", [whole, integers(e, 4, 4)], 2, axis=1)
    return str(e.conv(e.node("Concat", [kept, deep, e.conv(deep, 4, 4)], axis=1), 12, CHANNELS))


def chunked_evenly(e: Any, x: str) -> str:
    """Without the sizes of the parts, of a value that a pool gives."""
    pooled = e.node("MaxPool", [x], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    sizes = {} if e.opset < 18 else {"num_outputs": 2}
    kept, deep = e.node("Split", [pooled], 2, axis=1, **sizes)
    return str(e.node("Concat", [deep, kept], axis=1))


def sliced(e: Any, x: str) -> str:
    bounds = [(0, 4), (4, 2**63 - 1)]
    kept, deep = (
        e.node("Slice", [x, *(integers(e, n) for n in (start, end, 1, 1))]) for start, end in bounds
    )
    return str(e.node("Concat", [deep, kept], axis=1))


def excited(e: Any, x: str) -> str:
    """Squeeze and excitation of Linear layers without biases, and expand_as."""
    y = e.node("GlobalAveragePool", [x])
    y = e.node("Reshape", [y, integers(e, 1, CHANNELS)])
    y = e.node("Relu", [e.node("MatMul", [y, matrix(e, CHANNELS, 2)])])
    y = e.node("Sigmoid", [e.node("MatMul", [y, matrix(e, 2, CHANNELS)])])
    y = e.node("Reshape", [y, integers(e, 1, CHANNELS, 1, 1)])
    shape = e.node("Shape", [x])
    return str(e.node("Mul", [x, e.node("Expand", [y, shape])]))


def excited_by_gemm(e: Any, x: str) -> str:
    y = e.node("Flatten", [e.node("ReduceMean", [x], axes=[2, 3], keepdims=1)], axis=1)
    for inputs, outputs, end in ((CHANNELS, 2, "Relu"), (2, CHANNELS, "Sigmoid")):
        weight = e.constant(e.random.normal(0, 0.5, (outputs, inputs)))
        bias = e.constant(e.random.normal(0, 0.5, outputs))
        y = e.node(end, [e.node("Gemm", [y, weight, bias], transB=1)])
    y = e.node("Unsqueeze", [e.node("Unsqueeze", [y, integers(e, 2)]), integers(e, 3)])
    return str(e.node("Mul", [y, x]))


def attended(e: Any, x: str) -> str:
    """CBAM: mean and maximum of each channel, then of all channels."""
    pools = ("GlobalAveragePool", "GlobalMaxPool")
    sums = [e.conv(e.node(pool, [x]), CHANNELS, CHANNELS) for pool in pools]
    x = e.node("Mul", [e.node("Sigmoid", [e.node("Add", sums)]), x])
    both = [e.node(kind, [x], axes=[1], keepdims=1) for kind in ("ReduceMean", "ReduceMax")]
    where = e.node("Sigmoid", [e.conv(e.node("Concat", both, axis=1), 2, 1, 3)])
    return str(e.node("Mul", [where, x]))


def partial_attention(e: Any, x: str) -> str:
    """C2PSA's: queries, keys and values of one convolution, positions last."""
    rows, columns = (side // 8 for side in e.size)
    qkv = e.conv(x, CHANNELS, HEADS * (2 * 2 + WIDTH))
    qkv = e.node("Reshape", [qkv, integers(e, 1, HEADS, 2 * 2 + WIDTH, rows * columns)])
    q, k, v = e.node("Split", [qkv, integers(e, 2, 2, WIDTH)], 3, axis=2)
    scores = e.node("MatMul", [e.node("Transpose", [q], perm=[0, 1, 3, 2]), k])
    scores = e.node("Mul", [scores, e.constant(2**-0.5)])
    shares = e.node("Transpose", [e.node("Softmax", [scores], axis=-1)], perm=[0, 1, 3, 2])
    seen = e.node("MatMul", [v, shares])
    as_map = integers(e, 1, CHANNELS, rows, columns)
    seen, place = (e.node("Reshape", [value, as_map]) for value in (seen, v))
    return str(e.node("Add", [seen, e.conv(place, CHANNELS, CHANNELS)]))


def transformer(e: Any, x: str) -> str:
    """C3TR's: (positions, 1, channels), as many heads as batches of a product."""
    rows, columns = (side // 8 for side in e.size)
    count = rows * columns
    flat = e.node("Reshape", [x, integers(e, 1, CHANNELS, -1)])
    flat = e.node("Transpose", [flat], perm=[2, 0, 1])
    x = e.node("Add", [flat, linear(e, flat)])
    split = []
    for index in range(3):
        y = e.node("Reshape", [linear(e, x), integers(e, count, HEADS, WIDTH)])
        if index == 0:
            y = e.node("Div", [y, e.constant(WIDTH**0.5)])
        split.append(e.node("Transpose", [y], perm=[1, 0, 2]))
    q, k, v = split
    scores = e.node("MatMul", [q, e.node("Transpose", [k], perm=[0, 2, 1])])
    seen = e.node("MatMul", [e.node("Softmax", [scores], axis=2), v])
    seen = e.node("Transpose", [seen], perm=[1, 0, 2])
    seen = linear(e, e.node("Reshape", [seen, integers(e, count, CHANNELS)]))
    x = e.node("Add", [e.node("Reshape", [seen, integers(e, count, 1, CHANNELS)]), x])
    x = e.node("Add", [linear(e, linear(e, x)), x])
    back = e.node("Transpose", [x], perm=[1, 2, 0])
    return str(e.node("Reshape", [back, integers(e, 1, CHANNELS, rows, columns)]))


def packed_attention(e: Any, x: str) -> str:
    """Queries, keys and values as steps of a dimension of their own."""
    rows, columns = (side // 8 for side in e.size)
    count = rows * columns
    flat = e.node("Transpose", [e.node("Reshape", [x, integers(e, 0, 0, -1)])], perm=[0, 2, 1])
    packed = linear(e, flat, CHANNELS, 3 * CHANNELS)
    packed = e.node("Reshape", [packed, integers(e, 1, count, 3, HEADS, WIDTH)])
    packed = e.node("Transpose", [packed], perm=[2, 0, 3, 1, 4])
    q, k, v = (
        e.node("Gather", [packed, e.constant(index, np.int64)], axis=0) for index in range(3)
    )
    scores = e.node("MatMul", [q, e.node("Transpose", [k], perm=[0, 1, 3, 2])])
    seen = e.node("MatMul", [e.node("Softmax", [scores], axis=-1), v])
    seen = e.node("Transpose", [seen], perm=[0, 2, 1, 3])
    seen = linear(e, e.node("Reshape", [seen, integers(e, 1, count, CHANNELS)]))
    back = e.node("Transpose", [seen], perm=[0, 2, 1])
    return str(e.node("Reshape", [back, integers(e, 1, CHANNELS, rows, columns)]))


def weights_in_parts(e: Any, x: str) -> str:
    """Queries and keys of packed weights, as the exporter of torch 2 leaves them."""
    rows, columns = (side // 8 for side in e.size)
    flat = e.node("Reshape", [x, integers(e, 1, CHANNELS, rows * columns)])
    flat = e.node("Transpose", [flat], perm=[0, 2, 1])
    packed = e.weight(
        "in_proj_weight", e.random.normal(0, 0.3, (2 * CHANNELS, CHANNELS)).astype("f4")
    )
    first, second = e.node("Split", [packed, integers(e, CHANNELS, CHANNELS)], 2, axis=0)
    for weight in (second, first):
        flat = e.node("MatMul", [flat, e.node("Transpose", [weight], perm=[1, 0])])
    back = e.node("Transpose", [flat], perm=[0, 2, 1])
    return str(e.node("Reshape", [back, integers(e, 1, CHANNELS, rows, columns)]))


def layer_scaled(e: Any, x: str) -> str:
    gain = e.constant(e.random.normal(1, 0.3, (1, CHANNELS, 1, 1)))
    y = e.node("Mul", [e.conv(x, CHANNELS, CHANNELS), gain])
    return str(e.node("Sub", [e.node("Add", [x, y]), e.constant(0.25)]))


def cut_above(e: Any, x: str) -> str:
    """ReLU6, and a gate that ends in a hard sigmoid."""
    x = e.node("Clip", [e.conv(x, CHANNELS, CHANNELS), e.constant(0), e.constant(6)])
    y = e.conv(e.node("GlobalAveragePool", [x]), CHANNELS, CHANNELS)
    return str(e.node("Mul", [x, e.node("HardSigmoid", [y], alpha=0.25, beta=0.5)]))


BLOCKS: dict[str, Callable[[Any, str], str]] = {
    function.__name__: function
    for function in (
        *(chunked, chunked_evenly, sliced, excited, excited_by_gemm, attended),
        *(partial_attention, transformer, packed_attention, layer_scaled, weights_in_parts),
        cut_above,
    )
}


def heads_of(model: onnx.ModelProto, names: list[str], images: np.ndarray) -> list[np.ndarray]:
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, 1, None) for name in names)
    session = ort.InferenceSession(model.SerializeToString())
    return list(session.run(None, {"images": images}))


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_give_what_the_file_gives(exporter: Any, name: str, tmp_path: Path) -> None:
    written = exporter(block=BLOCKS[name])
    graph = load(written.save(tmp_path))
    images = np.random.default_rng(5).random((1, 3, 64, 96), np.float32)
    wanted = heads_of(onnx.load(tmp_path / "export.onnx"), written.heads, images)
    found = ort.InferenceSession(emit_onnx(graph)).run(None, {"images": images})
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert {node.op_type for node in graph.model.graph} <= OPERATORS.keys() - FOLDED


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_rebuilt_for_another_size(exporter: Any, name: str, tmp_path: Path) -> None:
    """Against an export of that size, whose weights are the same numbers."""
    (tmp_path / "other").mkdir()
    sizes = ((64, 96), (96, 32))
    paths = [
        exporter(block=BLOCKS[name], size=size).save(folder)
        for size, folder in zip(sizes, (tmp_path, tmp_path / "other"), strict=True)
    ]
    images = np.random.default_rng(5).random((1, 3, 96, 32), np.float32)
    found, wanted = (
        ort.InferenceSession(emit_onnx(load(path, input_size=(96, 32)))).run(
            None, {"images": images}
        )
        for path in paths
    )
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def split_rows(e: Any, x: str) -> str:
    top, bottom = e.node("Split", [x, integers(e, 4, 4)], 2, axis=2)
    return str(e.node("Concat", [bottom, top], axis=2))


def joined_with_constant(e: Any, x: str) -> str:
    zeros = e.constant(np.zeros((1, 8, 8, 12)))
    return str(e.conv(e.node("Concat", [x, zeros], axis=1), 16, 8))


def softmax_of_channels(e: Any, x: str) -> str:
    return str(e.node("Softmax", [x], axis=1))


def constant_minus_map(e: Any, x: str) -> str:
    return str(e.node("Sub", [e.constant(1.0), x]))


def mean_of_rows(e: Any, x: str) -> str:
    return str(e.node("Mul", [x, e.node("ReduceMean", [x], axes=[2], keepdims=1)]))


@pytest.mark.parametrize(
    "block",
    [split_rows, joined_with_constant, softmax_of_channels, constant_minus_map, mean_of_rows],
    ids=lambda block: str(block.__name__),
)
def test_what_has_no_operator_is_refused(exporter: Any, block: Any, tmp_path: Path) -> None:
    path = exporter(block=block).save(tmp_path)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert str(caught.value).isprintable()


def test_operators_without_their_inputs_are_refused(exporter: Any, tmp_path: Path) -> None:
    """Each operator of attention and gates in turn loses its last input."""
    for block in BLOCKS.values():
        model = exporter(block=block).model()
        kinds = [node.op_type for node in model.graph.node]
        for index in range(len(kinds) - 1 - kinds[::-1].index("MaxPool")):
            if kinds[index] in ("Conv", "Constant", "Sigmoid", "MaxPool"):
                continue
            changed = onnx.ModelProto.FromString(model.SerializeToString())
            changed.graph.node[index].input.pop()
            (tmp_path / "changed.onnx").write_bytes(changed.SerializeToString())
            with suppress(ModelError):
                load(tmp_path / "changed.onnx")
