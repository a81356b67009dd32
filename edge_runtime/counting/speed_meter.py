"""Measures a run: frames per second, time per stage, and latency of a frame."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..detection.detector import Timing
from ..types import Frame
from .report import Speed


class SpeedMeter:
    """Measures one run of a count, from `start` to the last frame.

    Args:
        timing: reads the detectors' stage times so far.
    """

    def __init__(self, timing: Callable[[], Timing]) -> None:
        self.timing = timing
        self._frames = 0
        self._started_ns = 0
        self._elapsed_ns = 0
        self._before = Timing()
        self._work_ms = 0.0

    def start(self) -> None:
        """Start the clock; calls after the first have no effect."""
        self._started_ns = self._started_ns or time.perf_counter_ns()

    def count_frame(self) -> None:
        """A frame is done."""
        self._frames += 1
        self._elapsed_ns = time.perf_counter_ns() - self._started_ns

    def latency_ms(self, frame: Frame) -> float:
        """Time from the camera for a live frame, else the work per frame."""
        if frame.arrived_ns:
            return (time.monotonic_ns() - frame.arrived_ns) / 1e6
        before, self._before = self._before, self.timing()
        frames = self._before.frames - before.frames
        # Workers may have finished this frame when the one before was counted.
        if frames:
            self._work_ms = (self._before.work_ns - before.work_ns) / frames / 1e6
        return self._work_ms

    def stages_ns(self, counting_ns: int) -> tuple[int, int, int, int]:
        """Nanoseconds so far of letterbox, inference, decode and NMS, tracking and counting."""
        timing = self.timing()
        return timing.letterbox_ns, timing.inference_ns, timing.decode_ns, counting_ns

    def speed(self, counting_ns: int) -> Speed:
        """The report's figures; `counting_ns` was spent on tracking and counting."""
        letterbox_ns, inference_ns, decode_ns, _ = self.stages_ns(counting_ns)
        frames = max(self._frames, 1)
        return Speed(
            fps=self._frames / max(self._elapsed_ns / 1e9, 1e-9),
            inference_ms=inference_ns / frames / 1e6,
            host_ms=(letterbox_ns + decode_ns + counting_ns) / frames / 1e6,
        )
