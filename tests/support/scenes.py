"""Scenes of moving boxes, seen through a noisy detector at any frame rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tallylens.edge_runtime.core import TrackCounter
from tallylens.edge_runtime.types import Detections, Event

Point = tuple[float, float]
Path = Callable[[float], Point | None]
FRAME = (640, 480)


def along(*stations: tuple[float, float, float]) -> Path:
    """Straight from station to station, each (seconds, x, y); out of view before and after."""
    times, xs, ys = np.array(stations, float).T

    def place(seconds: float) -> Point | None:
        if not times[0] <= seconds <= times[-1]:
            return None
        return float(np.interp(seconds, times, xs)), float(np.interp(seconds, times, ys))

    return place


@dataclass(frozen=True)
class Mover:
    """A box of `size` (width, height) whose bottom center follows `path`.

    `labels` are the classes that the detector gives it, in turn; it is not seen in the spans
    (from, to) of seconds in `hidden`.
    """

    path: Path
    size: Point = (40.0, 60.0)
    labels: Sequence[int] = (0,)
    confidence: float = 0.8
    hidden: Sequence[Point] = ()

    def box(self, seconds: float) -> tuple[float, float, float, float] | None:
        """Its xyxy, None where it is not seen."""
        place = self.path(seconds)
        if place is None or any(start <= seconds < end for start, end in self.hidden):
            return None
        (x, y), (width, height) = place, self.size
        return x - width / 2, y - height, x + width / 2, y


def detections(
    rows: Iterable[tuple[float, ...]], confidence: Any = 0.8, class_id: Any = 0
) -> Detections:
    """Rows of xyxy with confidences and classes, one for all or one each."""
    xyxy = np.array(list(rows), np.float32).reshape(-1, 4)
    return Detections(
        xyxy,
        np.full(len(xyxy), confidence, np.float32),
        np.full(len(xyxy), class_id, np.int32),
    )


def filmed(
    movers: Sequence[Mover], times: Iterable[float], *, noise: float = 0.0, seed: int = 0
) -> Iterator[tuple[int, Detections]]:
    """(timestamp_ns, detections) at `times` in seconds; `noise` is in units of a box's size."""
    random = np.random.default_rng(seed)
    for index, seconds in enumerate(times):
        rows, scores, labels = [], [], []
        for mover in movers:
            box = mover.box(seconds)
            if box is None:
                continue
            jitter = noise * random.standard_normal(4) * np.sqrt(np.prod(mover.size))
            rows.append(tuple(np.array(box) + jitter))
            scores.append(mover.confidence)
            labels.append(mover.labels[index % len(mover.labels)])
        yield round(seconds * 1e9), detections(rows, scores, labels)


@dataclass
class Played:
    """A counter that has seen a scene, and all that it reported."""

    counter: TrackCounter
    events: list[Event] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def crossings(self, line: int = 0) -> tuple[int, int]:
        """Totals (in, out) over all classes."""
        totals = self.counter.line(line)
        return int(totals.crossed_in.sum()), int(totals.crossed_out.sum())

    def unique(self) -> int:
        return int(self.counter.unique().sum())


def box(x: float, bottom: float, width: float, height: float) -> np.ndarray:
    """xyxy of a box whose bottom center is at (x, bottom)."""
    return np.array((x - width / 2, bottom - height, x + width / 2, bottom))


def play_boxes(
    frames: Iterable[Sequence[np.ndarray]],
    *,
    fps: float = 30.0,
    lines: Sequence[tuple[Point, Point]] = (),
    zones: Sequence[Sequence[Point]] = (),
    frame_size: tuple[int, int] = (1280, 720),
    conclude: bool = False,
    **how: Any,
) -> Played:
    """Count frames whose boxes (xyxy) are given one by one; all are of class 0."""
    counter = TrackCounter(1, frame_size, **how)
    for start, end in lines:
        counter.add_line(start, end)
    for corners in zones:
        counter.add_zone(corners)
    played = Played(counter)
    for index, boxes in enumerate(frames):
        rows = [tuple(row) for row in boxes]
        tracks = counter.update(round(index * 1e9 / fps), detections(rows))
        played.ids.update(tracks.track_id.tolist())
        played.events.extend(counter.take_events())
    if conclude:
        counter.conclude()
        played.events.extend(counter.take_events())
    return played


def play(
    movers: Sequence[Mover],
    *,
    seconds: float = 4.0,
    fps: float = 25.0,
    times: Iterable[float] | None = None,
    lines: Sequence[tuple[Point, Point]] = (),
    zones: Sequence[Sequence[Point]] = (),
    noise: float = 0.0,
    seed: int = 0,
    num_classes: int = 4,
    frame_size: tuple[int, int] = FRAME,
    **how: Any,
) -> Played:
    """Count a scene; `times` overrides the even frames of `fps`."""
    counter = TrackCounter(num_classes, frame_size, **how)
    for start, end in lines:
        counter.add_line(start, end)
    for corners in zones:
        counter.add_zone(corners)
    played = Played(counter)
    if times is None:
        times = np.arange(0, seconds, 1 / fps)
    for timestamp_ns, found in filmed(movers, times, noise=noise, seed=seed):
        tracks = counter.update(timestamp_ns, found)
        played.ids.update(tracks.track_id.tolist())
        played.events.extend(counter.take_events())
    return played
