"""Why totals are zero, or smaller than expected: sentences for a report's warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.findings import Finding
from ..core.track_counter import Diagnostics

if TYPE_CHECKING:
    from .totals import Totals


def explanations(totals: Totals, found: Sequence[Finding]) -> list[str]:
    """Findings of the core as sentences for a report's warnings, in the order of regions."""
    facts = totals.diagnostics()
    of_region = {one.region: one for one in found}
    whole = [sentence(totals, facts, one) for one in found if one.region is None]
    zeros = [
        f"{placed.name}: {placed.region.explain_zero(named(totals, one), totals.region_values(i))}"
        for i, placed in enumerate(totals.placed)
        if (one := of_region.get((placed.region.kind, placed.index))) is not None
    ]
    return [*zeros, *whole]


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


def sentence(totals: Totals, facts: Diagnostics, finding: Finding) -> str:
    """A finding about the whole count in words."""
    others, options = named(totals, finding), totals.options
    match finding.cause:
        case "no_frame":
            return "no frame was read"
        case "no_detection":
            return "no detections in any frame; is this the right model for the scene?"
        case "other_detections":
            return f"no detections of the chosen classes, but {others} (detections, not objects)"
        case "other_objects":
            return f"no object of the chosen classes, but {others}"
        case "ignored":
            return (
                f"{facts.ignored} detections, all in ignored zones or outside the minimum and "
                "maximum size"
            )
        case "weak":
            return (
                f"{facts.detections} detections, all below the confidence of "
                f"{options.new_confidence:g} that starts a track"
            )
        case "unconfirmed":
            tracks = facts.unconfirmed_tracks + facts.live_tracks
            return (
                f"{facts.detections} detections, but no confirmed track: the longest of "
                f"{tracks} tentative {'track' if tracks == 1 else 'tracks'} lasted "
                f"{facts.longest_unconfirmed_s:.2f} s, where {options.confirm_s:g} s with a mean "
                f"confidence of {options.confirm_confidence:g} are needed"
            )
        case "too_fast":
            objects = "1 object" if facts.unlinked == 1 else f"{facts.unlinked} objects"
            return (
                f"{objects} moved too far between frames to be tracked; about "
                f"{finding.value:.0f} fps would be enough"
            )
    raise AssertionError(finding)


def named(totals: Totals, finding: Finding) -> str:
    """The classes of a finding: `3 car, 1 truck`; empty if it names none."""
    return ", ".join(f"{total} {totals.class_names[id]}" for id, total in finding.classes)
