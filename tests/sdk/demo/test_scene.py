"""The drawn street: what it says of itself is what it shows."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from tallylens.demo.actors import CLASSES, spans
from tallylens.demo.camera import on_ground
from tallylens.demo.scene import Scene, Shot
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import Detections

SEEDS = (0, 1, 2, 3, 4, 5)
SMALL = (320, 180)


@pytest.fixture(scope="module", params=SEEDS)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param, SMALL)


@pytest.fixture(scope="module")
def shots(scene: Scene) -> dict[int, Shot]:
    """Ten frames per second, by index."""
    return {index: scene.frame(index) for index in range(0, scene.frames, 3)}


def ground_pixels(scene: Scene) -> dict[int, np.ndarray]:
    """Where each actor stands in each frame, (frames, 2) pixels."""
    times = np.arange(scene.frames) / scene.fps
    return {
        actor.identity: scene.camera.project(on_ground(actor.path(times), actor.z))
        for actor in scene.actors
    }


def test_frames_repeat_in_any_order() -> None:
    one, other = Scene(3, SMALL), Scene(3, SMALL)
    later = one.frame(40)
    first = one.frame(0)
    assert np.array_equal(other.frame(0).image, first.image)
    again = other.frame(40)
    assert np.array_equal(again.image, later.image)
    assert np.array_equal(again.xyxy, later.xyxy)
    assert not np.array_equal(first.image, later.image)


@pytest.mark.slow
def test_other_seeds_are_other_streets() -> None:
    means = {seed: Scene(seed, SMALL).frame(10).image.tobytes() for seed in SEEDS}
    assert len(set(means.values())) == len(SEEDS)
    assert len({Scene(seed, SMALL).weather.name for seed in range(12)}) >= 4


def test_boxes_are_where_the_geometry_puts_the_objects(
    scene: Scene, shots: dict[int, Shot]
) -> None:
    """Of what is all but whole in view, the box of its pixels is near that of its size and way."""
    compared = 0
    for index in range(0, scene.frames, 24):
        shot = shots[index]
        sway = np.array(scene._lens.sway(index / scene.fps) * 2)
        for identity, box, share in zip(shot.identity, shot.xyxy, shot.visible, strict=True):
            actor = scene.actors[identity]
            expected = spans(actor, scene.camera, np.array([index / scene.fps]))[0] + sway
            if share < 0.97 or expected[0] < 2 or expected[2] > scene.size[0] - 2:
                continue
            compared += 1
            # Limbs reach beyond the shoulders of a person, and roofs are seen from above.
            scale = scene.camera.scale(float(actor.path(np.array([index / scene.fps]))[0]), actor.z)
            reach = {"person": 0.55, "bicycle": 0.15, "car": 0.25, "bus": 0.35}[actor.look.kind]
            up = {"person": 0.1, "bicycle": 0.15, "car": 0.6, "bus": 1.1}[actor.look.kind]
            away = np.abs(box - expected) / scale
            pixel = 2.5 / scale
            assert (away[[0, 2]] < reach + pixel).all(), (actor.look, box, expected)
            assert away[1] < up + pixel, (actor.look, box, expected)
            assert away[3] < 0.3 + pixel, (actor.look, box, expected)
    assert compared > 5


def test_the_truth_is_what_paths_in_the_picture_say(scene: Scene) -> None:
    """The same counts from pixels: sides of the line, points in the polygon."""
    line, zone = scene.line, np.array(scene.zone.points, np.float32)
    way = np.array([line.x2 - line.x1, line.y2 - line.y1])
    found: dict[str, Counter[str]] = {"in": Counter(), "out": Counter(), "entered": Counter()}
    dwells = []
    for identity, points in ground_pixels(scene).items():
        kind = scene.actors[identity].look.kind
        offset = points - (line.x1, line.y1)
        # Below zero is to the left of someone who walks along the line, y pointing down.
        side = way[0] * offset[:, 1] - way[1] * offset[:, 0] > 0
        if side[0] != side[-1]:
            found["in" if side[-1] else "out"][kind] += 1
        inside = [cv2.pointPolygonTest(zone, (float(x), float(y)), False) > 0 for x, y in points]
        if any(inside):
            found["entered"][kind] += 1
            dwells.append(sum(inside) / scene.fps)
    truth = scene.truth
    assert found["in"] == truth.crossed_in
    assert found["out"] == truth.crossed_out
    assert found["entered"] == truth.entered
    assert truth.max_dwell_s == pytest.approx(max(dwells, default=0), abs=0.1)
    if dwells:
        assert truth.mean_dwell_s == pytest.approx(np.mean(dwells), abs=0.1)


def test_everyone_can_be_seen_for_a_second(scene: Scene, shots: dict[int, Shot]) -> None:
    """Nobody has to count an object that is not visible."""
    clear: Counter[int] = Counter()
    for shot in shots.values():
        clear.update(shot.identity[shot.visible > 0.5].tolist())
    for actor in scene.actors:
        assert clear[actor.identity] / 10 >= 1.0, actor.look
    assert sum(scene.truth.unique.values()) == len(scene.actors)


def test_nobody_comes_in_where_another_has_just_gone_out(
    scene: Scene, shots: dict[int, Shot]
) -> None:
    """From the frames: of two boxes at one edge, one above the other is allowed."""
    inside: dict[int, list[tuple[float, float, float, float]]] = {}
    for index, shot in shots.items():
        for identity, (x1, y1, x2, y2) in zip(shot.identity, shot.xyxy.tolist(), strict=True):
            inside.setdefault(int(identity), []).append((index / scene.fps, (x1 + x2) / 2, y1, y2))
    width, last = scene.size[0], (scene.frames - 3) / scene.fps
    came = {one: seen[0] for one, seen in inside.items() if seen[0][0] > 0}
    went = {one: seen[-1] for one, seen in inside.items() if seen[-1][0] < last}
    for newcomer, (begin, x, top, bottom) in came.items():
        for leaver, (end, its_x, its_top, its_bottom) in went.items():
            if newcomer == leaver or (x > width / 2) != (its_x > width / 2):
                continue
            apart = bottom < its_top or its_bottom < top
            assert apart or abs(begin - end) > 0.5, (scene.seed, newcomer, leaver)


def test_a_counter_that_sees_everything_counts_the_truth(
    scene: Scene, shots: dict[int, Shot]
) -> None:
    """The street can be counted: true boxes, ten a second, give its exact numbers."""
    totals = Totals(CLASSES, scene.size, lines=[scene.line], zones=[scene.zone])
    for index, shot in shots.items():
        seen = shot.visible > 0.3
        confidence = np.full(int(seen.sum()), 0.8, np.float32)
        totals.add(
            round(index * 1e9 / scene.fps),
            Detections(shot.xyxy[seen], confidence, shot.class_id[seen]),
        )
    truth, line, zone = scene.truth, totals.lines()[0], totals.zones()[0]
    assert totals.unique() == truth.unique
    assert (line.crossed_in, line.crossed_out) == (truth.crossed_in, truth.crossed_out)
    assert zone.entered == truth.entered
    # A lamp before someone's feet at the zone's edge costs a moment.
    assert zone.mean_dwell_s == pytest.approx(truth.mean_dwell_s, abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("fps", [10, 25, 120])
def test_the_frame_rate_changes_no_truth(fps: float) -> None:
    truth, other = Scene(2, SMALL).truth, Scene(2, SMALL, fps=fps).truth
    assert (other.unique, other.crossed_in, other.crossed_out, other.entered) == (
        truth.unique,
        truth.crossed_in,
        truth.crossed_out,
        truth.entered,
    )
    assert Scene(2, SMALL, fps=fps).frames == 20 * fps


@pytest.mark.slow
@pytest.mark.parametrize("size", [(360, 640), (1280, 720), (352, 288), (101, 77)])
def test_any_size(size: tuple[int, int]) -> None:
    scene = Scene(1, size, seconds=5)
    shot = scene.frame(20)
    assert shot.image.shape == (size[1], size[0], 3)
    assert shot.image.dtype == np.uint8
    assert shot.image.std() > 10
    assert (shot.xyxy >= 0).all()
    assert (shot.xyxy[:, 2:] <= size).all()
    assert (shot.xyxy[:, :2] < shot.xyxy[:, 2:]).all()


@pytest.mark.slow
def test_all_kinds_appear() -> None:
    seen = Counter(name for seed in SEEDS for name in Scene(seed, SMALL).truth.unique)
    assert set(seen) == set(CLASSES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "--seed is -1. Use 0 or more."),
        ({"size": (10, 360)}, "the scene is 10x360 pixels. Use sides of 64 to 4096."),
        ({"fps": 0}, "--fps is 0. Use 1 to 240."),
        ({"fps": float("nan")}, "--fps is nan. Use 1 to 240."),
        ({"seconds": 2}, "--seconds is 2. Use 5 to 600."),
    ],
)
def test_impossible_scenes_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=r".*") as caught:
        Scene(**arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message
