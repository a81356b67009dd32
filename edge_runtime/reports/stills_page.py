"""Reports of unrelated photos: an HTML page with each image and its objects, and its CSV form."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from ..counting.region import ClassCounts
from ..sources.opencv import load_cv2
from ..text import inert
from ..types import Detections, Image
from .drawing import Pen
from .html import JPEG_QUALITY, cards, notes, page, picture, section, table

MAX_PREVIEWS = 100
"""The page shows at most so many images, and lists all."""
PREVIEW_SIDE = 480

Counted = Sequence[tuple[str, ClassCounts]]
"""The name of each image, and its objects by class."""


def still_preview(image: Image, found: Detections, class_names: Sequence[str]) -> bytes:
    """A JPEG of at most 480 pixels a side with a box around each object.

    Args:
        image: (height, width, 3) uint8 BGR.
        found: its objects, in pixels.
        class_names: by class id.
    """
    cv2 = load_cv2()
    height, width = image.shape[:2]
    scale = min(PREVIEW_SIDE / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    boxes = Detections(np.float32(scale) * found.xyxy, found.confidence, found.class_id)
    Pen(small).detections(boxes, class_names)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return bytes(cv2.imencode(".jpg", small, quality)[1].tobytes())


def stills_to_html(
    source: str,
    model: str,
    images: Counted,
    counts: ClassCounts,
    previews: Sequence[bytes] = (),
    warnings: Sequence[str] = (),
) -> str:
    """The whole page.

    Args:
        source, model: their names.
        images: each image's objects.
        counts: objects by class of all images.
        previews: JPEGs of the first images, in the order of `images`.
        warnings: such as images that could not be read.
    """
    classes = sorted(counts)
    rows = [
        [name, *(one.get(label, 0) for label in classes), sum(one.values())] for name, one in images
    ]
    total = ["total", *(counts[label] for label in classes), sum(counts.values())]
    return page(
        title=f"Count of {source}",
        subtitle=f"{len(images):,} images, each by itself",
        parts=[
            cards([("objects", sum(counts.values())), *sorted(counts.items())]),
            notes([*warnings, *_not_shown(len(images), len(previews))]),
            section("Objects by image", table(["image", *classes, "all"], rows, total), long=True),
            _gallery(images, previews),
        ],
        footer=f"{source} · model {model}",
    )


def _not_shown(images: int, previews: int) -> list[str]:
    return [f"the first {previews} of {images:,} images are shown"] if previews < images else []


def _gallery(images: Counted, previews: Sequence[bytes]) -> str:
    figures = (
        picture(jpeg, f"{name}: {objects(counts)}")
        for (name, counts), jpeg in zip(images, previews, strict=False)
    )
    return section("Images", f'<div class="images">{"".join(figures)}</div>', long=True)


def objects(counts: Mapping[str, int]) -> str:
    """`2 car, 1 person`, or `nothing`."""
    return ", ".join(f"{number} {label}" for label, number in counts.items()) or "nothing"


def stills_to_csv(images: Counted) -> str:
    """One row per number: `image,class,count`."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("image", "class", "count"))
    for name, counts in images:
        rows.writerows((inert(name), inert(label), number) for label, number in counts.items())
    return out.getvalue()
