"""Thresholds of the tracker and counter, with the core's defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .native import default, lib

AnchorPoint = Literal[
    "bottom-center", "center", "top-center", "bottom-centre", "centre", "top-centre"
]
ANCHORS: dict[AnchorPoint, int] = {
    "bottom-center": lib.TALLY_BOTTOM_CENTER,
    "center": lib.TALLY_CENTER,
    "top-center": lib.TALLY_TOP_CENTER,
    # British spellings, accepted since the first version.
    "bottom-centre": lib.TALLY_BOTTOM_CENTER,
    "centre": lib.TALLY_CENTER,
    "top-centre": lib.TALLY_TOP_CENTER,
}


@dataclass(frozen=True)
class CounterOptions:
    """Thresholds of tracking and counting; the core's defaults, each explained in tally.h."""

    anchor: AnchorPoint = "bottom-center"
    low_confidence: float = default("counter", "low_confidence")
    high_confidence: float = default("counter", "high_confidence")
    new_confidence: float = default("counter", "new_confidence")
    confirm_s: float = default("counter", "confirm_s")
    confirm_confidence: float = default("counter", "confirm_confidence")
    lost_s: float = default("counter", "lost_s")
    edge_lost_s: float = default("counter", "edge_lost_s")
    hysteresis: float = default("counter", "hysteresis")
    remember_s: float = default("counter", "remember_s")

    def with_confidence(self, minimum: float) -> CounterOptions:
        """These options for a minimum confidence: of a new track, and of a counted track's mean.

        Confirmed tracks are still followed through low-score detections.
        """
        return replace(
            self,
            low_confidence=min(self.low_confidence, minimum),
            high_confidence=min(self.high_confidence, minimum),
            new_confidence=minimum,
            confirm_confidence=minimum,
        )
