"""Why totals are zero, or smaller than expected, in the user's words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tallylens.edge_runtime.core.counting import Diagnostics, Totals

if TYPE_CHECKING:
    from tallylens.counting.tally import Tally

NAMED = 5  # classes in one sentence


def explanations(tally: Tally) -> list[str]:
    """Sentences for a report's warnings; none where everything was counted as asked."""
    facts = tally.diagnostics()
    if not facts.frames:
        return ["no frame was read"]
    return [*_nothing_seen(tally, facts), *_too_slow(facts)]


def uncounted(tally: Tally) -> dict[str, Any]:
    """What was detected and never counted, as the report's document tells it.

    `weak_detections` are below the confidence that tracking uses, `short_tracks` ended before they
    were seen for long enough, `other_classes` are detections of classes that were not asked for.
    """
    facts = tally.diagnostics()
    return {
        "weak_detections": facts.below_low_confidence,
        "short_tracks": facts.unconfirmed_tracks,
        "longest_short_track_s": round(facts.longest_unconfirmed_s, 3),
        "other_classes": tally.unwanted(tally.detected()),
    }


def _nothing_seen(tally: Tally, facts: Diagnostics) -> Iterator[str]:
    everything = tally.everything()
    if not everything.any():
        yield _why_nothing(tally, facts)
    elif not tally.unique():
        yield f"nothing of the chosen classes was seen, but {most(tally, everything)}"
    else:
        yield from _places(tally)


def _why_nothing(tally: Tally, facts: Diagnostics) -> str:
    detected = tally.detected()
    if not detected.any():
        return "nothing was detected in any frame; is it a model for what is in the picture?"
    if not tally.named(detected):
        return (
            f"nothing of the chosen classes was detected, but {most(tally, detected)} "
            "(detections, not objects)"
        )
    tracks = facts.unconfirmed_tracks + facts.live_tracks
    if not tracks:
        return (
            f"there were {facts.detections} detections, all of them weaker than the "
            f"{tally.options.new_confidence:g} that an object needs to begin with"
        )
    return (
        f"there were {facts.detections} detections, but nothing stayed long or clear enough to be "
        f"an object: of {tracks} tracks the longest unconfirmed one lasted "
        f"{facts.longest_unconfirmed_s:.2f} s, where {tally.options.confirm_s:g} s with a mean "
        f"confidence of {tally.options.confirm_confidence:g} are needed"
    )


def _places(tally: Tally) -> Iterator[str]:
    for index, line in enumerate(tally.lines()):
        if not line.crossed_in and not line.crossed_out:
            yield f"{line.name}: nothing crossed it; {_why_uncrossed(tally, index)}"
    for index, zone in enumerate(tally.zones()):
        if not zone.entered:
            others = most(tally, tally.zone_totals(index))
            why = f"of other classes {others} did" if others else "no object came into it"
            yield f"{zone.name}: nothing entered it; {why}"


def _why_uncrossed(tally: Tally, line: int) -> str:
    others = most(tally, tally.line_totals(line))
    if others:
        return f"of other classes {others} did"
    nearest = tally.nearest(line)
    return "no object came near" if nearest is None else f"the nearest came to {nearest:.0f} px"


def _too_slow(facts: Diagnostics) -> Iterator[str]:
    if facts.needed_fps > 0:
        yield (
            f"{facts.unlinked} times something was too far from where it was in the frame before "
            f"to be followed; about {math.ceil(facts.needed_fps)} frames a second would do"
        )


def most(tally: Tally, totals: Totals) -> str:
    """The classes with the highest totals: `3 car, 1 truck`."""
    order = np.argsort(-totals, kind="stable")[:NAMED]
    return ", ".join(f"{totals[i]} {tally.class_names[i]}" for i in order if totals[i])
