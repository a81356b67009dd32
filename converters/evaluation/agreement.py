"""How far two models see the same: logits, and detections paired with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...edge_runtime.types import Detections, FloatArray

MATCH_IOU = 0.9
WORST = 10


@dataclass(frozen=True)
class HeadError:
    """Difference of the logits of one head over all pictures."""

    name: str
    max_abs: float
    mean_abs: float


@dataclass(frozen=True)
class Agreement:
    """Detections at confidence 0.25; `matched` pairs are of one class and overlap by IoU 0.9."""

    model: int
    reference: int
    matched: int

    @property
    def of_reference(self) -> float:
        """The part of the reference's detections that the model gives, 1 where there are none."""
        return self.matched / self.reference if self.reference else 1.0

    @property
    def of_model(self) -> float:
        """The part of the model's detections that the reference gives, 1 where there are none."""
        return self.matched / self.model if self.model else 1.0

    @property
    def agreement(self) -> float:
        """The lesser of the two."""
        return min(self.of_reference, self.of_model)

    @property
    def unmatched(self) -> int:
        """Detections of either that the other does not give."""
        return self.model + self.reference - 2 * self.matched


@dataclass(frozen=True)
class Difference:
    """What the two see in one picture; boxes in its pixels."""

    picture: str
    model: Detections
    reference: Detections
    agreement: Agreement


def agree(model: Detections, reference: Detections) -> Agreement:
    """Pair detections of one class, the most confident first, each with its best overlap."""
    from ..coreml_program.suppression import box_iou

    free = np.ones(len(reference), bool)
    matched = 0
    for index in np.argsort(-model.confidence, kind="stable"):
        candidates = free & (reference.class_id == model.class_id[index])
        overlap = np.where(candidates, box_iou(model.xyxy[index], reference.xyxy), -1.0)
        best = int(overlap.argmax()) if len(overlap) else -1
        if best >= 0 and overlap[best] >= MATCH_IOU:
            free[best] = False
            matched += 1
    return Agreement(len(model), len(reference), matched)


def in_all(differences: Sequence[Difference]) -> Agreement:
    """The sums over all pictures."""
    found = [difference.agreement for difference in differences]
    return Agreement(
        sum(one.model for one in found),
        sum(one.reference for one in found),
        sum(one.matched for one in found),
    )


def worst(differences: Iterable[Difference], count: int = WORST) -> tuple[Difference, ...]:
    """Those with the most detections that only one of the two gives, the worst first."""
    differing = [one for one in differences if one.agreement.unmatched]
    return tuple(sorted(differing, key=lambda one: -one.agreement.unmatched)[:count])


class HeadErrors:
    """The differences of the logits of heads with these names, added up picture by picture."""

    def __init__(self, names: Sequence[str]) -> None:
        self._largest: dict[str, float] = dict.fromkeys(names, 0.0)
        self._means: Mapping[str, list[float]] = {name: [] for name in names}

    def add(self, model: Sequence[FloatArray], reference: Sequence[FloatArray]) -> None:
        """One picture's logits, an array a head; none where a model ends in boxes."""
        for name, ours, theirs in zip(self._largest, model, reference, strict=False):
            difference = np.abs(ours - theirs)
            self._largest[name] = max(self._largest[name], float(difference.max()))
            self._means[name].append(float(difference.mean()))

    def errors(self) -> tuple[HeadError, ...]:
        """Of every head that was compared."""
        return tuple(
            HeadError(name, self._largest[name], float(np.mean(means)))
            for name, means in self._means.items()
            if means
        )
