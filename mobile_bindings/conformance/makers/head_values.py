"""Grid, values and box coordinates of heads of all kinds."""

from __future__ import annotations

import math
import random
import struct

CLASSES = 3
WIDTH, HEIGHT, STRIDE = 5, 4, 16
LETTERBOX = {"gain_x": 0.5, "gain_y": 0.5, "pad_x": 4, "pad_y": 2, "source_width": 144,
             "source_height": 120}  # fmt: skip
Row = list[float]
# The values of each cell (row, column), channel by channel.
Entries = dict[tuple[int, int], Row]


def sigmoid(value: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-value))


def quantized(dtype: str) -> tuple[float, int]:
    """Scale and zero point of a head."""
    return {"int8": (0.05, 5), "uint8": (0.04, 120)}.get(dtype, (1.0, 0))


def drawn(rng: random.Random, dtype: str, mean: float = 0.0) -> float:
    """A value of a head, of real mean `mean` and a standard deviation of about 2."""
    scale, zero = quantized(dtype)
    if dtype.startswith("float"):
        value = round(rng.gauss(mean, 2), 3)
        return struct.unpack("<e", struct.pack("<e", value))[0] if dtype == "float16" else value
    low, high = (0, 255) if dtype == "uint8" else (-128, 127)
    return min(max(round(rng.gauss(mean / scale, 45)) + zero, low), high)


def source_sides(corners: tuple[float, ...]) -> Row:
    """x1, y1, x2, y2 of the input as pixels of the source."""
    return [
        (value - LETTERBOX[f"pad_{axis}"]) / LETTERBOX[f"gain_{axis}"]
        for value, axis in zip(corners, "xyxy", strict=True)
    ]


def ordered(entries: Entries, layout: str) -> Row:
    """All values in the order of the layout."""
    cells = [(y, x) for y in range(HEIGHT) for x in range(WIDTH)]
    if layout == "NHWC":
        return [value for cell in cells for value in entries[cell]]
    return [entries[cell][channel] for channel in range(len(entries[0, 0])) for cell in cells]
