"""Where a frame goes: `local`, `cloud` or `skip`. Pure: every fact is an argument.

A frame goes to the cloud when something changed, when it is worth it (the reward predicted from
what the device's own model found), when the answer comes in time, and when credits, quota and link
allow it. In every other case the device counts alone, and the reason is reported.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["local", "cloud", "skip"]
OffloadMode = Literal["auto", "never", "always"]

# Maximum difference of gray levels, in the most changed of 32 x 18 cells, of an unchanged view: the
# noise of a good sensor.
UNCHANGED = 2.0
# Maximum share of the frames that `auto` sends; the threshold on the reward moves to keep to it.
# The limits of link and key lower the share further.
SHARE = 0.8
_STEP = 0.05
TOO_BIG = "the model does not fit this device"


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
        static_reason: a reason to send every frame, or "".
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

    @property
    def late(self) -> bool:
        """Whether the answer is expected too late for the deadline."""
        return self.expected_s > self.deadline_s - self.local_s


@dataclass(frozen=True)
class Decision:
    """The action for a frame, and the reason in words for the report."""

    action: Action
    reason: str


def unavailable(context: OffloadContext) -> str:
    """Why the cloud cannot be asked now; "" where it can."""
    if not context.connected:
        return "no connection"
    if context.silent_s > min(context.deadline_s, context.silence_limit_s):
        return "the server is silent"
    if context.credits_left <= 0:
        return "no credit"
    if not context.allowed:
        return "no quota"
    if context.measuring:
        return "the link is being measured"
    return ""


class Policy:
    """Decides frame after frame; its only state is the reward that is high enough.

    Args:
        mode: `never` and `always` do what they say; `auto` weighs reward, time and link.
        share: maximum share of the frames that `auto` sends.
    """

    def __init__(self, mode: OffloadMode, share: float = SHARE) -> None:
        self.mode = mode
        self._share = share
        self._threshold = 0.0

    def skip_if_unchanged(self, difference: float) -> Decision | None:
        """The decision to use no model at all, where the view has not changed.

        Args:
            difference: gray levels by which the most changed cell differs from that of the last
                frame that a model saw.
        """
        if self.mode == "auto" and difference <= UNCHANGED:
            return Decision("skip", "nothing changed")
        return None

    def decide(self, context: OffloadContext) -> Decision:
        """Where this frame goes."""
        if self.mode == "never":
            return Decision("local", "never asked for")
        problem = unavailable(context)
        if not problem and context.late and (self.mode == "always" and context.smallest):
            problem = "too late for the deadline"
        if problem:
            return Decision("local", problem)
        if self.mode == "always":
            return Decision("cloud", "always asked for")
        if context.expected_s > context.waiting_s:
            return Decision("local", "the file would end later")
        if context.static_reason:
            return Decision("cloud", context.static_reason)
        if context.late:
            return Decision("local", "too late for the deadline")
        if context.link_debt_s > 0:
            return Decision("local", "the link has done its share")
        return self._by_reward(context.reward)

    def _by_reward(self, reward: float) -> Decision:
        """Send the frames of the highest rewards, `share` of all: a moving quantile."""
        worth = reward > self._threshold
        self._threshold += _STEP * ((1 - self._share) if worth else -self._share)
        if worth:
            return Decision("cloud", "worth it")
        return Decision("local", "not worth it")


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
    if memory_bytes is not None and 3 * model_bytes > memory_bytes:
        return TOO_BIG
    if not live and cloud_s and cloud_s * 1.2 < local_s:
        return "the file is done sooner there"
    return ""


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
