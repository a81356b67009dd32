"""A frame with a grid of coordinates, for machines without a browser."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.files import write_all
from tallylens.edge_runtime.reports.drawing import Pen
from tallylens.edge_runtime.reports.formats import check_output
from tallylens.edge_runtime.sources.opencv import load_cv2
from tallylens.edge_runtime.types import Image
from tallylens.pick.drawing import DrawnRegion
from tallylens.pick.frame import PickedFrame

SUFFIXES = (".png", ".jpg", ".jpeg")
STEPS = 10
GROUND = (60, 60, 60)
DARK, LIGHT = (0, 0, 0), (255, 255, 255)


def check_grid_path(path: Path) -> None:
    """Raise UsageError or InputError if no image can be written to `path`."""
    check_output(path, SUFFIXES)


def write_grid(frame: PickedFrame, path: Path, regions: Iterable[DrawnRegion] = ()) -> None:
    """Write the frame with a line at each tenth of its sides, labeled as fraction and pixels.

    Raises:
        UsageError: an unsupported format.
        InputError, UnavailableError: the file cannot be written.
    """
    image = frame.image.copy()
    draw_grid(image)
    pen, (width, height) = Pen(image), frame.size
    for region in regions:
        points = [(x * width, y * height) for x, y in region.points]
        label = region.name or region.kind
        if region.kind == "ignore":
            pen.ignored(points, label)
        else:
            pen.region("segment" if region.kind == "line" else "polygon", points, label)
    encoded, data = load_cv2().imencode(path.suffix.lower(), image)
    if not encoded:
        raise UsageError(f"{path} cannot be written as an image", "Use .png or .jpg")
    write_all({path: data.tobytes()})


def draw_grid(image: Image) -> None:
    """Draw the grid and its labels on a (height, width, 3) uint8 BGR image."""
    cv2, pen = load_cv2(), Pen(image)
    height, width = image.shape[:2]
    for step in range(1, STEPS):
        x, y = round(step * width / STEPS), round(step * height / STEPS)
        for start, end in (((x, 0), (x, height - 1)), ((0, y), (width - 1, y))):
            # Light on dark, so that it shows on any image.
            cv2.line(image, start, end, DARK, pen.stroke + 2)
            cv2.line(image, start, end, LIGHT, pen.stroke)
    line = 14 * pen.unit
    for step in range(1, STEPS):
        fraction, x, y = step / STEPS, step * width / STEPS, step * height / STEPS
        pen.text(f"{fraction:g}", (x, line), GROUND)
        pen.text(f"{x:.0f}", (x, 2 * line), GROUND)
        pen.text(f"{fraction:g}  {y:.0f}", (0, y), GROUND)
