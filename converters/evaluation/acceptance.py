"""Acceptance of converted files: compared with their source before they get their names."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...edge_runtime.engines.onnx import OnnxEngine
from ...edge_runtime.errors import InputError
from ...edge_runtime.files import write_all
from ...edge_runtime.progress import Progress
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.sources.opencv import load_cv2
from ..calibration import DEFAULT_IMAGES, evenly_spaced, list_images
from ..emit import Content
from ..model_under_test import DecodeSettings, EngineModel, EvaluatedModel
from ..request import AcceptanceCheck
from .open_model import open_model
from .verify import NamedImage, Verification, compare, read_all, settings_for

CHECKED_IMAGES = 16
# Below, the report warns.
GOOD_AGREEMENT = 0.5
# With fewer detections, agreement is a matter of chance and rejects nothing.
MIN_DETECTIONS = 10
# Cells per side of the drawn patterns: from broad areas to single pixels of a small input.
_PATTERN_CELLS = (4, 16, 64, 256)


@dataclass(frozen=True)
class Reference:
    """The source as float32 ONNX, before pruning and quantization."""

    name: str
    content: bytes

    def open(self, settings: tuple[DecodeSettings, ...]) -> EvaluatedModel:
        """The source, ready to predict."""
        return EngineModel(OnnxEngine(self.content, Path(self.name), num_threads=1), settings)


def check_artifacts(
    contents: Mapping[Path, Content],
    reference: Reference,
    check: AcceptanceCheck,
    calibration: Path | None,
    progress: Progress,
) -> dict[Path, Verification]:
    """Compare each of `contents` with the reference, as temporary files.

    Raises:
        InputError: no image of the folder can be read.
        UnavailableError: the disk is full.
    """
    images = _Images(check, calibration)
    settings = settings_for(check.labels)
    theirs = reference.open(settings)
    found: dict[Path, Verification] = {}
    with tempfile.TemporaryDirectory(prefix="tallylens-", ignore_cleanup_errors=True) as folder:
        for path, content in contents.items():
            staged = Path(folder) / path.name
            write_all({staged: content})
            found[path] = compare(
                (path.name, open_model(staged, settings)),
                (reference.name, theirs),
                images,
                truth=images.truth,
                on_image=_fraction_of(progress, f"verify {path.suffix[1:]}", images.expected),
            )
            images.refuse_none(found[path].images)
    return found


def falls_short(verification: Verification, wanted: float) -> bool:
    """Whether there are enough detections to judge, and fewer than `wanted` (0..1) agree."""
    found = verification.detections
    enough = max(found.model, found.reference) >= MIN_DETECTIONS
    return enough and found.agreement < wanted


def concerns(verification: Verification) -> Iterator[str]:
    """Warnings for the report: nothing was detected, or too little agrees."""
    yield from (f"{verification.model}: {warning}" for warning in verification.warnings)
    if falls_short(verification, GOOD_AGREEMENT):
        yield (
            f"{verification.model} agrees with {verification.reference} on only "
            f"{verification.detections.agreement:.2f} of the detections: look at the images "
            "of --report, and at mAP if there are labels"
        )


class _Images:
    """The images to compare on, in the same order in every iteration."""

    def __init__(self, check: AcceptanceCheck, calibration: Path | None) -> None:
        self._folder = check.images or calibration
        self.truth = (check.images, check.labels) if check.images and check.labels else None
        self._paths = _paths(self._folder, all_of_them=self.truth is not None)
        self.expected = len(self._paths) or len(_PATTERN_CELLS)

    def __iter__(self) -> Iterator[NamedImage]:
        if self._folder is None:
            yield from patterns()
        elif self.truth:
            yield from read_all(self._paths)
        else:
            for path in self._paths:
                with suppress(InputError):  # calibration warns about it
                    yield path.name, read_image(path)

    def refuse_none(self, count: int) -> None:
        """Raise InputError where no image could be read, so that nothing was compared."""
        if not count and self._folder is not None:
            raise InputError(
                self._folder, "none of its images can be read", "Give a folder of intact images"
            )


def _fraction_of(progress: Progress, stage: str, expected: int) -> Callable[[int], None]:
    """A callback that reports a number of images as a fraction of all."""
    return lambda done: progress(stage, done / expected)


def _paths(folder: Path | None, *, all_of_them: bool) -> list[Path]:
    if folder is None:
        return []
    return list_images(folder) if all_of_them else choose_images(folder)


def choose_images(folder: Path) -> list[Path]:
    """At most 16 images of `folder`; if there are enough, none that a calibration takes."""
    paths = list_images(folder)
    calibrated = set(evenly_spaced(paths, DEFAULT_IMAGES))
    others = [path for path in paths if path not in calibrated]
    return evenly_spaced(others if len(others) >= CHECKED_IMAGES else paths, CHECKED_IMAGES)


def patterns(side: int = 640) -> Iterator[NamedImage]:
    """Drawn images (side, side, 3) uint8 BGR of random colors, from coarse to fine."""
    cv2 = load_cv2()
    random = np.random.default_rng(0)
    for cells in _PATTERN_CELLS:
        colors = random.integers(0, 256, (cells, cells, 3), np.uint8)
        yield f"pattern-{cells}", cv2.resize(colors, (side, side))
