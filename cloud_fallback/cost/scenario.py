"""The inputs of the cost formulas: the load, the promise, and how fast machines are."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import InputError, UsageError

DAYS_PER_MONTH = 365 / 12
HOURS_PER_MONTH = 730
MAX_VALUE = 1e9
MAX_BENCHMARK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """The load, the promise and the people; the defaults are the reference case.

    Attributes:
        videos_per_day: uploaded videos.
        seconds, fps: length and frame rate of a video.
        burst_videos: the most videos that arrive at the same moment.
        deadline_s: from the burst to the last report.
        upload_s, report_s: the part of the deadline that uploading and the reports take.
        video_mib: size of a video.
        days_kept: how long a video is stored.
        report_kib: bytes of a report and its pages, sent to the user.
        annotated_share: share of the videos that are also sent back with boxes drawn.
        phone_share: share of the videos that phones count themselves where phones come first.
        gpu_month_share: share of the month for which a GPU machine is on.
        person_days, salary_usd: work to build it, and the yearly salary.
        person_share: share of a person who runs it.
        on_call_share: further share in the high estimate, for nights and weekends.
        build_months: months for which the machines run before the first user.
    """

    videos_per_day: float = 1000
    seconds: float = 30
    fps: float = 120
    burst_videos: float = 100
    deadline_s: float = 1200
    upload_s: float = 60
    report_s: float = 10
    video_mib: float = 51.2
    days_kept: float = 1
    report_kib: float = 160
    annotated_share: float = 0
    phone_share: float = 0.8
    gpu_month_share: float = 1
    person_days: float = 45
    salary_usd: float = 120_000
    person_share: float = 1
    on_call_share: float = 0.25
    build_months: float = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one is negative, too large or not a number, or no time is left to count.
        """
        positive = ("videos_per_day", "seconds", "fps", "burst_videos", "deadline_s")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            limit = 1 if field.name.endswith("_share") else MAX_VALUE
            lowest = 1e-6 if field.name in positive else 0
            if not lowest <= value <= limit:
                raise UsageError(
                    f"{field.name} is {value:g}", f"Give a number from {lowest:g} to {limit:g}"
                )
        if self.counting_s <= 0:
            raise UsageError(
                f"a deadline of {self.deadline_s:g} s leaves no time to count: uploads and "
                f"reports take {self.upload_s + self.report_s:g} s of it",
                "Give a later deadline",
            )

    @property
    def frames_per_video(self) -> float:
        """Frames of one video."""
        return self.seconds * self.fps

    @property
    def videos_per_month(self) -> float:
        """Uploaded videos per month."""
        return self.videos_per_day * DAYS_PER_MONTH

    @property
    def counting_s(self) -> float:
        """Seconds of the deadline that are left to count."""
        return self.deadline_s - self.upload_s - self.report_s

    def burst_fps(self, share: float = 1) -> float:
        """Frames per second that the burst needs, with `share` of its videos on the service."""
        return self.burst_videos * share * self.frames_per_video / self.counting_s


@dataclass(frozen=True, slots=True)
class Throughput:
    """How fast one kind of machine is.

    Attributes:
        fps: frames per second of decoding, inference and counting together, of `cores` cores
            or of one GPU with enough cores.
        cores: the cores on which it was measured.
        decode_fps: frames per second that one core decodes.
        source: where the figures are from.
        doubt: what is doubtful about them, or "".
    """

    fps: float
    cores: int
    decode_fps: float
    source: str
    doubt: str = ""

    @property
    def fps_per_core(self) -> float:
        """Frames per second per core."""
        return self.fps / self.cores

    @classmethod
    def read(cls, path: str | Path) -> Throughput:
        """Read the output of `tallylens benchmark --json`.

        Raises:
            InputError: the file is not such an output.
        """
        try:
            with Path(path).open("rb") as file:
                document = json.loads(file.read(MAX_BENCHMARK_BYTES))
            decode_ms = _above_zero(document["ms"]["video_decode"])
            fps = _above_zero(document["fps"]["all_workers"])
            cores = round(_above_zero(document["machine"]["cores"]))
        except OSError as error:
            raise InputError(
                path, error.strerror or "cannot be read", "Check the path and its permissions"
            ) from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(
                path,
                "not the output of `tallylens benchmark --json`",
                "Write it with `tallylens benchmark --model MODEL --source VIDEO --json > FILE`",
            ) from error
        return cls(fps, max(1, cores), 1000 / decode_ms, f"measured: {Path(path).name}")


def _above_zero(value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(number)
    return number


CPU = Throughput(
    172,
    2,
    165,
    "measured: 1080p H.264 at 120 fps, yolov5n int8 at 640, two cores with AVX-512 VNNI",
    "another processor may be several times slower: measure it with `tallylens benchmark`",
)
GPU = Throughput(
    1000,
    12,
    165,
    "assumed",
    "not measured on a GPU of this kind: measure it with `tallylens benchmark`",
)
