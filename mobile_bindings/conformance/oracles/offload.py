"""The decision to offload in plain Python, written before the core's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

EDGES = (0.1, 0.25, 0.4, 0.6, 1.01)
WEIGHTS = (0.4211, 0.1329, 0.0234, -0.1327, -0.2131)
STEP = 0.05
SMOOTHING, DEVIATIONS = 0.2, 2.0
RECENT, CREDIT_FRAMES, MIN_SERVICE_S, STALE_S = 64, 4, 1e-3, 30.0
LINK_SHARE, MIN_SILENCE_S, SILENCE_FACTOR = 0.45, 3.0, 4.0
SLOWEST, SLOWDOWN, LONGEST_TRANSIT_S = 25_000.0, 8.0, 30.0
WAITING_SHARE = 0.12
KEEP_S, MAX_KEPT, MIN_IOU, MIN_CONFIDENCE = 2.0, 8, 0.5, 0.5

Facts = dict[str, Any]


def features(scores: list[float]) -> list[float]:
    """1, and the square roots of the numbers of scores in each band."""
    bands = pairwise(EDGES)
    return [1.0, *(math.sqrt(sum(low <= s < high for s in scores)) for low, high in bands)]


def reward(scores: list[float]) -> float:
    """Benefit to expect from the bigger model."""
    found = sum(f * w for f, w in zip(features(scores), WEIGHTS, strict=True))
    return min(max(found, 0.0), 1.0)


def static_reason(facts: Facts) -> str:
    """A reason to send every frame, or "none"."""
    memory = facts["memory_bytes"]
    if memory >= 0 and 3 * facts["model_bytes"] > memory:
        return "too_big"
    cloud_s, local_s = facts["cloud_s"], facts["local_s"]
    sooner = not facts["live"] and cloud_s > 0 and cloud_s * 1.2 < local_s
    return "file_sooner" if sooner else "none"


class Policy:
    """Its only state is the reward that is high enough."""

    def __init__(self, mode: str, share: float) -> None:
        self._mode, self._share, self._threshold = mode, share, 0.0

    def decide(self, facts: Facts) -> tuple[str, str]:
        """(action, reason) of a frame."""
        late = facts["expected_s"] > facts["deadline_s"] - facts["local_s"]
        if self._mode == "never":
            return "local", "never"
        problem = unavailable(facts)
        if not problem and late and self._mode == "always" and facts["smallest"]:
            problem = "too_late"
        if problem:
            return "local", problem
        if self._mode == "always":
            return "cloud", "always"
        if facts["expected_s"] > facts["waiting_s"]:
            return "local", "file_later"
        if facts["static_reason"] != "none":
            return "cloud", facts["static_reason"]
        if late:
            return "local", "too_late"
        if facts["link_debt_s"] > 0:
            return "local", "link_share"
        worth = facts["reward"] > self._threshold
        self._threshold += STEP * ((1 - self._share) if worth else -self._share)
        return ("cloud", "worth_it") if worth else ("local", "not_worth_it")


def unavailable(facts: Facts) -> str:
    """Why the cloud cannot be asked now."""
    if not facts["connected"]:
        return "no_connection"
    if facts["silent_s"] > min(facts["deadline_s"], facts["silence_limit_s"]):
        return "silent"
    if facts["credits_left"] <= 0:
        return "no_credit"
    if not facts["allowed"]:
        return "no_quota"
    return "measuring" if facts["measuring"] else ""


@dataclass
class Ewma:
    """Exponentially weighted mean and mean deviation."""

    mean: float = 0.0
    deviation: float = 0.0
    samples: int = 0

    def add(self, value: float) -> None:
        """Add a sample."""
        if not self.samples:
            self.mean = value
        error = value - self.mean
        self.mean += SMOOTHING * error
        self.deviation += SMOOTHING * (abs(error) - self.deviation)
        self.samples += 1

    def values(self) -> list[float]:
        """Mean, 95th percentile and number of samples."""
        return [self.mean, self.mean + DEVIATIONS * self.deviation, self.samples]


class Link:
    """Round trip, bandwidth and server time of one connection."""

    def __init__(self) -> None:
        self.rtt, self.server, self.bandwidth = Ewma(), Ewma(), Ewma()
        self._answered_at = self._measured_at = self._free_at = 0.0
        self._sent: dict[int, tuple[float, int]] = {}
        self._waiting: dict[int, tuple[float, int]] = {}
        self._last = (0, 0.0)
        self._debt_s = self._debt_at = 0.0

    def welcomed(self, seconds: float) -> None:
        """The round trip of two short messages."""
        self.rtt.add(seconds)

    def sent(self, sequence: int, size: int, now: float) -> None:
        """A frame is sent."""
        self._sent[sequence] = self._waiting[sequence] = (now, size)
        takes_s = size / self.bandwidth.mean if self.bandwidth.samples else 0.0
        self._free_at = max(self._free_at, now) + takes_s
        self._debt_s = min(self.debt_s(now) + takes_s, CREDIT_FRAMES * takes_s)
        self._debt_at = now
        while len(self._sent) > RECENT:
            self._sent.pop(next(iter(self._sent)))

    def answered(self, sequence: int, server_s: float, now: float) -> None:
        """The answer came."""
        self._answered_at = now
        sent = self._waiting.pop(sequence, None)
        if sent is None:
            return
        self.server.add(server_s)
        arrived = now - server_s
        before, before_at = self._last
        if sequence <= before:
            return
        self._last = (sequence, arrived)
        between = [one for number, one in self._sent.items() if before < number <= sequence]
        begun = max(before_at, between[0][0] + self.rtt.mean)
        size = sum(one[1] for one in between)
        self.bandwidth.add(size / max(MIN_SERVICE_S, arrived - begun))
        self._measured_at = now
        if len(between) == 1 and sent[0] > before_at:
            self.rtt.add(max(0.0, arrived - sent[0] - size / self.bandwidth.mean))

    def lost(self) -> None:
        """The connection has ended."""
        self._waiting.clear()
        self._free_at = 0.0

    def debt_s(self, now: float) -> float:
        """For how long the link should rest."""
        return max(0.0, self._debt_s - LINK_SHARE * (now - self._debt_at))

    def expected_s(self, size: int, now: float) -> float:
        """Time to the answer of a frame."""
        if not self.bandwidth.samples:
            return 0.0
        busy_s = max(0.0, self._free_at - now)
        return busy_s + self.rtt.values()[1] + size / self.bandwidth.mean + self.server.values()[1]

    def state(self, now: float) -> Facts:
        """All that follows."""
        in_flight = sum(size for _, size in self._waiting.values())
        silent_s = 0.0
        if self._waiting:
            first = next(iter(self._waiting.values()))[0]
            silent_s = max(0.0, now - max(first, self._answered_at))
        usual_s = self.rtt.values()[1] + self.server.values()[1]
        longest_s = in_flight / max(SLOWEST, self.bandwidth.mean / SLOWDOWN)
        return {
            "measured": int(bool(self.bandwidth.samples) and now - self._measured_at <= STALE_S),
            "rtt": self.rtt.values(),
            "server": self.server.values(),
            "bandwidth": self.bandwidth.values(),
            "unanswered": len(self._waiting),
            "silent_s": silent_s,
            "silence_limit_s": max(MIN_SILENCE_S, SILENCE_FACTOR * usual_s)
            + in_flight / max(SLOWEST, self.bandwidth.mean / 2),
            "transit_s": max(0.0, min(LONGEST_TRANSIT_S, longest_s) - silent_s),
            "busy_s": max(0.0, self._free_at - now),
            "debt_s": self.debt_s(now),
        }


class Waiting:
    """How long a file may wait."""

    def __init__(self, engines: int) -> None:
        self._engines = engines
        self._started: float | None = None
        self._at = 0.0
        self._waiting = self._computing = 0
        self._lost_s = self._saved_s = 0.0

    def start(self, now: float) -> None:
        """A frame starts."""
        if self._started is None:
            self._started = self._at = now

    def wait(self, now: float, change: int) -> None:
        """Frames start or end to wait."""
        self._advance(now)
        self._waiting += change

    def compute(self, now: float, change: int) -> None:
        """Engines start or end to compute."""
        self._advance(now)
        self._computing += change

    def saved(self, seconds: float) -> None:
        """No engine had to compute a frame."""
        self._saved_s += seconds

    def left(self, now: float) -> float:
        """How much longer frames may wait."""
        self._advance(now)
        if self._started is None:
            return 0.0
        lost_s = self._lost_s - self._saved_s
        return max(0.0, WAITING_SHARE * (now - self._started - lost_s) - lost_s)

    def _advance(self, now: float) -> None:
        if self._started is not None and now > self._at:
            idle = max(0, self._engines - self._computing) / self._engines
            self._lost_s += (now - self._at) * idle if self._waiting else 0.0
            self._at = now


Row = list[float]


class Late:
    """Classes of answers that came too late; rows are x1, y1, x2, y2, confidence, class."""

    def __init__(self) -> None:
        self._known: list[tuple[float, list[Row]]] = []

    def note(self, rows: list[Row], now: float) -> None:
        """Keep an answer."""
        self._known = [one for one in self._known if now - one[0] < KEEP_S][-MAX_KEPT:]
        self._known.append((now, [row for row in rows if row[4] >= MIN_CONFIDENCE]))

    def apply(self, rows: list[Row], now: float) -> list[int]:
        """The classes of local detections."""
        classes = [int(row[5]) for row in rows]
        for at, known in self._known:
            if now - at >= KEEP_S or not known:
                continue
            for i, row in enumerate(rows):
                best = max(known, key=lambda other: iou(row, other))
                if iou(row, best) >= MIN_IOU:
                    classes[i] = int(best[5])
        return classes


def iou(a: Row, b: Row) -> float:
    """Intersection over union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0
