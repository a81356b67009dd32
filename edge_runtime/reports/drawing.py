"""A pen that draws boxes, regions and counts over a frame."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np

from ..counting.region import Point, Shape
from ..sources.opencv import load_cv2
from ..types import Detections, Image, Tracks

Color = tuple[int, int, int]

INK: Color = (255, 255, 255)
LINE_COLOR: Color = (0, 215, 255)
ZONE_COLOR: Color = (255, 160, 60)
IGNORED_COLOR: Color = (22, 115, 249)
GOLDEN_RATIO = 0.618034

cv2 = load_cv2()


def class_color(class_id: int) -> Color:
    """A BGR color that differs clearly between neighboring classes."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * GOLDEN_RATIO % 1.0, 0.75, 0.9)
    return round(255 * blue), round(255 * green), round(255 * red)


class Pen:
    """Draws on one frame, with strokes scaled to its size.

    Args:
        image: (height, width, 3) uint8 BGR; drawn on.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.unit = max(image.shape[:2]) / 640
        self.stroke = max(1, round(1.5 * self.unit))

    def text(self, text: str, at: Point, ground: Color) -> None:
        """White text on a block of color; `at` is its lower left corner, kept in the frame."""
        scale, weight = 0.45 * self.unit, max(1, round(self.unit))
        (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
        frame_height, frame_width = self.image.shape[:2]
        x = int(min(max(at[0], 0), max(frame_width - width, 0)))
        y = int(min(max(at[1], height + base), frame_height))
        cv2.rectangle(self.image, (x, y - height - base), (x + width, y), ground, cv2.FILLED)
        cv2.putText(
            self.image,
            text,
            (x, y - base // 2),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            INK,
            weight,
            cv2.LINE_AA,
        )

    def tracks(self, tracks: Tracks, class_names: Sequence[str]) -> None:
        """A box, a class name and a track id for each object."""
        rows = zip(tracks.xyxy, tracks.class_id, tracks.track_id, strict=True)
        for (x1, y1, x2, y2), class_id, track_id in rows:
            color = class_color(int(class_id))
            corners = (int(x1), int(y1)), (int(x2), int(y2))
            cv2.rectangle(self.image, *corners, color, self.stroke, cv2.LINE_AA)
            self.text(f"{class_names[class_id]} {track_id}", (x1, y1), color)

    def detections(self, found: Detections, class_names: Sequence[str]) -> None:
        """A box, a class name and a confidence for each detection."""
        rows = zip(found.xyxy, found.class_id, found.confidence, strict=True)
        for (x1, y1, x2, y2), class_id, confidence in rows:
            color = class_color(int(class_id))
            corners = (int(x1), int(y1)), (int(x2), int(y2))
            cv2.rectangle(self.image, *corners, color, self.stroke, cv2.LINE_AA)
            self.text(f"{class_names[class_id]} {confidence:.2f}", (x1, y1), color)

    def region(self, shape: Shape, points: Sequence[Point], label: str) -> None:
        """A region of any kind, in pixels."""
        if shape == "segment":
            self.line(points[0], points[1], label)
        else:
            self.zone(points, label)

    def line(self, start: Point, end: Point, label: str) -> None:
        """A counting line, with an arrow in its middle in the direction `in`."""
        first, last = _pixel(start), _pixel(end)
        cv2.line(self.image, first, last, LINE_COLOR, 2 * self.stroke, cv2.LINE_AA)
        length = math.dist(start, end)
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        # A quarter turn clockwise on the screen: to the right when facing from start to end.
        step = 24 * self.unit / max(length, 1e-6)
        tip = (middle[0] - (end[1] - start[1]) * step, middle[1] + (end[0] - start[0]) * step)
        cv2.arrowedLine(
            self.image,
            _pixel(middle),
            _pixel(tip),
            LINE_COLOR,
            2 * self.stroke,
            cv2.LINE_AA,
            tipLength=0.4,
        )
        self.text(label, (start[0] + 4 * self.unit, start[1] - 4 * self.unit), (40, 110, 140))

    def zone(self, corners: Sequence[Point], label: str) -> None:
        """The outline of a zone."""
        outline = np.array([_pixel(corner) for corner in corners], np.int32)
        cv2.polylines(self.image, [outline], True, ZONE_COLOR, self.stroke, cv2.LINE_AA)
        self.text(label, corners[0], (130, 70, 20))

    def ignored(self, corners: Sequence[Point], label: str) -> None:
        """A zone in which nothing is counted, darkened."""
        outline = np.array([_pixel(corner) for corner in corners], np.int32)
        shade = self.image.copy()
        cv2.fillPoly(shade, [outline], (0, 0, 0))
        cv2.addWeighted(shade, 0.5, self.image, 0.5, 0, self.image)
        cv2.polylines(self.image, [outline], True, IGNORED_COLOR, self.stroke, cv2.LINE_AA)
        self.text(label, corners[0], (60, 60, 60))


def _pixel(point: Point) -> tuple[int, int]:
    return round(point[0]), round(point[1])
