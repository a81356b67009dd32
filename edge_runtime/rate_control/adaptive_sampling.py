"""Adaptive sampling (`--sample auto`): only the frames that the objects' speed needs.

It is for cameras of 60 to 240 frames per second.

Tracking needs an object to move by at most a fraction of its own size between two frames. While a
new object's speed is unknown, every frame is processed.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from ..types import Frame
from .frame_filter import FrameFeedback, RateLimiter

STEP = 0.25  # maximum movement between two frames, in the object's own sizes
SLOWEST_FPS = 15.0
BASE_S = 0.1  # over which a speed is measured; shorter would measure the boxes' jitter
NEW_OBJECT = 0.25  # confidence from which a detection may be a new object
MEMORY_S = 2.0  # how long a measured speed keeps the rate up

Path = deque[tuple[float, float, float]]


class AdaptiveSampler:
    """Passes the frames that the measured speeds need; see `FrameFilter`.

    Attributes:
        fastest: maximum speed so far, in the object's own sizes per second.
    """

    def __init__(self) -> None:
        self.fastest = 0.0
        self._limiter = RateLimiter()
        self._paths: dict[int, Path] = {}
        self._speeds: deque[tuple[float, float]] = deque()
        self._used = 0
        self._first_ns: int | None = None
        self._last_ns = 0

    def wants(self, frame: Frame) -> bool:
        """Whether the frame is needed."""
        self._first_ns = frame.timestamp_ns if self._first_ns is None else self._first_ns
        self._last_ns = frame.timestamp_ns
        wanted = self._limiter.is_due(frame.timestamp_ns)
        self._used += wanted
        return wanted

    def learn(self, feedback: FrameFeedback) -> None:
        """Measure the objects' speeds, and set the rate by the fastest."""
        now_s, tracks = feedback.frame.timestamp_ns / 1e9, feedback.tracks
        known = set(tracks.track_id.tolist())
        self._paths = {track: path for track, path in self._paths.items() if track in known}
        for track, box in zip(tracks.track_id.tolist(), tracks.xyxy, strict=True):
            speed = self._speed(track, box, now_s)
            if speed is not None:
                self._speeds.append((now_s, speed))
                self.fastest = max(self.fastest, speed)
        while self._speeds and self._speeds[0][0] < now_s - MEMORY_S:
            self._speeds.popleft()
        fastest = max((speed for _, speed in self._speeds), default=0.0)
        self._limiter.interval_s = 1 / max(SLOWEST_FPS, fastest / STEP)
        objects = int((feedback.detections.confidence >= NEW_OBJECT).sum())
        young = any(now_s - path[0][0] < BASE_S for path in self._paths.values())
        if young or objects > len(known):
            self._limiter.interval_s = 0.0
            self._limiter.reset()

    def _speed(self, track: int, box: npt.NDArray[np.float32], now_s: float) -> float | None:
        """Sizes per second over at least BASE_S; None while the track is younger."""
        x1, y1, x2, y2 = (float(side) for side in box)
        path = self._paths.setdefault(track, deque())
        path.append((now_s, (x1 + x2) / 2, (y1 + y2) / 2))
        while len(path) > 2 and now_s - path[1][0] >= BASE_S:
            path.popleft()
        then_s, x, y = path[0]
        if now_s - then_s < BASE_S:
            return None
        size = max(math.sqrt(max((x2 - x1) * (y2 - y1), 0.0)), 1.0)
        moved = math.hypot(path[-1][1] - x, path[-1][2] - y)
        return moved / size / (now_s - then_s)

    def summary(self) -> str:
        """The average rate, and the speed that it follows from."""
        seconds = max((self._last_ns - (self._first_ns or 0)) / 1e9, 1e-9)
        return (
            f"auto sampling used {self._used / seconds:.0f} frames per second on average; the "
            f"fastest object moved {self.fastest:.1f} of its own sizes per second"
        )
