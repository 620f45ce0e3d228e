"""Which instant a written time is: the same for a file as for a message, and never another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.data import times as room
from shared.data.times import Moment, NoTime, Stamps, read_time
from shared.sites.site import EPOCHS, Site
from shared.sites.table import site

ZONES = ("UTC", "Europe/Madrid", "Australia/Lord_Howe", "America/New_York", "America/St_Johns", "America/Sao_Paulo")
TEN_PAST = datetime(2018, 1, 31, 0, 10, tzinfo=UTC)


def like(**changes: object) -> Site:
    """Return a site whose clock is UTC, with those keys changed."""
    return site("tetouan").model_copy(update=changes)


def read_times(written: list[str], place: Site) -> Stamps:
    """Return the times of a column of these cells."""
    return room.read_times(pd.Series(written, dtype=str), place)


def instant(written: str, place: Site) -> datetime:
    """Return the one instant that the text names."""
    read = read_time(written, place)
    assert isinstance(read, Moment)
    assert read.again is None
    return read.time


def refusal(written: object, place: Site) -> NoTime:
    """Return why the text is no time."""
    read = read_time(written, place)
    assert isinstance(read, NoTime)
    return read


@pytest.mark.parametrize(
    "written",
    [
        "1/31/2018 0:10",
        "01/31/2018 00:10:00",
        "1/31/2018 0:10:00.000",
        "1/31/2018 12:10 AM",
        "1/31/2018, 12:10:00\u202fa.m.",
        "2018-01-31T00:10Z",
        "2018-01-31 00:10",
        " 2018-01-31  00:10:00\t",
        "2018-01-31 00:10:00.0000000",
        "2018-01-31T00:10:00.000000000Z",
        "2018-01-31T00:10:00,000Z",
        "2018-01-31T01:10+01",
        "2018-01-31T01:10+0100",
        "2018-01-31T01:10:00 +01:00",
        "2018-01-30T19:40-04:30",
        "2018-01-31 00:10 UTC",
        "2018/01/31 00:10",
        "2018/1/31 0:10",
        "2018.01.31 00:10",
        "20180131T0010",
        "20180131T001000Z",
        "20180131 00:10",
    ],
)
@pytest.mark.parametrize("day_first", [False, True])
def test_what_leaves_no_doubt_is_read_without_being_told(written: str, *, day_first: bool) -> None:
    """Every one of these forms names 00:10 on 31 January; month/day/year needs that the day does not stand first."""
    if day_first and written.lstrip("0").startswith("1/31"):
        assert refusal(written, like(day_first=True)).order
    else:
        assert instant(written, like(day_first=day_first)) == TEN_PAST


@pytest.mark.parametrize(
    "written", ["31/1/2018 0:10", "31.01.2018 00:10:00", "31-01-2018 12:10 AM", "31/01/2018 00:10Z"]
)
def test_the_day_stands_first_where_the_site_says_so(written: str) -> None:
    """With slashes, points and dashes; elsewhere the advice says what to set."""
    assert instant(written, like(day_first=True)) == TEN_PAST
    advised = refusal(written, like(name="plain"))
    assert advised.order
    assert advised.advice == "the day stands first: set day_first = true in the table of plain (TETOUAN_SITES)"


@pytest.mark.parametrize(
    ("written", "day_first", "advice"),
    [
        ("02.01.2018 00:10", False, "set day_first = true where the day stands first, time_format where the month"),
        ("01-31-2018 00:10", False, "the month stands first: set day_first = false or time_format"),
        ("1/31/2018 0:10", True, "the month stands first: set day_first = false or time_format"),
        ("01-31-2018 0:10", True, "the month stands first: set day_first = false or time_format"),
        ("1517357400", False, 'set time_format = "epoch_s"'),
        ("1517357400000", True, 'set time_format = "epoch_ms"'),
        ("1517357400000000000", False, 'set time_format = "epoch_ns"'),
    ],
)
def test_what_leaves_doubt_is_no_time_and_says_which_key_to_set(written: str, advice: str, *, day_first: bool) -> None:
    """A time that could be another one is none, until the table of the site tells how it is written."""
    assert advice in str(refusal(written, like(day_first=day_first)).advice)


@pytest.mark.parametrize(
    "written",
    [
        "", "now", "2018-01-31", "1/31/18 0:10", "1/31/2018 24:01", "2018-01-31T24:00:00.000000001Z", "2/30/2018 0:10",
        "2018-01-31T00:60Z", "2018-01-31T00:10:60Z", "2018-01-31T00:10+24:00", "1/31/2018 13:10 PM",
        "1/31/2018 0:10 AM",
        "2018-01-31T00:10 CET", "2018-01/31 00:10", "٣١/01/2018 00:10", "31012018 0010", "1e9", "-1517357400",
        "2018-01-31 00:10 - 00:20", "12/31/9999 23:50", "1/1/0001 0:00", "1/31/2018 0:1" + 60 * "0", None, True, 1.5,
    ],
)  # fmt: skip
@pytest.mark.parametrize("day_first", [False, True])
def test_what_is_no_time_is_never_read_as_one(written: object, *, day_first: bool) -> None:
    """A date alone, a day or clock that does not exist, a name of a zone, a range: each is refused."""
    assert refusal(written, like(day_first=day_first)).reason == "no_time"


@pytest.mark.parametrize(
    ("written", "changes"),
    [
        ("1/31/2018 24:00", {}),
        ("01/31/2018 24:00:00", {}),
        ("2018-01-31T24:00", {}),
        ("2018-01-31 24:00:00.0000000Z", {}),
        ("2018-02-01T01:00+01:00", {}),
        ("20180131T2400", {}),
        ("31.01.2018 24:00", {"day_first": True}),
        ("31.01.18 24:00", {"time_format": "%d.%m.%y %H:%M"}),
        ("2018-031T24", {"time_format": "%Y-%jT%H"}),
    ],
)
def test_the_hour_24_is_the_midnight_that_ends_the_day(written: str, changes: dict[str, object]) -> None:
    """In every form, also at the end of a month."""
    assert instant(written, like(**changes)) == datetime(2018, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_format", "written"),
    [
        ("%d.%m.%Y %H:%M", "31.01.2018 00:10"),
        ("%d %b %Y %I:%M %p", "31 Jan 2018 12:10 AM"),
        ("%y%m%d%H%M", "1801310010"),
        ("%m-%d-%Y %H:%M:%S.%f", "01-31-2018 00:10:00.0000000"),
        ("%Y-%m-%d %H:%M %z", "2018-01-31 01:10 +0100"),
        ("100 %% %H:%M %d/%m/%Y", "100 % 00:10 31/01/2018"),
        ("epoch_s", "1517357400"),
        ("epoch_s", "1517357400.000"),
        ("epoch_ms", "1517357400000"),
        ("epoch_us", "1517357400000000"),
        ("epoch_ns", "1517357400000000000"),
        ("%d.%m.%Y %H:%M", "2018-01-31T01:10+01:00"),
    ],
)
def test_a_format_is_read_as_it_says(time_format: str, written: str) -> None:
    """A format of strptime or an epoch; ISO 8601 with an offset beside it, which says what the order of a file told."""
    assert instant(written, like(time_format=time_format)) == TEN_PAST


@pytest.mark.parametrize(
    ("time_format", "written", "advice"),
    [
        ("%d.%m.%Y %H:%M", "1/31/2018 0:10", "it is not as %d.%m.%Y %H:%M says"),
        ("%d.%m.%Y %H:%M", "2018-01-31T00:10", "it is not as %d.%m.%Y %H:%M says"),
        ("%d.%m.%Y %H:%M", "31.01.2018 24:10", "it is not as %d.%m.%Y %H:%M says"),
        ("%Y-%m-%d %H:%M%z", "20180131T0010Z", "it is not as"),
        ("epoch_s", "1517357400000", 'set time_format = "epoch_ms"'),
        ("epoch_ms", "1517357400", 'set time_format = "epoch_s"'),
        ("epoch_ms", "1.51736E+12", "it is not as epoch_ms says"),
    ],
)
def test_a_format_is_the_only_one(time_format: str, written: str, advice: str) -> None:
    """Another form, another unit of an epoch, and a number that a spreadsheet has rounded, are no times."""
    assert advice in str(refusal(written, like(time_format=time_format)).advice)


def test_the_smallest_fraction_keeps_a_time_off_the_grid() -> None:
    """What lies between two microseconds is not rounded onto a step."""
    for decimals in ("000000001", "999999999", "9999999"):
        assert instant(f"2018-01-31T00:10:59.{decimals}", like()).microsecond % 2 == 1
    assert instant("1517357400000000001", like(time_format="epoch_ns")).microsecond == 1


@pytest.mark.parametrize(
    ("zone", "written", "first", "hours"),
    [
        ("Europe/Madrid", "2019-10-27 02:15", "2019-10-27T00:15Z", 1.0),
        ("America/New_York", "11/3/2019 1:59", "2019-11-03T05:59Z", 1.0),
        ("Australia/Lord_Howe", "2019-04-07 01:45", "2019-04-06T14:45Z", 0.5),
        ("America/St_Johns", "2010-11-06 23:30", "2010-11-07T02:00Z", 1.0),
    ],
)
def test_the_hour_that_comes_twice_is_two_instants(zone: str, written: str, first: str, hours: float) -> None:
    """The clock shows the time twice, an hour or half an hour apart; one with an offset is one instant."""
    place = like(time_zone=zone)
    time = datetime.fromisoformat(first)
    assert read_time(written, place) == Moment(time, time + timedelta(hours=hours))
    assert instant(first, place) == time


@pytest.mark.parametrize(
    ("zone", "written", "true"),
    [
        ("Europe/Madrid", "2019-03-31 02:00", "2019-03-31 03:00"),
        ("Europe/Madrid", "3/31/2019 2:59", "3/31/2019 1:59"),
        ("America/New_York", "3/10/2019 2:30 AM", "3/10/2019 3:30 AM"),
        ("Australia/Lord_Howe", "2019-10-06 02:15", "2019-10-06 02:30"),
        ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-03 24:00"),
    ],
)
def test_a_time_that_the_clock_never_shows_is_refused(zone: str, written: str, true: str) -> None:
    """The hour that summer time skips is none; those beside it are, and so is the same clock elsewhere."""
    skipped = refusal(written, like(time_zone=zone))
    assert skipped.reason == "skipped_hour"
    assert f"the clock of {zone} skips it" in str(skipped.advice)
    assert instant(true, like(time_zone=zone))
    assert instant(written, like())


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00Z"),
        ("America/Santiago", "2024-09-07", "2024-09-08T04:00Z"),
        ("Africa/Cairo", "2024-04-25", "2024-04-25T22:00Z"),
        ("Asia/Beirut", "2024-03-30", "2024-03-30T22:00Z"),
        ("America/Havana", "2024-03-09", "2024-03-10T05:00Z"),
        ("America/Havana", "2024-11-02", "2024-11-03T04:00Z"),
        ("America/Santiago", "2024-04-06", "2024-04-07T04:00Z"),
        ("Asia/Beirut", "2024-10-26", "2024-10-26T22:00Z"),
        ("Europe/Madrid", "2024-03-30", "2024-03-30T23:00Z"),
    ],
)
@pytest.mark.parametrize(
    ("layout", "changes"),
    [
        ("%Y-%m-%d 24:00", {}),
        ("%m/%d/%Y 24:00:00", {}),
        ("%d.%m.%Y 24:00", {"day_first": True}),
        ("%d.%m.%Y 24h00", {"time_format": "%d.%m.%Yx%Hh%M"}),
    ],
)
def test_the_end_of_a_day_is_the_first_instant_of_the_next(
    zone: str, day: str, end: str, layout: str, changes: dict[str, object]
) -> None:
    """Also where the clock skips the midnight that follows, or shows it twice; in a message and in a file."""
    written = datetime.fromisoformat(day).strftime(layout)
    if "time_format" in changes:
        written = written.replace(" ", "x")
    place = like(time_zone=zone, **changes)
    assert instant(written, place) == datetime.fromisoformat(end)
    assert read_times([written], place).times.tolist() == [pd.Timestamp(end)]


def local(times: pd.DatetimeIndex, zone: str) -> list[str]:
    """Return the times as the clock of the zone shows them."""
    return times.tz_convert(zone).strftime("%Y-%m-%d %H:%M").tolist()


@pytest.mark.parametrize(("zone", "step", "descending"), list(product(ZONES, (15, 30, 60), (False, True))))
def test_a_file_in_local_time_is_read_right_to_the_minute(zone: str, step: int, *, descending: bool) -> None:
    """Fourteen months with all changes of the clock, oldest or newest first: each row is its own instant."""
    times = pd.date_range("2017-12-15", "2019-02-15", freq=f"{step}min", tz="UTC")
    times = times[::-1] if descending else times
    read = read_times(local(times, zone), like(time_zone=zone, step_minutes=step))
    assert (read.times == times).all()
    # the clock of Lord Howe goes back by half an hour: of an hourly site only one of the two times is a step
    assert read.repeated.any() == (zone != "UTC" and (zone, step) != ("Australia/Lord_Howe", 60))
    assert read.misread is None


def test_two_rows_a_quarter_tell_the_hours_apart() -> None:
    """Rows in pairs, 02:00 02:00 02:15 02:15: the second of each is the second hour."""
    first = pd.date_range("2019-10-27T00:00Z", periods=4, freq="15min")
    times = pd.DatetimeIndex([time for quarter in first for time in (quarter, quarter + pd.Timedelta(hours=1))])
    assert (read_times(local(times, "Europe/Madrid"), like(time_zone="Europe/Madrid")).times == times).all()


def test_a_repeated_row_does_not_make_a_second_hour() -> None:
    """Where the times go back that tells the hours apart, whatever is there twice."""
    times = pd.date_range("2019-10-26T23:00Z", periods=12, freq="15min").repeat(2)
    assert (read_times(local(times, "Europe/Madrid"), like(time_zone="Europe/Madrid")).times == times).all()


def test_one_hour_alone_is_the_first() -> None:
    """A file that lacks one of the two hours holds the first, as far as anybody can tell."""
    times = pd.date_range("2019-10-26T20:00Z", periods=60, freq="15min")
    times = times[times.hour != 1]
    assert (read_times(local(times, "Europe/Madrid"), like(time_zone="Europe/Madrid")).times == times).all()


def test_a_gap_in_the_first_hour_does_not_move_the_second() -> None:
    """Rows that are missing do not change what the others are, as long as the times go back."""
    times = pd.date_range("2019-10-26T20:00Z", periods=60, freq="15min")
    times = times.delete([17, 18, 21])
    assert (read_times(local(times, "Europe/Madrid"), like(time_zone="Europe/Madrid")).times == times).all()


def test_the_first_row_whose_day_and_month_change_places_is_named() -> None:
    """One row is enough, and the rows before it that could be either do not hide it."""
    misread = read_times(["1/2/2018 0:00", "noon", "13/2/2018 0:00", "14/2/2018 0:00"], like()).misread
    assert misread is not None
    assert misread[0] == 2
    assert read_times(["1/2/2018 0:00", "noon", "2/30/2018 0:00"], like()).misread is None
    turned = read_times(["13/2/2018 0:00", "2/13/2018 0:00"], like(day_first=True)).misread
    assert turned is not None
    assert turned[0] == 1


FORMATS = (
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y-%m-%dT%H:%MZ",
    "%Y/%m/%d %I:%M %p",
)
CHANGES = ["2018-03-25T02:30", "2018-10-28T02:30", "2018-11-04T00:30", "2018-04-01T01:30", "2018-03-11T02:30"]
TIMES = st.datetimes(pd.Timestamp("1990-01-01").to_pydatetime(), pd.Timestamp("2060-01-01").to_pydatetime())
TIMES |= st.sampled_from([datetime.fromisoformat(change) for change in CHANGES])
WRITTEN = (
    st.builds(lambda time, layout: time.strftime(layout), TIMES, st.sampled_from(FORMATS))
    | st.integers(-(10**10), 10**19).map(str)
    | st.text(max_size=20)
    | st.from_regex(
        r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?", fullmatch=True
    )
)
PLACES = st.builds(
    lambda zone, form: like(time_zone=zone, **form),
    st.sampled_from(ZONES),
    st.sampled_from([{}, {"day_first": True}, *({"time_format": form} for form in ("%d.%m.%Y %H:%M", *EPOCHS))]),
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(PLACES, st.lists(WRITTEN, max_size=6, unique=True))
def test_a_file_and_a_message_read_the_same(place: Site, written: list[str]) -> None:
    """Whatever stands there: the same instant, one of the same two, or none in both."""
    for text, time, repeated in zip(
        written, (of_file := read_times(written, place)).times, of_file.repeated, strict=True
    ):
        message = read_time(text, place)
        if isinstance(message, NoTime):
            assert pd.isna(time)
        else:
            assert repeated == (message.again is not None)
            assert time in (message.time, message.again)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(time=TIMES, zone=st.sampled_from(ZONES), layout=st.sampled_from(FORMATS), day_first=st.booleans())
def test_a_time_is_read_as_the_one_that_was_written(time: datetime, zone: str, layout: str, *, day_first: bool) -> None:
    """Never another one: what is read back is what was written, to the minute, or it is refused."""
    read = read_time(time.strftime(layout), like(time_zone=zone, day_first=day_first))
    sure = layout.startswith("%Y") or time.day == time.month or day_first == layout.startswith("%d")
    if not sure:  # the other order may name a day too, which nobody can know of one time
        return
    if isinstance(read, Moment):
        shown = read.time.astimezone(ZoneInfo("UTC" if layout.endswith("Z") else zone)).replace(tzinfo=None)
        assert shown == time.replace(second=time.second if "%S" in layout else 0, microsecond=0)
    else:
        assert read.reason == "skipped_hour" or read.order


def test_an_empty_column_has_no_times() -> None:
    """Nothing is read of nothing."""
    assert read_times([], like()).times.empty
    assert np.array_equal(read_times([], like()).repeated, np.empty(0, bool))
