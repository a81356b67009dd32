"""An ONNX file as untrusted data: parsed, bounded, and checked before anything is built of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from ...edge_runtime.errors import ModelError, UnsafeModelError, UnsupportedModelError
from ...edge_runtime.text import printable
from .external_data import is_external, read_external, refusal
from .old_opsets import raise_operators

MAX_FILE_BYTES = 2 << 30  # protobuf's own limit
MAX_NODES = 20_000
MAX_NAME_LENGTH = 500
MIN_OPSET, MAX_OPSET = 9, 26

DAMAGED = "Copy or download the file again; if that does not help, export it again"
EXPORT_AGAIN = "Export the checkpoint again, or give tallylens the .pt file itself"
DO_NOT_TRUST = "Do not use this file; export the checkpoint again yourself"

Array = npt.NDArray[np.generic]

_ITEM_TYPES: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.FLOAT16: np.dtype("<f2"),
    TensorProto.DOUBLE: np.dtype("<f8"),
    TensorProto.INT64: np.dtype("<i8"),
    TensorProto.INT32: np.dtype("<i4"),
    TensorProto.BOOL: np.dtype("?"),
}
_QUANTIZED = frozenset(
    {
        *("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "QuantizeLinear"),
        *("DequantizeLinear", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"),
    }
)
_FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.FLOAT16: "int32_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.INT32: "int32_data",
    TensorProto.BOOL: "int32_data",
}


class OnnxSource:
    """A checked ONNX model: nodes in order, who makes and who reads each value, constants."""

    def __init__(self, path: Path, *, names: bool = True) -> None:
        """Parse the file; without `names` its class names are left aside.

        Raises:
            UnsafeModelError: it refers to files elsewhere, or is far too large.
            UnsupportedModelError: it is quantized already, or uses functions.
            ModelError: damaged.
        """
        self.path = str(path)
        self.reads_names = names
        self.proto = self._parse(path)
        self._check_features()
        graph = self.proto.graph
        read_external(
            path,
            filter(is_external, graph.initializer),
            {kind: item.itemsize for kind, item in _ITEM_TYPES.items()},
        )
        raise_operators(graph, self._opset())
        self.nodes: list[NodeProto] = list(graph.node)
        self.properties = {entry.key: entry.value for entry in self.proto.metadata_props}
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.producer: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        self._check_tensors()
        self._connect()

    def input(self) -> ValueInfoProto:
        """The one input that is not an initializer."""
        inputs = [item for item in self.proto.graph.input if item.name not in self.tensors]
        if len(inputs) != 1:
            raise UnsupportedModelError(
                self.path, f"the model has {len(inputs)} inputs, expected one image", EXPORT_AGAIN
            )
        images: ValueInfoProto = inputs[0]
        return images

    def array(self, tensor: TensorProto) -> Array:
        """A tensor's numbers, after its declared size was compared with what is there."""
        item = _ITEM_TYPES.get(tensor.data_type)
        if item is None or any(dim < 0 for dim in tensor.dims) or len(tensor.dims) > 8:
            raise self.unsupported(f"the tensor {tensor.name[:80]!r} has an unknown type or shape")
        count = prod(tensor.dims)
        if tensor.raw_data:
            stored = len(tensor.raw_data) / item.itemsize
        else:
            stored = len(getattr(tensor, _FIELDS[tensor.data_type]))
        if stored != count:
            raise self.damaged(f"the tensor {tensor.name[:80]!r} has {stored:g} of {count} numbers")
        try:
            return onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            raise self.damaged(f"the tensor {tensor.name[:80]!r} cannot be read") from error

    def node_of(self, name: str) -> NodeProto | None:
        """The node that makes the value `name`."""
        index = self.producer.get(name)
        return None if index is None else self.nodes[index]

    def nodes_reading(self, name: str) -> list[NodeProto]:
        """The nodes that read the value `name`."""
        return [self.nodes[index] for index in self.readers.get(name, ())]

    def damaged(self, problem: str) -> ModelError:
        """The error for a file that contradicts itself."""
        return ModelError(self.path, f"the ONNX file is damaged: {problem}", DAMAGED)

    def unsupported(self, problem: str) -> UnsupportedModelError:
        """The error for a sound file of another kind."""
        return UnsupportedModelError(self.path, problem, EXPORT_AGAIN)

    def _parse(self, path: Path) -> ModelProto:
        size = path.stat().st_size
        if size >= MAX_FILE_BYTES:
            raise UnsafeModelError(
                self.path, f"the file is larger than {MAX_FILE_BYTES >> 30} GiB", EXPORT_AGAIN
            )
        try:
            proto: ModelProto = ModelProto.FromString(path.read_bytes())
        except DecodeError as error:
            raise ModelError(
                self.path, "not an ONNX file, or a truncated or damaged one", DAMAGED
            ) from error
        if not all(isinstance(word, str) for word in _words(proto)):
            raise self.damaged("a name in it is not text")
        if not proto.graph.node:
            raise self.damaged("it holds no operators")
        return proto

    def _check_features(self) -> None:
        """Refuse what a plain detector does not need."""
        if self.proto.functions or self.proto.training_info:
            raise self.unsupported("the model holds functions or training steps")
        version = self._opset()
        if not MIN_OPSET <= version <= MAX_OPSET:
            raise UnsupportedModelError(
                self.path,
                f"the model uses ONNX opset {version}, tallylens reads {MIN_OPSET} to {MAX_OPSET}",
                "Export it again with --opset 17",
            )
        if len(self.proto.graph.node) > MAX_NODES:
            raise self.unsupported(f"the model has more than {MAX_NODES} operators")
        if self.proto.graph.sparse_initializer:
            raise self.unsupported("the model holds sparse weights")
        for node in self.proto.graph.node:
            if _is_quantized(node):
                raise UnsupportedModelError(
                    self.path,
                    f"the model is quantized already (it holds {printable(node.op_type, 40)})",
                    "Give the float model that it was made from, or the .pt checkpoint; convert "
                    "with --quantize int8",
                )
            for name in (node.name, *node.input, *node.output):
                if len(name) > MAX_NAME_LENGTH:
                    raise self.damaged("a name is too long")

    def _opset(self) -> int:
        opsets = {entry.domain: entry.version for entry in self.proto.opset_import}
        return int(opsets.get("", opsets.get("ai.onnx", 0)))

    def check_node(self, node: NodeProto) -> None:
        """Refuse a node that the heads need and whose meaning is not ONNX's own.

        What comes behind the heads, such as NMS, is never looked at.
        """
        if node.domain not in ("", "ai.onnx"):
            raise self.unsupported(
                f"the operator {printable(node.op_type, 80)} is of {printable(node.domain, 80)}"
            )
        for attribute in node.attribute:
            if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
                raise self.unsupported(
                    f"the operator {printable(node.op_type, 80)} holds a graph of its own"
                )

    def _check_tensors(self) -> None:
        """Tensors inside nodes may not live in another file, whether they are used or not."""
        tensors = [*self.tensors.values()]
        for node in self.nodes:
            for attribute in node.attribute:
                tensors.extend((attribute.t, *attribute.tensors))
        for tensor in tensors:
            if is_external(tensor):
                raise refusal(self.path)

    def _connect(self) -> None:
        """Every value is made once, and before it is read."""
        known = {item.name for item in self.proto.graph.input} | self.tensors.keys() | {""}
        self.nodes = in_order(self.nodes)
        for index, node in enumerate(self.nodes):
            for name in node.input:
                if name not in known:
                    raise self.damaged(
                        f"{printable(node.op_type, 80)} reads {name[:80]!r} before it is made"
                    )
                self.readers.setdefault(name, []).append(index)
            for name in filter(None, node.output):
                if name in known:
                    raise self.damaged(f"{name[:80]!r} is made twice")
                known.add(name)
                self.producer[name] = index


def in_order(nodes: list[NodeProto]) -> list[NodeProto]:
    """The nodes, each behind those that it reads; some exporters append casts at the end.

    Nodes that read each other in a circle are left as they are.
    """
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    needs = [{maker[name] for name in node.input if name in maker} for node in nodes]
    readers: dict[int, list[int]] = {}
    for index, found in enumerate(needs):
        for one in found:
            readers.setdefault(one, []).append(index)
    ready = [index for index, found in enumerate(needs) if not found]
    ordered: list[int] = []
    while ready:
        ordered.append(heapq.heappop(ready))
        for index in readers.get(ordered[-1], ()):
            needs[index].discard(ordered[-1])
            if not needs[index]:
                heapq.heappush(ready, index)
    return [nodes[index] for index in ordered] if len(ordered) == len(nodes) else nodes


def _is_quantized(node: NodeProto) -> bool:
    """Whether `node` computes with, or makes, whole numbers in place of floats."""
    name = node.op_type
    return name.startswith(("QLinear", "QAttention", "QGemm")) or name in _QUANTIZED


def _words(proto: ModelProto) -> Iterator[object]:
    """Every string that is used later; protobuf gives bytes for one that is not UTF-8."""
    for opset in proto.opset_import:
        yield opset.domain
    for entry in proto.metadata_props:
        yield from (entry.key, entry.value)
    for item in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        yield item.name
    for node in proto.graph.node:
        yield from (node.op_type, node.name, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
