"""A slow, plain YOLOv5 decoder and NMS in numpy, independent of the core."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tallylens.converters.calibration import letterbox
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Detections, Image

Floats = npt.NDArray[np.float32]
CONFIDENCE = 0.001
NMS_IOU = 0.6
MAX_DETECTIONS = 300
# Boxes of different classes are moved this far apart, so that one NMS serves all classes.
CLASS_OFFSET = 7680.0


def sigmoid(x: Floats) -> Floats:
    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)


def decode(heads: Sequence[Floats], metadata: ModelMetadata) -> Floats:
    """Heads (1, h, w, na * (5 + nc)) to (n, 5 + nc): centre, size in pixels, probabilities."""
    rows = []
    for head, stride, anchors in zip(heads, metadata.strides, metadata.anchors, strict=True):
        _, height, width, _ = head.shape
        values = sigmoid(head.reshape(height, width, len(anchors), -1))
        y, x = np.mgrid[:height, :width]
        cells = np.stack([x, y], axis=-1)[:, :, None]
        centre = (values[..., :2] * 2 - 0.5 + cells) * stride
        size = (values[..., 2:4] * 2) ** 2 * np.asarray(anchors, np.float32)
        rows.append(
            np.concatenate([centre, size, values[..., 4:]], -1).reshape(-1, values.shape[-1])
        )
    return np.concatenate(rows)


def non_maximum_suppression(xyxy: Floats, scores: Floats, limit: float) -> npt.NDArray[np.intp]:
    """Indices of the boxes that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    areas = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(xyxy[best, :2], xyxy[order, :2])
        high = np.minimum(xyxy[best, 2:], xyxy[order, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        order = order[shared / (areas[best] + areas[order] - shared) <= limit]
    return np.asarray(kept, np.intp)


def detector(
    heads: Callable[[Image], Sequence[Floats]], metadata: ModelMetadata
) -> Callable[[Image], Detections]:
    """`detect` for `evaluate`; `heads` maps a letterboxed RGB image to NHWC float heads."""

    def detect(image: Image) -> Detections:
        height, width = metadata.input_size
        rows = decode(heads(letterbox(image, metadata.input_size)), metadata)
        rows = rows[rows[:, 4] > CONFIDENCE]
        scores = rows[:, 4:5] * rows[:, 5:]
        row, class_id = np.nonzero(scores > CONFIDENCE)
        confidence = scores[row, class_id]
        half = rows[row, 2:4] / 2
        xyxy = np.concatenate([rows[row, :2] - half, rows[row, :2] + half], axis=1)
        apart = xyxy + class_id[:, None].astype(np.float32) * CLASS_OFFSET
        kept = non_maximum_suppression(apart, confidence, NMS_IOU)[:MAX_DETECTIONS]
        gain = min(width / image.shape[1], height / image.shape[0])
        left = round((width - round(image.shape[1] * gain)) / 2 - 0.1)
        top = round((height - round(image.shape[0] * gain)) / 2 - 0.1)
        boxes = (xyxy[kept] - [left, top, left, top]) / gain
        boxes = np.clip(boxes, 0, [image.shape[1], image.shape[0]] * 2)
        return Detections(
            boxes.astype(np.float32), confidence[kept], class_id[kept].astype(np.int32)
        )

    return detect
