"""Counts the objects of unrelated photos: for each image and in total, without tracking."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tallylens.detectors import ModelDetectors, decoder_options
from tallylens.edge_runtime.core import CounterOptions
from tallylens.edge_runtime.counting.class_filter import ClassFilter
from tallylens.edge_runtime.errors import InputError, SourceError
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits
from tallylens.edge_runtime.sources import no_notice
from tallylens.edge_runtime.sources.images import GIVE_IMAGES, find_images, read_image

ANY_CLASS_NAME = "object"
SQUARE = (640, 640)


@dataclass(frozen=True)
class StillsReport:
    """Objects by class of each image, in natural order of the names, and of all of them."""

    source: str
    images: tuple[tuple[str, dict[str, int]], ...]
    warnings: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Objects by class of all images."""
        total: Counter[str] = Counter()
        for _, counts in self.images:
            total.update(counts)
        return dict(total)

    def as_dict(self) -> dict[str, Any]:
        """The document that `tallylens count --stills --json` prints."""
        return {
            "source": self.source,
            "images": [{"image": name, "counts": counts} for name, counts in self.images],
            "counts": self.counts,
            "warnings": list(self.warnings),
        }


def count_stills(
    source: str | os.PathLike[str],
    model: str | os.PathLike[str] = "yolov5n",
    *,
    classes: Collection[str] | None = None,
    any_class: bool = False,
    imgsz: tuple[int, int] | None = None,
    options: CounterOptions | None = None,
    iou: float | None = None,
    on_image: Callable[[int], None] = lambda _: None,
) -> StillsReport:
    """Count each image of a folder, glob or file; sizes may differ.

    A detection counts from the confidence at which a track starts in a video.

    Raises:
        SourceError: no images, or none that can be read.
        UsageError: an unknown class.
    """
    options = options or CounterOptions()
    paths = find_images(source)
    detectors = ModelDetectors(
        model,
        SQUARE,
        imgsz=imgsz,
        workers=1,
        decoding=decoder_options(options, iou, any_class),
        limits=RateLimits(None, None, "all", no_notice),
    )
    images, warnings = [], []
    try:
        names = (ANY_CLASS_NAME,) if any_class else tuple(detectors.pool.metadata.class_names)
        wanted = ClassFilter(names, None if any_class else classes)
        for number, path in enumerate(paths, 1):
            try:
                image = read_image(path)
            except InputError as error:
                warnings.append(f"skipped {error.problem}")
                continue
            found = wanted.detections(detectors.workers[0].detect(image))
            ids = found.class_id[found.confidence >= options.new_confidence].tolist()
            number_of = Counter(names[0 if any_class else one] for one in ids)
            images.append((path.name, dict(sorted(number_of.items()))))
            on_image(number)
    finally:
        detectors.close()
    if not images:
        raise SourceError(source, f"none of its {len(paths)} images can be read", GIVE_IMAGES)
    return StillsReport(os.fspath(source), tuple(images), tuple(warnings))
