"""Candidates within a budget: their cost, and how well they agree with the original."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...edge_runtime.boxes import box_iou
from ...edge_runtime.detection.model_variant import fitting_input
from ...edge_runtime.errors import UsageError
from ...edge_runtime.types import Detections

IOUS = np.arange(0.5, 1.0, 0.05)
"""Overlaps at which a detection counts as the same, as in COCO's mAP."""


@dataclass(frozen=True)
class Budget:
    """A limit for one image: `share` of the source's MACs, or `milliseconds` of an inference."""

    share: float | None = None
    milliseconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `0.5` or `8ms`.

        Raises:
            UsageError: neither a fraction above 0 and up to 1 nor milliseconds.
        """
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(ms)?", text.strip())
        number = float(match[1]) if match else 0.0
        if match and match[2] and number > 0:
            return cls(milliseconds=number)
        if match and not match[2] and 0 < number <= 1:
            return cls(share=number)
        raise UsageError(
            f"--budget is {text!r}", "Give a share of the MACs such as 0.5, or a time such as 8ms"
        )


@dataclass(frozen=True)
class Candidate:
    """One way to cut the model.

    `input_size`: (height, width) in pixels. `prune`: the fraction of MACs that pruning removes.
    `share`: MACs of the source that are left. `agreement`: with the source, on the images that
    choose. `held_back`: the same on images that no decision saw, None where it was not measured.
    `fits`: whether it is within the budget.
    """

    input_size: tuple[int, int]
    prune: float
    share: float
    agreement: float
    fits: bool
    held_back: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return asdict(self)

    @property
    def title(self) -> str:
        """The candidate in words."""
        height, width = self.input_size
        pruned = f", {self.prune:.0%} pruned" if self.prune else ""
        return f"{height}x{width}{pruned}"


@dataclass(frozen=True)
class Front:
    """All candidates, cheapest first, and the chosen one with its reasons."""

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "candidates": [one.as_dict() for one in self.candidates],
            "chosen": self.chosen.as_dict(),
            "reasons": list(self.reasons),
        }


def smaller_sizes(size: tuple[int, int], stride: int, lowest: float) -> list[tuple[int, int]]:
    """Input sizes of the same shape from `size` down to `lowest` of its area, largest first."""
    sizes = []
    longer = max(size) // stride
    for steps in range(longer, 0, -1):
        scaled = tuple(max(stride, round(side * steps / longer / stride) * stride) for side in size)
        if scaled[0] * scaled[1] < lowest * size[0] * size[1]:
            break
        sizes.append((scaled[0], scaled[1]))
    return list(dict.fromkeys(sizes))


def fitting_sizes(
    size: tuple[int, int], image: tuple[int, int], stride: int, lowest: float
) -> list[tuple[int, int]]:
    """Input sizes that hold an `image` (height, width) without a border, largest first.

    Up to the longer side of `size`, at most its area, and down to `lowest` of it. An image in the
    first of them is as large as in `size`, for fewer MACs unless they have one shape.
    """
    area, sizes = size[0] * size[1], []
    for longest in range(max(size), 0, -stride):
        fitted = fitting_input(image[::-1], stride, longest)
        if lowest * area <= fitted[0] * fitted[1] <= area:
            sizes.append(fitted)
    return list(dict.fromkeys(sizes))


def common_shape(shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The (height, width) of the images of middle aspect ratio."""
    ordered = sorted(shapes, key=lambda one: (one[0] / one[1], one))
    return ordered[len(ordered) // 2]


def agreement(found: Sequence[Detections], reference: Sequence[Detections]) -> float:
    """F1 of two models' detections on the same images, averaged over the overlaps `IOUS`.

    A detection of one model pairs with at most one of the other, of the same class; 1 where
    neither model detects anything.
    """
    matched = np.zeros(len(IOUS))
    count = 0
    for ours, theirs in zip(found, reference, strict=True):
        count += len(ours) + len(theirs)
        overlaps = box_iou(ours.xyxy, theirs.xyxy)
        overlaps[ours.class_id[:, None] != theirs.class_id[None, :]] = 0
        for index in np.argsort(-ours.confidence, kind="stable"):
            if not len(theirs):
                break
            best = int(overlaps[index].argmax())
            matched += overlaps[index, best] >= IOUS
            overlaps[:, best] = 0
    return float(2 * matched.mean() / count) if count else 1.0
