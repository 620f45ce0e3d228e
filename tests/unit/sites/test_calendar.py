"""The calendar of a site."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shared.sites.calendar import Calendar


def steps_at(*times: datetime, step_minutes: int = 10) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the step indices of aware times."""
    return np.array([int(time.timestamp()) // (60 * step_minutes) for time in times])


def dates(*days: date) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the dates in days since 1970-01-01."""
    return np.array([day.toordinal() - date(1970, 1, 1).toordinal() for day in days])


def test_ramadan_is_from_its_first_to_its_last_day() -> None:
    """Both count; one that ends before it begins is refused."""
    calendar = Calendar("MA", ramadan=((date(2017, 5, 27), date(2017, 6, 25)),))
    days = dates(date(2017, 5, 26), date(2017, 5, 27), date(2017, 6, 25), date(2017, 6, 26))
    assert calendar.fasting(days).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="ramadan ends on 2017-05-27, before it begins on 2017-06-25"):
        Calendar("MA", ramadan=((date(2017, 6, 25), date(2017, 5, 27)),))


@pytest.mark.parametrize("step_minutes", [5, 10, 15, 30, 60])
def test_time_and_weekday_are_those_of_the_clock(step_minutes: int) -> None:
    """Thursday, 19 October 2017, 05:00 UTC is minute 300 of weekday 3, whatever the step."""
    steps = steps_at(datetime(2017, 10, 19, 5, 0, tzinfo=UTC), step_minutes=step_minutes)
    calendar = Calendar("MA")
    assert calendar.clock(steps, step_minutes).minute.tolist() == [300]
    assert calendar.clock(steps, step_minutes).weekday.tolist() == [3]


def test_the_clock_of_the_zone_changes_with_summer_time() -> None:
    """Berlin is one hour ahead of UTC before 26 March 2017 01:00 and two hours from then on."""
    steps = steps_at(datetime(2017, 3, 26, 0, 50, tzinfo=UTC), datetime(2017, 3, 26, 1, 0, tzinfo=UTC))
    assert Calendar("DE", "Europe/Berlin").clock(steps, 10).minute.tolist() == [110, 180]


def test_the_local_date_decides_on_weekday_and_holiday() -> None:
    """In Tokyo it is New Year's Day, a Sunday in 2017, while it is still Saturday in UTC."""
    steps = steps_at(datetime(2016, 12, 31, 15, 0, tzinfo=UTC))
    tokyo, utc = Calendar("JP", "Asia/Tokyo"), Calendar("JP")
    clocks = [calendar.clock(steps, 10) for calendar in (tokyo, utc)]
    assert [int(clock.weekday[0]) for clock in clocks] == [6, 5]
    assert [bool(tokyo.holiday(clock.date)[0]) for clock in clocks] == [True, False]


def test_overrides_add_and_remove_dates() -> None:
    """A date that is added is a holiday, one that is removed is not, and all others stay."""
    listed, extra = date(2017, 6, 25), date(2017, 6, 27)
    days = dates(listed, date(2017, 6, 26), extra)
    assert Calendar("MA").holiday(days).tolist() == [True, True, False]
    assert Calendar("MA", add=(extra,), remove=(listed,)).holiday(days).tolist() == [False, True, True]


def test_a_clock_that_is_turned_twice_a_year_is_right_at_every_step() -> None:
    """A year of quarter hours reads as ``zoneinfo`` says, also where the offset is no whole hour (Lord Howe Island)."""
    begin = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp()) // 900
    steps = np.arange(begin, begin + 365 * 96)
    clock = Calendar("AU", "Australia/Lord_Howe").clock(steps, 15)
    shown = [datetime.fromtimestamp(900 * step, ZoneInfo("Australia/Lord_Howe")) for step in steps.tolist()]
    assert clock.minute.tolist() == [60 * moment.hour + moment.minute for moment in shown]
    assert clock.weekday.tolist() == [moment.weekday() for moment in shown]
    assert clock.date.tolist() == [moment.toordinal() - date(1970, 1, 1).toordinal() for moment in shown]


@pytest.mark.parametrize(
    ("time_zone", "winter", "summer"),
    [("UTC", 0, 0), ("Asia/Kolkata", 0, 0), ("Europe/Madrid", 0, 6), ("America/New_York", 0, 6)],
)
def test_a_clock_is_turned_by_the_steps_of_its_change(time_zone: str, winter: int, summer: int) -> None:
    """Summer time is six steps of ten minutes; a clock that is never changed is not turned, however far from UTC."""
    steps = steps_at(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC))
    assert Calendar(None, time_zone).turned(steps, 10).tolist() == [winter, summer]


@pytest.mark.parametrize(
    ("time_zone", "minutes"),
    [("UTC", 0), ("Europe/Madrid", 60), ("Asia/Kathmandu", 345), ("America/New_York", -300), ("Australia/Sydney", 600)],
)
def test_a_clock_is_ahead_by_what_it_is_without_summer_time(time_zone: str, minutes: int) -> None:
    """In both halves of the world."""
    assert Calendar(None, time_zone).ahead_minutes == minutes


def test_a_date_that_was_skipped_turns_no_clock() -> None:
    """Samoa left out 30 December 2011, and the time of the day stayed what it was."""
    steps = steps_at(datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC))
    assert Calendar(None, "Pacific/Apia").turned(steps, 10).tolist() == [6, 6]


@pytest.mark.parametrize(
    ("country", "time_zone", "names"),
    [("ZZ", "UTC", "country 'ZZ'"), ("MA", "Mars/Base", "time_zone 'Mars/Base'"), ("MA", "", "time_zone ''")],
)
def test_what_is_unknown_is_named(country: str, time_zone: str, names: str) -> None:
    """An unknown country or zone is refused by name."""
    with pytest.raises(ValueError, match=names):
        Calendar(country, time_zone)


def test_without_a_country_only_what_was_added_is_a_holiday() -> None:
    """New Year's Day is a day like any other where no country says otherwise."""
    days = np.array([date(2017, 1, 1).toordinal(), date(2017, 6, 27).toordinal()]) - date(1970, 1, 1).toordinal()
    assert Calendar(None).holiday(days).tolist() == [False, False]
    assert Calendar(None, add=(date(2017, 6, 27),)).holiday(days).tolist() == [False, True]


def test_a_date_is_not_both_added_and_removed() -> None:
    """A contradiction is refused and names the date."""
    with pytest.raises(ValueError, match="2017-06-27"):
        Calendar("MA", add=(date(2017, 6, 27),), remove=(date(2017, 6, 27),))
