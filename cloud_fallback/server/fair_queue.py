"""Frames that wait: those of the keys in turn, and within a key those of its sessions.

Keys take turns by the seconds of work that their frames cost, not by frames, with start-time fair
queueing (Goyal, Vin and Cheng 1996). A frame is charged by its pixels when it is taken, and by what
it has cost when that is known. However many sessions a key has, and however large or slow to decode
its images are, it gets no more time than any other key that has frames waiting.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from .job import Job

# A key or session that has sent nothing for one to two of these needs no detector kept free.
RECENT_S = 1.0
# Until the work of a frame is measured: a second for 100 million pixels decoded.
PIXEL_S = 1e-8
# How fast the estimate of the model's time follows what is measured.
_FOLLOW = 0.1
# A thread that wakes up costs some 50 microseconds of processor time, and as much for its answer.
_TOGETHER_S = 0.001
_MAX_TOGETHER = 8


@dataclass(frozen=True)
class QueueLimits:
    """Maximum of what waits, in all and of one key; bytes are of encoded images."""

    frames: int = 4096
    bytes: int = 256 << 20
    frames_of_key: int = 1024
    bytes_of_key: int = 64 << 20


class _Recent:
    """Which members were there in the last one to two times `RECENT_S`."""

    def __init__(self) -> None:
        self._older: set[Hashable] = set()
        self._newer: set[Hashable] = set()
        self._turned = 0.0

    def note(self, member: Hashable, now: float) -> None:
        if now - self._turned > RECENT_S:
            self._older, self._newer, self._turned = self._newer, set(), now
        self._newer.add(member)

    def several(self) -> bool:
        """Whether there was more than one."""
        return max(len(self._older), len(self._newer)) > 1


@dataclass(eq=False)
class _Key:
    """The waiting frames of one key, and the work it has used.

    Args:
        used: seconds of work charged, on the clock of the queue.
        turn: number of its valid entry in the order of keys; 0 for none.
    """

    used: float = 0.0
    turn: int = 0
    frames: int = 0
    bytes: int = 0
    working: int = 0
    sessions: dict[Hashable, deque[Job]] = field(default_factory=dict)
    working_of: Counter[Hashable] = field(default_factory=Counter)
    recent: _Recent = field(default_factory=_Recent)

    def add(self, job: Job) -> None:
        self.sessions.setdefault(job.owner, deque()).append(job)
        self.recent.note(job.owner, job.arrived)
        self.frames += 1
        self.bytes += job.size

    def take(self, share: int) -> Job | None:
        """The next frame, its session put last; None where all sessions have their share."""
        limit = share if self.recent.several() else self.frames + self.working
        for _ in range(len(self.sessions)):
            owner = next(iter(self.sessions))
            jobs = self.sessions.pop(owner)
            job = jobs.popleft() if self.working_of[owner] < limit else None
            if jobs:
                self.sessions[owner] = jobs
            if job is not None:
                self._left(job)
                return job
        return None

    def newest(self) -> Job:
        """Take the newest frame of the session that has the most."""
        owner, jobs = max(self.sessions.items(), key=lambda item: len(item[1]))
        job = jobs.pop()
        if not jobs:
            del self.sessions[owner]
        self._left(job)
        return job

    def remove(self, owner: Hashable) -> list[Job]:
        """Take everything of a session."""
        jobs = list(self.sessions.pop(owner, ()))
        for job in jobs:
            self._left(job)
        return jobs

    def _left(self, job: Job) -> None:
        self.frames -= 1
        self.bytes -= job.size


class FairQueue:
    """Frames that wait.

    Args:
        limits: of what waits.
        share: maximum number of frames at detectors of one key while there are several, and of one
            session while its key has several, so that who comes next finds a detector free.
    """

    def __init__(self, limits: QueueLimits, share: int) -> None:
        self._limits, self._share = limits, share
        # Never more than there are keys in the file.
        self._keys: dict[Hashable, _Key] = {}
        self._key_of: dict[Hashable, Hashable] = {}
        # The keys with frames, by what they have used: (used, turn, key).
        self._order: list[tuple[float, int, _Key]] = []
        self._turns = 0
        self._clock = 0.0
        self._model_s = 0.0
        # Of a frame, as measured; too long for two together until it is.
        self._work_s = _TOGETHER_S
        self._recent = _Recent()
        self._frames = self._bytes = 0

    def __len__(self) -> int:
        return self._frames

    def oldest(self) -> float:
        """When the oldest frame arrived, monotonic seconds; infinite without one."""
        waiting = (self._keys[key].sessions[owner][0] for owner, key in self._key_of.items())
        return min((job.arrived for job in waiting), default=float("inf"))

    def add(self, job: Job) -> list[Job]:
        """Queue a frame; the frames to refuse for it, which may be itself."""
        key, limits = self._keys.setdefault(job.key, _Key()), self._limits
        if key.frames >= limits.frames_of_key or key.bytes + job.size > limits.bytes_of_key:
            return [job]
        if not key.frames:
            key.used = max(key.used, self._clock)
        key.add(job)
        self._frames += 1
        self._bytes += job.size
        self._key_of[job.owner] = job.key
        self._recent.note(job.key, job.arrived)
        if not key.turn:
            self._enter(key)
        return self._surplus()

    def _surplus(self) -> list[Job]:
        """The frames above the limits of the process: the newest of the key that has the most."""
        over: list[Job] = []
        while self._frames > self._limits.frames or self._bytes > self._limits.bytes:
            many = self._frames > self._limits.frames
            fullest = max(self._keys.values(), key=lambda one: one.frames if many else one.bytes)
            over.append(fullest.newest())
            self._left(fullest, over[-1])
        return over

    def take(self, limit: int, now: float) -> tuple[list[Job], list[Job]]:
        """Up to `limit` frames for a detector, and those that are late."""
        batch: list[Job] = []
        late: list[Job] = []
        passed: list[_Key] = []
        alone = not self._recent.several()
        while len(batch) < limit and (key := self._first()) is not None:
            job = key.take(self._share) if alone or key.working < self._share else None
            if job is None:
                key.turn = 0
                passed.append(key)
                continue
            if job.expires <= now:
                late.append(job)
            else:
                batch.append(job)
                self._charge(key, job)
            self._left(key, job)
            self._enter(key)
        for key in passed:
            self._enter(key)
        return batch, late

    def _first(self) -> _Key | None:
        """The key with frames that has used the minimum."""
        while self._order:
            _, turn, key = self._order[0]
            if turn == key.turn:
                return key
            heapq.heappop(self._order)
        return None

    def _charge(self, key: _Key, job: Job) -> None:
        self._clock = max(self._clock, key.used)
        job.charged = self._model_s + job.pixels * PIXEL_S
        key.used += job.charged
        key.working += 1
        key.working_of[job.owner] += 1

    @property
    def together(self) -> int:
        """Number of frames whose work is so short that one wake-up of a thread is enough."""
        return max(1, min(_MAX_TOGETHER, int(_TOGETHER_S / self._work_s)))

    def finished(self, job: Job, decode_s: float, model_s: float) -> None:
        """A frame that was taken is done, at this cost."""
        key = self._keys[job.key]
        key.working -= 1
        key.working_of[job.owner] -= 1
        if not key.working_of[job.owner]:
            del key.working_of[job.owner]
        key.used += decode_s + model_s - job.charged
        self._model_s += _FOLLOW * (model_s - self._model_s)
        # One slow frame ends it at once, many short ones begin it: nobody waits behind the former.
        work_s = decode_s + model_s
        self._work_s = max(work_s, self._work_s + _FOLLOW * (work_s - self._work_s))
        self._enter(key)

    def remove(self, owner: Hashable) -> list[Job]:
        """Take everything that waits for a session."""
        key = self._keys.get(self._key_of.pop(owner, None))
        jobs = [] if key is None else key.remove(owner)
        for job in jobs:
            self._left(self._keys[job.key], job)
        return jobs

    def clear(self) -> list[Job]:
        """Take everything."""
        return [job for owner in list(self._key_of) for job in self.remove(owner)]

    def _left(self, key: _Key, job: Job) -> None:
        """A frame no longer waits."""
        self._frames -= 1
        self._bytes -= job.size
        if job.owner not in key.sessions:
            self._key_of.pop(job.owner, None)
        if not key.frames:
            key.turn = 0

    def _enter(self, key: _Key) -> None:
        """Enter a key in the order, by what it has used; none without frames.

        Its older entries are no longer valid, and are skipped when they come first.
        """
        if not key.frames:
            return
        self._turns += 1
        key.turn = self._turns
        heapq.heappush(self._order, (key.used, key.turn, key))
        if len(self._order) > 4 * len(self._keys) + 64:
            self._order = [one for one in self._order if one[1] == one[2].turn]
            heapq.heapify(self._order)
