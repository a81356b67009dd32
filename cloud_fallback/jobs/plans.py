"""Plans: what an account may upload, how much of it at once, and how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from .clock import now_us

MIB = 1 << 20


@dataclass(frozen=True)
class VideoLimits:
    """Limits of one video.

    Args:
        bytes: length of the file.
        seconds, fps, frames: of its video stream.
        side: pixels of the longer side.
    """

    bytes: int = 512 * MIB
    seconds: float = 60.0
    fps: float = 240.0
    frames: int = 14_400
    side: int = 3840


@dataclass(frozen=True)
class Plan:
    """Limits of one account.

    Args:
        name: as in the plan file.
        videos: number of videos in a period; None for no limit.
        period_days: length of a period; None for one that does not end.
        days: how long a payment without an end of its own is good for; None for good.
        jobs_at_once: number of its jobs that run at a time.
        open_uploads: number of its uploads that are not complete.
        keep_days: after which a video and its reports are deleted.
        video: limits of each video.
    """

    name: str = "unlimited"
    videos: int | None = None
    period_days: float | None = None
    days: float | None = None
    jobs_at_once: int = 1000
    open_uploads: int = 1000
    keep_days: float = 30.0
    video: VideoLimits = VideoLimits()


UNLIMITED = Plan(video=VideoLimits(bytes=2048 * MIB, seconds=600.0, frames=144_000))
"""The plan of keys in the key file, which the operator gives to people."""


@dataclass(frozen=True)
class Plans:
    """All plans by name.

    Args:
        by_name: the plans.
        default: name of the plan of people whose own has ended, or is not known any more.
    """

    by_name: Mapping[str, Plan] = field(default_factory=dict)
    default: str = ""

    def of(self, account: Row[Any]) -> Plan:
        """The plan of a row of `accounts`, as of now.

        Accounts of the key file have no e-mail address; their plan is UNLIMITED.
        """
        if account.email is None:
            return UNLIMITED
        ended = account.plan_until is not None and account.plan_until <= now_us()
        name = self.default if ended or account.plan not in self.by_name else account.plan
        return self.by_name[name]

    @property
    def largest_video(self) -> int:
        """Bytes of the largest file that any plan allows."""
        return max(plan.video.bytes for plan in (UNLIMITED, *self.by_name.values()))
