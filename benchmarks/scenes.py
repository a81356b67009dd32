"""Generated scenes of objects that cross a line, with the truth known by construction.

A scene is drawn in its own coordinates: `s` is the way across the line, `u` the way along it, the
line is at `s = LINE` and `in` is towards larger `s`. It is then filmed with the line horizontal or
vertical in the frame. Effects of the camera (frame rate, dropped frames, jitter, missed boxes,
boxes cut at the frame's edge, boxes hidden behind others) are drawn at random beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from tallylens.edge_runtime.types import Detections

Random = np.random.Generator
Point = tuple[float, float]
NUM_CLASSES = 4
FPS = (5, 10, 15, 25, 30, 60, 120)
SEEN_LEAST = 4  # detections of each object that must be counted


@dataclass(frozen=True)
class Mover:
    """An object: (second, s) stations of its anchor, its offset `lane`, and its true counts."""

    stations: tuple[Point, ...]
    lane: float
    size: Point
    counts: tuple[int, int] = (0, 0)  # in, out
    hidden: tuple[Point, ...] = ()
    labels: tuple[int, ...] = (0,)

    def at(self, seconds: float) -> float | None:
        """Where it is on its way, None before and after."""
        times, way = zip(*self.stations, strict=True)
        if not times[0] <= seconds <= times[-1]:
            return None
        return float(np.interp(seconds, times, way))


@dataclass
class Scene:
    """Movers, and the camera that films them."""

    kind: str
    seed: int
    fps: float
    standing: bool  # the line is vertical in the frame
    length: float  # of the way `s`, and `breadth` of `u`, in pixels
    breadth: float
    line: float
    movers: list[Mover] = field(default_factory=list)
    dropped: float = 0.0
    jitter: float = 0.0  # of a box's size
    missed: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frame."""
        sides = (int(self.length), int(self.breadth))
        return sides if self.standing else sides[::-1]

    @property
    def ends(self) -> tuple[Point, Point]:
        """The line's ends, so that `in` is towards larger `s`."""
        if self.standing:
            return (self.line, self.breadth), (self.line, 0.0)
        return (0.0, self.line), (self.breadth, self.line)

    @property
    def truth(self) -> tuple[int, int]:
        """(in, out)."""
        return sum(m.counts[0] for m in self.movers), sum(m.counts[1] for m in self.movers)

    def box(self, mover: Mover, s: float) -> np.ndarray:
        """xyxy of the whole object, its bottom center on the way."""
        x, y = (s, mover.lane) if self.standing else (mover.lane, s)
        width, height = mover.size
        return np.array([x - width / 2, y - height, x + width / 2, y])

    def frames(self) -> Iterator[tuple[int, Detections]]:
        """(timestamp_ns, detections); drops are drawn until every counted object is seen enough."""
        random = np.random.default_rng(self.seed)
        end = max(mover.stations[-1][0] for mover in self.movers) + 1.0
        times = np.arange(0, end, 1 / self.fps)
        for attempt in range(1000):
            dropped = self.dropped * 0.99**attempt
            kept = times[random.random(len(times)) >= dropped]
            found = random.random((len(self.movers), len(kept))) >= self.missed * 0.99**attempt
            if all(map(self._seen_enough, self.movers, [kept[row] for row in found])):
                break
        else:
            raise ValueError(f"{self.kind} {self.seed}: an object is never seen enough")
        for seconds, here in zip(kept, found.T, strict=True):
            yield round(seconds * 1e9), self._filmed(seconds, here, random)

    def _seen_enough(self, mover: Mover, times: np.ndarray) -> bool:
        if mover.counts == (0, 0):
            return True
        ways = [mover.at(t) for t in times if not _hidden(mover, t)]
        seen = [s for s in ways if s is not None and self._cut(self.box(mover, s)) is not None]
        beyond = sum(s > self.line for s in seen)
        return len(seen) >= SEEN_LEAST and 0 < beyond < len(seen)

    def _cut(self, box: np.ndarray) -> np.ndarray | None:
        """The part of a box in the frame, None where a detector would see nothing of it."""
        width, height = self.size
        inside = np.clip(box, 0, [width, height, width, height])
        part = np.prod(inside[2:] - inside[:2]) / np.prod(box[2:] - box[:2])
        return inside if part > 0.3 else None

    def _filmed(self, seconds: float, found: np.ndarray, random: Random) -> Detections:
        rows: list[np.ndarray] = []
        labels: list[int] = []
        for mover, is_found in zip(self.movers, found, strict=True):
            s = mover.at(seconds)
            if s is None or not is_found or _hidden(mover, seconds):
                continue
            noise = self.jitter * np.sqrt(np.prod(mover.size)) * random.standard_normal(4)
            box = self._cut(self.box(mover, s) + noise)
            if box is not None and not any(_overlap(box, other) > 0.6 for other in rows):
                rows.append(box)
                labels.append(mover.labels[random.integers(len(mover.labels))])
        xyxy = np.array(rows, np.float32).reshape(-1, 4)
        confidence = random.uniform(0.72, 0.92, len(rows)).astype(np.float32)
        return Detections(xyxy, confidence, np.array(labels, np.int32))


def _hidden(mover: Mover, seconds: float) -> bool:
    return any(start <= seconds < end for start, end in mover.hidden)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.clip(sides, 0, None)))
    return common / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def _size(random: Random, least: float = 40, most: float = 200) -> Point:
    side = float(np.exp(random.uniform(np.log(least), np.log(most))))
    shape = float(random.uniform(0.5, 1.6))
    return side * shape**0.5, side / shape**0.5


def _speed(random: Random, scene: Scene, least: float = 1, most: float = 300) -> float:
    """Pixels per second for `least` to `most` pixels per frame; a scene ends in a minute."""
    slowest = max(least, scene.length / scene.fps / 60)
    most = min(most, scene.length / (SEEN_LEAST + 1.5))
    return scene.fps * float(np.exp(random.uniform(np.log(slowest), np.log(most))))


def _lanes(random: Random, scene: Scene, count: int, room: float) -> list[float]:
    """Offsets at least `room` apart, so that no object stays hidden behind another."""
    free = scene.breadth - 2 * room - (count - 1) * room
    return list(
        room * 1.5 + np.sort(random.uniform(0, max(free, 1), count)) + room * np.arange(count)
    )


def _across(random: Random, scene: Scene, lane: float, speed: float, size: Point) -> Mover:
    """From end to end of the frame, either way."""
    way = (0.0, scene.length) if random.random() < 0.5 else (scene.length, 0.0)
    begin = float(random.uniform(0, 2))
    stations = ((begin, way[0]), (begin + scene.length / speed, way[1]))
    return Mover(stations, lane, size, (1, 0) if way[0] == 0 else (0, 1))


def through(random: Random, scene: Scene) -> None:
    """One to five objects at any speed."""
    count = int(random.integers(1, 6))
    for lane in _lanes(random, scene, count, 150):
        speed = _speed(random, scene)
        size = _size(random, max(40, speed / scene.fps / 6), 150)
        scene.movers.append(_across(random, scene, lane, speed, size))


def fast(random: Random, scene: Scene) -> None:
    """One or two objects at 100 to 300 px a frame."""
    for lane in _lanes(random, scene, int(random.integers(1, 3)), 300):
        speed = _speed(random, scene, 100)
        scene.movers.append(_across(random, scene, lane, speed, _size(random, 60, 250)))


def standing(random: Random, scene: Scene) -> None:
    """Someone stands on the line for half a minute to a minute."""
    for lane in _lanes(random, scene, 2, 200):
        size = _size(random)
        s = scene.line + float(random.uniform(-0.02, 0.02)) * size[1]
        scene.movers.append(Mover(((0, s), (float(random.uniform(30, 60)), s)), lane, size))


def occlusion(random: Random, scene: Scene) -> None:
    """Objects that are hidden for up to two seconds on their way."""
    for lane in _lanes(random, scene, int(random.integers(1, 4)), 200):
        size = _size(random, 60, 180)
        speed = float(random.uniform(0.3, 2)) * np.sqrt(np.prod(size))
        mover = _across(random, scene, lane, speed, size)
        begin = mover.stations[0][0] + float(random.uniform(0.25, 0.6)) * scene.length / speed
        gap = (begin, begin + float(random.uniform(0.2, 2)))
        scene.movers.append(Mover(mover.stations, lane, size, mover.counts, (gap,)))


def switch(random: Random, scene: Scene) -> None:
    """Two that meet on the line, one in front of the other, both lost there for a moment."""
    for lane in _lanes(random, scene, 2, 300):
        size = _size(random, 80, 160)
        side = float(np.sqrt(np.prod(size)))
        speed = float(random.uniform(0.5, 2)) * side
        meet = (scene.line + side) / speed + 0.5
        for way, shift in ((1, 0.0), (-1, float(random.uniform(0.3, 0.5)) * side)):
            stations = tuple((t, scene.line + way * speed * (t - meet)) for t in (0.0, 2 * meet))
            gap = (meet - 0.15, meet + float(random.uniform(0.1, 0.6)))
            counts = (1, 0) if way > 0 else (0, 1)
            scene.movers.append(Mover(stations, lane + shift, size, counts, (gap,)))


def stop(random: Random, scene: Scene) -> None:
    """Someone stops on the line, and continues or turns back."""
    for lane in _lanes(random, scene, 2, 250):
        size = _size(random)
        speed = float(random.uniform(0.5, 2)) * float(np.sqrt(np.prod(size)))
        way = 1 if random.random() < 0.5 else -1
        onward = random.random() < 0.6
        reach, wait = scene.line * 0.7, float(random.uniform(3, 20))
        arrive = reach / speed
        stations = [
            (0.0, scene.line - way * reach),
            (arrive, scene.line),
            (arrive + wait, scene.line),
        ]
        stations.append((2 * arrive + wait, scene.line + (way if onward else -way) * reach))
        counts = ((1, 0) if way > 0 else (0, 1)) if onward else (0, 0)
        scene.movers.append(Mover(tuple(stations), lane, size, counts))


def u_turn(random: Random, scene: Scene) -> None:
    """Someone goes over the line and comes back; someone else turns before it."""
    for lane, over in zip(_lanes(random, scene, 2, 250), (True, False), strict=True):
        size = _size(random)
        side = float(np.sqrt(np.prod(size)))
        speed = float(random.uniform(0.5, 2.5)) * side
        way = 1 if random.random() < 0.5 else -1
        start = scene.line - way * 0.8 * scene.line
        turn = scene.line + way * (1 if over else -1) * float(random.uniform(0.5, 2)) * side
        leg = abs(turn - start) / speed
        stations = ((0.0, start), (leg, turn), (2 * leg, start))
        scene.movers.append(Mover(stations, lane, size, (1, 1) if over else (0, 0)))


def crowd(random: Random, scene: Scene) -> None:
    """Thirty people, all ways at once."""
    for lane in _lanes(random, scene, 30, scene.breadth / 34):
        size = (float(random.uniform(25, 45)), float(random.uniform(60, 100)))
        scene.movers.append(_across(random, scene, lane, float(random.uniform(60, 200)), size))


def flicker(random: Random, scene: Scene) -> None:
    """Objects that the detector calls something else from frame to frame."""
    for lane in _lanes(random, scene, 3, 200):
        size = _size(random)
        mover = _across(random, scene, lane, float(random.uniform(80, 400)), size)
        labels = tuple(random.integers(0, NUM_CLASSES, 7).tolist())
        scene.movers.append(Mover(mover.stations, lane, size, mover.counts, (), labels))


def edge(random: Random, scene: Scene) -> None:
    """The line is so near the edge that an object is cut by it when it gets there."""
    scene.line = scene.length * float(random.uniform(0.93, 0.97))
    for lane in _lanes(random, scene, 3, 200):
        size = _size(random, 60, 160)
        speed = float(random.uniform(0.7, 3)) * float(np.sqrt(np.prod(size)))
        way = (0.3 * scene.length, scene.length + max(size))
        leaves = random.random() < 0.5
        begin, end = way if leaves else way[::-1]
        stations = ((0.5, begin), (0.5 + (way[1] - way[0]) / speed, end))
        scene.movers.append(Mover(stations, lane, size, (1, 0) if leaves else (0, 1)))


KINDS: tuple[Callable[[Random, Scene], None], ...] = (
    through, fast, standing, occlusion, switch, stop, u_turn, crowd, flicker, edge,
)  # fmt: skip


def scene_of(seed: int) -> Scene:
    """The scene of a seed; kinds come in turn."""
    random = np.random.default_rng(seed)
    build = KINDS[seed % len(KINDS)]
    lying = random.random() < 0.5
    length, breadth = (1080.0, 1920.0) if lying else (1920.0, 1080.0)
    scene = Scene(
        kind=build.__name__,
        seed=seed,
        fps=float(random.choice(FPS)),
        standing=not lying,
        length=length,
        breadth=breadth,
        line=length / 2,
        dropped=float(random.uniform(0, 0.5)),
        jitter=float(random.uniform(0, 0.03)),
        missed=float(random.uniform(0, 0.05)),
    )
    build(random, scene)
    return scene
