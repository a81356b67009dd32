"""Anti-aliased drawings in meters, and pasting them into a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tallylens.edge_runtime.types import Image

Color = tuple[float, float, float]
Point = tuple[float, float]

SUPERSAMPLING = 3
SOLID = 128


@dataclass(frozen=True)
class Sprite:
    """A drawing: `pixels` (h, w, 4) uint8 BGR times alpha, and alpha.

    `foot` is the pixel that stands on the ground point, `ppm` the pixels per meter.
    """

    pixels: Image
    foot: Point
    ppm: float


class Canvas:
    """Draws in meters around a foot point at the bottom center, y up; `below` is space under it."""

    def __init__(self, width: float, height: float, ppm: float, below: float = 0.25) -> None:
        self.ppm = ppm
        self._scale = ppm * SUPERSAMPLING
        columns, rows = (max(4, int(np.ceil(m * ppm))) for m in (width, height + below))
        shape = (rows * SUPERSAMPLING, columns * SUPERSAMPLING)
        self._color = np.zeros((*shape, 3), np.uint8)
        self._alpha = np.zeros(shape, np.uint8)
        self._foot = (columns / 2, rows - below * ppm)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """A filled polygon."""
        corners = np.array([self._pixel(point) for point in points], np.int32)
        cv2.fillPoly(self._color, [corners], color)
        cv2.fillPoly(self._alpha, [corners], (255,))

    def rectangle(self, x1: float, y1: float, x2: float, y2: float, color: Color) -> None:
        """A filled rectangle."""
        self.polygon([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], color)

    def circle(self, center: Point, radius: float, color: Color, width: float = 0) -> None:
        """A disc, or a ring of `width`."""
        thickness = max(1, round(width * self._scale)) if width else cv2.FILLED
        pixels = max(1, round(radius * self._scale))
        cv2.circle(self._color, self._pixel(center), pixels, color, thickness)
        cv2.circle(self._alpha, self._pixel(center), pixels, (255,), thickness)

    def ellipse(self, center: Point, radii: Point, color: Color) -> None:
        """A filled ellipse."""
        axes = tuple(max(1, round(radius * self._scale)) for radius in radii)
        cv2.ellipse(self._color, self._pixel(center), axes, 0, 0, 360, color, cv2.FILLED)
        cv2.ellipse(self._alpha, self._pixel(center), axes, 0, 0, 360, (255,), cv2.FILLED)

    def limb(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A line with round ends through `points`."""
        thickness = max(1, round(width * self._scale))
        corners = np.array([self._pixel(point) for point in points], np.int32)
        cv2.polylines(self._color, [corners], False, color, thickness)
        cv2.polylines(self._alpha, [corners], False, (255,), thickness)

    def sprite(self, *, flip: bool, tint: Color, fog: tuple[float, Color], shade: float) -> Sprite:
        """The drawing lit by `tint` (factors), mixed with `fog` (share, color), above a shadow.

        `shade` is the darkness of the shadow.
        """
        rows, columns = self._alpha.shape[0], self._alpha.shape[1]
        size = (columns // SUPERSAMPLING, rows // SUPERSAMPLING)
        alpha = cv2.resize(self._alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        masked = cv2.bitwise_and(self._color, self._color, mask=self._alpha)
        color = cv2.resize(masked, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        color = _lit(color, alpha, tint, fog)
        if flip:
            alpha, color = alpha[:, ::-1], color[:, ::-1]
        shadow = self._shadow(alpha, shade * (1 - fog[0]))
        combined = np.maximum(alpha, shadow)
        pixels = np.dstack([color, combined]).round().clip(0, 255).astype(np.uint8)
        return Sprite(pixels, self._foot, self.ppm)

    def _shadow(self, alpha: npt.NDArray[np.float32], shade: float) -> npt.NDArray[np.float32]:
        """A soft dark ellipse on the ground, as wide as the drawing."""
        shadow = np.zeros_like(alpha)
        used = np.flatnonzero(alpha.max(axis=0) > SOLID)
        if not len(used) or not shade:
            return shadow
        center = (int((used[0] + used[-1]) / 2), round(self._foot[1]))
        axes = (max(1, int(0.52 * (used[-1] - used[0]))), max(1, round(0.13 * self.ppm)))
        cv2.ellipse(shadow, center, axes, 0, 0, 360, (255.0 * shade,), cv2.FILLED)
        side = max(3, round(0.12 * self.ppm) | 1)
        return cv2.GaussianBlur(shadow, (side, side), 0).astype(np.float32)

    def _pixel(self, point: Point) -> tuple[int, int]:
        x, y = point
        return (
            round(self._foot[0] * SUPERSAMPLING + x * self._scale),
            round(self._foot[1] * SUPERSAMPLING - y * self._scale),
        )


def _lit(
    color: npt.NDArray[np.float32],
    alpha: npt.NDArray[np.float32],
    tint: Color,
    fog: tuple[float, Color],
) -> npt.NDArray[np.float32]:
    share, mist = fog
    veil = alpha[..., None] / 255 * np.array(mist, np.float32)
    lit = np.minimum(color * np.array(tint, np.float32), 255)
    return (lit * (1 - share) + veil * share).astype(np.float32)


def paste(
    image: Image,
    labels: Image | None,
    sprite: Sprite,
    at: Point,
    scale: float,
    slope: float,
    label: int,
) -> None:
    """Draw `sprite` with its foot at the pixel `at`, and mark its solid part in `labels`.

    `scale` is in pixels per meter, `slope` the rise of the ground in pixels per pixel.
    """
    zoom = scale / sprite.ppm
    rows, columns = sprite.pixels.shape[:2]
    foot_x, foot_y = sprite.foot
    matrix = np.array([[zoom, 0, 0], [zoom * slope, zoom, 0]])
    matrix[:, 2] = np.array(at) - matrix[:, :2] @ (foot_x, foot_y)
    corners = matrix[:, :2] @ np.array([[0, columns, 0, columns], [0, 0, rows, rows]])
    corners += matrix[:, 2:]
    left, top = np.floor(corners.min(axis=1)).astype(int).clip(0)
    right, bottom = np.ceil(corners.max(axis=1)).astype(int) + 1
    height, width = image.shape[:2]
    right, bottom = min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return
    matrix[:, 2] -= (left, top)
    size = (int(right - left), int(bottom - top))
    pixels = np.asarray(cv2.warpAffine(sprite.pixels, matrix, size), np.uint8)
    region = (slice(top, bottom), slice(left, right))
    blend(image[region], pixels)
    if labels is not None:
        labels[region][pixels[..., 3] > SOLID] = label


def blend(region: Image, pixels: Image) -> None:
    """Lay `pixels` (h, w, 4), colors times alpha and alpha, over `region`, in place."""
    through = cv2.bitwise_not(cv2.extractChannel(pixels, 3))
    cv2.multiply(region, cv2.merge([through] * 3), dst=region, scale=1 / 255)
    cv2.add(region, cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), dst=region)
