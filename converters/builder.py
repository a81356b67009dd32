"""Builds a detector graph node by node, with the shape of every value known from the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ..edge_runtime.metadata import ModelMetadata
from .graph import INPUT_NAME, OPSET, DetectorGraph
from .operators import infer_shape
from .shapes import ShapeError, size_of

IR_VERSION = 8
MAX_NODES = 20_000

Floats = npt.NDArray[np.floating]
Attributes = Mapping[str, int | float | str | Sequence[int] | ir.Attr]


def constant_value(name: str, array: npt.NDArray[np.generic]) -> ir.Value:
    """A value that holds `array`, not yet of any graph."""
    tensor = ir.tensor(np.ascontiguousarray(array), name=name)
    return ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )


class GraphBuilder:
    """Every method adds one operator and returns its output, NCHW float32.

    Methods raise `ShapeError` where the inputs do not fit together.
    """

    def __init__(self, size: tuple[int, int], batch: int | None) -> None:
        shape = ir.Shape(["batch" if batch is None else batch, 3, *size])
        self._names: Counter[str] = Counter()
        self._nodes: list[ir.Node] = []
        self._constants: list[ir.Value] = []
        self.input = ir.Value(name=INPUT_NAME, shape=shape, type=ir.TensorType(ir.DataType.FLOAT))

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> ir.Value:
        """A new initializer; its name gets a number where it is taken."""
        name = self._unique(name)
        value = constant_value(name, array)
        self._constants.append(value)
        return value

    def add(
        self,
        op_type: str,
        name: str,
        inputs: Sequence[ir.Value | None],
        attributes: Attributes | None = None,
    ) -> ir.Value:
        """Any operator of the table in `operators`."""
        if len(self._nodes) >= MAX_NODES:
            raise ShapeError(f"more than {MAX_NODES} operators")
        name = self._unique(name)
        output = ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT))
        node = ir.node(op_type, inputs, attributes or {}, outputs=[output], name=name)
        output.shape = infer_shape(node)
        self._nodes.append(node)
        return output

    def conv(
        self,
        name: str,
        x: ir.Value,
        weight: Floats,
        bias: Floats | None,
        *,
        strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0),
        dilations: Sequence[int] = (1, 1),
        group: int = 1,
        constant_name: str = "",
    ) -> ir.Value:
        """`weight` (out, in / group, kh, kw), `bias` (out,); `pads` top, left, bottom, right."""
        stem = constant_name or name
        inputs = [x, self.constant(f"{stem}.weight", weight.astype(np.float32, copy=False))]
        if bias is not None:
            inputs.append(self.constant(f"{stem}.bias", bias.astype(np.float32, copy=False)))
        attributes: dict[str, int | tuple[int, ...]] = {
            "kernel_shape": weight.shape[2:],
            "strides": tuple(strides),
            "pads": tuple(pads),
            "dilations": tuple(dilations),
            "group": group,
        }
        return self.add("Conv", f"{name}/Conv", inputs, attributes)

    def batch_norm(
        self, name: str, x: ir.Value, statistics: Mapping[str, Floats], epsilon: float
    ) -> ir.Value:
        """`statistics` weight, bias, running_mean, running_var in this order, each (channels,)."""
        if (statistics["running_var"] + epsilon <= 0).any():
            raise ShapeError(f"{name}: a variance that is not above zero")
        constants = [
            self.constant(f"{name}.{key}", array.astype(np.float32, copy=False))
            for key, array in statistics.items()
        ]
        return self.add(
            "BatchNormalization", f"{name}/BatchNorm", [x, *constants], {"epsilon": epsilon}
        )

    def silu(self, name: str, x: ir.Value) -> ir.Value:
        """x * sigmoid(x)."""
        return self.add("Mul", f"{name}/Mul", [x, self.add("Sigmoid", f"{name}/Sigmoid", [x])])

    def scaled(self, name: str, x: ir.Value, factor: float, offset: float) -> ir.Value:
        """factor * x + offset."""
        channels = size_of(x)[0]
        weight = np.full((channels, 1, 1, 1), factor, np.float32)
        bias = np.full(channels, offset, np.float32)
        return self.conv(name, x, weight, bias, group=channels)

    def cut(self, name: str, x: ir.Value, high: float) -> ir.Value:
        """`x` below 0 as 0 and above `high` as `high`: high - relu(high - relu(x))."""
        for _ in range(2):
            x = self.add("Relu", f"{name}/Relu", [x])
            x = self.scaled(name, x, -1.0, high)
        return x

    def concat(self, name: str, values: Sequence[ir.Value]) -> ir.Value:
        """Join along the channels."""
        return self.add("Concat", f"{name}/Concat", values, {"axis": 1})

    def max_pool(
        self,
        name: str,
        x: ir.Value,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[int],
    ) -> ir.Value:
        """`pads` top, left, bottom, right."""
        attributes = {
            "kernel_shape": tuple(kernel),
            "strides": tuple(strides),
            "pads": tuple(pads),
        }
        return self.add("MaxPool", f"{name}/MaxPool", [x], attributes)

    def upsample(self, name: str, x: ir.Value) -> ir.Value:
        """Nearest neighbor, height and width doubled."""
        scales = self.constant(f"{name}.scales", np.array([1, 1, 2, 2], np.float32))
        attributes = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        return self.add("Resize", f"{name}/Resize", [x, None, scales], attributes)

    def every_second(self, name: str, x: ir.Value, row: int, column: int) -> ir.Value:
        """x[:, :, row::2, column::2]."""
        slices = ([row, column], [1 << 31, 1 << 31], [2, 3], [2, 2])
        constants = [
            self.constant(f"{name}.{key}", np.array(numbers, np.int64))
            for key, numbers in zip(("starts", "ends", "axes", "steps"), slices, strict=True)
        ]
        return self.add("Slice", f"{name}/Slice", [x, *constants])

    def attention(self, name: str, q: ir.Value, k: ir.Value, v: ir.Value, heads: int) -> ir.Value:
        """v at every position, mixed by softmax(q . k): the queries are scaled already.

        Maps of one height and width; the channels of each are those of head 0, of head 1 and so on.
        Paper: arXiv:1706.03762.
        """
        channels, height, width = size_of(v)
        if size_of(q) != size_of(k) or channels % heads or size_of(q)[0] % heads:
            raise ShapeError(f"{name}: queries, keys and values do not fit {heads} heads")
        per_head = size_of(q)[0] // heads
        queries = self.swap(name, self.reshape(f"{name}.q", q, (heads, per_head, -1)))
        keys = self.reshape(f"{name}.k", k, (heads, per_head, -1))
        values = self.reshape(f"{name}.v", v, (heads, channels // heads, -1))
        scores = self.add("MatMul", f"{name}.scores/MatMul", [queries, keys])
        shares = self.add("Softmax", f"{name}/Softmax", [scores], {"axis": -1})
        mixed = self.add("MatMul", f"{name}/MatMul", [values, self.swap(name, shares)])
        return self.reshape(name, mixed, (channels, height, width))

    def spatial_gate(self, name: str, x: ir.Value, gate: ir.Value) -> ir.Value:
        """`x` times `gate`, which has one channel."""
        channels = size_of(x)[0]
        ones = np.ones((channels, 1, 1, 1), np.float32)
        wide = self.conv(f"{name}.wide", gate, ones, np.zeros(channels, np.float32))
        return self.add("Mul", f"{name}/Mul", [x, wide])

    def channel_mean(self, name: str, x: ir.Value) -> ir.Value:
        """The mean of all channels at every position, one channel."""
        channels = size_of(x)[0]
        weight = np.full((1, channels, 1, 1), 1 / channels, np.float32)
        return self.conv(f"{name}.mean", x, weight, np.zeros(1, np.float32))

    def channel_max(self, name: str, x: ir.Value) -> ir.Value:
        """The largest of all channels at every position, one channel."""
        return self.add("ReduceMax", f"{name}/ReduceMax", [x], {"axes": (1,), "keepdims": 1})

    def reshape(self, name: str, x: ir.Value, sides: Sequence[int]) -> ir.Value:
        """Other channels, height and width for the same numbers; one may be -1."""
        shape = self.constant(f"{name}.shape", np.array([0, *sides], np.int64))
        return self.add("Reshape", f"{name}/Reshape", [x, shape])

    def swap(self, name: str, x: ir.Value) -> ir.Value:
        """Height and width exchanged."""
        return self.add("Transpose", f"{name}/Transpose", [x], {"perm": (0, 1, 3, 2)})

    def conv_transpose(
        self,
        name: str,
        x: ir.Value,
        weight: Floats,
        bias: Floats,
        *,
        strides: Sequence[int],
        pads: Sequence[int],
        group: int = 1,
    ) -> ir.Value:
        """`weight` (in, out / group, kh, kw), `bias` (out,); `pads` top, left, bottom, right."""
        constants = [
            self.constant(f"{name}.{key}", array.astype(np.float32, copy=False))
            for key, array in (("weight", weight), ("bias", bias))
        ]
        attributes: dict[str, int | tuple[int, ...]] = {
            "kernel_shape": weight.shape[2:],
            "strides": tuple(strides),
            "pads": tuple(pads),
            "group": group,
        }
        return self.add("ConvTranspose", f"{name}/ConvTranspose", [x, *constants], attributes)

    def finish(self, heads: Sequence[ir.Value], metadata: ModelMetadata) -> DetectorGraph:
        """The graph whose outputs are `heads`, named as `metadata` says."""
        self._drop_unread(heads)
        for value, name in zip(heads, metadata.head_names, strict=True):
            value.name = name
        graph = ir.Graph(
            [self.input],
            heads,
            nodes=self._nodes,
            initializers=[value for value in self._constants if value.uses()],
            opset_imports={"": OPSET},
            name="detector",
        )
        model = ir.Model(graph, ir_version=IR_VERSION, producer_name="tallylens")
        return DetectorGraph(model, metadata)

    def _drop_unread(self, heads: Sequence[ir.Value]) -> None:
        """Leave out the operators that no head depends on."""
        read = set(heads)
        for node in reversed(self._nodes):
            if node.outputs[0] in read:
                read.update(value for value in node.inputs if value is not None)
            else:
                for index in range(len(node.inputs)):
                    node.replace_input_with(index, None)
        self._nodes = [node for node in self._nodes if node.outputs[0] in read]

    def _unique(self, name: str) -> str:
        """`name`, or with a number before it where it is taken.

        Every name holds a dot or a slash and only numbered ones hold a colon, so that none is
        taken twice and none is that of an input or output.
        """
        name = name.replace(":", ".")
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{self._names[name]}:{name}"
