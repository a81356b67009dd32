from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.counting.time_bins import TimeBins
from tallylens.edge_runtime.errors import StateError
from tests.edge_runtime.counting.time_bins_oracle import WIDTH_BY_AGE
from tests.edge_runtime.counting.time_bins_oracle import TimeBins as BinsOracle

NOTES = st.lists(st.tuples(st.floats(0, 5000), st.sampled_from("ab"), st.integers(1, 9)))


def filled(bins: TimeBins, notes: list[tuple[float, str, int]]) -> TimeBins:
    for time_s, name, number in notes:
        bins.add(time_s, np.full(number, "ab".index(name), np.int32))
    return bins


@given(NOTES, st.integers(1, 20))
def test_sums_survive_widening_and_memory_is_bounded(
    notes: list[tuple[float, str, int]], most: int
) -> None:
    bins = filled(TimeBins("sum", "ab", most), notes)
    for name in "ab":
        shown = sum(numbers.get(name, 0) for _, numbers in bins)
        assert shown == sum(number for _, one, number in notes if one == name)
    assert len(bins) <= most
    starts = [start for start, _ in bins]
    assert starts == sorted(set(starts))


@given(NOTES, st.integers(1, 20))
def test_a_maximum_is_that_of_its_time(notes: list[tuple[float, str, int]], most: int) -> None:
    bins = filled(TimeBins("max", "ab", most), notes)
    for start, numbers in bins:
        inside = [one for one in notes if start <= one[0] < start + bins.seconds]
        for name, number in numbers.items():
            assert number == max(one[2] for one in inside if one[1] == name)


def test_without_need_a_bin_is_a_second() -> None:
    bins = filled(TimeBins("max", "ab"), [(0.9, "a", 1), (1.0, "a", 2), (1.9, "a", 1), (7, "b", 3)])
    assert list(bins) == [(0.0, {"a": 1}), (1.0, {"a": 2}), (7.0, {"b": 3})]


@given(NOTES, NOTES)
def test_what_is_saved_goes_on(
    first: list[tuple[float, str, int]], second: list[tuple[float, str, int]]
) -> None:
    whole = filled(TimeBins("sum", "ab", 7), first)
    resumed = TimeBins("sum", "ab", 7)
    resumed.restore(json.loads(json.dumps(whole.save())))
    assert list(filled(resumed, second)) == list(filled(whole, second))


def test_what_an_earlier_version_saved_is_read() -> None:
    bins = TimeBins("sum", "ab")
    bins.restore({"seconds": 2, "bins": [[3, {"a": 1}], [5, {"b": 2}]]})
    assert list(bins) == [(6.0, {"a": 1}), (10.0, {"b": 2})]


@given(st.lists(st.floats(0, 40 * 86_400), min_size=1))
def test_saving_widens_old_bins_and_keeps_their_sums(times: list[float]) -> None:
    bins = filled(TimeBins("sum", "ab"), [(time_s, "a", 1) for time_s in times])
    bins.save()
    assert sum(numbers["a"] for _, numbers in bins) == len(times)
    latest = int(max(times))
    kept = {start for start, _ in bins}
    for time_s in times:
        age = latest - int(time_s)
        width = next(width for least, width in reversed(WIDTH_BY_AGE) if age >= least)
        assert int(time_s) - int(time_s) % width in kept


def test_thirty_busy_days_take_little_space() -> None:
    bins = TimeBins("max", ("car", "bus"))
    keys = [np.repeat(np.arange(2, dtype=np.int32), [n % 5, n % 3]) for n in range(15)]
    for second in range(0, 30 * 86_400, 31):
        bins.add(second, keys[second % 15])
        if second % 3100 == 0:
            bins.save()
    assert len(json.dumps(bins.save())) < 20_000
    assert len(bins) < 6000


STEPS = st.lists(
    st.one_of(
        st.tuples(st.floats(0, 9 * 86_400), st.lists(st.integers(0, 4), max_size=6)),
        st.just("save"),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 12), st.sampled_from(["max", "sum"]))
def test_the_bins_are_those_of_the_oracle(steps: list[Any], most: int, join: Any) -> None:
    bins = TimeBins(join, "abcde", most)
    oracle = BinsOracle(max if join == "max" else sum, most)
    for step in steps:
        if step == "save":
            bins.save()
            oracle.compact()
        elif step[1]:
            time_s, keys = step
            bins.add(time_s, np.array(keys, np.int32))
            oracle.add(time_s, {"abcde"[key]: keys.count(key) for key in sorted(set(keys))})
        assert (list(bins), bins.seconds) == (list(oracle), oracle.seconds)


def test_classes_of_one_name_are_one() -> None:
    """Of two classes of one name, the greater number is shown, before and after it was saved."""
    bins = TimeBins("max", ("car", "bus", "car"))
    bins.add(0, np.array([0, 2, 2, 1], np.int32))
    resumed = TimeBins("max", ("car", "bus", "car"))
    resumed.restore(bins.save())
    assert list(resumed) == list(bins) == [(0.0, {"car": 2, "bus": 1})]
    assert resumed.save() == bins.save()


DAMAGED: dict[str, dict[str, Any]] = {
    "no width": {"seconds": 0},
    "a width of 40 digits": {"seconds": 10**40},
    "before the start": {"bins": [[-1, {"a": 1}]]},
    "a time of 40 digits": {"bins": [[10**40, {"a": 1}]]},
    "fewer than none": {"bins": [[1, {"a": -1}]]},
    "a number of 40 digits": {"bins": [[1, {"a": 10**40}]]},
    "another name": {"bins": [[1, {"z": 1}]]},
    "no numbers": {"bins": [[1, 2]]},
    "steps without numbers": {"bins": {"steps": [1, 2], "numbers": {"a": [1]}}},
}


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damaged_bins_are_refused(name: str) -> None:
    bins = TimeBins("sum", "ab")
    bins.restore({"seconds": 2, "bins": [[3, {"a": 1}]]})
    with pytest.raises((StateError, ValueError, KeyError, TypeError, AttributeError, IndexError)):
        bins.restore({"seconds": 1, "bins": [[1, {"a": 1}]], **DAMAGED[name]})
    assert list(bins) == [(6.0, {"a": 1})]
