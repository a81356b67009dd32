"""Moving objects of the street, and their boxes in the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .camera import Camera, on_ground
from .sprites import Look

Times = npt.NDArray[np.float64]
Path = Callable[[Times], Times]
Boxes = npt.NDArray[np.float64]

CLASSES = ("person", "bicycle", "car", "bus")


@dataclass(frozen=True)
class Actor:
    """One object: its looks, depth `z`, direction (1 right, -1 left) and path.

    `path` maps times in seconds to x in meters.
    """

    identity: int
    look: Look
    z: float
    direction: int
    path: Path

    @property
    def class_id(self) -> int:
        """The class of the object, an index into CLASSES."""
        return CLASSES.index(self.look.kind)


@dataclass(frozen=True)
class Places:
    """The counting line is at x = `line`; the zone is the near pavement between two x."""

    line: float
    zone: tuple[float, float]


def spans(actor: Actor, camera: Camera, times: Times) -> Boxes:
    """Boxes (n, 4) xyxy in pixels of the actor's outline at each time, not clipped."""
    ground = on_ground(actor.path(times), actor.z)
    half = actor.look.length / 2
    feet, scale = camera.project(ground), camera.scales(ground)
    left, right = feet[:, 0] - half * scale, feet[:, 0] + half * scale
    return np.stack([left, feet[:, 1] - actor.look.height * scale, right, feet[:, 1]], 1)
