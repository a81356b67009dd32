"""Features: what each layer of a student sees, beside what its teacher's sees.

Head outputs say little about the layers far from them, and a hundred images are soon learned by
heart: features say more of an image than what it shows. A pruned network keeps some of its
teacher's channels, so these can be compared one by one, without the adapters of Romero et al.
(FitNets, 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    same number of channels. Compared are the values that convolutions read, but not the images.
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
    losses = [_difference(tf, ours, theirs) for ours, theirs in zip(found, wanted, strict=True)]
    return tf.add_n(losses) / len(losses) if losses else tf.constant(0.0)


def _difference(tf: Any, ours: Tensor, theirs: Tensor) -> Tensor:
    """Of one feature; its gradient reads and writes the feature once."""
    places = (0, 1, 2)
    variance = tf.math.reduce_variance(theirs, axis=places)
    weight = 1 / (variance + _FLOOR * tf.reduce_mean(variance) + 1e-6)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def difference(ours: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        apart = ours - theirs
        loss = tf.reduce_mean(tf.reduce_mean(tf.square(apart), axis=places) * weight)
        slope = 2 * weight / tf.cast(tf.size(apart), tf.float32)
        return loss, lambda above: apart * (above * slope)

    return difference(ours)


def _features(graph: DetectorGraph) -> Iterator[ir.Value]:
    for node in graph.model.graph:
        for value in node.outputs:
            if any(user.op_type == "Conv" for user, _ in value.uses()):
                yield value
