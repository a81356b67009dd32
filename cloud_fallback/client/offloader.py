"""A detector that may ask a bigger one: local, cloud or neither, and never later than promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.detection.pipeline import Detects
from ...edge_runtime.types import Detections, Image
from .benefit import predicted_reward
from .connection import CloudClient
from .credentials import Secret
from .decisions import DecisionLog
from .frame_difference import changed_by, thumbnail
from .link_estimate import Ewma
from .policy import Decision, Offload, OffloadContext, Policy, static_reason
from .remote_detector import RemoteDetector

# A camera goes on; a file waits, but not for ever.
LIVE_DEADLINE_S = 0.5
FILE_DEADLINE_S = 10.0
# What the first connection may take before the device begins alone.
CONNECT_S = 5.0
# Frames that may wait for the cloud beside those that the local detectors work on.
WAITING = 4
# For threads to wake up in.
SPARE_S = 0.02


@dataclass(frozen=True)
class OffloadOptions:
    """Where the cloud is, when to ask it, and what the device may spend.

    Args:
        deadline_s: a frame may take in all; by default half a second for live sources, ten for
            files.
        memory_bytes: what the local model may take before the cloud is asked for every frame.
    """

    address: str
    key: Secret
    mode: Offload = "auto"
    ca: Path | None = None
    deadline_s: float | None = None
    memory_bytes: int | None = None


class Offloader:
    """Shares local detectors and one session with the cloud among the lanes of a pipeline.

    Args:
        local: the device's own detectors, all of one model; taken in turn.
        class_names: of that model.
        options: where and when.
        live: frames come whether or not the last one is done.
        model_bytes, model_digest: of the local model's file.
        connect: makes the client; for tests.
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
        self._lock = threading.Lock()
        self._timing = threading.Lock()
        self._local_s = Ewma()
        self._log = DecisionLog(self._deadline_s)
        self._seen: tuple[npt.NDArray[np.float32], Detections] | None = None
        self._asking = RemoteDetector(
            lambda late: connect(options.address, options.key, ca=options.ca, on_late=late),
            class_names,
            digest=model_digest,
            sparing=options.mode == "auto",
            live=live,
        )
        self._client = self._asking.client

    def start(self) -> bool:
        """Connect; False where the server cannot be reached now (it is tried on).

        Raises:
            CloudError: the server refuses.
        """
        if self._options.mode == "never":
            return True
        return self._client.start(CONNECT_S) is not None

    def lanes(self) -> list[Offloader]:
        """This once for each frame that may be under way at a time.

        Those that wait for an answer do not keep the others from the local detectors.
        """
        welcome = self._client.welcome
        if welcome is None or self._options.mode == "never":
            return [self] * self._workers
        return [self] * max(self._workers, min(welcome.credits, WAITING + self._workers))

    def detect(self, image: Image) -> Detections:
        """Objects in `image`, from whichever model the policy chose; any thread."""
        begun = time.monotonic()
        small = thumbnail(image)
        found, decision = self._glance(small) or self._look(image, begun)
        self._log.add(decision, time.monotonic() - begun)
        if decision.action != "skip":
            with self._lock:
                self._seen = (small, found)
        return found

    def _glance(self, small: npt.NDArray[np.float32]) -> tuple[Detections, Decision] | None:
        with self._lock:
            seen = self._seen
        decision = self._policy.skip_if_unchanged(changed_by(seen[0], small)) if seen else None
        return (seen[1], decision) if seen and decision else None

    def _look(self, image: Image, begun: float) -> tuple[Detections, Decision]:
        static_reason = self._favours()
        before = self._beforehand(image, static_reason)
        decision = self._decide(before, begun, static_reason)
        if decision.action == "cloud":
            found = self._ask(image, begun, before is not None)
            if found is not None:
                return found, decision
            decision = Decision("local", "no answer in time")
        found = before if before is not None else self._local(image)
        return self._asking.corrections.apply(found, time.monotonic()), decision

    def _favours(self) -> str:
        """A reason to send every frame of `auto`, or ""."""
        return static_reason(
            model_bytes=self._model_bytes,
            memory_bytes=self._options.memory_bytes,
            live=self._live,
            local_s=self._local_s.mean / self._workers,
            cloud_s=self._asking.throughput_s(),
        )

    def _beforehand(self, image: Image, static_reason: str) -> Detections | None:
        """What `auto` looks at before it asks; and once in any mode, to know how long it takes."""
        if self._options.mode != "always" and not static_reason:
            return self._local(image)
        with self._timing:
            return None if self._local_s.samples else self._local(image)

    def _decide(self, before: Detections | None, begun: float, static_reason: str) -> Decision:
        link, ready = self._client.state(), self._asking.packer() is not None
        situation = OffloadContext(
            reward=predicted_reward(before) if before is not None else 0.0,
            connected=link.connected and ready,
            credits_left=link.credits_left,
            allowed=link.allowed,
            link_debt_s=link.link_debt_s,
            silent_s=link.silent_s,
            expected_s=self._asking.expected_s(),
            deadline_s=self._deadline_s - (time.monotonic() - begun),
            local_s=self._local_s.p95 if before is None else 0.0,
            static_reason=static_reason,
        )
        with self._lock:
            return self._policy.decide(situation)

    def _local(self, image: Image) -> Detections:
        detector = self._idle.get()
        begun = time.monotonic()
        try:
            return detector.detect(image)
        finally:
            with self._lock:
                self._local_s.add(time.monotonic() - begun)
            self._idle.put(detector)

    def _ask(self, image: Image, begun: float, have_local: bool) -> Detections | None:
        """The cloud's answer, if it leaves time to go on without it."""
        reserve = 0.0 if have_local else self._turns() * self._local_s.p95
        return self._asking.ask(image, begun + self._deadline_s - reserve - SPARE_S)

    def _turns(self) -> int:
        """How many times of the local model a frame without an answer may take.

        Frames of a file are all begun, and given up, at once; those of a camera one by one. One
        turn more, since whatever comes then finds the others busy.
        """
        return 2 if self._live else 1 - (-len(self.lanes()) // self._workers)

    def close(self) -> None:
        """Say goodbye to the server."""
        self._client.close()

    def report(self) -> dict[str, Any]:
        """What was decided how often and why, and what went over the link."""
        totals, link = self._client.totals, self._client.state()
        corrections = self._asking.corrections
        return {
            "mode": self._options.mode,
            **self._log.report(),
            "sent_bytes": totals.sent_bytes,
            "rejected": totals.rejected,
            "dropped": totals.dropped,
            "late": corrections.noted,
            "corrected": corrections.applied,
            "connections": totals.connections,
            "rtt_ms": round(link.rtt_s * 1000, 1),
            "bytes_per_second": round(link.bandwidth),
        }
