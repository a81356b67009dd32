"""A careful counting script of today's libraries: OpenCV, LiteRT, numpy, trackers, supervision.

What a skilled user would write without tallylens: everything vectorised, the threshold applied to
the raw objectness before anything else is dequantized, OpenCV's batched NMS, ByteTrack, a line
zone. It takes the same int8 model with raw head outputs; the interpreter may use every core.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import supervision as sv
from ai_edge_litert.interpreter import Interpreter
from trackers import ByteTrackTracker

CONFIDENCE, IOU = 0.25, 0.45


class PeerDetector:
    """YOLOv5 with raw head outputs on LiteRT and numpy."""

    def __init__(self, model: Path, threads: int, metadata: dict[str, Any]) -> None:
        self.interpreter = Interpreter(str(model), num_threads=threads)
        self.interpreter.allocate_tensors()
        details = self.interpreter.get_input_details()[0]
        self.input = details["index"]
        self.height, self.width = details["shape"][1:3]
        self.classes = len(metadata["class_names"])
        self.heads = []
        for output in self.interpreter.get_output_details():
            _, h, w, _ = output["shape"]
            stride = self.height // h
            place = metadata["strides"].index(stride)
            anchors = np.array(metadata["anchors"][place], np.float32)
            grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).reshape(-1, 2)
            scale, zero = output["quantization"]
            limit = math.log(CONFIDENCE / (1 - CONFIDENCE)) / scale + zero
            self.heads.append((output["index"], stride, anchors, grid, scale, zero, limit))

    def letterbox(self, image: np.ndarray) -> tuple[np.ndarray, float, int, int]:
        """RGB on gray, the gain and the padding."""
        h, w = image.shape[:2]
        gain = min(self.height / h, self.width / w)
        new_w, new_h = round(w * gain), round(h * gain)
        if (new_w, new_h) != (w, h):
            image = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
        left, top = (self.width - new_w) // 2, (self.height - new_h) // 2
        image = cv2.copyMakeBorder(
            image,
            top,
            self.height - new_h - top,
            left,
            self.width - new_w - left,
            cv2.BORDER_CONSTANT,
            value=(114, 114, 114),
        )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), gain, left, top

    def detect(self, image: np.ndarray) -> sv.Detections:
        """Boxes in pixels of the frame."""
        boxed, gain, left, top = self.letterbox(image)
        self.interpreter.set_tensor(self.input, boxed[None])
        self.interpreter.invoke()
        xyxy, scores, classes = [], [], []
        for index, stride, anchors, grid, scale, zero, limit in self.heads:
            raw = self.interpreter.get_tensor(index).reshape(len(grid), len(anchors), -1)
            cell, anchor = np.nonzero(raw[..., 4] > limit)
            if not len(cell):
                continue
            rows = (raw[cell, anchor].astype(np.float32) - zero) * scale
            rows = 1 / (1 + np.exp(-rows))
            label = rows[:, 5:].argmax(1)
            score = rows[:, 4] * rows[np.arange(len(rows)), 5 + label]
            keep = score > CONFIDENCE
            rows, label, score, cell, anchor = (
                one[keep] for one in (rows, label, score, cell, anchor)
            )
            center = (rows[:, :2] * 2 - 0.5 + grid[cell]) * stride
            half = (rows[:, 2:4] * 2) ** 2 * anchors[anchor] / 2
            xyxy.append(np.concatenate([center - half, center + half], 1))
            scores.append(score)
            classes.append(label)
        if not xyxy:
            return sv.Detections.empty()
        boxes, confidence = np.concatenate(xyxy), np.concatenate(scores)
        class_id = np.concatenate(classes)
        wh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        kept = cv2.dnn.NMSBoxesBatched(
            wh.tolist(), confidence.tolist(), class_id.tolist(), CONFIDENCE, IOU
        )
        boxes = (boxes[kept] - [left, top, left, top]) / gain
        return sv.Detections(
            boxes.astype(np.float32), confidence=confidence[kept], class_id=class_id[kept]
        )


def count(model: Path, video: Path, threads: int, metadata: dict[str, Any]) -> tuple[int, int, int]:
    """(frames, in, out) of a line across the frame at 0.6 of its height."""
    detector = PeerDetector(model, threads, metadata)
    capture = cv2.VideoCapture(str(video))
    width = capture.get(cv2.CAP_PROP_FRAME_WIDTH)
    y = 0.6 * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    tracker = ByteTrackTracker(frame_rate=capture.get(cv2.CAP_PROP_FPS))
    line = sv.LineZone(
        sv.Point(width, y), sv.Point(0, y), triggering_anchors=(sv.Position.BOTTOM_CENTER,)
    )
    frames = 0
    while True:
        found, image = capture.read()
        if not found:
            break
        tracked = tracker.update(detector.detect(image))
        if tracked.tracker_id is not None and len(tracked):
            line.trigger(tracked[tracked.tracker_id >= 0])
        frames += 1
    return frames, line.in_count, line.out_count


def metadata_of(text: str) -> dict[str, Any]:
    """tallylens's metadata: a peer would hold the same numbers in a file of its own."""
    return dict(json.loads(text))
