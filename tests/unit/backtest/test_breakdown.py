"""The figures of a transcript by lead, day, hour, weekday, season and holiday."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from backtest.breakdown import by_group, by_lead
from backtest.naive import RULES
from backtest.tables import ScoreTable
from shared.sites.calendar import Calendar
from tests.unit.backtest.transcripts import DAY, UTC_CALENDAR, flat_transcript, shift_targets


class TestByLead:
    """One row a lead."""

    def test_a_row_a_lead_with_what_the_table_says(self) -> None:
        """144 rows from 10 minutes to 24 hours; the figures are those of the score table."""
        table = ScoreTable.of(flat_transcript(3))
        leads = by_lead(table, 10)
        assert leads["lead_minutes"].tolist() == list(range(10, 1441, 10))
        for column, figure in {"rmse_kw": "rmse_kw", "coverage_ratio": "coverage", "mape_ratio": "mape"}.items():
            assert np.array_equal(leads[column], table.per_lead[figure], equal_nan=True)
        assert set(leads["rmse_kw"]) == {10.0}

    def test_no_rule_is_named_where_there_is_no_pair(self) -> None:
        """Of twelve hours the leads below twelve hours have pairs, a rule and its error, the others none of them."""
        leads = by_lead(ScoreTable.of(flat_transcript(0.5)), 10)
        assert leads["best_naive_rule"].notna().tolist() == [True] * 71 + [False] * 73
        assert leads["best_naive_rmse_kw"].notna().tolist() == [True] * 71 + [False] * 73
        assert set(leads["best_naive_rule"].dropna()) <= set(RULES)

    def test_yesterday_is_named_where_only_it_is_right(self) -> None:
        """Each day repeats the one before, but for a jump a week ago: "same time yesterday" makes no error."""
        transcript = flat_transcript(2)
        shape = np.random.default_rng(3).uniform(0, 900, DAY)
        transcript.demand_kw[:] = 15_000 + np.tile(shape, transcript.demand_kw.size // DAY)
        transcript.demand_kw[: 3 * DAY] += np.random.default_rng(4).uniform(0, 900, 3 * DAY)
        leads = by_lead(ScoreTable.of(transcript), 10)
        assert leads["best_naive_rule"].iloc[59] == "same time yesterday"
        assert leads["best_naive_rmse_kw"].iloc[59] == 0


class TestByGroup:
    """Pairs are counted where their target lies."""

    def test_only_the_shifted_hour_is_off(self) -> None:
        """Readings 90 kW up from 7 to 8 o'clock: at every lead the error of that hour is -80, of others +10."""
        transcript = flat_transcript(5)
        for day in range(5):
            shift_targets(transcript, day * DAY + 42, day * DAY + 48, 90.0)
        hours = by_group(transcript, UTC_CALENDAR)["hours"]
        assert hours.columns.tolist() == [
            "lead_minutes",
            "local_hour",
            "pairs",
            "rmse_kw",
            "mae_kw",
            "bias_kw",
            "coverage_ratio",
        ]
        assert hours["lead_minutes"].unique().tolist() == [10, 60, 360, 1440]
        seven = hours["local_hour"] == 7
        assert set(hours.loc[seven, "bias_kw"]) == {-80.0}
        assert set(hours.loc[seven, "coverage_ratio"]) == {0.0}
        assert set(hours.loc[~seven, "bias_kw"]) == {10.0}
        assert set(hours.loc[~seven, "coverage_ratio"]) == {1.0}

    @pytest.mark.parametrize("name", ["days", "hours", "weekdays", "seasons", "holidays"])
    def test_the_groups_of_a_lead_share_its_pairs(self, name: str) -> None:
        """Whatever the groups, their pairs add up to rows - h, less those without a reading or a forecast."""
        transcript = flat_transcript(9)
        transcript.demand_kw[-5] = np.nan
        transcript.issued_kw[700] = np.nan
        pairs = by_group(transcript, UTC_CALENDAR)[name].groupby("lead_minutes")["pairs"].sum()
        assert pairs.to_dict() == {10 * lead: 9 * DAY - lead - 2 for lead in (1, 6, 36, 144)}

    def test_days_begin_at_the_local_midnight(self) -> None:
        """With a clock one hour ahead of UTC, the last hour of a UTC day belongs to the next date."""
        transcript = flat_transcript(2)
        shift_targets(transcript, DAY - 6, DAY, 90.0)
        days = by_group(transcript, Calendar("MA", "Etc/GMT-1"))["days"]
        at_10_min = days[days["lead_minutes"] == 10]
        assert at_10_min["local_date"].tolist() == ["2017-11-29", "2017-11-30", "2017-12-01"]
        assert at_10_min["pairs"].tolist() == [DAY - 7, DAY, 6]
        assert at_10_min["coverage_ratio"].tolist() == [1.0, (DAY - 6) / DAY, 1.0]

    def test_weekdays_and_seasons_stand_in_their_order(self) -> None:
        """Monday to Sunday whatever day comes first; December is of one season with January, not with November."""
        groups = by_group(flat_transcript(8), UTC_CALENDAR)
        weekdays = groups["weekdays"]
        assert weekdays.loc[weekdays["lead_minutes"] == 10, "local_weekday"].tolist() == [
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
        ]
        seasons = groups["seasons"].query("lead_minutes == 10")
        assert dict(zip(seasons["season_months"], seasons["pairs"], strict=True)) == {
            "Dec-Feb": 6 * DAY,
            "Sep-Nov": 2 * DAY - 1,
        }

    def test_holidays_are_those_of_the_calendar(self) -> None:
        """A date that the site adds is a holiday, its readings are counted there."""
        transcript = flat_transcript(3)
        shift_targets(transcript, DAY, 2 * DAY, 90.0)
        holidays = by_group(transcript, Calendar("FR", "UTC", add=(date(2017, 11, 30),)))["holidays"]
        holiday = holidays[holidays["day_type"] == "holiday"].set_index("lead_minutes")
        assert holiday.loc[10, "pairs"] == DAY
        assert holiday.loc[1440, "bias_kw"] == -80.0

    def test_a_day_without_readings_stays_visible(self) -> None:
        """It has 0 pairs and open figures."""
        transcript = flat_transcript(3)
        transcript.demand_kw[-2 * DAY : -DAY] = np.nan
        gap = by_group(transcript, UTC_CALENDAR)["days"].query("lead_minutes == 10").iloc[1]
        assert gap["pairs"] == 0
        assert np.isnan(gap["rmse_kw"])

    def test_a_window_shorter_than_a_lead_leaves_it_out(self) -> None:
        """Of three hours the leads up to one hour are scored; of a single step none, without an error."""
        assert set(by_group(flat_transcript(1 / 8), UTC_CALENDAR)["hours"]["lead_minutes"]) == {10, 60}
        assert all(frame.empty for frame in by_group(flat_transcript(1 / DAY), UTC_CALENDAR).values())

    def test_a_leap_in_the_clock_keeps_every_pair(self) -> None:
        """On the day on which the clocks go forward the local day has 23 hours."""
        transcript = flat_transcript(3, start=datetime(2017, 3, 24, 23, tzinfo=UTC))
        days = by_group(transcript, Calendar("FR", "Europe/Paris"))["days"].query("lead_minutes == 10")
        assert days["pairs"].tolist() == [DAY - 1, DAY - 6, DAY, 6]
