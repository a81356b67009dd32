"""Light, mist, rain, and defects of a cheap camera: noise, blur and a swaying mast."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tallylens.edge_runtime.types import Image

from .canvas import Color

MARGIN = 64
GRAINS = 3


@dataclass(frozen=True)
class Weather:
    """The looks of a scene.

    `tint` are factors of light, `mist` the share of fog at 100 m, `shade` that of shadows. `noise`
    is in gray levels, `blur` and `sway` in thousandths of the frame's width, `rain` in drops per
    thousand pixels.
    """

    name: str
    tint: Color
    sky: tuple[Color, Color]
    mist: float
    shade: float
    noise: float
    blur: float
    sway: float
    rain: float = 0.0

    def fog(self, distance: float) -> tuple[float, Color]:
        """(share, color) of the fog in front of an object `distance` meters away."""
        return 1 - math.exp(-self.mist * distance / 100), self.sky[1]


def random_weather(rng: np.random.Generator) -> Weather:
    """A random one of five kinds of weather."""
    name = str(rng.choice(["sun", "clouds", "rain", "fog", "dusk"], p=[0.4, 0.25, 0.12, 0.1, 0.13]))
    light = rng.uniform(0.92, 1.08)
    tint, sky, mist, shade, noise = {
        "sun": ((0.94, 1.0, 1.05), ((225, 165, 95), (240, 220, 195)), 0.15, 0.42, 3.0),
        "clouds": ((0.9, 0.89, 0.87), ((190, 180, 172), (215, 211, 206)), 0.35, 0.22, 4.0),
        "rain": ((0.76, 0.73, 0.7), ((150, 142, 136), (178, 172, 166)), 0.9, 0.15, 5.0),
        "fog": ((0.9, 0.89, 0.88), ((205, 202, 200), (212, 210, 208)), 2.4, 0.12, 4.0),
        "dusk": ((0.62, 0.52, 0.5), ((120, 70, 60), (120, 135, 205)), 0.3, 0.1, 6.5),
    }[name]
    return Weather(
        name=name,
        tint=(tint[0] * light, tint[1] * light, tint[2] * light),
        sky=sky,
        mist=mist,
        shade=shade,
        noise=noise * rng.uniform(0.7, 1.3),
        blur=rng.uniform(0.0, 1.1),
        sway=rng.uniform(0.4, 1.6),
        rain=1.6 if name == "rain" else 0.0,
    )


class Lens:
    """Applies weather and camera defects to clean frames, in any order."""

    def __init__(self, weather: Weather, size: tuple[int, int], seed: int) -> None:
        rng = np.random.default_rng((seed, 5))
        self._weather = weather
        self._seed = seed
        self._sigma = weather.blur * size[0] / 1000
        self._reach = weather.sway * size[0] / 1000
        self._waves = rng.uniform(0.5, 2.2, 4), rng.uniform(0, 2 * math.pi, 4)
        shape = (size[1] + MARGIN, size[0] + MARGIN)
        # Neighboring pixels share some of their noise, as after a camera's own processing.
        self._grains = [
            cv2.GaussianBlur(rng.normal(0, weather.noise * 1.6, (*shape, 3)), (3, 3), 0.6)
            .round()
            .clip(-60, 60)
            .astype(np.int8)
            for _ in range(GRAINS)
        ]
        self._drops = _rain(rng, shape, weather.rain) if weather.rain else None

    def sway(self, seconds: float) -> tuple[float, float]:
        """The offset of the frame in pixels at this time."""
        speeds, phases = self._waves
        waves = np.sin(2 * math.pi * speeds * seconds + phases)
        return float(self._reach * (waves[0] + waves[1]) / 2), float(
            self._reach * (waves[2] + waves[3]) / 3
        )

    def move(self, image: Image, seconds: float) -> Image:
        """The frame moved by the swaying mast."""
        dx, dy = self.sway(seconds)
        height, width = image.shape[:2]
        matrix = np.array([[1, 0, dx], [0, 1, dy]])
        moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    def expose(self, image: Image, index: int) -> Image:
        """Blur, rain and grain, in place where possible."""
        rng = np.random.default_rng((self._seed, 6, index))
        height, width = image.shape[:2]
        if self._sigma > 0.2:
            image = np.asarray(cv2.GaussianBlur(image, (3, 3), self._sigma), np.uint8)
        top, left = rng.integers(MARGIN, size=2)
        window = (slice(top, top + height), slice(left, left + width))
        if self._drops is not None:
            cv2.add(image, self._drops[window], dst=image)
            top, left = rng.integers(MARGIN, size=2)
            window = (slice(top, top + height), slice(left, left + width))
        grain = self._grains[index % GRAINS][window]
        return np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), np.uint8)


def _rain(rng: np.random.Generator, shape: tuple[int, int], density: float) -> Image:
    """Bright slanting streaks on black."""
    drops = np.zeros((*shape, 3), np.uint8)
    height, width = shape
    for _ in range(int(height * width / 1000 * density)):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        length = int(rng.uniform(0.015, 0.05) * height)
        glow = int(rng.uniform(14, 40))
        cv2.line(drops, (x, y), (x - length // 6, y + length), (glow, glow, glow), 1)
    return drops


def light(image: npt.NDArray[np.float32], tint: Color) -> npt.NDArray[np.float32]:
    """A frame in float32 BGR with the light applied."""
    return np.minimum(image * np.array(tint, np.float32), 255)
