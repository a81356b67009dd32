"""YOLOv5 of nano depth, half as wide: described once, and trained, counted and exported from that.

The layout is that of YOLOv5 6.0 and later (C3 blocks, SPPF, three heads), as its papers and
documentation describe it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.metadata import ModelMetadata

CLASSES = ("person", "bicycle", "car", "bus")
STRIDES = (8, 16, 32)
# Near the k-medians of the boxes of rendered scenes, in input pixels.
ANCHORS = (
    ((6.0, 17.0), (9.0, 24.0), (13.0, 28.0)),
    ((19.0, 47.0), (41.0, 40.0), (62.0, 35.0)),
    ((80.0, 44.0), (130.0, 72.0), (195.0, 86.0)),
)
WIDTHS = (12, 24, 40, 64, 88)
DEPTHS = (1, 2, 3, 1)
PER_ANCHOR = 5 + len(CLASSES)


class Ops(Protocol):
    """Operations of the network; `x` is what they pass from one to the next."""

    def conv(self, name: str, x: Any, out: int, kernel: int, stride: int = 1) -> Any:
        """Convolution, batch norm, SiLU."""

    def plain(self, name: str, x: Any, out: int) -> Any:
        """1x1 convolution with bias and nothing after it."""

    def add(self, name: str, a: Any, b: Any) -> Any:
        """Sum."""

    def concat(self, name: str, values: Sequence[Any]) -> Any:
        """Along the channels."""

    def pool(self, name: str, x: Any) -> Any:
        """Maximum of 5x5, stride 1."""

    def upsample(self, name: str, x: Any) -> Any:
        """Doubled, nearest neighbor."""


def detector(ops: Ops, x: Any, widths: Sequence[int] = WIDTHS) -> list[Any]:
    """The three raw head outputs of image `x`."""
    c1, c2, c3, c4, c5 = widths
    x = ops.conv("stem", x, c1, 6, 2)
    x = _c3(ops, "back.2", ops.conv("back.1", x, c2, 3, 2), c2, DEPTHS[0])
    p3 = _c3(ops, "back.4", ops.conv("back.3", x, c3, 3, 2), c3, DEPTHS[1])
    p4 = _c3(ops, "back.6", ops.conv("back.5", p3, c4, 3, 2), c4, DEPTHS[2])
    x = _c3(ops, "back.8", ops.conv("back.7", p4, c5, 3, 2), c5, DEPTHS[3])
    top = ops.conv("neck.10", _sppf(ops, "back.9", x, c5), c4, 1)
    x = ops.concat("neck.12", [ops.upsample("neck.11", top), p4])
    middle = ops.conv("neck.14", _c3(ops, "neck.13", x, c4, 1, shortcut=False), c3, 1)
    x = ops.concat("neck.16", [ops.upsample("neck.15", middle), p3])
    low = _c3(ops, "neck.17", x, c3, 1, shortcut=False)
    x = ops.concat("neck.19", [ops.conv("neck.18", low, c3, 3, 2), middle])
    mid = _c3(ops, "neck.20", x, c4, 1, shortcut=False)
    x = ops.concat("neck.22", [ops.conv("neck.21", mid, c4, 3, 2), top])
    high = _c3(ops, "neck.23", x, c5, 1, shortcut=False)
    out = len(ANCHORS[0]) * PER_ANCHOR
    return [ops.plain(f"head.{i}", value, out) for i, value in enumerate((low, mid, high))]


def _c3(ops: Ops, name: str, x: Any, out: int, depth: int, *, shortcut: bool = True) -> Any:
    deep = ops.conv(f"{name}.cv1", x, out // 2, 1)
    for i in range(depth):
        y = ops.conv(f"{name}.m.{i}.cv1", deep, out // 2, 1)
        y = ops.conv(f"{name}.m.{i}.cv2", y, out // 2, 3)
        deep = ops.add(f"{name}.m.{i}", deep, y) if shortcut else y
    shallow = ops.conv(f"{name}.cv2", x, out // 2, 1)
    return ops.conv(f"{name}.cv3", ops.concat(name, [deep, shallow]), out, 1)


def _sppf(ops: Ops, name: str, x: Any, out: int) -> Any:
    levels = [ops.conv(f"{name}.cv1", x, out // 2, 1)]
    for i in range(3):
        levels.append(ops.pool(f"{name}.m.{i}", levels[-1]))
    return ops.conv(f"{name}.cv2", ops.concat(name, levels), out, 1)


class Network(nn.Module):
    """The detector to train: (n, 3, h, w) float32 RGB in 0..1 to 3 head outputs (n, 27, h, w)."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.layers = nn.ModuleDict()
        detector(_Maker(self.layers), 3, widths)
        self._start_heads()

    def forward(self, x: Tensor) -> list[Tensor]:
        """The raw head outputs, finest first."""
        return detector(_Runner(self.layers), x, self.widths)

    def _start_heads(self) -> None:
        """Biases such that a fresh net expects a few objects per image."""
        for i, stride in enumerate(STRIDES):
            bias = self.layers[_key(f"head.{i}")].bias.data.view(len(ANCHORS[i]), PER_ANCHOR)
            bias[:, 4] += float(torch.log(torch.tensor(6 / (320 / stride) ** 2)))
            bias[:, 5:] += float(torch.log(torch.tensor(0.6 / (len(CLASSES) - 0.99))))


def _key(name: str) -> str:
    """ModuleDict takes no dots."""
    return name.replace(".", "_")


class _Maker:
    """Makes the layers; passes channel counts on."""

    def __init__(self, layers: nn.ModuleDict) -> None:
        self._layers = layers

    def conv(self, name: str, x: int, out: int, kernel: int, stride: int = 1) -> int:
        padding = 2 if kernel == 6 else kernel // 2
        convolution = nn.Conv2d(x, out, kernel, stride, padding, bias=False)
        norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.03)
        self._layers[_key(name)] = nn.Sequential(convolution, norm, nn.SiLU(inplace=True))
        return out

    def plain(self, name: str, x: int, out: int) -> int:
        self._layers[_key(name)] = nn.Conv2d(x, out, 1)
        return out

    def add(self, _name: str, a: int, _b: int) -> int:
        return a

    def concat(self, _name: str, values: Sequence[int]) -> int:
        return sum(values)

    def pool(self, _name: str, x: int) -> int:
        return x

    def upsample(self, _name: str, x: int) -> int:
        return x


class _Runner:
    """Runs the layers; passes tensors on."""

    def __init__(self, layers: nn.ModuleDict) -> None:
        self._layers = layers

    def conv(self, name: str, x: Tensor, _out: int, _kernel: int, _stride: int = 1) -> Tensor:
        result: Tensor = self._layers[_key(name)](x)
        return result

    def plain(self, name: str, x: Tensor, _out: int) -> Tensor:
        result: Tensor = self._layers[_key(name)](x)
        return result

    def add(self, _name: str, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def concat(self, _name: str, values: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(values), 1)

    def pool(self, _name: str, x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 5, 1, 2)

    def upsample(self, _name: str, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0)


class _Exporter:
    """Writes the trained layers into tallylens' own graph; passes its values on."""

    def __init__(self, layers: nn.ModuleDict, builder: GraphBuilder) -> None:
        self._layers = layers
        self._builder = builder

    def conv(self, name: str, x: Any, _out: int, _kernel: int, _stride: int = 1) -> Any:
        convolution, norm, _ = self._layers[_key(name)]
        x = self._builder.conv(
            name,
            x,
            convolution.weight.detach().numpy(),
            None,
            strides=convolution.stride,
            pads=(*convolution.padding, *convolution.padding),
        )
        keys = ("weight", "bias", "running_mean", "running_var")
        statistics = {key: getattr(norm, key).detach().numpy() for key in keys}
        return self._builder.silu(name, self._builder.batch_norm(name, x, statistics, norm.eps))

    def plain(self, name: str, x: Any, _out: int) -> Any:
        layer = self._layers[_key(name)]
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        return self._builder.conv(name, x, weight, bias)

    def add(self, name: str, a: Any, b: Any) -> Any:
        return self._builder.add("Add", f"{name}/Add", [a, b])

    def concat(self, name: str, values: Sequence[Any]) -> Any:
        return self._builder.concat(name, values)

    def pool(self, name: str, x: Any) -> Any:
        return self._builder.max_pool(name, x, (5, 5), (1, 1), (2, 2, 2, 2))

    def upsample(self, name: str, x: Any) -> Any:
        return self._builder.upsample(name, x)


def to_graph(network: Network, size: tuple[int, int], name: str) -> DetectorGraph:
    """The trained network as the graph that every converter takes; `size` is (height, width)."""
    builder = GraphBuilder(size, 1)
    heads = detector(_Exporter(network.layers, builder), builder.input, network.widths)
    metadata = ModelMetadata(
        class_names=CLASSES,
        input_size=size,
        strides=STRIDES,
        anchors=ANCHORS,
        head_names=tuple(f"head{stride}" for stride in STRIDES),
        source_name=name,
        weights_license="Apache-2.0",
    )
    return builder.finish(heads, metadata)
