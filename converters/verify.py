"""Does a converted model still see what the original sees? Both run on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..edge_runtime.errors import InputError
from ..edge_runtime.sources.images import read_image
from ..edge_runtime.types import Detections
from .calibration import list_images
from .subject import Sight, Subject, Threshold, open_subject

MATCH_IOU = 0.9
DETECTED = Threshold(confidence=0.25, iou=0.45, multi_label=False)
# The settings under which mAP of YOLOv5 is reported everywhere.
SCORED = Threshold(confidence=0.001, iou=0.6, multi_label=True)

Progress = Callable[[int, int], None]


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


@dataclass(frozen=True)
class Precision:
    """mAP as fractions of 1."""

    map50_95: float
    map50: float


@dataclass(frozen=True)
class Verification:
    """What `verify` found. `heads` is empty where the logits cannot be compared."""

    model: str
    reference: str
    engine: str
    reference_engine: str
    images: int
    heads: tuple[HeadError, ...]
    detections: Agreement
    model_precision: Precision | None = None
    reference_precision: Precision | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the figures do not say."""
        if self.detections.reference or self.detections.model:
            return ()
        return ("nothing was detected on these images, so that agreement says nothing",)

    def as_dict(self) -> dict[str, Any]:
        """As a JSON document; fractions of 1."""
        shares = ("agreement", "of_reference", "of_model")
        document = asdict(self) | {"warnings": list(self.warnings)}
        document["detections"] |= {name: getattr(self.detections, name) for name in shares}
        if self.model_precision and self.reference_precision:
            reference = self.reference_precision.map50_95
            kept = self.model_precision.map50_95 / reference if reference else None
            document["kept_map50_95"] = kept
        return document


def verify(
    model: Path,
    reference: Path,
    images: Path,
    *,
    labels: Path | None = None,
    num_threads: int = 1,
    progress: Progress | None = None,
) -> Verification:
    """Run both on every picture of the folder and compare.

    Args:
        model: .mlpackage, .tflite, .onnx or .pt.
        reference: the same; a checkpoint is converted for the model's input size.
        images: folder of jpg, png, webp or bmp files.
        labels: folder of YOLO label files, for mAP of both.
        num_threads: of one inference.
        progress: told (images done, images in all).

    Raises:
        InputError: a model or picture cannot be used, or the models tell other classes apart.
        MissingExtraError: a package for one of the models is not installed.
    """
    paths = list_images(images)
    thresholds = (DETECTED, SCORED) if labels else (DETECTED,)
    subject = open_subject(model, thresholds, num_threads=num_threads)
    size = subject.metadata.input_size
    other = open_subject(reference, thresholds, input_size=size, num_threads=num_threads)
    _refuse_other_classes(subject, other, model)
    heads = _Heads(subject, other)
    counts = Agreement(0, 0, 0)
    seen: tuple[list[Detections], list[Detections]] = ([], [])
    for number, path in enumerate(paths, 1):
        image = read_image(path)
        sights = subject.see(image), other.see(image)
        heads.add(*sights)
        counts = _sum(counts, agree(sights[0].detections[0], sights[1].detections[0]))
        for found, sight in zip(seen, sights, strict=True):
            found.append(sight.detections[-1])
        if progress:
            progress(number, len(paths))
    precisions = [_precision(found, images, labels) for found in seen] if labels else [None, None]
    return Verification(
        model=str(model),
        reference=str(reference),
        engine=subject.name,
        reference_engine=other.name,
        images=len(paths),
        heads=heads.errors(),
        detections=counts,
        model_precision=precisions[0],
        reference_precision=precisions[1],
    )


def agree(model: Detections, reference: Detections) -> Agreement:
    """Pair detections of one class, the most confident first, each with its best overlap."""
    from .coreml_program.suppression import box_iou

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


class _Heads:
    """Sums of the logits' differences, where both models have the same heads."""

    def __init__(self, model: Subject, reference: Subject) -> None:
        ours, theirs = model.metadata, reference.metadata
        same = (ours.input_size, ours.strides) == (theirs.input_size, theirs.strides)
        self._names = ours.head_names if same else ()
        self._largest: dict[str, float] = dict.fromkeys(self._names, 0.0)
        self._means: Mapping[str, list[float]] = {name: [] for name in self._names}

    def add(self, model: Sight, reference: Sight) -> None:
        for name, ours, theirs in zip(self._names, model.logits, reference.logits, strict=False):
            difference = np.abs(ours - theirs)
            self._largest[name] = max(self._largest[name], float(difference.max()))
            self._means[name].append(float(difference.mean()))

    def errors(self) -> tuple[HeadError, ...]:
        return tuple(
            HeadError(name, self._largest[name], float(np.mean(means)))
            for name, means in self._means.items()
            if means
        )


def _sum(first: Agreement, second: Agreement) -> Agreement:
    return Agreement(
        first.model + second.model,
        first.reference + second.reference,
        first.matched + second.matched,
    )


def _refuse_other_classes(model: Subject, reference: Subject, path: Path) -> None:
    ours, theirs = model.metadata.class_names, reference.metadata.class_names
    if ours != theirs:
        raise InputError(
            path,
            f"tells {len(ours)} classes apart, the reference {len(theirs)}, or others",
            "Give the checkpoint that the model was converted from",
        )


def _precision(found: list[Detections], images: Path, labels: Path) -> Precision:
    """mAP of detections that were made in the order of the folder's pictures."""
    from .evaluate import evaluate

    ready = iter(found)
    result = evaluate(lambda _image: next(ready), images, labels)
    return Precision(result.map50_95, result.map50)
