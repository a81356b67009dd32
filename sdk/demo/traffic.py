"""Candidate objects of a street: traffic in lanes, and people who keep to the right."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .actors import Actor, Path, Places, Times
from .backdrop import CYCLE_EDGE, FAR_KERB, FAR_LANE, FRONTS, KERB, NEAR_EDGE
from .camera import Camera
from .sprites import random_look


def candidates(
    camera: Camera, places: Places, seconds: float, rng: np.random.Generator
) -> Iterator[Actor]:
    """All candidates, including those that no frame could separate."""
    lanes = (
        (CYCLE_EDGE + 1.9, 1, rng.uniform(6.5, 10), (15, 38), ("car",)),
        (FAR_LANE + 1.1, -1, rng.uniform(6.5, 10), (15, 38), ("car", "bus")),
        (KERB + 0.25, 1, rng.uniform(3.6, 5.2), (8, 20), ("bicycle",)),
    )
    for z, direction, speed, gaps, kinds in lanes:
        yield from _traffic(camera, seconds, rng, z, direction, speed, gaps, kinds)
    for edge, side, number in ((NEAR_EDGE, KERB - 0.3, 5), (FAR_KERB + 1.9, FRONTS, 2)):
        for _ in range(int(rng.poisson(number * (seconds + 8) / 28))):
            direction = int(rng.choice([-1, 1]))
            way = rng.uniform(0.6, 0.9)
            z = edge + way if direction > 0 else side - way
            yield _walker(camera, places, seconds, rng, z, direction)


def _traffic(
    camera: Camera,
    seconds: float,
    rng: np.random.Generator,
    z: float,
    direction: int,
    speed: float,
    gaps: tuple[float, float],
    kinds: tuple[str, ...],
) -> Iterator[Actor]:
    """A column that speeds up and slows down together, as traffic in one lane does."""
    low, high = camera.visible_x(z)
    wave, period, phase = rng.uniform(0, 0.3), rng.uniform(5, 9), rng.uniform(0, 2 * math.pi)

    def traveled(times: Times) -> Times:
        ripple = np.cos(phase) - np.cos(2 * math.pi * times / period + phase)
        return np.asarray(speed * (times + wave * period / (2 * math.pi) * ripple))

    way = float(traveled(np.array([seconds]))[0])
    place = high + 6
    start = low - way - 12 if direction > 0 else -high - way - 12
    while place > start:
        look = random_look(str(rng.choice(kinds)), rng)
        place -= look.length / 2
        yield Actor(0, look, z, direction, _moving(place, direction, traveled))
        place -= look.length / 2 + rng.uniform(*gaps)


def _moving(place: float, direction: int, traveled: Path) -> Path:
    return lambda times: direction * (place + traveled(times))


def _walker(
    camera: Camera,
    places: Places,
    seconds: float,
    rng: np.random.Generator,
    z: float,
    direction: int,
) -> Actor:
    """A person who walks through, or on the near pavement may wait in the zone for a while."""
    look = random_look("person", rng)
    pace = rng.uniform(1.0, 1.6)
    low, high = camera.visible_x(z)
    enter = rng.uniform(-(high - low) / pace * 0.7, seconds - 3)
    first = low - 0.5 if direction > 0 else high + 0.5
    middle = rng.uniform(places.zone[0] + 0.9, places.zone[1] - 0.9)
    wait = rng.uniform(2.5, 6) if z < KERB and rng.random() < 0.6 else 0.0
    arrival = enter + abs(middle - first) / pace

    def path(times: Times) -> Times:
        walked = times - enter - np.clip(times - arrival, 0, wait)
        return first + direction * pace * walked

    return Actor(0, look, z, direction, path)
