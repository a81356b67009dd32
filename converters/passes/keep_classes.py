"""Removes the rows of classes that are not counted from the heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ...edge_runtime.errors import UnsupportedModelError, UsageError
from ...edge_runtime.metadata import BOX_SIDES, ModelMetadata
from ...edge_runtime.types import FloatArray
from ..graph import DetectorGraph
from ..quantize.scheme import Calibration
from ..shapes import constant
from .rewrite import new_constant, remove_unused_constants

Indices = npt.NDArray[np.int64]
BOX_CHANNELS = 5
"""x, y, w, h and objectness of one anchor, before its classes."""
MAX_NUMBERS = 1000
"""Characters that a text in the metadata may have; a longer list of numbers is not recorded."""


class KeepClasses:
    """Keeps the boxes and only the named classes of a detector.

    Every head ends in a convolution with na * (5 + nc) output channels, anchor by anchor; one
    without anchors ends in two that are joined, for the box and for the classes. Without the rows
    of the other classes, what is left is the same to the bit, and the last convolutions, the
    memory of the heads and their decoding shrink.

    The source gives a box the best of all its classes, the smaller model the best of those that
    are left: an object whose best class is removed may get its second best one.

    Args:
        names: classes to keep, in any order; the model keeps their order.

    Raises:
        UsageError: one is not among the model's classes, or none is left.
    """

    name = "keep_classes"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(names))

    def __call__(self, graph: DetectorGraph) -> DetectorGraph:
        """A copy of `graph` with the named classes only; the pass is recorded."""
        metadata = graph.metadata
        kept = self._indices(graph)
        if len(kept) == metadata.num_classes:
            return graph
        smaller = DetectorGraph(graph.model.clone(deep_copy=True), metadata)
        for conv, rows in _last_convs(smaller, kept).values():
            _keep_rows(smaller.model, conv, rows)
        if metadata.reg_max:
            for head in smaller.model.graph.outputs:
                _set_channels(head, BOX_SIDES * metadata.reg_max + len(kept))
        remove_unused_constants(smaller.model)
        names = tuple(metadata.class_names[index] for index in kept)
        before = label_numbers(metadata)
        numbers = " ".join(str(before[index]) for index in kept)
        recorded = {"numbers": numbers} if len(numbers) <= MAX_NUMBERS else {}
        smaller = replace(smaller, metadata=replace(metadata, class_names=names))
        return smaller.with_pass(self.name, kept=len(kept), of=metadata.num_classes, **recorded)

    def calibration(self, graph: DetectorGraph, calibration: Calibration) -> Calibration:
        """The scheme of the whole `graph` for what is left of it: the same steps, fewer rows."""
        kept = self._indices(graph)
        if len(kept) == graph.metadata.num_classes:
            return calibration
        weights, scales = dict(calibration.weights), dict(calibration.weight_scales)
        for conv, rows in _last_convs(graph, kept).values():
            for value in conv.inputs[1:3]:
                name = str(value.name) if value is not None else ""
                for arrays in (weights, scales):
                    if name in arrays:
                        arrays[name] = arrays[name][rows]
        return replace(calibration, weights=weights, weight_scales=scales)

    def _indices(self, graph: DetectorGraph) -> list[int]:
        known = graph.metadata.class_names
        unknown = [name for name in self.names if name not in known]
        if unknown or not self.names:
            listed = ", ".join(map(repr, unknown))
            raise UsageError(
                f"the model does not know the class {listed}" if unknown else "no class is left",
                f"Choose from its classes: {', '.join(known)}",
            )
        return [index for index, name in enumerate(known) if name in self.names]


def label_numbers(metadata: ModelMetadata) -> list[int]:
    """The number that each class of a model has in label files, made for the uncut model.

    Raises:
        UnsupportedModelError: the model was cut, and does not say to which classes by number.
    """
    cuts = [record for record in metadata.passes if record.name == KeepClasses.name]
    if not cuts:
        return list(range(metadata.num_classes))
    words = str(cuts[-1].effect.get("numbers", "")).split()
    if len(words) != metadata.num_classes or not all(map(str.isdecimal, words)):
        raise UnsupportedModelError(
            metadata.source_name,
            "the numbers of its classes in label files are unknown",
            "Convert it again with --classes, and with fewer of them",
        )
    return [int(word) for word in words]


def _last_convs(graph: DetectorGraph, kept: Sequence[int]) -> dict[str, tuple[ir.Node, Indices]]:
    """By head name, the convolution that it ends in, and the output rows that are kept.

    Raises:
        UnsupportedModelError: a head ends in something else.
    """
    metadata = graph.metadata
    found = {}
    if metadata.reg_max:
        return {
            str(head.name): _class_conv(graph, head, kept) for head in graph.model.graph.outputs
        }
    for head, anchors in zip(graph.model.graph.outputs, metadata.anchors, strict=True):
        per_anchor = BOX_CHANNELS + metadata.num_classes
        conv = head.producer()
        channels = len(anchors) * per_anchor
        if conv is None or conv.op_type != "Conv" or len(constant(conv, 1)) != channels:
            raise UnsupportedModelError(
                metadata.source_name,
                f"{head.name} does not end in a convolution of {per_anchor} channels per anchor",
                "Convert it without --classes",
            )
        inside = np.array([*range(BOX_CHANNELS), *(BOX_CHANNELS + index for index in kept)])
        rows = (np.arange(len(anchors))[:, None] * per_anchor + inside).ravel()
        found[str(head.name)] = (conv, rows.astype(np.int64))
    return found


def _class_conv(
    graph: DetectorGraph, head: ir.Value, kept: Sequence[int]
) -> tuple[ir.Node, Indices]:
    """The convolution of the classes of a head without anchors; raises as `_last_convs`."""
    join = head.producer()
    scores = join.inputs[-1] if join is not None and join.op_type == "Concat" else None
    conv = scores.producer() if scores is not None else None
    if (
        conv is None
        or conv.op_type != "Conv"
        or len(constant(conv, 1)) != graph.metadata.num_classes
    ):
        raise UnsupportedModelError(
            graph.metadata.source_name,
            f"{head.name} does not end in a convolution of its classes",
            "Convert it without --classes",
        )
    return conv, np.array(kept, np.int64)


def _set_channels(value: ir.Value, channels: int) -> None:
    if value.shape is not None:
        value.shape = ir.Shape([value.shape[0], channels, *value.shape[2:]])


def _keep_rows(model: ir.Model, conv: ir.Node, rows: Indices) -> None:
    for index in range(1, len(conv.inputs)):
        value = conv.inputs[index]
        if value is not None:
            array: FloatArray = constant(conv, index)[rows]
            conv.replace_input_with(index, new_constant(model, str(value.name), array))
    _set_channels(conv.outputs[0], len(rows))
