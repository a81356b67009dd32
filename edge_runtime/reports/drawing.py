"""Boxes, lines and counts drawn over a frame."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..counting.report import ClassCounts
from ..sources.opencv import load_cv2
from ..types import Detections, Image, Tracks

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (255, 255, 255)
LINE_COLOUR: Colour = (0, 215, 255)
ZONE_COLOUR: Colour = (255, 160, 60)
GOLDEN_RATIO = 0.618034

cv2 = load_cv2()


def class_colour(class_id: int) -> Colour:
    """A BGR colour that differs clearly between neighbouring classes."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * GOLDEN_RATIO % 1.0, 0.75, 0.9)
    return round(255 * blue), round(255 * green), round(255 * red)


class Pen:
    """Draws on one frame, in strokes that suit its size.

    Args:
        image: (height, width, 3) uint8 BGR; drawn on.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.unit = max(image.shape[:2]) / 640
        self.stroke = max(1, round(1.5 * self.unit))

    def text(self, text: str, at: Point, ground: Colour) -> None:
        """White text on a block of colour; `at` is its lower left corner, kept in the frame."""
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
        """A box, a name and a number for each object."""
        rows = zip(tracks.xyxy, tracks.class_id, tracks.track_id, strict=True)
        for (x1, y1, x2, y2), class_id, track_id in rows:
            colour = class_colour(int(class_id))
            corners = (int(x1), int(y1)), (int(x2), int(y2))
            cv2.rectangle(self.image, *corners, colour, self.stroke, cv2.LINE_AA)
            self.text(f"{class_names[class_id]} {track_id}", (x1, y1), colour)

    def detections(self, found: Detections, class_names: Sequence[str]) -> None:
        """A box, a name and a confidence for each detection."""
        rows = zip(found.xyxy, found.class_id, found.confidence, strict=True)
        for (x1, y1, x2, y2), class_id, confidence in rows:
            colour = class_colour(int(class_id))
            corners = (int(x1), int(y1)), (int(x2), int(y2))
            cv2.rectangle(self.image, *corners, colour, self.stroke, cv2.LINE_AA)
            self.text(f"{class_names[class_id]} {confidence:.2f}", (x1, y1), colour)

    def line(self, start: Point, end: Point, label: str) -> None:
        """A counting line, and in its middle an arrow that shows which way is `in`."""
        first, last = _pixel(start), _pixel(end)
        cv2.line(self.image, first, last, LINE_COLOUR, 2 * self.stroke, cv2.LINE_AA)
        length = math.dist(start, end)
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        # A quarter turn clockwise on the screen: the walker's right-hand side.
        step = 24 * self.unit / max(length, 1e-6)
        tip = (middle[0] - (end[1] - start[1]) * step, middle[1] + (end[0] - start[0]) * step)
        cv2.arrowedLine(
            self.image,
            _pixel(middle),
            _pixel(tip),
            LINE_COLOUR,
            2 * self.stroke,
            cv2.LINE_AA,
            tipLength=0.4,
        )
        self.text(label, (start[0] + 4 * self.unit, start[1] - 4 * self.unit), (40, 110, 140))

    def zone(self, corners: Sequence[Point], label: str) -> None:
        """The outline of a zone."""
        outline = np.array([_pixel(corner) for corner in corners], np.int32)
        cv2.polylines(self.image, [outline], True, ZONE_COLOUR, self.stroke, cv2.LINE_AA)
        self.text(label, corners[0], (130, 70, 20))


def _pixel(point: Point) -> tuple[int, int]:
    return round(point[0]), round(point[1])


def counts_label(name: str, counts: Mapping[str, ClassCounts]) -> str:
    """`name  in 3  out 1`: sums over classes."""
    sums = (f"{title} {sum(numbers.values())}" for title, numbers in counts.items())
    return "  ".join((name, *sums))
