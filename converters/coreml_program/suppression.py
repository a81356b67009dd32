"""Runs a Core ML package that ends in boxes: the program, then NMS as Core ML does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...edge_runtime.boxes import box_iou
from ...edge_runtime.core import Preprocessor
from ...edge_runtime.core.preprocessor import Letterbox
from ...edge_runtime.errors import UnsupportedModelError
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections, FloatArray, Image
from .evaluator import Evaluator
from .package import AGAIN, read_package

OUTPUTS = ("raw_confidence", "raw_coordinates")


class SuppressedPackage:
    """A package that was converted with `--nms`."""

    name = "coreml-evaluator"

    def __init__(self, path: Path) -> None:
        """Read the package.

        Raises:
            ModelError: it is damaged.
            UnsupportedModelError: it does not end in boxes.
            MissingExtraError: coremltools or ONNX Runtime is not installed.
        """
        package = read_package(path)
        self.metadata: ModelMetadata = package.metadata
        self._evaluator = Evaluator(package)
        if self._evaluator.program.outputs != OUTPUTS:
            raise UnsupportedModelError(path, "a package that does not end in boxes", AGAIN)
        self._preprocessor = Preprocessor()
        self._pixels = np.zeros((1, 3, *self.metadata.input_size), np.uint8)

    def boxes(self, image: Image) -> tuple[FloatArray, FloatArray]:
        """Before suppression: confidence (n, classes), and xyxy (n, 4) in pixels of `image`.

        `image` is (height, width, 3) uint8 BGR.
        """
        letterbox = self._preprocessor.run(image, self._pixels, layout="NCHW")
        confidence, coordinates = self._evaluator.run(self._pixels)
        boxes = _source_pixels(coordinates, self.metadata.input_size, letterbox)
        return confidence[:, : self.metadata.num_classes], boxes


def suppress(confidence: FloatArray, xyxy: FloatArray, threshold: float, iou: float) -> Detections:
    """Per class, best first: a box goes when one that stays overlaps it by more than `iou`.

    As Core ML's NonMaximumSuppression does it with `pickTop.perClass`.
    """
    kept: list[tuple[float, int, int]] = []
    for class_id in np.flatnonzero((confidence > threshold).any(0)).tolist():
        rows = np.flatnonzero(confidence[:, class_id] > threshold)
        rows = rows[np.argsort(-confidence[rows, class_id], kind="stable")]
        while len(rows):
            best, rows = rows[0], rows[1:]
            kept.append((float(confidence[best, class_id]), class_id, int(best)))
            rows = rows[box_iou(xyxy[best][None], xyxy[rows])[0] <= iou]
    kept.sort(key=lambda entry: -entry[0])
    return Detections(
        xyxy[[row for _, _, row in kept]].reshape(-1, 4),
        np.array([score for score, _, _ in kept], np.float32),
        np.array([class_id for _, class_id, _ in kept], np.int32),
    )


def _source_pixels(
    coordinates: FloatArray, size: tuple[int, int], letterbox: Letterbox
) -> FloatArray:
    """Center and size as fractions of the input to xyxy in pixels of the letterboxed image."""
    height, width = size
    centers, sides = np.split(coordinates * np.tile([width, height], 2), 2, axis=1)
    corners = np.concatenate([centers - sides / 2, centers + sides / 2], axis=1)
    pad = np.tile([letterbox.pad_x, letterbox.pad_y], 2)
    gain = np.tile([letterbox.gain_x, letterbox.gain_y], 2)
    limit = np.tile([letterbox.source_width, letterbox.source_height], 2)
    return np.asarray(np.clip((corners - pad) / gain, 0, limit), np.float32)
