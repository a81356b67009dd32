"""Selects the objects of a scene, so that its true counts can be found from its frames.

Each object is in view for long enough. None is occluded for long, on the counting line when the
scene starts or ends, lost behind another of its class, or enters the frame where another has just
left it. Trees, lamps and traffic still occlude parts of objects, or all of one briefly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .actors import Actor, Boxes, Places, Times, spans
from .backdrop import KERB
from .camera import Camera
from .traffic import candidates

STEP_S = 0.1
# An object is in clear view while this share of it is visible: at least MIN_VIEW_S in total, with
# gaps of at most MAX_HIDDEN_S.
CLEAR_SHARE = 0.6
MIN_VIEW_S = 1.3
MAX_HIDDEN_S = 0.6
# Two people are one blob if one, widened on both sides by MARGIN of its height, ever covers more
# than this share of the other.
BLOB_SHARE, MARGIN = 0.35, 0.25
LANE_DISTANCE_M = 4.0
EDGE_GAP_S = 1.0


def cast(camera: Camera, places: Places, seconds: float, rng: np.random.Generator) -> list[Actor]:
    """The objects of a scene, the farthest first."""
    chosen: list[Actor] = []
    times = np.arange(0, seconds + STEP_S / 2, STEP_S)
    for candidate in candidates(camera, places, seconds, rng):
        if not _is_seen_well(candidate, camera, times):
            continue
        if _is_on_an_edge(candidate, places, times):
            continue
        if any(_are_one_blob(candidate, one, camera, times) for one in chosen):
            continue
        if any(_take_turns(candidate, one, camera, times) for one in chosen):
            continue
        chosen.append(candidate)
    ordered = sorted(chosen, key=lambda actor: -actor.z)
    visible = [one for one in ordered if not _is_hidden(one, ordered, camera, times)]
    return [Actor(i, one.look, one.z, one.direction, one.path) for i, one in enumerate(visible)]


def _inside(boxes: Boxes, width: int) -> npt.NDArray[np.float64]:
    """The share of each box's width that lies within the frame."""
    shown = np.clip(boxes[:, 2], 0, width) - np.clip(boxes[:, 0], 0, width)
    return np.asarray(shown / (boxes[:, 2] - boxes[:, 0]))


def _is_seen_well(actor: Actor, camera: Camera, times: Times) -> bool:
    """Whether the object is in view for at least MIN_VIEW_S."""
    inside = _inside(spans(actor, camera, times), camera.size[0])
    return float((inside >= CLEAR_SHARE).sum()) * STEP_S >= MIN_VIEW_S


def _is_on_an_edge(actor: Actor, places: Places, times: Times) -> bool:
    """Whether it starts or ends so close to the line or zone that its side is ambiguous."""
    reach = actor.look.length / 2 + 0.6
    edges = [places.line] + (list(places.zone) if actor.z < KERB else [])
    ends = actor.path(times[[0, -1]])
    return any(abs(x - edge) < reach for x in ends for edge in edges)


def _are_one_blob(one: Actor, other: Actor, camera: Camera, times: Times) -> bool:
    """Whether two people are too close to separate, or a car overtakes a cyclist."""
    kinds = {one.look.kind, other.look.kind}
    boxes, others = (spans(actor, camera, times) for actor in (one, other))
    seen = np.minimum(_inside(boxes, camera.size[0]), _inside(others, camera.size[0])) > 0
    if kinds == {"person"}:
        wide, others_wide = _widened(boxes), _widened(others)
        covered = np.maximum(_covered(wide, others_wide), _covered(others_wide, wide))
        return bool((seen & (covered > BLOB_SHARE)).any())
    if kinds == {"bicycle", "car"} and abs(one.z - other.z) < LANE_DISTANCE_M:
        level = (boxes[:, 0] < others[:, 2]) & (others[:, 0] < boxes[:, 2])
        return bool((seen & level).any())
    return False


def _widened(boxes: Boxes) -> Boxes:
    """The boxes with a margin for arms and legs on both sides."""
    margin = MARGIN * (boxes[:, 3] - boxes[:, 1])
    return np.asarray(boxes + np.stack([-margin, 0 * margin, margin, 0 * margin], 1))


def _take_turns(one: Actor, other: Actor, camera: Camera, times: Times) -> bool:
    """Whether one enters at the edge and height of the frame where the other has just left."""
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
    """An object at the edge of the frame; `top` and `bottom` in pixels."""

    on_the_right: bool
    seconds: float
    top: float
    bottom: float


def _comings_and_goings(
    actor: Actor, camera: Camera, times: Times
) -> tuple[list[_Passage], list[_Passage]]:
    """Entries into the frame and exits, without objects in view at the scene's start or end."""
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
    """Whether objects in front leave it too little clear view, or occlude it for too long."""
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


def _covered(boxes: Boxes, others: Boxes) -> npt.NDArray[np.float64]:
    """The share of each box that the other box of the same time covers."""
    least = np.maximum(boxes[:, :2], others[:, :2])
    most = np.minimum(boxes[:, 2:], others[:, 2:])
    overlap = np.prod(np.clip(most - least, 0, None), axis=1)
    return np.asarray(overlap / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
