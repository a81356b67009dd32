"""A detector that may ask a bigger one: local, cloud or neither, and never after the deadline."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ...edge_runtime.detection.pipeline import Detects
from ...edge_runtime.sources import no_notice
from ...edge_runtime.types import Detections, Image
from .benefit import predicted_reward
from .connection import CloudClient
from .credentials import Secret
from .frame_difference import Thumbnail, largest_difference, thumbnail
from .policy import (
    NO_ANSWER,
    TOO_BIG,
    Decision,
    DecisionLog,
    OffloadContext,
    OffloadMode,
    Policy,
    static_reason,
)
from .remote_detector import RemoteDetector
from .time_budget import TimeBudget

# The next frame of a camera does not wait; a file does, but not for ever.
LIVE_DEADLINE_S = 0.5
FILE_DEADLINE_S = 10.0
# How long the first connection may take before the device starts alone.
CONNECT_S = 5.0
# Frames that may wait for the cloud beside those that the local detectors work on.
MAX_WAITING = 4
# For threads to wake up in.
SPARE_S = 0.02
# The same for a file in mode `auto`, which must not end late, and for the end of a session.
SHORT_CONNECT_S = 1.0
CLOSE_S = 1.0


@dataclass(frozen=True)
class OffloadOptions:
    """Where the cloud is, when to ask it, and what the device may spend.

    Args:
        address: wss://host:port; ws:// on this machine only.
        key: an API key or token.
        mode: when to ask.
        ca: a file of CA certificates to trust instead of the system's.
        deadline_s: maximum time per frame; by default half a second for live sources, ten for
            files.
        memory_bytes: memory budget of the local model; above it every frame goes to the cloud.
    """

    address: str
    key: Secret
    mode: OffloadMode = "auto"
    ca: Path | None = None
    deadline_s: float | None = None
    memory_bytes: int | None = None


class Offloader:
    """Shares local detectors and one session with the cloud among the workers of a pipeline.

    Args:
        local: the device's own detectors, all of one model; used in turn.
        class_names: of that model.
        options: where and when.
        connect: makes the client; for tests.
        live: frames come whether or not the last one is done.
        model_bytes, model_digest: size and SHA-256 of the local model's file.
        on_notice: receives a sentence when the server starts to refuse this device, and when it
            accepts it again; from a thread of its own.
    """

    def __init__(
        self,
        local: Sequence[Detects],
        class_names: Sequence[str],
        options: OffloadOptions,
        connect: Callable[..., CloudClient] = CloudClient,
        *,
        live: bool = True,
        model_bytes: int = 0,
        model_digest: str = "",
        on_notice: Callable[[str], None] = no_notice,
    ) -> None:
        self._live, self._model_bytes = live, model_bytes
        default_s = LIVE_DEADLINE_S if live else FILE_DEADLINE_S
        self._deadline_s = options.deadline_s or default_s
        self._idle: SimpleQueue[Detects] = SimpleQueue()
        for detector in local:
            self._idle.put(detector)
        self._options = options
        self._workers = len(local)
        self._policy = Policy(options.mode)
        budgeted = options.mode == "auto" and not live
        self._budget = TimeBudget(len(local)) if budgeted else None
        self._lock = threading.Lock()
        self._timing = threading.Lock()
        self._log = DecisionLog(self._deadline_s)
        self._last: tuple[Thumbnail, Detections] | None = None
        self.remote = RemoteDetector(
            lambda late: connect(
                options.address, options.key, ca=options.ca, on_late=late, on_notice=on_notice
            ),
            class_names,
            digest=model_digest,
            sparing=options.mode == "auto",
            live=live,
        )
        self._client = self.remote.client

    def start(self) -> bool:
        """Connect; False where the server cannot be reached now (the client keeps trying).

        Raises:
            CloudError: the server refuses.
        """
        if self._options.mode == "never":
            return True
        wait_s = CONNECT_S if self._budget is None else min(CONNECT_S, SHORT_CONNECT_S)
        return self._client.start(wait_s) is not None

    def workers(self) -> list[Offloader]:
        """This detector once per frame that may be in flight at a time.

        Frames that wait for an answer do not keep others from the local detectors.
        """
        welcome = self._client.welcome
        if welcome is None or self._options.mode == "never":
            return [self] * self._workers
        return [self] * max(self._workers, min(welcome.credits, MAX_WAITING + self._workers))

    def detect(self, image: Image) -> Detections:
        """Objects in `image`, from whichever model the policy chose; any thread."""
        started = time.monotonic()
        if self._budget is not None:
            self._budget.start(started)
        small = thumbnail(image)
        found, decision = self._skip_if_unchanged(small) or self._detect(image, started)
        self._log.add(decision, time.monotonic() - started)
        if decision.action != "skip":
            with self._lock:
                self._last = (small, found)
        return found

    def _skip_if_unchanged(self, small: Thumbnail) -> tuple[Detections, Decision] | None:
        with self._lock:
            last = self._last
        if last is None:
            return None
        decision = self._policy.skip_if_unchanged(largest_difference(last[0], small))
        return (last[1], decision) if decision else None

    def _detect(self, image: Image, started: float) -> tuple[Detections, Decision]:
        reason = self._static_reason()
        before = self._local_before(image, reason)
        decision = self._decide(before, started, reason)
        if decision.action == "cloud":
            found = self._remote(image, started, before is not None, reason)
            if found is not None:
                return found, decision
            decision = Decision("local", NO_ANSWER)
        found = before if before is not None else self._local(image)
        return self.remote.late_results.apply(found, time.monotonic()), decision

    def _static_reason(self) -> str:
        return static_reason(
            model_bytes=self._model_bytes,
            memory_bytes=self._options.memory_bytes,
            live=self._live,
            local_s=self._policy.local_s.mean / self._workers,
            cloud_s=self.remote.throughput_s(),
        )

    def _local_before(self, image: Image, reason: str) -> Detections | None:
        """The local detections that `auto` needs to decide; and in every mode those of the first
        frame, which measure how long the local model takes.
        """
        if self._options.mode != "always" and not reason:
            return self._local(image)
        with self._timing:
            return None if self._policy.local_s.samples else self._local(image)

    def _decide(self, before: Detections | None, started: float, reason: str) -> Decision:
        link, ready = self._client.state(), self.remote.encoder() is not None
        context = OffloadContext(
            reward=predicted_reward(before) if before is not None else 0.0,
            connected=link.connected and ready,
            credits_left=link.credits_left,
            allowed=link.allowed,
            link_debt_s=link.link_debt_s,
            silent_s=link.silent_s,
            expected_s=self.remote.expected_s(),
            deadline_s=self._deadline_s - (time.monotonic() - started),
            local_s=self._policy.local_s.p95 if before is None else 0.0,
            static_reason=reason,
            silence_limit_s=link.silence_limit_s,
            smallest=self.remote.smallest(),
            measuring=self.remote.measuring(),
            waiting_s=self._waiting_s(reason),
        )
        return self._policy.decide(context)

    def _local(self, image: Image) -> Detections:
        detector = self._idle.get()
        started = time.monotonic()
        if self._budget is not None:
            self._budget.compute(started, 1)
        try:
            return detector.detect(image)
        finally:
            ended = time.monotonic()
            self._policy.computed(ended - started)
            if self._budget is not None:
                self._budget.compute(ended, -1)
            self._idle.put(detector)

    def _remote(
        self, image: Image, started: float, have_local: bool, reason: str
    ) -> Detections | None:
        """The cloud's answer, or None in time to detect without it."""
        reserve_s = 0.0 if have_local else self._local_turns() * self._policy.local_s.p95
        until = started + self._deadline_s - reserve_s - SPARE_S
        if self._budget is None or reason == TOO_BIG:
            return self.remote.detect(image, until)
        begun = time.monotonic()
        self._budget.wait(begun, 1)
        try:
            found = self.remote.detect(image, min(until, begun + self._budget.left_s(begun)))
        finally:
            self._budget.wait(time.monotonic(), -1)
        if found is not None and not have_local:
            self._budget.saved(self._policy.local_s.mean / self._workers)
        return found

    def _waiting_s(self, reason: str) -> float:
        if self._budget is None or reason == TOO_BIG:
            return math.inf
        return self._budget.left_s(time.monotonic())

    def _local_turns(self) -> int:
        """How many times of the local model a frame without an answer may have to wait for.

        Frames of a file are all started, and abandoned, at once; those of a camera one by one. One
        turn more, since the frames that come then find the detectors busy.
        """
        return 2 if self._live else 1 - (-len(self.workers()) // self._workers)

    def warnings(self) -> list[str]:
        """For the report: why the server is not asked at the end."""
        reason = self._client.refusals.current
        if reason:
            return [f"{reason}. Counted on this device alone since then"]
        if not self.remote.is_foreign:
            return []
        return [
            f"the model of {self._options.address} knows none of this model's classes. "
            "Counted on this device alone; run the server with a model of the same classes"
        ]

    def close(self) -> None:
        """End the session with the server."""
        self._client.close(CLOSE_S)

    def report(self) -> dict[str, Any]:
        """Number of decisions by reason, and what went over the link."""
        totals, link = self._client.totals, self._client.state()
        late = self.remote.late_results
        return {
            "mode": self._options.mode,
            **self._log.report(),
            "sent_bytes": totals.sent_bytes,
            "rejected": totals.rejected,
            "dropped": totals.dropped,
            "late": late.noted,
            "corrected": late.applied,
            "connections": totals.connections,
            "refusals": self._client.refusals.report(),
            "rtt_ms": round(link.rtt_s * 1000, 1),
            "bytes_per_second": round(link.bandwidth),
        }
