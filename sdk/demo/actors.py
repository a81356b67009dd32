"""Someone or something that moves in the street, and where the picture shows it."""

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
    """One object: its looks, the depth it moves at, its direction (1 right, -1 left), its way.

    `path` gives x in meters for times in seconds.
    """

    identity: int
    look: Look
    z: float
    direction: int
    path: Path

    @property
    def class_id(self) -> int:
        """Its index in CLASSES."""
        return CLASSES.index(self.look.kind)


@dataclass(frozen=True)
class Places:
    """The counting line is at x = `line`; the zone is the near pavement between two x."""

    line: float
    zone: tuple[float, float]


def spans(actor: Actor, camera: Camera, times: Times) -> Boxes:
    """Left, top, right, bottom in pixels of the actor's outline at each time, (n, 4), not cut."""
    ground = on_ground(actor.path(times), actor.z)
    half = actor.look.length / 2
    feet, scale = camera.project(ground), camera.scales(ground)
    left, right = feet[:, 0] - half * scale, feet[:, 0] + half * scale
    return np.stack([left, feet[:, 1] - actor.look.height * scale, right, feet[:, 1]], 1)
