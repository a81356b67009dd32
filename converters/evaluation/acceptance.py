"""Whether what was made still sees what its source sees, asked before files get their names."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...edge_runtime.engines.onnx import OnnxEngine
from ...edge_runtime.errors import InputError
from ...edge_runtime.files import Folder, write_all
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.sources.opencv import load_cv2
from ..calibration import DEFAULT_IMAGES, evenly_spaced, list_images
from ..request import AcceptanceCheck
from .model_under_test import DecodeSettings, EngineSubject, EvaluatedModel, open_subject
from .verify import Picture, Verification, compare, read_all, thresholds_for

CHECKED_IMAGES = 16
# Below, a model is worth a look before it is trusted.
GOOD_AGREEMENT = 0.5
# With fewer detections, chance alone would refuse.
FEWEST_DETECTIONS = 10
# Cells a side of the drawn patterns: from broad areas to single pixels of a small input.
_PATTERN_CELLS = (4, 16, 64, 256)

Content = bytes | Folder
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Reference:
    """The source as float32 ONNX, before anything was taken from it."""

    name: str
    content: bytes

    def open(self, thresholds: tuple[DecodeSettings, ...]) -> EvaluatedModel:
        """As something that sees."""
        return EngineSubject(OnnxEngine(self.content, Path(self.name), num_threads=1), thresholds)


def check_artefacts(
    contents: Mapping[Path, Content],
    reference: Reference,
    check: AcceptanceCheck,
    calibration: Path | None,
    tell: Progress,
) -> dict[Path, Verification]:
    """Compare each of `contents` with the reference, from files that vanish again.

    Raises:
        InputError: no picture of the folder can be read.
        UnavailableError: the disk is full.
    """
    pictures = _Pictures(check, calibration)
    thresholds = thresholds_for(check.labels)
    theirs = reference.open(thresholds)
    found: dict[Path, Verification] = {}
    with tempfile.TemporaryDirectory(prefix="tallylens-", ignore_cleanup_errors=True) as folder:
        for path, content in contents.items():
            staged = Path(folder) / path.name
            write_all({staged: content})
            found[path] = compare(
                (path.name, open_subject(staged, thresholds)),
                (reference.name, theirs),
                pictures,
                truth=pictures.truth,
                progress=_Share(tell, f"verify {path.suffix[1:]}", pictures.expected),
            )
            pictures.refuse_none(found[path].images)
    return found


def falls_short(verification: Verification, wanted: float) -> bool:
    """Whether so much was seen that the agreement counts, and less than `wanted` agrees."""
    found = verification.detections
    enough = max(found.model, found.reference) >= FEWEST_DETECTIONS
    return enough and found.agreement < wanted


def concerns(verification: Verification) -> Iterator[str]:
    """Sentences about what the reader of the report should know."""
    yield from (f"{verification.model}: {warning}" for warning in verification.warnings)
    if falls_short(verification, GOOD_AGREEMENT):
        yield (
            f"{verification.model} agrees with {verification.reference} on only "
            f"{verification.detections.agreement:.2f} of the detections: look at the pictures "
            "of --report, and at mAP if there are labels"
        )


class _Share:
    """Tells the number of pictures as a part of all."""

    def __init__(self, tell: Progress, stage: str, expected: int) -> None:
        self._tell, self._stage, self._expected = tell, stage, expected

    def __call__(self, done: int) -> None:
        self._tell(self._stage, done / self._expected)


class _Pictures:
    """The pictures to compare on, the same ones every time they are gone through."""

    def __init__(self, check: AcceptanceCheck, calibration: Path | None) -> None:
        self._folder = check.images or calibration
        self.truth = (check.images, check.labels) if check.images and check.labels else None
        self._paths = _paths(self._folder, all_of_them=self.truth is not None)
        self.expected = len(self._paths) or len(_PATTERN_CELLS)

    def __iter__(self) -> Iterator[Picture]:
        if self._folder is None:
            yield from patterns()
        elif self.truth:
            yield from read_all(self._paths)
        else:
            for path in self._paths:
                with suppress(InputError):  # the calibration has warned of it
                    yield path.name, read_image(path)

    def refuse_none(self, seen: int) -> None:
        """Raise InputError where no picture could be read: agreement would be silence."""
        if not seen and self._folder is not None:
            raise InputError(
                self._folder, "none of its images can be read", "Give a folder with sound images"
            )


def _paths(folder: Path | None, *, all_of_them: bool) -> list[Path]:
    if folder is None:
        return []
    return list_images(folder) if all_of_them else choose_pictures(folder)


def choose_pictures(folder: Path) -> list[Path]:
    """Some of the folder, where there are enough not those that a calibration takes."""
    paths = list_images(folder)
    calibrated = set(evenly_spaced(paths, DEFAULT_IMAGES))
    others = [path for path in paths if path not in calibrated]
    return evenly_spaced(others if len(others) >= CHECKED_IMAGES else paths, CHECKED_IMAGES)


def patterns(side: int = 640) -> Iterator[Picture]:
    """Drawn pictures (side, side, 3) uint8 BGR of random colours, from coarse to fine."""
    cv2 = load_cv2()
    random = np.random.default_rng(0)
    for cells in _PATTERN_CELLS:
        colours = random.integers(0, 256, (cells, cells, 3), np.uint8)
        yield f"pattern-{cells}", cv2.resize(colours, (side, side))
