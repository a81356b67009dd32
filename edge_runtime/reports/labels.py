"""Labels of totals, for pages and images."""

from __future__ import annotations

from collections.abc import Mapping

from ..counting.region import ClassCounts


def counts_label(name: str, counts: Mapping[str, ClassCounts]) -> str:
    """`name  in 3  out 1`: sums over classes."""
    sums = (f"{title} {sum(numbers.values())}" for title, numbers in counts.items())
    return "  ".join((name, *sums))
