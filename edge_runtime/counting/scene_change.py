"""Separates scenes in which something happens from those in which objects only stand."""

from __future__ import annotations

from itertools import islice

from ..types import Tracks

# A box whose sides stay within this share of its size has not moved: detections are noisy.
STILL = 0.25
MAX_KNOWN = 1000

Box = list[float]


class SceneChange:
    """Compares the confirmed tracks of a frame with those that are known.

    A confirmed track that is not detected changes nothing, because detections flicker.
    """

    def __init__(self) -> None:
        self._known: dict[int, Box] = {}

    def remember(self, tracks: Tracks) -> None:
        """Know these, and where they are, from now on."""
        for track, box in zip(tracks.track_id.tolist(), tracks.xyxy.tolist(), strict=True):
            self._known.pop(track, None)
            self._known[track] = box
        for track in list(islice(self._known, max(len(self._known) - MAX_KNOWN, 0))):
            del self._known[track]

    def differs(self, tracks: Tracks) -> bool:
        """Whether an object is new, or has moved by a quarter of its size."""
        return any(
            self._has_moved(track, box)
            for track, box in zip(tracks.track_id.tolist(), tracks.xyxy.tolist(), strict=True)
        )

    def _has_moved(self, track: int, box: Box) -> bool:
        before = self._known.get(track)
        if before is None:
            return True
        limits = STILL * (before[2] - before[0]), STILL * (before[3] - before[1])
        return any(abs(box[side] - before[side]) > limits[side % 2] for side in range(4))
