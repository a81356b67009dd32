"""The letterbox in plain Python, pixel by pixel: conversion, turn, scale, padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Pixel = tuple[float, float, float]  # red, green, blue, 0 to 255
MATRICES = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722)}  # weights of red and blue
GRAY = 114.0


@dataclass(frozen=True)
class Picture:
    """Pixels by position; the form in which they are stored no longer matters."""

    width: int
    height: int
    at: Callable[[int, int], Pixel]


def rgb(y: float, u: float, v: float, full_range: bool, matrix: str) -> Pixel:
    """ITU-R BT.601-7 and BT.709-6 as they are written."""
    kr, kb = MATRICES[matrix]
    kg = 1 - kr - kb
    if full_range:
        light, blueness, redness = y, u - 128, v - 128
    else:
        light = 255 / 219 * (y - 16)
        blueness, redness = 255 / 224 * (u - 128), 255 / 224 * (v - 128)
    red, blue = light + 2 * (1 - kr) * redness, light + 2 * (1 - kb) * blueness
    green = (light - kr * red - kb * blue) / kg
    red, green, blue = (min(max(value, 0.0), 255.0) for value in (red, green, blue))
    return red, green, blue


def turned(picture: Picture, rotation: int) -> Picture:
    """The pixels turned clockwise by a multiple of 90 degrees."""
    for _ in range(rotation // 90):
        picture = _quarter(picture)
    return picture


def _quarter(picture: Picture) -> Picture:
    width, height, at = picture.width, picture.height, picture.at
    return Picture(height, width, lambda x, y: at(y, height - 1 - x))


def letterbox(source: Picture, width: int, height: int) -> tuple[Picture, dict[str, float]]:
    """`source` bilinear, aspect kept, centered on gray; and the mapping to it."""
    gain = min(width / source.width, height / source.height)
    inner = (
        min(max(round(source.width * gain), 1), width),
        min(max(round(source.height * gain), 1), height),
    )
    pad = ((width - inner[0]) // 2, (height - inner[1]) // 2)

    def at(x: int, y: int) -> Pixel:
        column, row = x - pad[0], y - pad[1]
        if not (0 <= column < inner[0] and 0 <= row < inner[1]):
            return GRAY, GRAY, GRAY
        return _sample(
            source,
            (column + 0.5) * source.width / inner[0] - 0.5,
            (row + 0.5) * source.height / inner[1] - 0.5,
        )

    mapping = {
        "gain_x": inner[0] / source.width,
        "gain_y": inner[1] / source.height,
        "pad_x": pad[0],
        "pad_y": pad[1],
        "source_width": source.width,
        "source_height": source.height,
    }
    return Picture(width, height, at), mapping


def _sample(source: Picture, x: float, y: float) -> Pixel:
    """Between the four pixels around a point; outside the frame those of its edge repeat."""
    x, y = min(max(x, 0), source.width - 1), min(max(y, 0), source.height - 1)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, source.width - 1), min(top + 1, source.height - 1)
    corners = [
        (source.at(left, top), (1 - (x - left)) * (1 - (y - top))),
        (source.at(right, top), (x - left) * (1 - (y - top))),
        (source.at(left, bottom), (1 - (x - left)) * (y - top)),
        (source.at(right, bottom), (x - left) * (y - top)),
    ]
    red, green, blue = (sum(pixel[i] * share for pixel, share in corners) for i in range(3))
    return red, green, blue
