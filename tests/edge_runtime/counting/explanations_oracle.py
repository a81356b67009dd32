"""Why totals are zero, decided in Python: what the findings of the core are compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tallylens.edge_runtime.core.track_counter import ClassTotals, Diagnostics
from tallylens.edge_runtime.counting.totals import Totals

MAX_CLASSES = 5
"""At most so many classes are named in one sentence."""


def explanations(totals: Totals) -> list[str]:
    """Sentences for a report's warnings; none if everything was counted as asked."""
    facts = totals.diagnostics()
    if not facts.frames:
        return ["no frame was read"]
    return [*_zeros(totals, facts), *_large_displacements(totals, facts)]


def _zeros(totals: Totals, facts: Diagnostics) -> Iterator[str]:
    everything = totals.everything()
    if not everything.any():
        yield _why_nothing(totals, facts)
    elif not totals.unique():
        yield f"no object of the chosen classes, but {most(totals, everything)}"
    else:
        for index, placed in enumerate(totals.placed):
            if not totals.named(decisive(totals, index)):
                others = most(totals, decisive(totals, index))
                why = placed.region.explain_zero(others, totals.region_values(index))
                yield f"{placed.name}: {why}"


def decisive(totals: Totals, index: int) -> ClassTotals:
    """Totals of a region by class, of all classes: zero if nothing was counted."""
    placed = totals.placed[index]
    names = {"line": ("in", "out"), "zone": ("entered",)}[placed.region.kind]
    counted = totals.region_totals(placed)
    total: ClassTotals = np.sum([counted[name] for name in names], axis=0)
    return total


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
