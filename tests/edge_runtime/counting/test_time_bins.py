from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.counting.time_bins import WIDTH_BY_AGE, TimeBins

NOTES = st.lists(st.tuples(st.floats(0, 5000), st.sampled_from("ab"), st.integers(1, 9)))


def filled(bins: TimeBins, notes: list[tuple[float, str, int]]) -> TimeBins:
    for time_s, name, number in notes:
        bins.add(time_s, {name: number})
    return bins


@given(NOTES, st.integers(1, 20))
def test_sums_survive_widening_and_memory_is_bounded(
    notes: list[tuple[float, str, int]], most: int
) -> None:
    bins = filled(TimeBins(sum, most), notes)
    for name in "ab":
        shown = sum(numbers.get(name, 0) for _, numbers in bins)
        assert shown == sum(number for _, one, number in notes if one == name)
    assert len(bins) <= most
    starts = [start for start, _ in bins]
    assert starts == sorted(set(starts))


@given(NOTES, st.integers(1, 20))
def test_a_maximum_is_that_of_its_time(notes: list[tuple[float, str, int]], most: int) -> None:
    bins = filled(TimeBins(max, most), notes)
    for start, numbers in bins:
        inside = [one for one in notes if start <= one[0] < start + bins.seconds]
        for name, number in numbers.items():
            assert number == max(one[2] for one in inside if one[1] == name)


def test_without_need_a_bin_is_a_second() -> None:
    bins = filled(TimeBins(max), [(0.9, "a", 1), (1.0, "a", 2), (1.9, "a", 1), (7, "b", 3)])
    assert list(bins) == [(0.0, {"a": 1}), (1.0, {"a": 2}), (7.0, {"b": 3})]


@given(NOTES, NOTES)
def test_what_is_saved_goes_on(
    first: list[tuple[float, str, int]], second: list[tuple[float, str, int]]
) -> None:
    whole = filled(TimeBins(sum, 7), first)
    resumed = TimeBins(sum, 7)
    resumed.restore(json.loads(json.dumps(whole.save())))
    assert list(filled(resumed, second)) == list(filled(whole, second))


def test_what_an_earlier_version_saved_is_read() -> None:
    bins = TimeBins(sum)
    bins.restore({"seconds": 2, "bins": [[3, {"a": 1}], [5, {"b": 2}]]})
    assert list(bins) == [(6.0, {"a": 1}), (10.0, {"b": 2})]


@given(st.lists(st.floats(0, 40 * 86_400), min_size=1))
def test_saving_widens_old_bins_and_keeps_their_sums(times: list[float]) -> None:
    bins = filled(TimeBins(sum), [(time_s, "a", 1) for time_s in times])
    bins.save()
    assert sum(numbers["a"] for _, numbers in bins) == len(times)
    latest = int(max(times))
    kept = {start for start, _ in bins}
    for time_s in times:
        age = latest - int(time_s)
        width = next(width for least, width in reversed(WIDTH_BY_AGE) if age >= least)
        assert int(time_s) - int(time_s) % width in kept


def test_thirty_busy_days_take_little_space() -> None:
    bins = TimeBins(max)
    for second in range(0, 30 * 86_400, 31):
        bins.add(second, {"car": second % 5, "bus": second % 3})
        if second % 3100 == 0:
            bins.save()
    assert len(json.dumps(bins.save())) < 20_000
    assert len(bins) < 6000
