"""Why totals are zero, or smaller than expected, in the user's words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.track_counter import ClassTotals, Diagnostics

if TYPE_CHECKING:
    from .totals import Totals

NAMED = 5  # classes in one sentence


def explanations(totals: Totals) -> list[str]:
    """Sentences for a report's warnings; none where everything was counted as asked."""
    facts = totals.diagnostics()
    if not facts.frames:
        return ["no frame was read"]
    return [*_nothing_seen(totals, facts), *_too_slow(facts)]


def uncounted(totals: Totals) -> dict[str, Any]:
    """What was detected and never counted, as the report's document tells it.

    `weak_detections` are below the confidence that tracking uses, `short_tracks` ended before they
    were seen for long enough, `other_classes` are detections of classes that were not asked for.
    """
    facts = totals.diagnostics()
    return {
        "weak_detections": facts.below_low_confidence,
        "short_tracks": facts.unconfirmed_tracks,
        "longest_short_track_s": round(facts.longest_unconfirmed_s, 3),
        "other_classes": totals.unwanted(totals.detected()),
    }


def _nothing_seen(totals: Totals, facts: Diagnostics) -> Iterator[str]:
    everything = totals.everything()
    if not everything.any():
        yield _why_nothing(totals, facts)
    elif not totals.unique():
        yield f"nothing of the chosen classes was seen, but {most(totals, everything)}"
    else:
        yield from _places(totals)


def _why_nothing(totals: Totals, facts: Diagnostics) -> str:
    detected = totals.detected()
    if not detected.any():
        return "nothing was detected in any frame; is it a model for what is in the picture?"
    if not totals.named(detected):
        return (
            f"nothing of the chosen classes was detected, but {most(totals, detected)} "
            "(detections, not objects)"
        )
    tracks = facts.unconfirmed_tracks + facts.live_tracks
    if not tracks:
        return (
            f"there were {facts.detections} detections, all of them weaker than the "
            f"{totals.options.new_confidence:g} that an object needs to begin with"
        )
    return (
        f"there were {facts.detections} detections, but nothing stayed long or clear enough to be "
        f"an object: of {tracks} tracks the longest unconfirmed one lasted "
        f"{facts.longest_unconfirmed_s:.2f} s, where {totals.options.confirm_s:g} s with a mean "
        f"confidence of {totals.options.confirm_confidence:g} are needed"
    )


def _places(totals: Totals) -> Iterator[str]:
    for index, line in enumerate(totals.lines()):
        if not line.crossed_in and not line.crossed_out:
            yield f"{line.name}: nothing crossed it; {_why_uncrossed(totals, index)}"
    for index, zone in enumerate(totals.zones()):
        if not zone.entered:
            others = most(totals, totals.zone_totals(index))
            why = f"of other classes {others} did" if others else "no object came into it"
            yield f"{zone.name}: nothing entered it; {why}"


def _why_uncrossed(totals: Totals, line: int) -> str:
    others = most(totals, totals.line_totals(line))
    if others:
        return f"of other classes {others} did"
    nearest = totals.nearest(line)
    return "no object came near" if nearest is None else f"the nearest came to {nearest:.0f} px"


def _too_slow(facts: Diagnostics) -> Iterator[str]:
    if facts.needed_fps > 0:
        yield (
            f"{facts.unlinked} times something was too far from where it was in the frame before "
            f"to be followed; about {math.ceil(facts.needed_fps)} frames a second would do"
        )


def most(totals: Totals, class_totals: ClassTotals) -> str:
    """The classes with the highest totals: `3 car, 1 truck`."""
    order = np.argsort(-class_totals, kind="stable")[:NAMED]
    return ", ".join(f"{class_totals[i]} {totals.class_names[i]}" for i in order if class_totals[i])
