"""Stamps without an offset, as the meter's own clock shows them, on the days when it changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Accepted, Merged, Outcome, Rejected
from shared.sites.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
AUTUMN = "2025-10-26"


def town(step_minutes: int, zone: str = "Europe/Madrid") -> Site:
    """Return a site with one load, whose clock has summer time."""
    return Site(
        name="town",
        step_minutes=step_minutes,  # type: ignore[arg-type]  # pydantic checks it
        country="ES",
        time_zone=zone,
        time_column="time",
        columns={"load": "zone_1_kw"},
    )


def message(time: str, load: float) -> bytes:
    """Return a reading as its meter sends it."""
    return json.dumps({"site": "town", "time": time, "load": load}).encode()


def judged(step_minutes: int, *readings: tuple[str, float], came: datetime = NOW) -> list[Outcome]:
    """Return what becomes of readings of the autumn night, by clock and load."""
    ingestor = Ingestor([town(step_minutes)], MONTH)
    return [ingestor.judge(message(f"{AUTUMN} {clock}", load), came) for clock, load in readings]


def accepted(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return the loads by the clock of UTC."""
    readings = [outcome.reading for outcome in outcomes if isinstance(outcome, Accepted)]
    loads = [reading.values["zone_1_kw"] for reading in readings]  # noqa: PD011 - of a message, no table
    return {f"{reading.time:%H:%M}": load for reading, load in zip(readings, loads, strict=True)}


def test_of_two_like_stamps_of_hourly_readings_the_second_is_the_second_hour() -> None:
    """Also where both loads are alike."""
    outcomes = judged(60, ("01:00", 201), ("02:00", 202), ("02:00", 202), ("03:00", 204))
    assert accepted(outcomes) == {"23:00": 201, "00:00": 202, "01:00": 202, "02:00": 204}


def test_the_second_hour_begins_where_the_quarters_begin_again() -> None:
    """02:00 after 02:45 is an hour after the first 02:00, and so is all that follows."""
    clocks = ["01:45", *(f"02:{minute}" for minute in ("00", "15", "30", "45") * 2), "03:00"]
    outcomes = judged(15, *((clock, 200 + n) for n, clock in enumerate(clocks)))
    times = pd.date_range("2025-10-25T23:45Z", periods=len(clocks), freq="15min").strftime("%H:%M")
    assert accepted(outcomes) == {time: 200 + n for n, time in enumerate(times)}


def test_a_gap_in_the_first_hour_does_not_hide_the_second() -> None:
    """A load that is another one than that of the first hour is of the second, whatever is missing between."""
    outcomes = judged(15, ("02:00", 200), ("02:15", 201), ("02:00", 204), ("02:15", 205), ("02:45", 207))
    assert accepted(outcomes) == {"00:00": 200, "00:15": 201, "01:00": 204, "01:15": 205, "01:45": 207}


def test_a_delivery_that_is_repeated_stays_a_repeat() -> None:
    """The same reading straight again, or again from a quarter on that was published, and the whole night again."""
    first = [("02:00", 200), ("02:15", 201), ("02:30", 202), ("02:45", 203)]
    second = [(clock, load + 10) for clock, load in first]
    outcomes = judged(15, *first[:2], first[1], *first[2:], *first[2:], *second, *first, *second)
    assert list(accepted(outcomes).values()) == [load for _, load in (*first, *second)]
    assert sum(isinstance(outcome, Merged) for outcome in outcomes) == 1 + 2 + 4 + 4


def test_another_load_straight_after_the_first_contradicts_it() -> None:
    """A quarter does not go on an hour later by itself: it is a correction, which is refused by name."""
    outcomes = judged(15, ("02:00", 200), ("02:00", 999), ("02:15", 201))
    assert isinstance(outcomes[1], Rejected)
    assert outcomes[1].reason == "contradicts"
    assert accepted(outcomes) == {"00:00": 200, "00:15": 201}


def test_an_hour_that_has_not_begun_is_not_the_second() -> None:
    """What comes in the first hour is of the first hour, as a repeat that a producer sends at once."""
    outcomes = judged(60, ("02:00", 202), ("02:00", 202), came=datetime(2025, 10, 26, 0, 1, tzinfo=UTC))
    assert accepted(outcomes) == {"00:00": 202}
    assert isinstance(outcomes[1], Merged)


def test_an_offset_leaves_nothing_to_tell() -> None:
    """With its offset each of the two hours is read as it says, in whatever order they come."""
    outcomes = judged(60, ("02:00+02:00", 202), ("02:00+02:00", 202), ("02:00+01:00", 203))
    assert accepted(outcomes) == {"00:00": 202, "01:00": 203}


def test_the_skipped_hour_is_refused_and_the_true_one_stands() -> None:
    """In spring a filled row has no time; that of 03:00 is the reading of 01:00 UTC."""
    ingestor = Ingestor([town(60)], MONTH)
    outcomes = [ingestor.judge(message(f"2025-03-30 {hour:02}:00", hour), NOW) for hour in range(5)]
    assert accepted(outcomes) == {"23:00": 0, "00:00": 1, "01:00": 3, "02:00": 4}
    assert isinstance(outcomes[2], Rejected)
    assert outcomes[2].reason == "skipped_hour"
    assert "2025-03-30 02:00: the clock of Europe/Madrid skips it" in str(outcomes[2].value)


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"])
@pytest.mark.parametrize("step_minutes", [15, 30, 60])
def test_a_year_of_local_stamps_is_the_year_in_utc(zone: str, step_minutes: int) -> None:
    """Every reading of a stream without gaps is accepted at its own time, whichever way the clock changes."""
    times = pd.date_range("2025-02-01", "2025-12-01", freq=f"{step_minutes}min", tz="UTC")
    near = pd.DatetimeIndex([time for time in times if time.month in (3, 4, 10, 11)])
    ingestor = Ingestor([town(step_minutes, zone)], timedelta(days=300))
    stamps = near.tz_convert(zone).strftime("%Y-%m-%d %H:%M")
    outcomes = [ingestor.judge(message(stamp, n), NOW) for n, stamp in enumerate(stamps)]
    assert [outcome.reading.time for outcome in outcomes if isinstance(outcome, Accepted)] == near.tolist()
