"""Features at every stride: what a student computes inside, beside what its teacher does there.

Head outputs say little about the layers far from them. A pruned network keeps some of its
teacher's channels, so these can be compared one by one, without the adapters of Romero et al.
(FitNets, 2015).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ..emit.tflite_writer import Tensor
from ..graph import DetectorGraph
from ..shapes import size_of

Kept = Mapping[str, npt.NDArray[np.int64]]
# Of a feature's mean variance: channels that hardly change count little.
_FLOOR = 0.05


def compared_features(
    student: DetectorGraph, teacher: DetectorGraph, kept: Kept
) -> dict[str, npt.NDArray[np.int64]]:
    """Names of the features to compare, and which of the teacher's channels the student has.

    `kept` says that of values by name; one that is not in it is compared where both graphs have the
    same number of channels. Compared are the values that the heads read and those that travel
    further, read by a convolution and by a concatenation, so that every stride is among them.
    """
    counts = {
        str(value.name): size_of(value)[0] for node in teacher.model.graph for value in node.outputs
    }
    found = {}
    for value in _features(student):
        name, count = str(value.name), size_of(value)[0]
        if name in kept:
            found[name] = kept[name]
        elif counts.get(name) == count:
            found[name] = np.arange(count)
    return found


def feature_loss(tf: Any, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """The mean squared difference of features (n, h, w, channels), in units of their variance."""
    losses = []
    for ours, theirs in zip(found, wanted, strict=True):
        variance = tf.math.reduce_variance(theirs, axis=(0, 1, 2))
        scale = variance + _FLOOR * tf.reduce_mean(variance) + 1e-6
        losses.append(tf.reduce_mean(tf.square(ours - theirs) / scale))
    return tf.add_n(losses) / len(losses) if losses else tf.constant(0.0)


def _features(graph: DetectorGraph) -> Iterator[ir.Value]:
    read = set()
    for name in graph.metadata.head_names:
        read |= set(_read_by_head(graph, name))
    for node in graph.model.graph:
        value = node.outputs[0]
        users = {user.op_type for user, _ in value.uses()}
        if value.name in read or {"Conv", "Concat"} <= users:
            yield value


def _read_by_head(graph: DetectorGraph, name: str) -> Iterator[str]:
    """Names of the values that the last convolutions of a head read."""
    open_values = [value for value in graph.model.graph.outputs if value.name == name]
    while open_values:
        node = open_values.pop().producer()
        if node is None:
            continue
        sources = [value for value in node.inputs if value is not None]
        if node.op_type == "Conv":
            yield str(sources[0].name)
        else:
            open_values += [value for value in sources if value.const_value is None]
