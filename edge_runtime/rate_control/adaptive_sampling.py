"""Adaptive sampling (`--sample auto`): only the frames that the objects' speed needs.

It is for cameras of 60 to 240 frames per second, and decides in the core (`tally_sampler` in
tally.h).

Tracking needs an object to move by at most a fraction of its own size between two frames. While a
new object's speed is unknown, every frame is processed.
"""

from __future__ import annotations

from typing import Any

from ..core.native import Handle, default, detection_rows, ffi, int64, lib, struct, track_rows
from ..core.native import options as core_options
from ..types import Frame
from .frame_filter import FrameFeedback

# Maximum movement between two frames, in the object's own sizes.
STEP: float = default("sampler", "step")
SLOWEST_FPS: float = default("sampler", "slowest_fps")
# Confidence from which a detection may be a new object.
NEW_OBJECT: float = default("sampler", "new_confidence")


class AdaptiveSampler:
    """Passes the frames that the measured speeds need; see `FrameFilter`."""

    def __init__(self) -> None:
        self._handle = Handle("sampler", core_options("sampler"))
        self._wanted = ffi.new("int32_t *")

    @property
    def fastest(self) -> float:
        """Maximum speed so far, in the object's own sizes per second."""
        return float(self._state().fastest)

    def _state(self) -> Any:
        state = struct("sampler_state")
        self._handle.call(lib.tally_sampler_get_state, state)
        return state

    def wants(self, frame: Frame) -> bool:
        """Whether the frame is needed."""
        self._handle.call(lib.tally_sampler_wants, int64(frame.timestamp_ns), self._wanted)
        return bool(self._wanted[0])

    def learn(self, feedback: FrameFeedback) -> None:
        """Measure the objects' speeds, and set the rate by the fastest."""
        tracks, detections = track_rows(feedback.tracks), detection_rows(feedback.detections)
        self._handle.call(
            lib.tally_sampler_learn,
            int64(feedback.frame.timestamp_ns),
            ffi.from_buffer("tally_track[]", tracks),
            len(tracks),
            ffi.from_buffer("tally_detection[]", detections),
            len(detections),
        )

    def summary(self) -> str:
        """The average rate, and the speed that it follows from."""
        state = self._state()
        return (
            f"auto sampling used {state.used_fps:.0f} frames per second on average; the "
            f"fastest object moved {state.fastest:.1f} of its own sizes per second"
        )
