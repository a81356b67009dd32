from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens import UsageError
from tallylens.edge_runtime.counting.reset_schedule import Schedule, parse_moment, parse_schedule

needs_zones = pytest.mark.skipif(not hasattr(time, "tzset"), reason="cannot change the time zone")


@pytest.fixture(params=["UTC", "Europe/Berlin", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1e9)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("daily@00:00", Schedule(0, 0)),
        ("daily@6:30", Schedule(6, 30)),
        ("daily@23:59", Schedule(23, 59)),
        ("hourly@15", Schedule(None, 15)),
        ("hourly@:05", Schedule(None, 5)),
    ],
)
def test_parsing(text: str, schedule: Schedule) -> None:
    assert parse_schedule(text) == schedule


@pytest.mark.parametrize(
    "text", ["", "daily", "daily@24:00", "daily@1:60", "weekly@1", "daily@٣:00"]
)
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(UsageError, match="Use daily@HH:MM or hourly@MM"):
        parse_schedule(text)


@needs_zones
def test_midnight_is_that_of_the_place(zone: str) -> None:
    midnight = Schedule(0, 0)
    assert midnight.next_after(ns(datetime(2026, 5, 1, 8))) == ns(datetime(2026, 5, 2))
    assert midnight.next_after(ns(datetime(2026, 5, 2))) == ns(datetime(2026, 5, 3))
    assert midnight.next_after(ns(datetime(2026, 12, 31, 23, 59, 59))) == ns(datetime(2027, 1, 1))
    assert Schedule(6, 30).next_after(ns(datetime(2026, 5, 1, 6))) == ns(
        datetime(2026, 5, 1, 6, 30)
    )


@needs_zones
@pytest.mark.parametrize("zone", ["Europe/Berlin"], indirect=True)
def test_days_of_23_and_25_hours(zone: str) -> None:
    hours = []
    for month, day in ((3, 29), (10, 25)):
        start = ns(datetime(2026, month, day))
        hours.append((Schedule(0, 0).next_after(start) - start) / 3600e9)
    assert hours == [23, 25]


@given(st.integers(0, 4_000_000_000), st.integers(0, 59))
def test_every_hour(at_s: int, minute: int) -> None:
    following = Schedule(None, minute).next_after(at_s * 10**9) // 10**9
    assert 0 < following - at_s <= 3600
    assert datetime.fromtimestamp(following).minute == minute


@given(st.integers(0, 4_000_000_000_000_000_000), st.integers(0, 23), st.integers(0, 59))
def test_every_day(at_ns: int, hour: int, minute: int) -> None:
    following = Schedule(hour, minute).next_after(at_ns)
    assert 0 < following - at_ns <= 25 * 3600 * 10**9


def test_moments() -> None:
    assert parse_moment("1970-01-01T00:00:01Z") == 1_000_000_000
    assert parse_moment("1970-01-01T01:00:01.5+01:00") == 1_500_000_000
    assert parse_moment("2026-05-01T08:00") == ns(datetime(2026, 5, 1, 8))


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "08:00"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="invalid date and time"):
        parse_moment(text)
