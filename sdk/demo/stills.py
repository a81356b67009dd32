"""Saves frames as images with YOLO label files, for calibration and evaluation."""

from __future__ import annotations

from pathlib import Path

import cv2

from tallylens.edge_runtime.files import write_all

from .scene import Shot

QUALITY = 95


class Stills:
    """Saves frames into `folder`/images and `folder`/labels.

    A label file has one line per object: `class cx cy w h`, as fractions of the frame's size.
    """

    def __init__(self, folder: Path) -> None:
        self.images, self.labels = folder / "images", folder / "labels"

    def save(self, stem: str, shot: Shot) -> None:
        """Write STEM.jpg and STEM.txt.

        Raises:
            InputError: the folder cannot be created or written to.
            UnavailableError: the disk is full.
        """
        _, encoded = cv2.imencode(".jpg", shot.image, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
        write_all(
            {
                self.images / f"{stem}.jpg": encoded.tobytes(),
                self.labels / f"{stem}.txt": yolo_labels(shot).encode(),
            }
        )


def yolo_labels(shot: Shot) -> str:
    """The content of the label file of a frame."""
    height, width = shot.image.shape[:2]
    lines = []
    for class_id, (x1, y1, x2, y2) in zip(shot.class_id, shot.xyxy.tolist(), strict=True):
        center, sides = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height), (x2 - x1, y2 - y1)
        numbers = (*center, sides[0] / width, sides[1] / height)
        lines.append(" ".join([str(class_id), *(f"{number:.6f}" for number in numbers)]) + "\n")
    return "".join(lines)
