"""Verification: a converted model and its original, compared on the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ...edge_runtime.class_names import are_numbered
from ...edge_runtime.engines.heads import renamed
from ...edge_runtime.errors import InputError
from ...edge_runtime.progress import Progress, no_progress
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.types import Detections, Image
from ..calibration import list_images
from ..model_under_test import DecodeSettings, EvaluatedModel
from ..passes.keep_classes import KeepClasses, label_numbers
from .agreement import Agreement, Difference, HeadError, HeadErrors, agree, in_all, worst
from .open_model import open_model
from .verdict import verdict

DETECTED = DecodeSettings(confidence=0.25, iou=0.45, multi_label=False)
# The settings under which mAP of YOLOv5 is reported everywhere.
SCORED = DecodeSettings(confidence=0.001, iou=0.6, multi_label=True)

NamedImage = tuple[str, Image]


@dataclass(frozen=True)
class Precision:
    """Mean average precision, as fractions of 1."""

    map50_95: float
    map50: float


@dataclass(frozen=True)
class Verification:
    """The result of a comparison. `heads` is empty where the logits cannot be compared.

    `worst`: the images with the most detections that only one of the two models gives.
    `inference_ms`: median time of one inference here, None off the device it is meant for.
    """

    model: str
    reference: str
    engine: str
    reference_engine: str
    images: int
    heads: tuple[HeadError, ...]
    detections: Agreement
    worst: tuple[Difference, ...] = ()
    inference_ms: float | None = None
    reference_inference_ms: float | None = None
    model_precision: Precision | None = None
    reference_precision: Precision | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that qualify the figures."""
        if self.detections.reference or self.detections.model:
            return ()
        return ("nothing was detected on these images, so that agreement says nothing",)

    @property
    def kept(self) -> float | None:
        """The model's mAP@0.5:0.95 as a fraction of the reference's; None if it is not known."""
        if not (self.model_precision and self.reference_precision):
            return None
        reference = self.reference_precision.map50_95
        return self.model_precision.map50_95 / reference if reference else None

    @property
    def verdict(self) -> str:
        """How good the model is in place of the reference, in words."""
        return verdict(self.detections, self.kept)

    def as_dict(self) -> dict[str, Any]:
        """As a JSON document; fractions of 1."""
        found = self.detections
        document: dict[str, Any] = {
            name: getattr(self, name) for name in ("model", "reference", "engine")
        }
        document |= {
            "reference_engine": self.reference_engine,
            "images": self.images,
            "heads": [asdict(head) for head in self.heads],
            "detections": asdict(found)
            | {key: getattr(found, key) for key in ("agreement", "of_reference", "of_model")},
            "worst": [{"image": one.image, **asdict(one.agreement)} for one in self.worst],
            "inference_ms": self.inference_ms,
            "reference_inference_ms": self.reference_inference_ms,
            "model_precision": self.model_precision and asdict(self.model_precision),
            "reference_precision": self.reference_precision and asdict(self.reference_precision),
            "verdict": self.verdict,
            "warnings": list(self.warnings),
        }
        if self.model_precision and self.reference_precision:
            document["kept_map50_95"] = self.kept
        return document


def verify(
    model: Path,
    reference: Path,
    images: Path,
    *,
    labels: Path | None = None,
    num_threads: int = 1,
    progress: Progress | None = None,
    class_names: Sequence[str] | None = None,
) -> Verification:
    """Run both models on every image of the folder and compare.

    Args:
        model: .mlpackage, .tflite, .onnx or .pt.
        reference: the same; a checkpoint is converted for the model's input size.
        images: folder of jpg, png, webp or bmp files.
        labels: folder of YOLO label files, for mAP of both.
        num_threads: of one inference.
        progress: receives the fraction of the images that is done, as stage "verify".
        class_names: replace those of `model`. A file without any has those of the reference.

    Raises:
        InputError: a model or image cannot be used, or the models have different classes.
        MissingExtraError: a package for one of the models is not installed.
    """
    paths = list_images(images)
    settings = settings_for(labels)
    progress = progress or no_progress
    tested = open_model(model, settings, num_threads=num_threads)
    tested.metadata = renamed(tested.metadata, class_names, str(model))
    size = tested.metadata.input_size
    kept = any(one.name == KeepClasses.name for one in tested.metadata.passes)
    other = open_model(
        reference,
        settings,
        input_size=size,
        num_threads=num_threads,
        classes=tested.metadata.class_names if kept else (),
    )
    return compare(
        (str(model), tested),
        (str(reference), other),
        read_all(paths),
        truth=(images, labels) if labels else None,
        on_image=lambda done: progress("verify", done / len(paths)),
    )


def settings_for(labels: Path | None) -> tuple[DecodeSettings, ...]:
    """How a model's heads are to be decoded: for agreement, and with labels also for mAP."""
    return (DETECTED, SCORED) if labels else (DETECTED,)


def read_all(paths: Sequence[Path]) -> Iterator[NamedImage]:
    """Names and images (h, w, 3) uint8 BGR; raises InputError at one that cannot be read."""
    for path in paths:
        yield path.name, read_image(path)


def compare(
    model: tuple[str, EvaluatedModel],
    reference: tuple[str, EvaluatedModel],
    images: Iterable[NamedImage],
    *,
    truth: tuple[Path, Path] | None = None,
    on_image: Callable[[int], None] | None = None,
) -> Verification:
    """Compare a model with its reference on `images`; each is given with a name for messages.

    `truth`: folders of images and labels, for mAP; then `images` are all of the first in its
    order, and both models also decode with `SCORED`. `on_image` receives the number done.

    Raises:
        InputError: the models have different classes.
    """
    (name, ours), (other_name, theirs) = model, reference
    _refuse_other_classes(name, ours, theirs)
    heads = HeadErrors(_common_heads(ours, theirs))
    differences: list[Difference] = []
    scored: tuple[list[Detections], list[Detections]] = ([], [])
    times: tuple[list[float], list[float]] = ([], [])
    for number, (image_name, image) in enumerate(images, 1):
        first, second = predictions = ours.predict(image), theirs.predict(image)
        heads.add(first.logits, second.logits)
        found = first.detections[0], second.detections[0]
        differences.append(Difference(image_name, *found, agree(*found)))
        for prediction, kept, taken in zip(predictions, scored, times, strict=True):
            kept.append(prediction.detections[-1])
            taken.append(prediction.inference_ms)
        if on_image:
            on_image(number)
    precisions: list[Precision | None] = [None, None]
    if truth:
        numbers = label_numbers(ours.metadata)
        precisions = [_precision(kept, *truth, numbers) for kept in scored]
    return Verification(
        model=name,
        reference=other_name,
        engine=ours.name,
        reference_engine=theirs.name,
        images=len(differences),
        heads=heads.errors(),
        detections=in_all(differences),
        worst=worst(differences),
        inference_ms=median(times[0]) if ours.timed and times[0] else None,
        reference_inference_ms=median(times[1]) if theirs.timed and times[1] else None,
        model_precision=precisions[0],
        reference_precision=precisions[1],
    )


def _common_heads(model: EvaluatedModel, reference: EvaluatedModel) -> tuple[str, ...]:
    """The heads whose logits can be compared cell by cell: same input size and strides."""
    ours, theirs = model.metadata, reference.metadata
    same = (ours.input_size, ours.strides) == (theirs.input_size, theirs.strides)
    return ours.head_names if same else ()


def _refuse_other_classes(name: str, model: EvaluatedModel, reference: EvaluatedModel) -> None:
    ours, theirs = model.metadata.class_names, reference.metadata.class_names
    # A file without names has those of what it was made from.
    unnamed = len(ours) == len(theirs) and (are_numbered(ours) or are_numbered(theirs))
    if ours == theirs or unnamed:
        return
    differing = [f"{a!r} against {b!r}" for a, b in zip(ours, theirs, strict=False) if a != b]
    counts = f"{len(ours)} against {len(theirs)}"
    raise InputError(
        name,
        "has other classes than the reference "
        f"({differing[0] if len(ours) == len(theirs) else counts})",
        "Give the checkpoint that the model was converted from",
    )


def _precision(
    found: list[Detections], images: Path, labels: Path, numbers: list[int]
) -> Precision:
    """mAP of detections, one entry per image in the order of the folder."""
    from .evaluate import evaluate

    ready = iter(found)
    result = evaluate(lambda _image: next(ready), images, labels, numbers=numbers)
    return Precision(result.map50_95, result.map50)
