"""The calendar of a site."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from shared.forecasting.calendar import Calendar


def steps_at(*times: datetime, step_minutes: int = 10) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the step indices of aware times."""
    return np.array([int(time.timestamp()) // (60 * step_minutes) for time in times])


def noon(day: date) -> datetime:
    """Return noon of the day in UTC."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


@pytest.mark.parametrize("step_minutes", [5, 10, 15, 30, 60])
def test_time_and_weekday_are_those_of_the_clock(step_minutes: int) -> None:
    """Thursday, 19 October 2017, 05:00 UTC is minute 300 of weekday 3, whatever the step."""
    steps = steps_at(datetime(2017, 10, 19, 5, 0, tzinfo=UTC), step_minutes=step_minutes)
    calendar = Calendar("MA")
    assert calendar.minute_of_day(steps, step_minutes).tolist() == [300]
    assert calendar.weekday(steps, step_minutes).tolist() == [3]


def test_the_clock_of_the_zone_changes_with_summer_time() -> None:
    """Berlin is one hour ahead of UTC before 26 March 2017 01:00 and two hours from then on."""
    steps = steps_at(datetime(2017, 3, 26, 0, 50, tzinfo=UTC), datetime(2017, 3, 26, 1, 0, tzinfo=UTC))
    assert Calendar("DE", "Europe/Berlin").minute_of_day(steps, 10).tolist() == [110, 180]


def test_the_local_date_decides_on_weekday_and_holiday() -> None:
    """In Tokyo it is New Year's Day, a Sunday in 2017, while it is still Saturday in UTC."""
    steps = steps_at(datetime(2016, 12, 31, 15, 0, tzinfo=UTC))
    tokyo, utc = Calendar("JP", "Asia/Tokyo"), Calendar("JP")
    assert (tokyo.weekday(steps, 10)[0], utc.weekday(steps, 10)[0]) == (6, 5)
    assert (tokyo.holiday(steps, 10)[0], utc.holiday(steps, 10)[0]) == (True, False)


def test_overrides_add_and_remove_dates() -> None:
    """A date that is added is a holiday, one that is removed is not, and all others stay."""
    listed, extra = date(2017, 6, 25), date(2017, 6, 27)
    days = steps_at(*(noon(day) for day in (listed, date(2017, 6, 26), extra)))
    assert Calendar("MA").holiday(days, 10).tolist() == [True, True, False]
    assert Calendar("MA", add=(extra,), remove=(listed,)).holiday(days, 10).tolist() == [False, True, True]


def test_days_later_looks_from_the_local_date() -> None:
    """The eve of a holiday has one a day later; the day after it has one a day before."""
    days = steps_at(*(noon(date(2017, 4, 30)), noon(date(2017, 5, 2))))
    calendar = Calendar("MA")
    assert calendar.holiday(days, 10, days_later=1).tolist() == [True, False]
    assert calendar.holiday(days, 10, days_later=-1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("country", "time_zone", "names"),
    [("ZZ", "UTC", "country 'ZZ'"), ("MA", "Mars/Base", "time_zone 'Mars/Base'"), ("MA", "", "time_zone ''")],
)
def test_what_is_unknown_is_named(country: str, time_zone: str, names: str) -> None:
    """An unknown country or zone is refused by name."""
    with pytest.raises(ValueError, match=names):
        Calendar(country, time_zone)


def test_a_date_is_not_both_added_and_removed() -> None:
    """A contradiction is refused and names the date."""
    with pytest.raises(ValueError, match="2017-06-27"):
        Calendar("MA", add=(date(2017, 6, 27),), remove=(date(2017, 6, 27),))
