"""Decoding and non-maximum suppression inside the package, for Vision.

The detector then gives `raw_confidence` (boxes, classes) and `raw_coordinates` (boxes, 4), and
Core ML's own NonMaximumSuppression model follows it in a pipeline, with the class names in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ....edge_runtime.metadata import ModelMetadata
from ....edge_runtime.types import FloatArray
from .distribution import decode_distributions
from .ops import Var, Writer

CONFIDENCE = "confidence"
COORDINATES = "coordinates"
CONFIDENCE_THRESHOLD = 0.25
IOU_THRESHOLD = 0.45

# Core ML's NMS behind an ML program reads wrong confidences unless a box has a multiple of 80 of
# them (ultralytics/ultralytics#22309). Columns of zeros are never reported.
_COLUMNS = 80


def padded_labels(class_names: Sequence[str]) -> list[str]:
    """The class names, and names for the columns that fill up the last 80."""
    missing = -len(class_names) % _COLUMNS
    return [*class_names, *(f"unused {number}" for number in range(missing))]


def decode_boxes(writer: Writer, heads: Sequence[Var], metadata: ModelMetadata) -> tuple[Var, Var]:
    """Boxes from the raw head outputs: confidence, then coordinates, both float32.

    Boxes are center x, center y, width and height as fractions of the input. A confidence is
    objectness times class score, or the class score of heads without objectness.
    """
    if metadata.reg_max:
        scores, boxes = decode_distributions(writer, heads, metadata, f"raw_{COORDINATES}")
        padded = _padded(writer, scores, metadata)
        return writer.mb.cast(x=padded, dtype="fp32", name=f"raw_{CONFIDENCE}"), boxes
    mb, classes = writer.mb, metadata.num_classes
    rows = [_rows(mb, head, 5 + classes, index) for index, head in enumerate(heads)]
    chances = mb.sigmoid(x=mb.concat(values=rows, axis=0, name="logits"), name="chances")
    count = int(chances.shape[0])
    box = mb.slice_by_size(x=chances, begin=[0, 0], size=[count, 4], name="box")
    objectness = mb.slice_by_size(x=chances, begin=[0, 4], size=[count, 1], name="objectness")
    scores = mb.slice_by_size(x=chances, begin=[0, 5], size=[count, classes], name="scores")
    confidence = mb.mul(x=scores, y=objectness, name="product")
    confidence = _padded(writer, confidence, metadata)
    return (
        mb.cast(x=confidence, dtype="fp32", name=f"raw_{CONFIDENCE}"),
        _coordinates(mb, mb.cast(x=box, dtype="fp32", name="box_fp32"), metadata),
    )


def _padded(writer: Writer, scores: Var, metadata: ModelMetadata) -> Var:
    """(n, classes) with columns of zeros, as `padded_labels` has them."""
    count, classes = (int(side) for side in scores.shape)
    missing = len(padded_labels(metadata.class_names)) - classes
    if not missing:
        return scores
    zeros = writer.floats(np.zeros((count, missing)))
    return writer.mb.concat(values=[scores, zeros], axis=1, name="padded")


def _rows(mb: Any, head: Var, length: int, index: int) -> Var:
    """(1, na * length, h, w) to (na * h * w, length)."""
    _, channels, height, width = head.shape
    apart = mb.reshape(
        x=head, shape=[channels // length, length, height * width], name=f"anchors{index}"
    )
    turned = mb.transpose(x=apart, perm=[0, 2, 1], name=f"cells{index}")
    return mb.reshape(x=turned, shape=[-1, length], name=f"rows{index}")


def _coordinates(mb: Any, box: Var, metadata: ModelMetadata) -> Var:
    """Sigmoids (n, 4) to boxes; float32, because float16 cannot resolve half a pixel."""
    count = int(box.shape[0])
    scale, offset, size = box_constants(metadata)
    center = mb.slice_by_size(x=box, begin=[0, 0], size=[count, 2], name="center_chance")
    center = mb.add(x=mb.mul(x=center, y=scale), y=offset, name="center")
    sides = mb.slice_by_size(x=box, begin=[0, 2], size=[count, 2], name="side_chance")
    sides = mb.mul(x=mb.mul(x=sides, y=sides), y=size, name="sides")
    return mb.concat(values=[center, sides], axis=1, name=f"raw_{COORDINATES}")


def box_constants(metadata: ModelMetadata) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(n, 2) each, with s the sigmoid: center = s * scale + offset, sides = s * s * size."""
    height, width = metadata.input_size
    image = np.array([width, height], np.float32)
    parts: list[list[npt.NDArray[Any]]] = [[], [], []]
    for stride, anchors in zip(metadata.strides, metadata.anchors, strict=True):
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells = np.tile(np.stack([columns.ravel(), rows.ravel()], 1), (len(anchors), 1))
        parts[0].append(np.broadcast_to(2 * stride / image, cells.shape))
        parts[1].append((cells - 0.5) * stride / image)
        parts[2].append(np.repeat(4 * np.array(anchors) / image, rows.size, axis=0))
    scale, offset, size = (np.concatenate(part).astype(np.float32) for part in parts)
    return scale, offset, size


def add_nms(detector: Any, class_names: Sequence[str]) -> Any:
    """A pipeline of `detector` and Core ML's NMS, with optional thresholds as inputs."""
    from coremltools.proto import Model_pb2

    version = detector.specificationVersion
    suppression = _suppression(detector, padded_labels(class_names), version)
    pipeline = Model_pb2.Model(specificationVersion=version)
    pipeline.pipeline.models.extend([detector, suppression])
    pipeline.pipeline.names.extend(["detector", "suppression"])
    pipeline.description.input.extend(
        [*detector.description.input, *list(suppression.description.input)[2:]]
    )
    pipeline.description.output.extend(suppression.description.output)
    return pipeline


def _suppression(detector: Any, labels: Sequence[str], version: int) -> Any:
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model(specificationVersion=version)
    model.description.input.extend(detector.description.output)
    for name in ("iouThreshold", "confidenceThreshold"):
        model.description.input.add(name=name).type.doubleType.SetInParent()
        model.description.input[-1].type.isOptional = True
    for name, columns in ((CONFIDENCE, len(labels)), (COORDINATES, 4)):
        array = model.description.output.add(name=name).type.multiArrayType
        array.dataType = array.DOUBLE
        array.shapeRange.sizeRanges.add(lowerBound=0, upperBound=-1)
        array.shapeRange.sizeRanges.add(lowerBound=columns, upperBound=columns)
    nms = model.nonMaximumSuppression
    nms.confidenceInputFeatureName = f"raw_{CONFIDENCE}"
    nms.coordinatesInputFeatureName = f"raw_{COORDINATES}"
    nms.confidenceOutputFeatureName = CONFIDENCE
    nms.coordinatesOutputFeatureName = COORDINATES
    nms.iouThresholdInputFeatureName = "iouThreshold"
    nms.confidenceThresholdInputFeatureName = "confidenceThreshold"
    nms.iouThreshold = IOU_THRESHOLD
    nms.confidenceThreshold = CONFIDENCE_THRESHOLD
    nms.pickTop.perClass = True
    nms.stringClassLabels.vector.extend(labels)
    return model
