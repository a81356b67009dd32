"""Why totals are zero, or smaller than expected: sentences for a report's warnings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.track_counter import ClassTotals, Diagnostics

if TYPE_CHECKING:
    from .totals import Totals

MAX_CLASSES = 5
"""At most so many classes are named in one sentence."""


def explanations(totals: Totals) -> list[str]:
    """Sentences for a report's warnings; none if everything was counted as asked."""
    facts = totals.diagnostics()
    if not facts.frames:
        return ["no frame was read"]
    return [*_zeros(totals, facts), *_large_displacements(totals, facts)]


def uncounted(totals: Totals) -> dict[str, Any]:
    """Detections and tracks that were never counted, as in the report document.

    `weak_detections` are below the minimum confidence of tracking, `short_tracks` ended before
    they were confirmed, `other_classes` are detections of classes that were not asked for,
    `ignored_detections` are in ignored zones, too small or too large.
    """
    facts = totals.diagnostics()
    ignored = {"ignored_detections": facts.ignored} if totals.only.as_dict() else {}
    return {
        **ignored,
        "weak_detections": facts.below_low_confidence,
        "short_tracks": facts.unconfirmed_tracks,
        "longest_short_track_s": round(facts.longest_unconfirmed_s, 3),
        "other_classes": totals.unwanted(totals.detected()),
    }


def _zeros(totals: Totals, facts: Diagnostics) -> Iterator[str]:
    everything = totals.everything()
    if not everything.any():
        yield _why_nothing(totals, facts)
    elif not totals.unique():
        yield f"no object of the chosen classes, but {most(totals, everything)}"
    else:
        for index, placed in enumerate(totals.placed):
            if not totals.named(totals.decisive(index)):
                others = most(totals, totals.decisive(index))
                why = placed.region.explain_zero(others, totals.region_values(index))
                yield f"{placed.name}: {why}"


def _why_nothing(totals: Totals, facts: Diagnostics) -> str:
    detected = totals.detected()
    if not detected.any():
        return "no detections in any frame; is this the right model for the scene?"
    if not totals.named(detected):
        return (
            f"no detections of the chosen classes, but {most(totals, detected)} "
            "(detections, not objects)"
        )
    if facts.ignored and facts.ignored + facts.below_low_confidence == facts.detections:
        return (
            f"{facts.ignored} detections, all in ignored zones or outside the minimum and maximum "
            "size"
        )
    tracks = facts.unconfirmed_tracks + facts.live_tracks
    if not tracks:
        return (
            f"{facts.detections} detections, all below the confidence of "
            f"{totals.options.new_confidence:g} that starts a track"
        )
    return (
        f"{facts.detections} detections, but no confirmed track: the longest of "
        f"{tracks} tentative {'track' if tracks == 1 else 'tracks'} lasted "
        f"{facts.longest_unconfirmed_s:.2f} s, where {totals.options.confirm_s:g} s with a mean "
        f"confidence of {totals.options.confirm_confidence:g} are needed"
    )


def _large_displacements(totals: Totals, facts: Diagnostics) -> Iterator[str]:
    fps = (facts.frames - 1) / totals.seconds if totals.seconds else 0.0
    # At a rate that is high enough already, the cause is another: a missed detection, a cut.
    if facts.needed_fps > fps:
        objects = "1 object" if facts.unlinked == 1 else f"{facts.unlinked} objects"
        yield (
            f"{objects} moved too far between frames to be tracked; about "
            f"{math.ceil(facts.needed_fps)} fps would be enough"
        )


def most(totals: Totals, class_totals: ClassTotals) -> str:
    """The classes with the highest totals: `3 car, 1 truck`; empty if all are zero."""
    order = np.argsort(-class_totals, kind="stable")[:MAX_CLASSES]
    return ", ".join(f"{class_totals[i]} {totals.class_names[i]}" for i in order if class_totals[i])
