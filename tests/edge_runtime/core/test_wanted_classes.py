"""The class of an object, voted among the classes that are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tallylens.edge_runtime.core import TrackCounter
from tests.support import scenes

LINE = ((0.0, 240.0), (640.0, 240.0))
DOWN = ((0.0, 320.0, 100.0), (4.0, 320.0, 400.0))
CAR, BOAT, PERSON, HANDBAG = range(4)


def count(labels: Sequence[int], wanted: Sequence[int] | None) -> tuple[list[int], list[int]]:
    """Different objects and crossings `in` by class, of one object with these labels in turn."""
    counter = TrackCounter(4, scenes.FRAME)
    counter.add_line(*LINE)
    if wanted is not None:
        counter.want_classes(wanted)
    totals = [0] * 4
    for timestamp_ns, found in scenes.filmed(
        [scenes.Mover(scenes.along(*DOWN), labels=labels)], [i / 25 for i in range(100)]
    ):
        counter.update(timestamp_ns, found)
    for class_id, number in enumerate(counter.line(0).crossed_in.tolist()):
        totals[class_id] = number
    return counter.unique().tolist(), totals


@pytest.mark.parametrize(
    ("labels", "wanted", "class_id"),
    [
        ([CAR, BOAT, BOAT], [CAR], CAR),
        ([CAR, BOAT], [BOAT], BOAT),
        ([PERSON, HANDBAG, HANDBAG], [PERSON], PERSON),
        ([PERSON, HANDBAG, CAR], [PERSON, CAR], PERSON),
        ([BOAT, CAR, CAR, CAR], [CAR, BOAT], CAR),
        ([CAR, BOAT, BOAT], None, BOAT),
    ],
)
def test_a_flickering_class_is_chosen_among_the_wanted(
    labels: list[int], wanted: list[int] | None, class_id: int
) -> None:
    one = [int(index == class_id) for index in range(4)]
    unique, crossed = count(labels, wanted)
    assert unique == one
    assert crossed == one


@pytest.mark.parametrize("labels", [[BOAT], [BOAT, HANDBAG]])
def test_an_object_of_unwanted_classes_throughout_is_not_of_a_wanted_one(
    labels: list[int],
) -> None:
    unique, crossed = count(labels, [CAR, PERSON])
    assert [unique[CAR], unique[PERSON], crossed[CAR], crossed[PERSON]] == [0, 0, 0, 0]


def test_a_single_wrong_label_does_not_make_an_object_wanted() -> None:
    unique, crossed = count([BOAT] * 24 + [CAR], [CAR])
    assert (unique[CAR], crossed[CAR]) == (0, 0)
