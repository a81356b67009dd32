"""The images of a search, in three parts, and the comparison of graphs with the source on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...edge_runtime.engines.onnx import OnnxEngine
from ...edge_runtime.errors import InputError
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.types import Detections, Image
from ..calibration import evenly_spaced, list_images
from ..emit.onnx import emit_onnx
from ..evaluation.verify import DETECTED
from ..graph import DetectorGraph
from ..model_under_test import EngineModel
from .front import agreement

MAX_IMAGES = 144


@dataclass(frozen=True)
class SearchImages:
    """Images that choose, those of the validation split, and those that pruning is fitted to."""

    choosing: list[Image]
    held_back: list[Image]
    fitting: list[Image]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The (height, width) of all images."""
        whole = (*self.choosing, *self.held_back, *self.fitting)
        return [(image.shape[0], image.shape[1]) for image in whole]


def read_images(folder: Path) -> SearchImages:
    """Up to 144 images of `folder`, evenly spaced; those that cannot be read are left out.

    Raises:
        InputError: fewer than two can be read.
    """
    paths = evenly_spaced(list_images(folder), MAX_IMAGES)
    images = []
    for path in paths:
        try:
            images.append(read_image(path))
        except InputError:
            continue  # calibration warns about it
    if len(images) < 2:
        raise InputError(
            folder, f"{len(images)} readable images", "Give about a hundred from the camera's view"
        )
    return SearchImages(images[::3], images[1::3], images[2::3])


class Judge:
    """Compares graphs with the source by their detections."""

    def __init__(self, source: DetectorGraph, images: SearchImages) -> None:
        self._source = {
            id(group): _detections(source, group) for group in (images.choosing, images.held_back)
        }

    def score(self, graph: DetectorGraph, group: list[Image]) -> float:
        """The agreement on one of the two groups of images."""
        return agreement(_detections(graph, group), self._source[id(group)])


def _detections(graph: DetectorGraph, images: list[Image]) -> list[Detections]:
    with OnnxEngine(emit_onnx(graph), Path("candidate.onnx"), num_threads=1) as engine:
        model = EngineModel(engine, (DETECTED,))
        return [model.predict(image).detections[0] for image in images]
