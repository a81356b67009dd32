"""A pinhole camera above a street.

World coordinates in meters: x along the street to the right, y up, z away from the camera, whose
foot is the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    `size` is (width, height) in pixels, `focal` in pixels, angles are in radians. `yaw` turns the
    view to the right, `pitch` down.
    """

    size: tuple[int, int]
    focal: float
    height: float
    pitch: float
    yaw: float

    def project(self, points: npt.ArrayLike) -> Points:
        """Project (n, 3) points in meters to (n, 2) pixels."""
        xyz = np.asarray(points, np.float64).reshape(-1, 3)
        right, down, forward = self._axes(xyz)
        width, height = self.size
        return np.stack(
            [width / 2 + self.focal * right / forward, height / 2 + self.focal * down / forward], 1
        )

    def scales(self, points: npt.ArrayLike) -> Points:
        """Pixels per meter at each of (n, 3) world points, (n,)."""
        return np.asarray(self.focal / self._axes(np.asarray(points, np.float64))[2])

    def scale(self, x: float, z: float) -> float:
        """Pixels per meter at the ground point (x, z)."""
        return float(self.scales([(x, 0.0, z)])[0])

    def _axes(self, xyz: Points) -> tuple[Points, Points, Points]:
        """Camera coordinates of world points: right, down, forward."""
        x, below, z = xyz[:, 0], self.height - xyz[:, 1], xyz[:, 2]
        right = x * math.cos(self.yaw) - z * math.sin(self.yaw)
        ahead = x * math.sin(self.yaw) + z * math.cos(self.yaw)
        down = below * math.cos(self.pitch) - ahead * math.sin(self.pitch)
        forward = ahead * math.cos(self.pitch) + below * math.sin(self.pitch)
        return right, down, np.maximum(forward, 0.5)

    def visible_x(self, z: float) -> tuple[float, float]:
        """The range of x on the ground at depth `z` that is in the frame."""
        xs = np.linspace(-60, 60, 961)
        columns = self.project(on_ground(xs, z))[:, 0]
        inside = xs[(columns >= 0) & (columns < self.size[0])]
        return float(inside.min()), float(inside.max())


def on_ground(x: npt.ArrayLike, z: float) -> Points:
    """World points (n, 3) at depth `z`."""
    xs = np.asarray(x, np.float64)
    return np.stack([xs, np.zeros_like(xs), np.full_like(xs, z)], 1)


def random_camera(rng: np.random.Generator, size: tuple[int, int], nearest: float) -> Camera:
    """A camera at lantern height whose lower edge shows the ground from z = `nearest` on."""
    width, height = size
    focal = width / 2 / math.tan(math.radians(rng.uniform(54, 62)) / 2)
    above = rng.uniform(8.0, 8.8)
    lowest = math.atan2(above, nearest)
    pitch = lowest - math.atan2(height / 2, focal)
    return Camera(size, focal, above, pitch, math.radians(rng.uniform(-14, 14)))
