"""A synthetic street: `Scene(seed).frame(i)` draws a frame, `.truth` has the true counts.

scene = Scene(seed=3, size=(640, 360), fps=30, seconds=20)
shot = scene.frame(0)        # a frame with boxes, classes and identities
scene.truth.unique           # {"car": 6, ...}
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from tallylens.edge_runtime.counting.regions import Line, Zone
from tallylens.edge_runtime.counting.report import ClassCounts
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import FloatArray, Image, IntArray

from .actors import CLASSES, Actor, Places
from .backdrop import FRONTS, KERB, NEAR_EDGE, paint_backdrop, plant
from .camera import on_ground, random_camera
from .canvas import Sprite, paste
from .casting import cast
from .sprites import draw, stride
from .weather import Lens, random_weather

OCCLUDED = 255
MAX_SIDE = 4096
MAX_FPS = 240.0
MIN_SECONDS, MAX_SECONDS = 5.0, 600.0
# Objects of which less is visible (share of the object, pixels) have no box.
MIN_VISIBLE = 0.2
MIN_AREA = 25
TRUTH_STEP_S = 0.01


@dataclass(frozen=True)
class Shot:
    """One frame: `image` (h, w, 3) uint8 BGR, and the visible objects in it.

    `xyxy` (n, 4) float32 pixels around the visible part, `class_id` (n,) int32 into CLASSES,
    `identity` (n,) int32, `visible` (n,) float32: the visible share of the whole object.
    """

    image: Image
    xyxy: FloatArray
    class_id: IntArray
    identity: IntArray
    visible: FloatArray


@dataclass(frozen=True)
class Truth:
    """The true counts of a whole scene, by class name."""

    unique: ClassCounts
    crossed_in: ClassCounts
    crossed_out: ClassCounts
    entered: ClassCounts
    mean_dwell_s: float
    max_dwell_s: float


class Scene:
    """A random street; the same arguments give the same frames, in any order.

    Args:
        seed: selects the street.
        size: (width, height) of the frames.
        fps: frames per second.
        seconds: length of the scene.

    Raises:
        UsageError: a size, rate or length out of bounds.
    """

    def __init__(
        self,
        seed: int = 0,
        size: tuple[int, int] = (640, 360),
        fps: float = 30.0,
        seconds: float = 20.0,
    ) -> None:
        _check(seed, size, fps, seconds)
        rng = np.random.default_rng((seed, 1))
        self.seed, self.size, self.fps, self.seconds = seed, size, fps, seconds
        self.camera = random_camera(rng, size, NEAR_EDGE)
        self.weather = random_weather(rng)
        left, right = self.camera.visible_x(KERB)
        middle = (left + right) / 2
        line = middle + rng.uniform(-0.12, 0.12) * (right - left)
        side = 1 if rng.random() < 0.5 else -1
        near = line + side * 1.2
        zone = (min(near, near + side * 3.4), max(near, near + side * 3.4))
        self.places = Places(line, zone)
        self.actors = cast(self.camera, self.places, seconds, np.random.default_rng((seed, 2)))
        self._ground = np.random.default_rng((seed, 3))
        self._lens = Lens(self.weather, size, seed)
        self._backdrop = paint_backdrop(self.camera, self.weather, self._ground)
        self._occluders = plant(self.camera, self.weather, self._ground, line)
        self._sprites = {actor.identity: self._draw(actor) for actor in self.actors}

    @property
    def frames(self) -> int:
        """The number of frames."""
        return round(self.fps * self.seconds)

    @property
    def line(self) -> Line:
        """The counting line across the street: `in` is from left to right in the frame."""
        far, near = self._on_ground([(self.places.line, FRONTS), (self.places.line, NEAR_EDGE - 2)])
        return Line(*near, *far, name="street")

    @property
    def zone(self) -> Zone:
        """The part of the near pavement where some people wait."""
        left, right = self.places.zone
        corners = [(left, KERB), (right, KERB), (right, NEAR_EDGE - 1.2), (left, NEAR_EDGE - 1.2)]
        return Zone(tuple(self._on_ground(corners)), "stop")

    @cached_property
    def truth(self) -> Truth:
        """The exact counts, computed from the paths and not from the frames."""
        times = np.arange(0, self.frames / self.fps, TRUTH_STEP_S)
        unique: Counter[str] = Counter()
        directions: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        entered: Counter[str] = Counter()
        dwells: list[float] = []
        for actor in self.actors:
            name, x = actor.look.kind, actor.path(times)
            unique[name] += 1
            before, after = x[0] < self.places.line, x[-1] < self.places.line
            if before != after:
                directions[0 if before else 1][name] += 1
            stay = TRUTH_STEP_S * float(
                ((x > self.places.zone[0]) & (x < self.places.zone[1])).sum()
            )
            if actor.z < KERB and stay:
                entered[name] += 1
                dwells.append(stay)
        return Truth(
            unique=_in_order(unique),
            crossed_in=_in_order(directions[0]),
            crossed_out=_in_order(directions[1]),
            entered=_in_order(entered),
            mean_dwell_s=float(np.mean(dwells)) if dwells else 0.0,
            max_dwell_s=max(dwells, default=0.0),
        )

    def frame(self, index: int) -> Shot:
        """Draw frame `index` with its boxes."""
        seconds = index / self.fps
        image = self._backdrop.copy()
        labels = np.zeros(image.shape[:2], np.uint8)
        waiting = list(self._occluders)
        whole = {}
        for actor in self.actors:
            while waiting and waiting[0].z >= actor.z:
                waiting.pop(0).cover(image, labels, OCCLUDED)
            whole[actor.identity] = self._paste(image, labels, actor, seconds)
        for occluder in waiting:
            occluder.cover(image, labels, OCCLUDED)
        image = self._lens.expose(self._lens.move(image, seconds), index)
        return self._shot(image, labels, whole, self._lens.sway(seconds))

    def _paste(self, image: Image, labels: Image, actor: Actor, seconds: float) -> float:
        """Draw one actor; returns the area of its whole drawing in pixels."""
        x = float(actor.path(np.array([seconds]))[0])
        points = on_ground([x, x + 0.5], actor.z)
        (u, v), (right, lower) = self.camera.project(points)
        scale = float(self.camera.scales(points)[0])
        reach = (actor.look.length + 3) * scale
        if not -reach < u < self.size[0] + reach:
            return 0.0
        sprites, solid = self._sprites[actor.identity]
        turn = (x * actor.direction / stride(actor.look)) % 1.0
        number = int(turn * len(sprites))
        slope = float((lower - v) / (right - u))
        paste(image, labels, sprites[number], (u, v), scale, slope, actor.identity + 1)
        return solid[number] * (scale / sprites[number].ppm) ** 2

    def _draw(self, actor: Actor) -> tuple[list[Sprite], list[float]]:
        """The actor's sprites in the scene's light, and how many pixels of each are solid."""
        low, high = self.camera.visible_x(actor.z)
        ppm = max(self.camera.scale(x, actor.z) for x in (low, (low + high) / 2, high))
        sprites = [
            canvas.sprite(
                flip=actor.direction < 0,
                tint=self.weather.tint,
                fog=self.weather.fog(actor.z),
                shade=self.weather.shade,
            )
            for canvas in draw(actor.look, ppm)
        ]
        return sprites, [float((sprite.pixels[..., 3] > 128).sum()) for sprite in sprites]

    def _shot(
        self, image: Image, labels: Image, whole: dict[int, float], sway: tuple[float, float]
    ) -> Shot:
        boxes, classes, identities, visible = [], [], [], []
        for actor in self.actors:
            if not whole[actor.identity]:
                continue
            mask = (labels == actor.identity + 1).astype(np.uint8)
            area = cv2.countNonZero(mask)
            share = min(area / whole[actor.identity], 1.0)
            if area < MIN_AREA or share < MIN_VISIBLE:
                continue
            left, top, width, height = cv2.boundingRect(mask)
            boxes.append((left, top, left + width, top + height))
            classes.append(actor.class_id)
            identities.append(actor.identity)
            visible.append(share)
        xyxy = np.array(boxes, np.float32).reshape(-1, 4) + np.array([*sway, *sway], np.float32)
        limits = np.array([*self.size, *self.size], np.float32)
        return Shot(
            image,
            np.clip(xyxy, 0, limits).astype(np.float32),
            np.array(classes, np.int32),
            np.array(identities, np.int32),
            np.array(visible, np.float32),
        )

    def _on_ground(self, corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """Ground points (x, z) in meters to pixels, some outside the frame."""
        points = self.camera.project([(x, 0.0, z) for x, z in corners])
        return [(round(float(x), 1), round(float(y), 1)) for x, y in points]


def _in_order(counts: Counter[str]) -> ClassCounts:
    return {name: counts[name] for name in CLASSES if counts[name]}


def _check(seed: int, size: tuple[int, int], fps: float, seconds: float) -> None:
    if seed < 0:
        raise UsageError(f"--seed is {seed}", "Use 0 or more")
    if not all(64 <= side <= MAX_SIDE for side in size):
        raise UsageError(
            f"the scene is {size[0]}x{size[1]} pixels", f"Use sides of 64 to {MAX_SIDE}"
        )
    if not 1 <= fps <= MAX_FPS:
        raise UsageError(f"--fps is {fps:g}", f"Use 1 to {MAX_FPS:g}")
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise UsageError(f"--seconds is {seconds:g}", f"Use {MIN_SECONDS:g} to {MAX_SECONDS:g}")
