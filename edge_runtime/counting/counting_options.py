"""The options of `Totals` as one value, checked before a model is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from ..core import CounterOptions
from ..errors import UsageError
from .detection_filter import NO_FILTER, DetectionFilter
from .regions import Line, Region, Zone


class CountingOptions(TypedDict, total=False):
    """The keyword arguments of `Totals`."""

    lines: Sequence[Line]
    zones: Sequence[Zone]
    regions: Sequence[Region]
    classes: Iterable[str] | None
    any_class: bool
    options: CounterOptions | None
    ignore: Sequence[Zone]
    min_size: float | None
    max_size: float | None


def counting_options(
    regions: Iterable[Region],
    classes: Iterable[str] | None,
    any_class: bool,
    options: CounterOptions | None,
    only: DetectionFilter = NO_FILTER,
) -> CountingOptions:
    """The options of `Totals`, checked as far as no model is needed.

    Raises:
        UsageError: a region where nothing could be counted; options that exclude each other.
    """
    if any_class and classes is not None:
        raise UsageError("classes and any_class exclude each other", "Use one of them")
    if isinstance(classes, str):
        raise UsageError(f"classes is the text {classes!r}", f"Use a list: [{classes!r}]")
    wanted = None if classes is None else list(classes)
    given = list(regions)
    for region in given:
        region.check()
    return {
        "regions": given,
        "classes": wanted,
        "any_class": any_class,
        "options": options,
        "ignore": only.ignore,
        "min_size": only.min_size,
        "max_size": only.max_size,
    }
