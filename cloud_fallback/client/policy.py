"""Where a frame goes: `local`, `cloud` or `skip`. Pure: everything it knows it is told.

A frame goes to the cloud when something changed, when it is worth it (the reward predicted from
what the device's own model found), when the answer comes in time, and when it is paid for (credits
and quota). In every other case the device goes on alone, and the reason is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["local", "cloud", "skip"]
Offload = Literal["auto", "never", "always"]

# Grey levels by which the most changed of 16 x 9 parts may differ: the noise of a good sensor.
UNCHANGED = 2.0
# Of the frames, the most that `auto` sends; the threshold on the reward moves to keep to it. What
# the link or the key has no room for is sent less often still.
SHARE = 0.8
_STEP = 0.05


@dataclass(frozen=True)
class OffloadContext:
    """What is known when a frame has been taken. Seconds, bytes.

    Args:
        reward: what the bigger model would add, as predicted from the local detections.
        connected, room, allowed: the link, credits left, and whether the key has frames left now.
        link_debt_s: for which the link should rest, so that it is never full.
        silent_s: how long frames have waited without any answer.
        expected_s: until the answer, 19 times of 20.
        deadline_s: until the frame must be counted.
        local_s: that the local model needs afterwards, where no answer comes.
        favours: a static reason to send every frame, or "".
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


@dataclass(frozen=True)
class Decision:
    """What to do and why, in words for the report."""

    action: Action
    reason: str


def unavailable(situation: OffloadContext) -> str:
    """Why the cloud cannot be asked now; "" where it can."""
    if not situation.connected:
        return "no connection"
    if situation.silent_s > situation.deadline_s:
        return "the server is silent"
    if situation.credits_left <= 0:
        return "no credit"
    if not situation.allowed:
        return "no quota"
    return ""


class Policy:
    """`decide` for frame after frame; the only state is how much reward is enough."""

    def __init__(self, mode: Offload, share: float = SHARE) -> None:
        self.mode = mode
        self._share = share
        self._enough = 0.0

    def skip_if_unchanged(self, changed: float) -> Decision | None:
        """What needs no model at all: mean grey levels by which the most changed part differs
        from that of the last frame that a model saw.
        """
        if self.mode == "auto" and changed <= UNCHANGED:
            return Decision("skip", "nothing changed")
        return None

    def decide(self, now: OffloadContext) -> Decision:
        """Where this frame goes."""
        if self.mode == "never":
            return Decision("local", "never asked for")
        problem = unavailable(now)
        if self.mode == "always":
            return Decision("local", problem) if problem else Decision("cloud", "always asked for")
        if problem:
            return Decision("local", problem)
        if now.static_reason:
            return Decision("cloud", now.static_reason)
        if now.expected_s > now.deadline_s - now.local_s:
            return Decision("local", "too late for the deadline")
        if now.link_debt_s > 0:
            return Decision("local", "the link has done its share")
        return self._by_reward(now.reward)

    def _by_reward(self, reward: float) -> Decision:
        """Send the frames of the highest rewards, `share` of all: a moving quantile."""
        worth = reward > self._enough
        self._enough += _STEP * ((1 - self._share) if worth else -self._share)
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
        model_bytes: of the local model; running takes about three times its file.
        memory_bytes: what the device may spend on it; None for no limit.
        live: a source that is as long here as there; a file is not.
        local_s, cloud_s: seconds a frame, all workers together; 0 where that is not known yet.
    """
    if memory_bytes is not None and 3 * model_bytes > memory_bytes:
        return "the model does not fit this device"
    if not live and cloud_s and cloud_s * 1.2 < local_s:
        return "the file is done sooner there"
    return ""
