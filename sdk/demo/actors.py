"""Who is in the street, where and when; and from that, what a right counter must say.

The cast is chosen so that an honest counter can be right: everyone is in view for long enough,
nobody is hidden for long, on the counting line when the scene begins or ends, or comes in where
another one has just gone out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .backdrop import CYCLE_EDGE, FAR_KERB, FAR_LANE, FRONTS, KERB, NEAR_EDGE
from .camera import Camera, on_ground
from .sprites import Look, random_look

Times = npt.NDArray[np.float64]
Path = Callable[[Times], Times]

CLASSES = ("person", "bicycle", "car", "bus")
STEP_S = 0.1
MIN_VIEW_S = 1.3
CLEAR_SHARE = 0.6
LEAST_GAP_S = 0.7
MAX_HIDDEN_S = 0.6
EDGE_GAP_S = 1.0


@dataclass(frozen=True)
class Actor:
    """One object: its looks, the depth it moves at, its direction (1 right, -1 left), its way.

    `path` gives x in metres for times in seconds.
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


def cast(camera: Camera, places: Places, seconds: float, rng: np.random.Generator) -> list[Actor]:
    """Everyone in the scene, the farthest first."""
    chosen: list[Actor] = []
    times = np.arange(0, seconds + STEP_S / 2, STEP_S)
    for candidate in _candidates(camera, places, seconds, rng):
        if not _is_seen_well(candidate, camera, times):
            continue
        if _is_on_an_edge(candidate, places, times) or _walks_beside(candidate, chosen, times):
            continue
        if any(_take_turns(candidate, one, camera, times) for one in chosen):
            continue
        chosen.append(candidate)
    ordered = sorted(chosen, key=lambda actor: -actor.z)
    visible = [one for one in ordered if not _is_hidden(one, ordered, camera, times)]
    return [Actor(i, one.look, one.z, one.direction, one.path) for i, one in enumerate(visible)]


def _candidates(
    camera: Camera, places: Places, seconds: float, rng: np.random.Generator
) -> Iterator[Actor]:
    lanes = (
        (CYCLE_EDGE + 1.6, 1, rng.uniform(6.5, 10), (15, 38), ("car",)),
        (FAR_LANE + 0.8, -1, rng.uniform(6.5, 10), (15, 38), ("car", "bus")),
        (KERB + 0.55, 1, rng.uniform(3.6, 5.2), (18, 50), ("bicycle",)),
    )
    for z, direction, speed, gaps, kinds in lanes:
        yield from _traffic(camera, seconds, rng, z, direction, speed, gaps, kinds)
    for low, high, number in (
        (NEAR_EDGE + 1.1, KERB - 0.9, 3.5),
        (FAR_KERB + 2.2, FRONTS - 0.8, 3.5),
    ):
        for _ in range(int(rng.poisson(number * (seconds + 8) / 28))):
            yield _walker(camera, places, seconds, rng, rng.uniform(low, high))


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

    def travelled(times: Times) -> Times:
        ripple = np.cos(phase) - np.cos(2 * math.pi * times / period + phase)
        return np.asarray(speed * (times + wave * period / (2 * math.pi) * ripple))

    way = float(travelled(np.array([seconds]))[0])
    place = high + 6
    start = low - way - 12 if direction > 0 else -high - way - 12
    while place > start:
        look = random_look(str(rng.choice(kinds)), rng)
        place -= look.length / 2
        yield Actor(0, look, z, direction, _moving(place, direction, travelled))
        place -= look.length / 2 + rng.uniform(*gaps)


def _moving(place: float, direction: int, travelled: Path) -> Path:
    return lambda times: direction * (place + travelled(times))


def _walker(
    camera: Camera, places: Places, seconds: float, rng: np.random.Generator, z: float
) -> Actor:
    """Someone who walks through, or on the near pavement perhaps waits in the zone for a while."""
    look = random_look("person", rng)
    direction = int(rng.choice([-1, 1]))
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


def spans(actor: Actor, camera: Camera, times: Times) -> npt.NDArray[np.float64]:
    """Left, top, right, bottom in pixels of the actor's outline at each time, (n, 4), not cut."""
    ground = on_ground(actor.path(times), actor.z)
    half = actor.look.length / 2
    feet, scale = camera.project(ground), camera.scales(ground)
    left, right = feet[:, 0] - half * scale, feet[:, 0] + half * scale
    return np.stack([left, feet[:, 1] - actor.look.height * scale, right, feet[:, 1]], 1)


def _inside(boxes: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    """The share of each box's width that lies within the picture."""
    shown = np.clip(boxes[:, 2], 0, width) - np.clip(boxes[:, 0], 0, width)
    return np.asarray(shown / (boxes[:, 2] - boxes[:, 0]))


def _is_seen_well(actor: Actor, camera: Camera, times: Times) -> bool:
    """In view for at least MIN_VIEW_S, most of it at once."""
    inside = _inside(spans(actor, camera, times), camera.size[0])
    return float((inside >= CLEAR_SHARE).sum()) * STEP_S >= MIN_VIEW_S


def _is_on_an_edge(actor: Actor, places: Places, times: Times) -> bool:
    """So near the line or the zone's edge at either end of the scene that nobody can say."""
    reach = actor.look.length / 2 + 0.6
    edges = [places.line] + (list(places.zone) if actor.z < KERB else [])
    ends = actor.path(times[[0, -1]])
    return any(abs(x - edge) < reach for x in ends for edge in edges)


def _walks_beside(actor: Actor, others: list[Actor], times: Times) -> bool:
    """Whether two people are one blob for longer than a moment."""
    if actor.look.kind != "person":
        return False
    near = [one for one in others if one.look.kind == "person" and abs(one.z - actor.z) < 5]
    ways = (np.abs(one.path(times) - actor.path(times)) < 0.75 for one in near)
    return any(float(close.sum()) * STEP_S > LEAST_GAP_S for close in ways)


def _take_turns(one: Actor, other: Actor, camera: Camera, times: Times) -> bool:
    """Whether one comes in at the edge, and near the height, where the other has just gone out."""
    first, second = (_comings_and_goings(actor, camera, times) for actor in (one, other))
    pairs = [(a, b) for came, went in ((0, 1), (1, 0)) for a in first[came] for b in second[went]]
    return any(
        a.on_the_right == b.on_the_right
        and abs(a.seconds - b.seconds) < EDGE_GAP_S
        and abs(a.top + a.bottom - b.top - b.bottom) / 2 < a.bottom - a.top + b.bottom - b.top
        for a, b in pairs
    )


@dataclass(frozen=True)
class _Passage:
    """Someone at the picture's edge; `top` and `bottom` in pixels."""

    on_the_right: bool
    seconds: float
    top: float
    bottom: float


def _comings_and_goings(
    actor: Actor, camera: Camera, times: Times
) -> tuple[list[_Passage], list[_Passage]]:
    """Coming into view and going out of it, without who is in view at either end of the scene."""
    boxes = spans(actor, camera, times)
    shown = np.flatnonzero(_inside(boxes, camera.size[0]) > 0)
    ends: tuple[list[_Passage], list[_Passage]] = ([], [])
    for found, index, edge in ((ends[0], shown[0], 0), (ends[1], shown[-1], len(times) - 1)):
        if index != edge:
            left, top, right, bottom = boxes[index].tolist()
            on_the_right = left + right > camera.size[0]
            found.append(_Passage(on_the_right, float(times[index]), top, bottom))
    return ends


def _is_hidden(actor: Actor, everyone: list[Actor], camera: Camera, times: Times) -> bool:
    """Whether those in front leave too little of a clear view, or hide it for too long at once."""
    boxes = spans(actor, camera, times)
    present = _inside(boxes, camera.size[0]) >= CLEAR_SHARE
    clear = present.copy()
    for other in everyone:
        if other.z < actor.z:
            clear &= _covered(boxes, spans(other, camera, times)) < 1 - CLEAR_SHARE
    if float(clear.sum()) * STEP_S < MIN_VIEW_S:
        return True
    return _longest(present & ~clear) * STEP_S > MAX_HIDDEN_S


def _longest(flags: npt.NDArray[np.bool_]) -> int:
    """The length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _covered(
    boxes: npt.NDArray[np.float64], others: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The share of each box that the other box of the same time covers."""
    least = np.maximum(boxes[:, :2], others[:, :2])
    most = np.minimum(boxes[:, 2:], others[:, 2:])
    overlap = np.prod(np.clip(most - least, 0, None), axis=1)
    return np.asarray(overlap / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
