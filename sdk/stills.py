"""Counts the objects of unrelated photos: for each image and in total, without tracking."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tallylens.detectors import ModelDetectors, decoder_options
from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.counting.class_filter import ClassFilter
from tallylens.edge_runtime.counting.detection_filter import NO_FILTER, DetectionFilter
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.files import write_all
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits
from tallylens.edge_runtime.reports.formats import check_output
from tallylens.edge_runtime.reports.stills_page import (
    MAX_PREVIEWS,
    still_preview,
    stills_to_csv,
    stills_to_html,
)
from tallylens.edge_runtime.sources import no_notice
from tallylens.edge_runtime.sources.images import find_images, none_read, read_image
from tallylens.edge_runtime.types import Detections, Image

ANY_CLASS_NAME = "object"
SQUARE = (640, 640)


@dataclass(frozen=True)
class StillsReport:
    """Objects by class of each image, in natural order of the names, and of all of them.

    Attributes:
        images: name and objects by class of each.
        previews: JPEG of the first images with a box around each object, if asked for.
        model: name of the model.
    """

    source: str
    images: tuple[tuple[str, dict[str, int]], ...]
    warnings: tuple[str, ...]
    model: str = ""
    previews: tuple[bytes, ...] = field(default=(), repr=False, compare=False)

    @property
    def counts(self) -> dict[str, int]:
        """Objects by class of all images."""
        total: Counter[str] = Counter()
        for _, counts in self.images:
            total.update(counts)
        return dict(total)

    def to_json(self) -> str:
        """The document as JSON text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """One row per number: `image,class,count`."""
        return stills_to_csv(self.images)

    def to_html(self) -> str:
        """A page with each image and its objects."""
        return stills_to_html(
            self.source, self.model, self.images, self.counts, self.previews, self.warnings
        )

    def as_dict(self) -> dict[str, Any]:
        """The document that `tallylens count --stills --json` prints."""
        return {
            "source": self.source,
            "images": [{"image": name, "counts": counts} for name, counts in self.images],
            "counts": self.counts,
            "warnings": list(self.warnings),
        }


WRITERS: dict[str, Callable[[StillsReport], str]] = {
    ".html": StillsReport.to_html,
    ".json": StillsReport.to_json,
    ".csv": StillsReport.to_csv,
}


def check_stills_reports(paths: Iterable[Path]) -> None:
    """Raise UsageError or InputError for reports that cannot be written, before counting."""
    for path in paths:
        check_output(path, tuple(WRITERS))


def write_stills_reports(report: StillsReport, paths: Iterable[Path]) -> None:
    """Write all files whole, or none."""
    texts = {path: WRITERS[path.suffix.lower()](report) for path in paths}
    write_all({path: text.encode(errors="backslashreplace") for path, text in texts.items()})


def count_stills(
    source: str | os.PathLike[str],
    model: str | os.PathLike[str] = "yolov5n",
    *,
    classes: Collection[str] | None = None,
    any_class: bool = False,
    imgsz: tuple[int, int] | None = None,
    options: CounterOptions | None = None,
    iou: float | None = None,
    only: DetectionFilter = NO_FILTER,
    previews: bool = False,
    class_names: Sequence[str] | None = None,
    on_image: Callable[[int], None] = lambda _: None,
) -> StillsReport:
    """Count each image of a folder, glob or file; sizes may differ.

    A detection counts from the confidence at which a track starts in a video.

    Args:
        source: a folder, glob or file.
        only: leaves out detections in ignored zones, too small or too large.
        previews: keep small JPEGs of the first images for the HTML report.
        on_image: called with the number of images done.

    The other arguments are those of `Counter`.

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
        class_names=class_names,
    )
    kept: list[bytes] = []
    counted, warnings = [], []
    try:
        names = (ANY_CLASS_NAME,) if any_class else tuple(detectors.pool.metadata.class_names)
        wanted = ClassFilter(names, None if any_class else classes)
        for number, path in enumerate(paths, 1):
            try:
                image = read_image(path)
            except InputError as error:
                warnings.append(f"skipped {error.problem}")
                continue
            found = wanted.detections(_named(detectors.workers[0].detect(image), any_class))
            found = _confident(found, options.new_confidence)
            found = _usable(found, image, len(names), options, only)
            number_of = Counter(names[one] for one in found.class_id.tolist())
            counted.append((path.name, dict(sorted(number_of.items()))))
            if previews and len(kept) < MAX_PREVIEWS:
                kept.append(still_preview(image, found, names))
            on_image(number)
    finally:
        detectors.close()
    if not counted:
        raise none_read(source, paths, warnings)
    return StillsReport(
        os.fspath(source), tuple(counted), tuple(warnings), os.fspath(model), tuple(kept)
    )


def _named(found: Detections, any_class: bool) -> Detections:
    """With `any_class`, every detection as class 0."""
    return replace(found, class_id=np.zeros_like(found.class_id)) if any_class else found


def _confident(found: Detections, minimum: float) -> Detections:
    return _chosen(found, found.confidence >= minimum)


def _usable(
    found: Detections,
    image: Image,
    num_classes: int,
    options: CounterOptions,
    only: DetectionFilter,
) -> Detections:
    """The detections that a counter of this image would not ignore."""
    if not only:
        return found
    height, width = image.shape[:2]
    placed = only.place((width, height))
    counter = TrackCounter(
        num_classes,
        (width, height),
        options=options,
        min_size=placed.min_size,
        max_size=placed.max_size,
    )
    for _, corners in placed.zones:
        counter.ignore(corners)
    return _chosen(found, counter.usable(found))


def _chosen(found: Detections, keep: npt.NDArray[np.bool_]) -> Detections:
    return Detections(found.xyxy[keep], found.confidence[keep], found.class_id[keep])
