"""The worst weeks, and the worst and the best day ahead."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from backtest.extremes import days_ahead, worst_weeks
from shared.sites.calendar import Calendar
from tests.unit.backtest.transcripts import DAY, UTC_CALENDAR, flat_transcript, shift_targets


class TestWorstWeeks:
    """Seven whole days each."""

    def test_a_bad_stretch_is_found_with_its_dates(self) -> None:
        """Seven days in December are 300 kW up: by every criterion the worst week is just theirs."""
        transcript = flat_transcript(30)
        shift_targets(transcript, 10 * DAY, 17 * DAY, 300.0)
        weeks = worst_weeks(transcript, UTC_CALENDAR)
        worst = weeks[weeks["rank"] == 1]
        assert list(zip(worst["criterion"], worst["lead_minutes"], strict=True)) == [
            ("highest RMSE", 1440),
            ("lowest coverage", 60),
            ("lowest coverage", 1440),
        ]
        assert set(worst["first_local_date"]) == {"2017-12-09"}
        assert set(worst["last_local_date"]) == {"2017-12-15"}
        assert set(worst["rmse_kw"]) == {290.0}
        assert set(worst["coverage_ratio"]) == {0.0}
        assert set(worst["pairs"]) == {7 * DAY}

    def test_the_worst_comes_first(self) -> None:
        """The RMSE falls and the coverage rises with the rank."""
        transcript = flat_transcript(40)
        shift_targets(transcript, 30 * DAY, 33 * DAY, 400.0)
        shift_targets(transcript, 9 * DAY, 11 * DAY, 200.0)
        weeks = worst_weeks(transcript, UTC_CALENDAR)
        for (criterion, _), found in weeks.groupby(["criterion", "lead_minutes"]):
            assert found["rank"].tolist() == list(range(1, len(found) + 1))
            ranked = found["rmse_kw"] if criterion == "highest RMSE" else -found["coverage_ratio"]
            assert ranked.is_monotonic_decreasing

    @pytest.mark.parametrize("days", [8, 9, 16, 60])
    def test_weeks_do_not_overlap_and_are_five_at_most(self, days: int) -> None:
        """The first days of one criterion and lead lie a week or more apart."""
        weeks = worst_weeks(flat_transcript(days), UTC_CALENDAR)
        assert not weeks.empty
        for _, found in weeks.groupby(["criterion", "lead_minutes"]):
            firsts = sorted(datetime.fromisoformat(text).toordinal() for text in found["first_local_date"])
            assert all(later - earlier >= 7 for earlier, later in pairwise(firsts))
            assert 1 <= len(firsts) <= 5

    def test_only_whole_days_of_targets_count(self) -> None:
        """The first day has no targets at 24 h and lacks some at 1 h; the last one ends at noon."""
        weeks = worst_weeks(flat_transcript(9.5), UTC_CALENDAR)
        assert weeks["first_local_date"].min() == "2017-11-30"
        assert weeks["last_local_date"].max() <= "2017-12-07"
        assert set(weeks["pairs"]) == {7 * DAY}

    @pytest.mark.parametrize("days", [1 / DAY, 0.5, 2, 6.9])
    def test_a_short_window_has_none(self, days: float) -> None:
        """There is no error and no row, and the columns are there."""
        weeks = worst_weeks(flat_transcript(days), UTC_CALENDAR)
        assert weeks.empty
        assert {"criterion", "rank", "first_local_date", "last_local_date"} <= set(weeks.columns)

    def test_a_week_without_readings_is_no_worst_week(self) -> None:
        """What was not scored is not ranked."""
        transcript = flat_transcript(15)
        transcript.demand_kw[-14 * DAY :] = np.nan
        assert worst_weeks(transcript, UTC_CALENDAR).empty

    def test_a_local_week_over_a_leap_of_the_clock_is_whole(self) -> None:
        """The week in which the clocks go forward lacks an hour of pairs."""
        transcript = flat_transcript(9, start=datetime(2017, 3, 21, 23, tzinfo=UTC))
        weeks = worst_weeks(transcript, Calendar("FR", "Europe/Paris"))
        assert set(weeks["pairs"]) == {7 * DAY - 6}


class TestDaysAhead:
    """Forecasts issued just before a local midnight."""

    def test_the_worst_comes_first_then_the_best(self) -> None:
        """Of days that are off by 10, 290 and 90 kW the one of 290 is the worst, that of 10 the best."""
        transcript = flat_transcript(5)
        shift_targets(transcript, 2 * DAY, 3 * DAY, 300.0)
        shift_targets(transcript, 3 * DAY, 4 * DAY, 100.0)
        worst, best = days_ahead(transcript, UTC_CALENDAR)
        assert (worst.origin, worst.rmse_kw, worst.coverage) == (datetime(2017, 11, 30, 23, 50, tzinfo=UTC), 290.0, 0.0)
        assert (best.rmse_kw, best.coverage) == (10.0, 1.0)
        assert worst.curves["local_time"].iloc[[0, -1]].tolist() == ["2017-12-01 00:00", "2017-12-01 23:50"]
        assert worst.curves.iloc[7, 1:].tolist() == [20_300.0, 20_010.0, 19_960.0, 20_060.0]

    def test_the_day_is_the_local_one(self) -> None:
        """With a clock one hour ahead the origin is 22:50 UTC, and the day begins at 00:00 of that clock."""
        worst, *_ = days_ahead(flat_transcript(3), Calendar("MA", "Etc/GMT-1"))
        assert (worst.origin.hour, worst.origin.minute) == (22, 50)
        assert worst.curves["local_time"].iloc[0].endswith("00:00")

    def test_a_day_with_a_gap_does_not_count(self) -> None:
        """Two days ahead lie in the window; the one that lacks a reading is passed over."""
        transcript = flat_transcript(3)
        shift_targets(transcript, DAY, 2 * DAY, 300.0)
        transcript.demand_kw[-2 * DAY + 5] = np.nan
        (only,) = days_ahead(transcript, UTC_CALENDAR)
        assert only.rmse_kw == 10.0

    @pytest.mark.parametrize("days", [1 / DAY, 0.5, 1])
    def test_a_short_window_has_none(self, days: float) -> None:
        """No day lies whole behind an origin."""
        assert days_ahead(flat_transcript(days), UTC_CALENDAR) == ()
