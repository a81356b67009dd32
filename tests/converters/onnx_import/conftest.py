"""Small detectors written as the official exporter writes them, in its many ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ANCHORS = {8: [(10, 13), (16, 30)], 16: [(30, 61), (62, 45)]}
CLASSES = 3
OUTPUTS = 2 * (5 + CLASSES)


@dataclass
class Exporter:
    """Writes one model; every field is a way in which exports differ."""

    opset: int = 17
    dynamic: bool = False
    half: bool = False
    tail: str = "split"  # split: 6.1 and later; slices: before that; none: raw 5-D heads
    act: str = "SiLU"
    focus: bool = False
    batch_norm: bool = False
    upsample: str = "sizes"  # or scales, or half_pixel
    constants: str = "nodes"  # or initializers, as simplifiers leave them
    size: tuple[int, int] = (64, 96)
    block: Callable[[Exporter, str], str] | None = None  # of 8 channels, behind the stem
    metadata: dict[str, str] = field(
        default_factory=lambda: {"stride": "16", "names": "{0: 'cat', 1: \"dog's\", 2: 'owl'}"}
    )

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(3)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.count = 0
        self.heads: list[str] = []

    @property
    def float_type(self) -> type[np.floating[Any]]:
        return np.float16 if self.half else np.float32

    def node(self, op_type: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> Any:
        self.count += 1
        names = [f"/{op_type}_{self.count}_output_{index}" for index in range(outputs)]
        name = f"/part.{self.count}/{op_type}"
        self.nodes.append(helper.make_node(op_type, inputs, names, name=name, **attributes))
        return names if outputs > 1 else names[0]

    def constant(self, array: Any, dtype: Any = None) -> str:
        array = np.asarray(array, dtype or self.float_type)
        self.count += 1
        if self.constants == "nodes":
            return str(self.node("Constant", [], value=numpy_helper.from_array(array)))
        return self.weight(f"onnx::Constant_{self.count}", array)

    def weight(self, name: str, array: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, x: str, cin: int, cout: int, k: int = 1, s: int = 1) -> str:
        scale = 1 / np.sqrt(cin * k * k)
        weight = self.random.normal(0, scale, (cout, cin, k, k)).astype(self.float_type)
        bias = self.random.normal(0, 0.5, cout).astype(self.float_type)
        self.count += 1
        inputs = [
            x,
            self.weight(f"model.{self.count}.conv.weight", weight),
            self.weight(f"model.{self.count}.conv.bias", bias),
        ]
        pads = [k // 2] * 4 if s == 1 else [0] * 4
        return str(self.node("Conv", inputs, kernel_shape=[k, k], strides=[s, s], pads=pads))

    def activated(self, x: str) -> str:
        if self.batch_norm:
            statistics = [np.abs(self.random.normal(1, 0.2, 8)) for _ in range(4)]
            names = [
                self.weight(f"bn{self.count}.{index}", values.astype(self.float_type))
                for index, values in enumerate(statistics)
            ]
            x = self.node("BatchNormalization", [x, *names], epsilon=1e-3)
        return ACTIVATIONS[self.act](self, x)

    def stem(self) -> str:
        if not self.focus:
            return self.conv("images", 3, 8, 8, 8)
        x = self.conv(self.node("Concat", self.corners(), axis=1), 12, 8, 3)
        return self.conv(self.activated(x), 8, 8, 4, 4)

    def corners(self) -> list[str]:
        parts = []
        for row, column in ((0, 0), (1, 0), (0, 1), (1, 1)):
            x = "images"
            for axis, start in ((2, row), (3, column)):
                numbers = [[start], [2**63 - 1], [axis], [2]]
                x = self.node("Slice", [x, *(self.constant(n, np.int64) for n in numbers)])
            parts.append(x)
        return parts

    def shape_of(self, x: str, index: int) -> str:
        shape = self.node("Shape", [x])
        return str(self.node("Gather", [shape, self.constant(index, np.int64)], axis=0))

    def doubled(self, x: str) -> str:
        mode: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor"}
        mode["coordinate_transformation_mode"] = "asymmetric"
        empty = self.constant([], "f4") if self.opset < 13 else ""
        if self.upsample == "scales":
            return str(self.node("Resize", [x, empty, self.constant([1, 1, 2, 2], "f4")], **mode))
        if self.upsample == "half_pixel":
            del mode["coordinate_transformation_mode"], mode["nearest_mode"]
            return str(self.node("Resize", [x, "", self.constant([1, 1, 2, 2], "f4")], **mode))
        start = self.node(
            "Slice",
            [self.node("Shape", [x]), *(self.constant([n], np.int64) for n in (0, 2, 0))],
        )
        sides = []
        for index in (2, 3):
            side = self.node("Cast", [self.shape_of(x, index)], to=TensorProto.FLOAT)
            side = self.node("Floor", [self.node("Mul", [side, self.constant(2.0, "f4")])])
            side = self.node("Cast", [side], to=TensorProto.INT64)
            sides.append(self.unsqueeze(side))
        sizes = self.node("Concat", [start, *sides], axis=0)
        return str(self.node("Resize", [x, empty, empty, sizes], **mode))

    def unsqueeze(self, x: str) -> str:
        if self.opset < 13:
            return str(self.node("Unsqueeze", [x], axes=[0]))
        return str(self.node("Unsqueeze", [x, self.constant([0], np.int64)]))

    def decode(self, conv: str, stride: int) -> str:
        h, w = (side // stride for side in self.size)
        shape = self.constant([1, 2, 5 + CLASSES, h, w], np.int64)
        if self.dynamic:
            dims = [self.unsqueeze(self.shape_of(conv, index)) for index in (0, 2, 3)]
            middle = self.constant([2, 5 + CLASSES], np.int64)
            shape = self.node("Concat", [dims[0], middle, *dims[1:]], axis=0)
        x = self.node("Reshape", [conv, shape])
        x = self.node("Transpose", [x], perm=[0, 1, 3, 4, 2])
        if self.tail == "none":
            return str(x)
        x = self.node("Sigmoid", [x])
        xy, wh, rest = self.parts(x)
        grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1)[None, None] - 0.5
        xy = self.node("Add", [self.node("Mul", [xy, self.constant(2)]), self.constant(grid)])
        xy = self.node("Mul", [xy, self.constant(stride)])
        wh = self.node("Mul", [wh, self.constant(2)])
        wh = self.node("Pow", [wh, self.constant(2)])
        wh = self.node("Mul", [wh, self.anchors(stride, conv, h, w)])
        x = self.node("Concat", [xy, wh, rest], axis=4)
        flat = self.constant([1, -1, 5 + CLASSES], np.int64)
        return str(self.node("Reshape", [x, flat]))

    def parts(self, x: str) -> list[str]:
        if self.tail == "split":
            sizes = [2, 2, 1 + CLASSES]
            if self.opset < 13:
                return list(self.node("Split", [x], 3, axis=4, split=sizes))
            return list(self.node("Split", [x, self.constant(sizes, np.int64)], 3, axis=4))
        bounds = [(0, 2), (2, 4), (4, 5 + CLASSES)]
        return [
            self.node("Slice", [x, *(self.constant([n], np.int64) for n in (a, b, 4))])
            for a, b in bounds
        ]

    def anchors(self, stride: int, conv: str, h: int, w: int) -> str:
        pairs = np.array(ANCHORS[stride], np.float64).reshape(1, 2, 1, 1, 2)
        if not self.dynamic:
            return self.constant(np.broadcast_to(pairs, (1, 2, h, w, 2)))
        dims = [self.unsqueeze(self.shape_of(conv, index)) for index in (2, 3)]
        one, two = self.constant([1, 2], np.int64), self.constant([2], np.int64)
        shape = self.node("Concat", [one, *dims, two], axis=0)
        # As the exporter spells expand: every -1 becomes a 1.
        equal = self.node("Equal", [shape, self.constant([-1] * 5, np.int64)])
        shape = self.node("Where", [equal, self.constant([1] * 5, np.int64), shape])
        return str(self.node("Expand", [self.constant(pairs), shape]))

    def model(self) -> onnx.ModelProto:
        fine = self.activated(self.stem())
        if self.block is not None:
            fine = self.block(self, fine)
        pool = self.node("MaxPool", [fine], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
        coarse = self.activated(self.conv(self.node("Add", [fine, pool]), 8, 8, 2, 2))
        joined = self.node("Concat", [self.doubled(coarse), fine], axis=1)
        self.heads = [self.conv(joined, 16, OUTPUTS), self.conv(coarse, 8, OUTPUTS)]
        tails = [
            self.decode(head, stride) for head, stride in zip(self.heads, (8, 16), strict=True)
        ]
        outputs = tails if self.tail == "none" else [self.node("Concat", tails, axis=1)]
        rank = 5 if self.tail == "none" else 3
        kind = TensorProto.FLOAT16 if self.half else TensorProto.FLOAT
        side: list[str | int | None] = [1, 3, *self.size]
        if self.dynamic:
            side = ["batch", 3, "height", "width"]
        graph = helper.make_graph(
            self.nodes,
            "torch_jit",
            [helper.make_tensor_value_info("images", kind, side)],
            [helper.make_tensor_value_info(name, kind, [None] * rank) for name in outputs],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8
        )
        helper.set_model_props(model, self.metadata)
        onnx.checker.check_model(model)
        return model

    def save(self, folder: Path) -> Path:
        path = folder / "export.onnx"
        path.write_bytes(self.model().SerializeToString())
        return path


def _silu(e: Exporter, x: str) -> str:
    return str(e.node("Mul", [x, e.node("Sigmoid", [x])]))


def _relu6_first(e: Exporter, x: str) -> str:
    """x * relu6(x + 3) / 6."""
    shifted = e.node("Add", [x, e.constant(3)])
    clipped = e.node("Clip", [shifted, e.constant(0), e.constant(6)])
    return str(e.node("Div", [e.node("Mul", [x, clipped]), e.constant(6)]))


def _relu6_divided(e: Exporter, x: str) -> str:
    """x * (relu6(x + 3) / 6)."""
    shifted = e.node("Add", [x, e.constant(3)])
    clipped = e.node("Clip", [shifted, e.constant(0), e.constant(6)])
    return str(e.node("Mul", [x, e.node("Div", [clipped, e.constant(6)])]))


def _hard_sigmoid(e: Exporter, x: str) -> str:
    return str(e.node("Mul", [x, e.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)]))


ACTIVATIONS: dict[str, Callable[[Exporter, str], str]] = {
    "SiLU": _silu,
    "HardSwish": lambda e, x: str(e.node("HardSwish", [x])),
    "HardSwish as relu6": _relu6_first,
    "HardSwish as divided relu6": _relu6_divided,
    "HardSwish as HardSigmoid": _hard_sigmoid,
    "LeakyReLU": lambda e, x: str(e.node("LeakyRelu", [x], alpha=0.1)),
    "ReLU": lambda e, x: str(e.node("Relu", [x])),
    "Identity": lambda e, x: str(e.node("Identity", [x])),
    "Tanh": lambda e, x: str(e.node("Tanh", [x])),
}


@pytest.fixture(scope="session")
def exporter() -> type[Exporter]:
    return Exporter
