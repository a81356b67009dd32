"""Why totals are zero, or smaller than expected, as the core finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .native import Handle, lib, names

_PREFIX = "TALLY_CAUSE_"
CAUSES = {
    getattr(lib, name): name.removeprefix(_PREFIX).lower()
    for name in dir(lib)
    if name.startswith(_PREFIX)
}
_KINDS = names(lib.tally_region_kind)


@dataclass(frozen=True)
class Finding:
    """A reason for a total that is zero, or smaller than expected.

    Attributes:
        cause: name of a `tally_cause` in tally.h: `no_frame`, `missed`, ...
        region: kind and index of the region of which it is the reason; None for the whole count.
        classes: (class id, total) of the classes with the highest totals, where it is about others
            than the wanted ones.
        value: distance in pixels of `missed`, frames per second of `too_fast`, else 0.
    """

    cause: str
    region: tuple[str, int] | None
    classes: tuple[tuple[int, int], ...]
    value: float


def findings(counter: Handle) -> list[Finding]:
    """The findings of a counter since its last reset."""
    return counter.all(lib.tally_counter_findings, "finding", _finding)


def _finding(one: Any) -> Finding:
    region = None if one.rule < 0 else (_KINDS[one.rule], one.region)
    classes = tuple((one.class_ids[i], one.totals[i]) for i in range(one.num_classes))
    return Finding(CAUSES[one.cause], region, classes, one.value)
