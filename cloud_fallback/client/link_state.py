"""Facts about a connection that the policy and reports use."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class LinkTotals:
    """Frames and bytes that went over the link since the client was started."""

    sent: int = 0
    sent_bytes: int = 0
    answered: int = 0
    rejected: int = 0
    dropped: int = 0
    connections: int = 0


@dataclass(frozen=True)
class LinkState:
    """The link at one moment; seconds and bytes.

    Args:
        connected: the server has said welcome on this connection, and is not about to restart.
        credits_left: how many more frames may be sent.
        in_flight: frames without an answer.
        allowed: the server has not said to wait.
        silent_s: how long frames have waited without any answer.
        rtt_s: round trip of an empty message, 95th percentile.
        bandwidth: bytes per second; 0 where it is not known yet.
        server_s: mean time that the server takes per frame.
        busy_s: until the link has carried everything sent.
        link_debt_s: for how long frames that can stay on the device should stay off the link.
        silence_limit_s: silence after which no answer is to be expected.
        measured: the bandwidth is known, and not from long ago.
        unanswered: frames in flight, also those that no caller waits for any more.
    """

    connected: bool
    credits_left: int
    in_flight: int
    allowed: bool
    silent_s: float
    rtt_s: float
    bandwidth: float
    server_s: float
    busy_s: float = 0.0
    link_debt_s: float = 0.0
    silence_limit_s: float = math.inf
    measured: bool = True
    unanswered: int = 0
