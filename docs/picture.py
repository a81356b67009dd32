"""Renders docs/annotated-frame.jpg: a drawn street, annotated by the product's own code.

python docs/picture.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tallylens.annotate import draw
from tallylens.counter import Counted
from tallylens.edge_runtime.types import Detections, Frame, Image, Line, Tracks
from tallylens.tally import Tally

WIDTH, HEIGHT, FPS, FRAMES = 960, 540, 30, 75
CLASSES = ("car", "bus", "person")
BGR = tuple[int, int, int]
# Class, lane centre at the bottom, paint, start frame, frames from the horizon to the bottom edge.
TRAFFIC: tuple[tuple[int, float, BGR, int, int], ...] = (
    (0, 0.62, (60, 60, 200), -50, 90),
    (0, 0.62, (180, 120, 60), -8, 100),
    (1, 0.78, (40, 170, 230), -28, 130),
    (0, 0.78, (210, 210, 210), 20, 110),
)
HORIZON = 0.34


def street() -> Image:
    """Sky, meadow and road, with a little grain."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    horizon = int(HORIZON * HEIGHT)
    fade = np.linspace(0, 1, horizon)[:, None, None]
    image[:horizon] = (235, 190, 140) + fade * np.array([15, 40, 80])
    image[horizon:] = (90, 140, 110)
    corners = [(0.44, HORIZON), (0.52, HORIZON), (0.98, 1), (0.42, 1)]
    road = np.array([(x * WIDTH, y * HEIGHT) for x, y in corners], np.int32)
    cv2.fillPoly(image, [road], (105, 100, 100), cv2.LINE_AA)
    for step in range(12):
        y1, y2 = (HORIZON + (1 - HORIZON) * ((step + part) / 12) ** 1.8 for part in (0, 0.5))
        ends = [(int((0.48 + 0.34 * (y - HORIZON)) * WIDTH), int(y * HEIGHT)) for y in (y1, y2)]
        cv2.line(image, *ends, (230, 230, 230), max(1, int(6 * y2)), cv2.LINE_AA)
    grain = np.random.default_rng(1).normal(0, 4, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def vehicles(frame: int) -> list[tuple[int, tuple[float, float, float, float], BGR]]:
    """Class, xyxy in pixels and paint of every vehicle on the road, the farthest first."""
    found = []
    for class_id, lane, paint, first, duration in TRAFFIC:
        near = ((frame - first) / duration) ** 1.6 if frame > first else 0.0
        if not 0.02 < near < 1.2:
            continue
        bottom = (HORIZON + (1 - HORIZON) * near) * HEIGHT
        centre = (0.48 + (lane - 0.48) * near) * WIDTH
        width = (0.03 + 0.13 * near) * WIDTH * (1.15 if class_id else 1)
        height = width * (0.95 if class_id else 0.66)
        box = (centre - width / 2, bottom - height, centre + width / 2, bottom)
        found.append((class_id, box, paint))
    return sorted(found, key=lambda one: one[1][3])


def paint_vehicle(image: Image, box: tuple[float, float, float, float], paint: BGR) -> None:
    """A body, a windscreen, lamps and wheels."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1

    def block(left: float, top: float, right: float, bottom: float, colour: BGR) -> None:
        first = (int(x1 + left * width), int(y1 + top * height))
        last = (int(x1 + right * width), int(y1 + bottom * height))
        cv2.rectangle(image, first, last, colour, cv2.FILLED, cv2.LINE_AA)

    block(0.08, 0.85, 0.25, 1, (25, 25, 25))
    block(0.75, 0.85, 0.92, 1, (25, 25, 25))
    block(0, 0.45, 1, 0.9, paint)
    block(0.12, 0, 0.88, 0.5, paint)
    block(0.18, 0.08, 0.82, 0.45, (90, 80, 70))
    block(0.04, 0.55, 0.18, 0.68, (200, 250, 255))
    block(0.82, 0.55, 0.96, 0.68, (200, 250, 255))


def main() -> None:
    """Count the drawn traffic and write the last frame."""
    tally = Tally(CLASSES, (WIDTH, HEIGHT), lines=[Line(0.4, 0.68, 0.95, 0.68, "road")])
    ground = street()
    for index in range(FRAMES):
        image = ground.copy()
        traffic = vehicles(index)
        for _, box, paint in traffic:
            paint_vehicle(image, box, paint)
        detections = Detections(
            np.array([box for _, box, _ in traffic], np.float32).reshape(-1, 4),
            np.full(len(traffic), 0.9, np.float32),
            np.array([class_id for class_id, _, _ in traffic], np.int32),
        )
        timestamp_ns = index * 1_000_000_000 // FPS
        tracks: Tracks
        tracks, events = tally.add(timestamp_ns, detections)
    draw(image, Counted(Frame(image, timestamp_ns, index), detections, tracks, events), tally)
    cv2.imwrite(str(Path(__file__).with_name("annotated-frame.jpg")), image)


if __name__ == "__main__":
    main()
