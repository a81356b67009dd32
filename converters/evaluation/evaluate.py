"""Mean average precision over a folder of images with YOLO-format labels, as COCO defines it."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...edge_runtime.errors import InputError, MissingExtraError
from ...edge_runtime.metadata import MAX_CLASSES
from ...edge_runtime.progress import Progress, no_progress
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.types import Detections, Image
from ..calibration import list_images

# COCO sorts objects into small, medium and large by the area of their outline, which is about
# this part of their box.
OUTLINE_SHARE = 0.53
MAX_LABEL_BYTES = 1 << 20

Box = tuple[int, float, float, float, float]


@dataclass(frozen=True)
class EvaluationResult:
    """All precisions are fractions of 1; `per_class` is mAP@0.5:0.95 by class id.

    `unlabeled` counts the images without a label file, which count as images of no object.
    """

    map50_95: float
    map50: float
    map75: float
    images: int
    unlabeled: int
    objects: int
    per_class: Mapping[int, float]


def evaluate(
    detect: Callable[[Image], Detections],
    images_dir: Path,
    labels_dir: Path,
    progress: Progress | None = None,
    *,
    numbers: Sequence[int] | None = None,
) -> EvaluationResult:
    """Run `detect` on every image and compare with the labels.

    Args:
        detect: (h, w, 3) uint8 BGR to detections in that image's pixels. For figures that
            compare with others': confidence from 0.001, NMS at IoU 0.6, several classes per box.
        images_dir: jpg, png, webp or bmp files.
        labels_dir: one STEM.txt per image, lines of `class cx cy w h`, sizes as fractions of 1.
        progress: receives the fraction of the images that is done, as stage "evaluate".
        numbers: the number in the labels of each of the model's classes, where they differ; labels
            of other classes do not count. `per_class` has the model's own numbers.

    Raises:
        InputError: an image or label file cannot be used, or there is no label at all.
        MissingExtraError: pycocotools is not installed.
    """
    progress = progress or no_progress
    coco, coco_eval = _pycocotools()
    paths = list_images(images_dir)
    labels = [_label_file(path, labels_dir) for path in paths]
    boxes = [_renumbered(read_labels(path), numbers) if path else [] for path in labels]
    if not any(boxes):
        raise InputError(
            labels_dir,
            "holds no labeled object for these images",
            f"Put one label file per image there, such as {paths[0].stem}.txt",
        )
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    sizes: list[tuple[int, int]] = []
    for index, path in enumerate(paths):
        image = read_image(path)
        sizes.append((image.shape[0], image.shape[1]))
        truth += _annotations(boxes[index], index, sizes[index])
        found += _results(detect(image), index)
        progress("evaluate", (index + 1) / len(paths))
    scores = _score(coco, coco_eval, truth, found, sizes)
    return EvaluationResult(
        **scores, images=len(paths), unlabeled=labels.count(None), objects=len(truth)
    )


def _renumbered(boxes: list[Box], numbers: Sequence[int] | None) -> list[Box]:
    """The boxes of the model's classes, under its own numbers."""
    if numbers is None:
        return boxes
    own = {number: class_id for class_id, number in enumerate(numbers)}
    return [(own[box[0]], *box[1:]) for box in boxes if box[0] in own]


def read_labels(path: Path) -> list[Box]:
    """(class id, center x, center y, width, height) of every line, sizes as fractions of 1.

    Raises:
        InputError: unreadable, larger than 1 MiB, or a line of another form.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LABEL_BYTES + 1)
        if len(content) > MAX_LABEL_BYTES:
            raise InputError(path, "is larger than 1 MiB", "Give YOLO-format label files")
        lines = content.decode().splitlines()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "Check the file") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is not text", "Give YOLO-format label files") from error
    return [_box(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _box(path: Path, number: int, line: str) -> Box:
    try:
        class_id, *sides = (float(word) for word in line.split())
        cx, cy, width, height = sides
    except ValueError:
        class_id = cx = cy = width = height = math.nan
    sound = all(0 <= side <= 1 for side in (cx, cy, width, height)) and width > 0 < height
    if not sound or not 0 <= class_id < MAX_CLASSES or class_id != int(class_id):
        raise InputError(
            path,
            f"line {number} is not a label ({line.strip()[:60]!r})",
            "Write each line as: class cx cy w h, with sizes as fractions of the image",
        )
    return int(class_id), cx, cy, width, height


def _label_file(image: Path, labels_dir: Path) -> Path | None:
    if not labels_dir.is_dir():
        raise InputError(labels_dir, "is not a folder", "Give the folder of the label files")
    path = labels_dir / f"{image.stem}.txt"
    return path if path.is_file() else None


def _annotations(boxes: Sequence[Box], image: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    """COCO annotations: boxes as left, top, width, height in pixels."""
    height, width = size
    annotations = []
    for class_id, cx, cy, w, h in boxes:
        box = [(cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height]
        annotations.append(
            {
                "image_id": image,
                "category_id": class_id,
                "bbox": box,
                "area": box[2] * box[3] * OUTLINE_SHARE,
                "iscrowd": 0,
            }
        )
    return annotations


def _results(detections: Detections, image: int) -> list[dict[str, Any]]:
    corners = np.asarray(detections.xyxy, np.float64)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return [
        {
            "image_id": image,
            "category_id": int(class_id),
            "bbox": box,
            "score": float(score),
        }
        for box, score, class_id in zip(
            boxes.tolist(), detections.confidence, detections.class_id, strict=True
        )
    ]


def _score(
    coco: Any,
    coco_eval: Any,
    truth: list[dict[str, Any]],
    found: list[dict[str, Any]],
    sizes: Sequence[tuple[int, int]],
) -> dict[str, Any]:
    classes = sorted({entry["category_id"] for entry in truth})
    reference = coco()
    reference.dataset = {
        "images": [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate(sizes)],
        "annotations": [{"id": number, **entry} for number, entry in enumerate(truth, 1)],
        "categories": [{"id": class_id} for class_id in classes],
    }
    # A class without labels does not enter the averages.
    counted = [entry for entry in found if entry["category_id"] in set(classes)]
    if not counted:
        return {
            "map50_95": 0.0,
            "map50": 0.0,
            "map75": 0.0,
            "per_class": dict.fromkeys(classes, 0.0),
        }
    # pycocotools reports on stdout, which belongs to the caller.
    with contextlib.redirect_stdout(io.StringIO()):
        reference.createIndex()
        run = coco_eval(reference, reference.loadRes(counted), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    # (IoU threshold, recall, class, area, detections per image); all areas, 100 detections.
    precision = run.eval["precision"][:, :, :, 0, -1]
    return {
        "map50_95": float(run.stats[0]),
        "map50": float(run.stats[1]),
        "map75": float(run.stats[2]),
        "per_class": {c: float(precision[:, :, k].mean()) for k, c in enumerate(classes)},
    }


def _pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingExtraError("pycocotools", "convert", "Evaluation") from error
    return COCO, COCOeval
