from __future__ import annotations

import json

import pytest

from tallylens.edge_runtime.counting.line import LineReport
from tallylens.edge_runtime.counting.period_totals import PeriodTotals
from tallylens.edge_runtime.counting.periods import MAX_PERIODS, Periods
from tallylens.edge_runtime.counting.reset_schedule import Schedule

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
TOTALS = PeriodTotals.of({"car": 2}, [LineReport("road", {"car": 2}, {})])


def test_without_a_schedule_no_period_ends() -> None:
    periods = Periods(None)
    assert not periods.scheduled
    assert [periods.span_closed_at(now) for now in (0, 100 * HOUR)] == [None, None]


def test_a_period_ends_at_the_first_frame_after_the_reset() -> None:
    periods = Periods(Schedule(None, 0))
    moments = [HOUR // 2, HOUR - 1, HOUR + 5, HOUR + 6, 5 * HOUR]
    spans = [periods.span_closed_at(now) for now in moments]
    # The last span is one although three resets without a frame are in it.
    assert spans == [None, None, (HOUR // 2, HOUR), None, (HOUR, 2 * HOUR)]


def test_a_closed_period_is_kept_with_its_times() -> None:
    periods = Periods(Schedule(None, 0))
    period = periods.close((0, HOUR), TOTALS)
    assert (period.start, period.end) == ("1970-01-01T00:00:00.000Z", "1970-01-01T01:00:00.000Z")
    assert (period.unique, period.lines) == (TOTALS.unique, TOTALS.lines)
    assert periods.closed == [period]


def test_at_most_so_many_are_kept() -> None:
    periods = Periods(Schedule(None, 0))
    for number in range(MAX_PERIODS + 2):
        periods.close((number * HOUR, (number + 1) * HOUR), TOTALS)
    assert len(periods.closed) == MAX_PERIODS
    assert periods.closed[0].start == "1970-01-01T02:00:00.000Z"


def test_saved_periods_are_resumed() -> None:
    before, after = Periods(Schedule(None, 0)), Periods(Schedule(None, 0))
    before.span_closed_at(HOUR // 2)
    before.close((0, HOUR // 4), TOTALS)
    after.restore(json.loads(json.dumps(before.save())))
    assert after.closed == before.closed
    assert after.span_closed_at(HOUR) == before.span_closed_at(HOUR) == (HOUR // 2, HOUR)


@pytest.mark.parametrize("missing", ["periods", "reset_ns", "period_ns"])
def test_a_missing_value_is_an_error(missing: str) -> None:
    saved = Periods(None).save()
    del saved[missing]
    with pytest.raises(KeyError):
        Periods(None).restore(saved)
