"""Allocation: how many channels each group loses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from .sensitivity import Curve


class Cost(Protocol):
    """MACs of a graph without some channels."""

    def __call__(self, removed: Collection[int]) -> int:
        """MACs of the graph without the channels `removed` (ids)."""


def allocate(curves: Sequence[Curve], cost: Cost, limit: int) -> set[int]:
    """Channels to remove so that the cost is at most `limit`, at about the minimum head error.

    Greedy: repeatedly the step that adds the smallest error per MAC that it saves. A
    step may take several of a curve's points at once, so that a steep point hides no flat one.
    Errors of different groups are taken to add up.
    """
    taken = dict.fromkeys(range(len(curves)), 0)

    def removed(choice: dict[int, int]) -> set[int]:
        return {one for index, count in choice.items() for one in curves[index].order[:count]}

    now = cost(removed(taken))
    while now > limit:
        best: tuple[float, int, int, int] | None = None
        for index, curve in enumerate(curves):
            before = curve.errors.get(taken[index], 0.0)
            for count, error in curve.errors.items():
                if count <= taken[index]:
                    continue
                after = cost(removed(taken | {index: count}))
                # Savings below the limit do not count.
                saved = now - max(after, limit)
                slope = max(error - before, 0.0) / max(saved, 1)
                if best is None or slope < best[0]:
                    best = (slope, index, count, after)
        if best is None:
            break
        _, index, taken[index], now = best
    return removed(taken)
