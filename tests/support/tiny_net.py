"""Small detectors whose channels are known by hand, for pruning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.shapes import size_of
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import FloatArray, Image

RunGraph = Callable[[DetectorGraph, Image], list[FloatArray]]

HEAD_CHANNELS = 2 * (5 + 3)
SIZE = (64, 96)


class TinyNet:
    """A builder with random convolutions of a fixed seed."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self.size = size
        self.builder = GraphBuilder(size, batch=1)
        self._random = np.random.default_rng(11)

    def conv(
        self, name: str, x: ir.Value, outputs: int, side: int = 1, stride: int = 1
    ) -> ir.Value:
        """Convolution and SiLU."""
        return self.builder.silu(name, self.plain(name, x, outputs, side, stride))

    def plain(
        self, name: str, x: ir.Value, outputs: int, side: int = 1, stride: int = 1
    ) -> ir.Value:
        """A convolution alone."""
        inputs = size_of(x)[0]
        spread = (2 / (inputs * side * side)) ** 0.5
        weight = self._random.normal(0, spread, (outputs, inputs, side, side))
        return self.builder.conv(
            name,
            x,
            weight.astype(np.float32),
            self._random.normal(0, 0.2, outputs).astype(np.float32),
            strides=(stride, stride),
            pads=(side // 2,) * 4,
        )

    def finish(self, *heads: ir.Value) -> DetectorGraph:
        """Heads of strides 8 and up."""
        strides = tuple(8 << index for index in range(len(heads)))
        metadata = ModelMetadata(
            class_names=("car", "bus", "bike"),
            input_size=self.size,
            strides=strides,
            anchors=tuple(((10.0, 13.0), (16.0, 30.0)) for _ in heads),
            head_names=tuple(f"head{stride}" for stride in strides),
            source_name="tiny.pt",
        )
        return self.builder.finish(heads, metadata)


def build_detector() -> DetectorGraph:
    """A stem, a residual block, an SPPF and a path upwards; two heads."""
    net = TinyNet()
    x = net.conv("stem", net.builder.input, 16, 3, 2)
    x = net.conv("down", x, 16, 3, 2)
    x = net.conv("deep", x, 32, 3, 2)
    inner = net.conv("inner", x, 16)
    x = net.builder.add("Add", "sum", [x, net.conv("outer", inner, 32, 3)])
    small = net.conv("small", x, 32, 3, 2)
    pooled = net.builder.max_pool("pool", small, (5, 5), (1, 1), (2, 2, 2, 2))
    small = net.conv("sppf", net.builder.concat("pyramid", [small, pooled]), 16)
    wide = net.builder.concat("wide", [net.builder.upsample("up", small), x])
    fine = net.conv("fine", wide, 24, 3)
    return net.finish(net.plain("a", fine, HEAD_CHANNELS), net.plain("b", small, HEAD_CHANNELS))


def random_images(count: int, size: tuple[int, int] = SIZE) -> list[Image]:
    """Smooth noise, which is more like photographs than white noise is."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (count, size[0] // 8, size[1] // 8, 3))
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8))


def run_emitted(graph: DetectorGraph, image: Image) -> list[FloatArray]:
    """The oracle: ONNX Runtime on the emitted file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(emit_onnx(graph), providers=["CPUExecutionProvider"])
    pixels = image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    return [np.asarray(one) for one in session.run(None, {"images": pixels})]
