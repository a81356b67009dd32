"""The options of `Totals` as one value, known before the model is."""

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
    """The options of `Totals`; regions are checked where they are made.

    Raises:
        UsageError: options that exclude each other.
    """
    if any_class and classes is not None:
        raise UsageError("classes and any_class exclude each other", "Use one of them")
    return {
        "regions": list(regions),
        "classes": None if classes is None else list(classes),
        "any_class": any_class,
        "options": options,
        "ignore": only.ignore,
        "min_size": only.min_size,
        "max_size": only.max_size,
    }
