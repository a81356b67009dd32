"""Training steps, and the state from which they resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.types import Image
from ..graph import DetectorGraph
from .features import Kept, feature_loss
from .loss import distillation_loss
from .optimizer import VERSION, unit_sizes, update
from .student import Weights, forward, read_weights

# Features count for more than heads at the start: see docs/decisions/0036.
_FEATURE_GAIN = 20.0


@dataclass
class TrainingState:
    """The state of training after a step.

    `weights` are being trained, `average` is their moving average, `momentum` and `variance` are
    those of the `optimizer` (its version). `best` is the average with the minimum `best_error` on
    the validation split. `seconds` is the time spent in training so far; `stale` counts the checks
    since `best`.
    """

    weights: Weights
    average: Weights
    momentum: Weights
    variance: Weights
    best: Weights
    best_error: float
    start_error: float
    step: int = 0
    seconds: float = 0.0
    stale: int = 0
    optimizer: int = VERSION

    @classmethod
    def start(cls, weights: Weights, error: float) -> TrainingState:
        """Before the first step; `error` is that of the weights as they are."""
        zeros = {name: np.zeros_like(array) for name, array in weights.items()}
        return cls(weights, dict(weights), zeros, dict(zeros), dict(weights), error, error)

    def restart_optimizer(self) -> None:
        """Continue from these weights without what another version of the optimizer gathered."""
        self.momentum, self.variance = (
            {name: np.zeros_like(array) for name, array in self.weights.items()} for _ in range(2)
        )
        self.optimizer = VERSION


@dataclass
class Trainer:
    """`student` trained towards `teacher`.

    `features`: names of values to compare besides the heads, and the teacher's channels of each
    that the student has.
    """

    tf: Any
    student: DetectorGraph
    teacher: DetectorGraph
    features: Kept = field(default_factory=dict)
    _variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    _count: Any = None
    _compiled: Any = None

    _TRAINED = ("weights", "average", "momentum", "variance")

    def load(self, state: TrainingState) -> None:
        """Resume from `state`."""
        self._count = self.tf.Variable(state.step, dtype=self.tf.int64)
        for part in self._TRAINED:
            arrays: Mapping[str, Any] = getattr(state, part)
            known = self._variables.setdefault(part, {})
            for name, array in arrays.items():
                if name in known:
                    known[name].assign(array)
                else:
                    known[name] = self.tf.Variable(array, dtype=self.tf.float32)

    def save(self, state: TrainingState) -> None:
        """Put what was trained into `state`, whole steps whenever it is called."""
        state.step = int(self._count.numpy())
        for part in self._TRAINED:
            arrays = {name: one.numpy() for name, one in self._variables[part].items()}
            setattr(state, part, arrays)

    def step(self, images: Image, rate: float) -> float:
        """One step on `images` (n, h, w, 3) uint8 RGB; the loss before it.

        `rate` is the learning rate.
        """
        if self._compiled is None:
            self._compiled = self.tf.function(self._step, autograph=False)
        constant = self.tf.constant
        return float(self._compiled(constant(images), constant(rate, "float32")))

    def _step(self, images: Any, rate: Any) -> Any:
        tf = self.tf
        inputs = tf.cast(images, tf.float32) / 255.0
        metadata, names = self.student.metadata, list(self.features)
        count = len(metadata.head_names)
        wanted = forward(tf, self.teacher, inputs, self._teacher_weights(), names)
        features = [
            _only(tf, value, self.features[name])
            for name, value in zip(names, wanted[count:], strict=True)
        ]
        weights = self._variables["weights"]
        with tf.GradientTape() as tape:
            found = forward(tf, self.student, inputs, weights, names)
            loss = distillation_loss(tf, metadata, found[:count], wanted[:count])
            loss += _FEATURE_GAIN * feature_loss(tf, found[count:], features)
        gradients = tape.gradient(loss, weights)
        # Counted inside the step, so that an interrupt finds both or neither.
        number = tf.cast(self._count.assign_add(1), tf.float32)
        update(tf, self._variables, gradients, unit_sizes(read_weights(self.student)), rate, number)
        return loss

    def _teacher_weights(self) -> dict[str, Any]:
        return {name: self.tf.constant(w) for name, w in read_weights(self.teacher).items()}


def _only(tf: Any, value: Any, channels: npt.NDArray[np.int64]) -> Any:
    """Those channels of (n, h, w, channels), as a convolution: a gather moves one float a time."""
    if np.array_equal(channels, np.arange(value.shape[-1])):
        return value
    chosen = np.zeros((1, 1, value.shape[-1], len(channels)), np.float32)
    chosen[0, 0, channels, np.arange(len(channels))] = 1
    return tf.nn.conv2d(value, chosen, 1, "VALID")
