"""Detection agreement of two models: differences of logits, and detections paired by IoU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...edge_runtime.boxes import box_iou
from ...edge_runtime.types import Detections, FloatArray

MATCH_IOU = 0.9
WORST = 10


@dataclass(frozen=True)
class HeadError:
    """Difference of the logits of one head over all images."""

    name: str
    max_abs: float
    mean_abs: float


@dataclass(frozen=True)
class Agreement:
    """Detections at confidence 0.25; `matched` pairs have one class and an IoU of at least 0.9."""

    model: int
    reference: int
    matched: int

    @property
    def of_reference(self) -> float:
        """Fraction of the reference's detections that the model gives; 1 if there are none."""
        return self.matched / self.reference if self.reference else 1.0

    @property
    def of_model(self) -> float:
        """Fraction of the model's detections that the reference gives; 1 if there are none."""
        return self.matched / self.model if self.model else 1.0

    @property
    def agreement(self) -> float:
        """The smaller of `of_reference` and `of_model`."""
        return min(self.of_reference, self.of_model)

    @property
    def pairs(self) -> str:
        """The numbers in words: `107 of 110`, `110 of 110 and 3 others`."""
        others = self.model - self.matched
        return f"{self.matched} of {self.reference}" + (f" and {others} others" if others else "")

    @property
    def unmatched(self) -> int:
        """Number of detections of either model that the other does not give."""
        return self.model + self.reference - 2 * self.matched


@dataclass(frozen=True)
class Difference:
    """The detections of both models in one image; boxes in its pixels."""

    image: str
    model: Detections
    reference: Detections
    agreement: Agreement


def agree(model: Detections, reference: Detections) -> Agreement:
    """Pair detections of one class, the most confident first, each with its best overlap."""
    overlaps = box_iou(model.xyxy, reference.xyxy)
    free = np.ones(len(reference), bool)
    matched = 0
    for index in np.argsort(-model.confidence, kind="stable"):
        candidates = free & (reference.class_id == model.class_id[index])
        overlap = np.where(candidates, overlaps[index], -1.0)
        best = int(overlap.argmax()) if len(overlap) else -1
        if best >= 0 and overlap[best] >= MATCH_IOU:
            free[best] = False
            matched += 1
    return Agreement(len(model), len(reference), matched)


def in_all(differences: Sequence[Difference]) -> Agreement:
    """The agreement over all images: sums of the counts."""
    found = [difference.agreement for difference in differences]
    return Agreement(
        sum(one.model for one in found),
        sum(one.reference for one in found),
        sum(one.matched for one in found),
    )


def worst(differences: Iterable[Difference], count: int = WORST) -> tuple[Difference, ...]:
    """The images with the most detections that only one of the two gives, worst first."""
    differing = [one for one in differences if one.agreement.unmatched]
    return tuple(sorted(differing, key=lambda one: -one.agreement.unmatched)[:count])


class HeadErrors:
    """Differences of the logits of the named heads, accumulated over images."""

    def __init__(self, names: Sequence[str]) -> None:
        self._largest: dict[str, float] = dict.fromkeys(names, 0.0)
        self._means: Mapping[str, list[float]] = {name: [] for name in names}

    def add(self, model: Sequence[FloatArray], reference: Sequence[FloatArray]) -> None:
        """Add one image's logits, one array per head; empty where a model ends in boxes."""
        for name, ours, theirs in zip(self._largest, model, reference, strict=False):
            difference = np.abs(ours - theirs)
            self._largest[name] = max(self._largest[name], float(difference.max()))
            self._means[name].append(float(difference.mean()))

    def errors(self) -> tuple[HeadError, ...]:
        """The error of every head that was compared."""
        return tuple(
            HeadError(name, self._largest[name], float(np.mean(means)))
            for name, means in self._means.items()
            if means
        )
