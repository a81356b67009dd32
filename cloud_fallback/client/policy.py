"""Where a frame goes: `local`, `cloud` or `skip`. Pure: every fact is an argument.

A frame goes to the cloud when something changed, when it is worth it (the reward predicted from
what the device's own model found), when the answer comes in time, and when credits, quota and link
allow it. In every other case the device counts alone, and the reason is reported. The core decides
(`tally_offload` in tally.h), for every language alike.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...edge_runtime.core.native import Handle, check_status, default, ffi, lib, struct
from ...edge_runtime.core.native import options as core_options
from ...edge_runtime.core.reasons import reason_text, reasons
from ...edge_runtime.errors import UsageError
from .link_estimate import Average

Action = Literal["local", "cloud", "skip"]
OffloadMode = Literal["auto", "never", "always"]
_ACTIONS: dict[int, Action] = {
    lib.TALLY_LOCAL: "local",
    lib.TALLY_CLOUD: "cloud",
    lib.TALLY_SKIP: "skip",
}
_MODES: dict[OffloadMode, int] = {
    "never": lib.TALLY_OFFLOAD_NEVER,
    "auto": lib.TALLY_OFFLOAD_AUTO,
    "always": lib.TALLY_OFFLOAD_ALWAYS,
}
_REASONS = reasons()

# Maximum difference of gray levels, in the most changed of 32 x 18 cells, of an unchanged view: the
# noise of a good sensor.
UNCHANGED: float = default("offload", "unchanged")
# Maximum share of the frames that `auto` sends; the threshold on the reward moves to keep to it.
# The limits of link and key lower the share further.
SHARE: float = default("offload", "share")
TOO_BIG = reason_text(lib.TALLY_REASON_TOO_BIG)
NO_ANSWER = reason_text(lib.TALLY_REASON_NO_ANSWER)


@dataclass(frozen=True)
class OffloadContext:
    """Facts about a captured frame and the link. Seconds, bytes.

    Args:
        reward: what the bigger model would add, as predicted from the local detections.
        connected: there is an open connection.
        credits_left: how many more frames may be sent.
        allowed: the key has frames left now.
        link_debt_s: for how long the link should rest, so that it is never full.
        silent_s: how long frames have waited without any answer.
        expected_s: time until the answer, 95th percentile.
        deadline_s: time until the frame must be counted.
        local_s: time that the local model needs afterwards, if no answer comes.
        static_reason: a reason to send every frame, or ""; see `static_reason`.
        silence_limit_s: silence after which no answer is to be expected.
        smallest: no encoding with fewer bytes may be tried.
        measuring: a frame that measures the link is still on its way.
        waiting_s: how long the frames of a file may still wait, so that it does not end late.
    """

    reward: float
    connected: bool
    credits_left: int
    allowed: bool
    link_debt_s: float
    silent_s: float
    expected_s: float
    deadline_s: float
    local_s: float
    static_reason: str = ""
    silence_limit_s: float = math.inf
    smallest: bool = False
    measuring: bool = False
    waiting_s: float = math.inf


@dataclass(frozen=True)
class Decision:
    """The action for a frame, and the reason in words for the report."""

    action: Action
    reason: str

    @classmethod
    def of(cls, decision: Any) -> Decision:
        """A `tally_decision`."""
        return cls(_ACTIONS[decision.action], reason_text(decision.reason))


class Policy:
    """Decides frame after frame; any thread. Its only state is the reward that is high enough.

    Args:
        mode: `never` and `always` do what they say; `auto` weighs reward, time and link.
        share: maximum share of the frames that `auto` sends.

    Raises:
        UsageError: an unknown mode.
    """

    def __init__(self, mode: OffloadMode, share: float = SHARE) -> None:
        if mode not in _MODES:
            raise UsageError(f"the offload mode is {mode!r}", f"Use one of {', '.join(_MODES)}")
        self._handle = Handle("offload", core_options("offload", mode=_MODES[mode], share=share))
        self._lock = threading.Lock()
        self._decision = ffi.new("tally_decision *")
        self._local = ffi.new("tally_average *")

    def skip_if_unchanged(self, difference: float) -> Decision | None:
        """The decision to use no model at all, where the view has not changed.

        Args:
            difference: gray levels by which the most changed cell differs from that of the last
                frame that a model saw.
        """
        decision = self._decide(lib.tally_offload_skip, difference)
        return decision if decision.action == "skip" else None

    def decide(self, context: OffloadContext) -> Decision:
        """Where this frame goes."""
        facts = asdict(context) | {"static_reason": _REASONS[context.static_reason]}
        return self._decide(lib.tally_offload_decide, struct("offload_facts", **facts))

    def _decide(self, function: Any, argument: Any) -> Decision:
        with self._lock:
            self._handle.call(function, argument, self._decision)
            return Decision.of(self._decision)

    def computed(self, seconds: float) -> None:
        """Note how long the local model took for a frame."""
        with self._lock:
            self._handle.call(lib.tally_offload_computed, seconds)

    @property
    def local_s(self) -> Average:
        """Seconds that the local model takes."""
        with self._lock:
            self._handle.call(lib.tally_offload_local, self._local)
            return Average.of(self._local)


def static_reason(
    *,
    model_bytes: int,
    memory_bytes: int | None,
    live: bool,
    local_s: float,
    cloud_s: float,
) -> str:
    """A reason to send every frame that does not change from one to the next, or "".

    Args:
        model_bytes: size of the local model's file; running it takes about three times as much.
        memory_bytes: memory budget of the local model; None for no limit.
        live: frames come at their own pace, so that nothing is done sooner elsewhere.
        local_s, cloud_s: seconds per frame, all workers together; 0 where it is not known yet.
    """
    facts = struct(
        "offload_static_facts",
        live=live,
        model_bytes=model_bytes,
        memory_bytes=-1 if memory_bytes is None else memory_bytes,
        local_s=local_s,
        cloud_s=cloud_s,
    )
    reason = ffi.new("int32_t *")
    check_status(lib.tally_offload_static_reason(facts, reason))
    return reason_text(reason[0])


class DecisionLog:
    """Counts decisions, and frames that took longer than `deadline_s`; any thread."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._decisions: Counter[Decision] = Counter()
        self._longest_s = 0.0
        self._missed = 0

    def add(self, decision: Decision, seconds: float) -> None:
        """Note a frame that took `seconds` in all."""
        with self._lock:
            self._decisions[decision] += 1
            self._longest_s = max(self._longest_s, seconds)
            self._missed += seconds > self._deadline_s

    def report(self) -> dict[str, Any]:
        """`frames` by action, `decisions` by reason, missed deadlines and the longest time."""
        with self._lock:
            frames = dict.fromkeys(("local", "cloud", "skip"), 0)
            for decision, number in self._decisions.items():
                frames[decision.action] += number
            reasons = [
                {"action": decision.action, "reason": decision.reason, "frames": number}
                for decision, number in self._decisions.most_common()
            ]
            return {
                "frames": frames,
                "decisions": reasons,
                "deadline_ms": round(self._deadline_s * 1000),
                "missed_deadlines": self._missed,
                "longest_frame_ms": round(self._longest_s * 1000, 1),
            }
