"""The rules that need no model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from backtest.naive import RULES, NaiveForecasts, naive_mae_kw
from shared.forecasting.same_time import SameTime
from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from pathlib import Path

DAY = 4
WEEK = 7 * DAY
LAST = 10 * DAY  # an origin with all the past that a rule needs


def rule(name: str, demand_kw: np.ndarray[tuple[int], np.dtype[np.float64]], lead: int) -> float:
    """Return what one rule says at the origin ``LAST``."""
    return float(NaiveForecasts(demand_kw, DAY).at(lead)[RULES.index(name), LAST])


@pytest.fixture
def demand_kw() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return twelve days of load without any pattern."""
    return np.random.default_rng(7).uniform(100, 200, 12 * DAY)


class TestRules:
    """Each rule by its definition."""

    @pytest.mark.parametrize("lead", [1, 3, 4])
    def test_each_rule_is_its_definition(
        self, demand_kw: np.ndarray[tuple[int], np.dtype[np.float64]], lead: int
    ) -> None:
        """Written out with plain indices, the eight rules give the same numbers."""
        y, t = demand_kw, LAST
        level = y[t - DAY + 1 : t + 1].mean()
        level_last_week = y[t - WEEK - DAY + 1 : t - WEEK + 1].mean()
        increments = [y[t + lead - back] - y[t - back] for back in range(DAY, WEEK + 1, DAY)]
        expected = {
            "persistence": y[t],
            "same time yesterday": y[t + lead - DAY],
            "same time last week": y[t + lead - WEEK],
            "yesterday + deviation": y[t + lead - DAY] + y[t] - y[t - DAY],
            "last week + deviation": y[t + lead - WEEK] + y[t] - y[t - WEEK],
            "mean 7-day increment": y[t] + np.mean(increments),
            "last week + level change": y[t + lead - WEEK] + level - level_last_week,
            "last week x level change": y[t + lead - WEEK] * level / level_last_week,
        }
        assert tuple(expected) == RULES
        assert {name: rule(name, y, lead) for name in RULES} == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("lead", range(1, DAY + 1))
    def test_no_rule_sees_the_future(self, demand_kw: np.ndarray[tuple[int], np.dtype[np.float64]], lead: int) -> None:
        """Other values after an origin leave every forecast up to it as it was, to the bit."""
        other = demand_kw.copy()
        other[LAST + 1 :] = np.nan
        before = NaiveForecasts(demand_kw, DAY).at(lead)[:, : LAST + 1]
        after = NaiveForecasts(other, DAY).at(lead)[:, : LAST + 1]
        assert np.array_equal(before, after, equal_nan=True)
        assert not np.isnan(after[:, LAST]).any()

    def test_unknown_values_leave_what_does_not_need_them(
        self, demand_kw: np.ndarray[tuple[int], np.dtype[np.float64]]
    ) -> None:
        """A gap yesterday silences the rules that need it; the means are over what is known."""
        demand_kw[LAST + 1 - DAY] = np.nan
        assert np.isnan(rule("same time yesterday", demand_kw, 1))
        known = [demand_kw[LAST + 1 - back] - demand_kw[LAST - back] for back in range(2 * DAY, WEEK + 1, DAY)]
        expected = demand_kw[LAST] + np.mean(known)
        assert rule("mean 7-day increment", demand_kw, 1) == pytest.approx(expected)
        level = np.nanmean(demand_kw[LAST - DAY + 1 : LAST + 1])
        level_last_week = demand_kw[LAST - WEEK - DAY + 1 : LAST - WEEK + 1].mean()
        expected = demand_kw[LAST + 1 - WEEK] + level - level_last_week
        assert rule("last week + level change", demand_kw, 1) == pytest.approx(expected)

    def test_a_short_history_is_open(self) -> None:
        """With less than a day of load only persistence speaks."""
        said = NaiveForecasts(np.array([1.0, 2.0]), DAY).at(1)
        assert said[0].tolist() == [1.0, 2.0]
        assert np.isnan(said[1:]).all()

    def test_a_lead_beyond_a_day_is_refused(self) -> None:
        """The error names the lead and the range."""
        with pytest.raises(ValueError, match=r"lead: 5 is outside 1\.\.4"):
            NaiveForecasts(np.ones(5), DAY).at(5)


class TestDenominator:
    """The denominator of MASE."""

    def test_it_is_the_error_of_yesterday_over_known_values(self) -> None:
        """Changes of 1, 2 and an unknown one: 1.5; nothing known: NaN."""
        demand_kw = np.array([5.0, 5.0, 5.0, 5.0, 6.0, 3.0, np.nan])
        assert naive_mae_kw(demand_kw, DAY) == 1.5
        assert np.isnan(naive_mae_kw(np.ones(DAY), DAY))

    @pytest.mark.real_data
    def test_it_is_the_published_one(self, real_data_path: Path) -> None:
        """1283 kW on the first 80 % of zone 2."""
        demand_kw = pd.read_csv(real_data_path)["Zone 2  Power Consumption"].to_numpy(np.float64)
        assert naive_mae_kw(demand_kw[:-10_484], 144) == pytest.approx(1283, abs=0.5)


@pytest.mark.parametrize(("change", "skipped"), [("2025-03-30T01:00", [2]), ("2025-10-26T01:00", [])])
def test_the_rules_go_by_the_clock_of_the_site(change: str, skipped: list[int]) -> None:
    """Of a load that is the time on the clock each rule but persistence is right, as far as that time was shown."""
    first_step = int(datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp()) // 3600 - 15 * 24
    madrid, count = Calendar(None, "Europe/Madrid"), 25 * 24
    shown = madrid.clock(first_step + np.arange(count), 60).minute / 60
    same_time = SameTime(madrid.turned(first_step + np.arange(count + 24), 60), 24)
    for lead in (1, 12, 23):
        said = NaiveForecasts(shown, 24, same_time).at(lead)[1:6, 8 * 24 : count - lead]
        origin, due = shown[8 * 24 : count - lead], shown[8 * 24 + lead :]
        known = np.isin(origin, skipped, invert=True) & np.isin(due, skipped, invert=True)
        np.testing.assert_allclose(said[:, known], np.broadcast_to(due[known], said[:, known].shape), atol=1e-9)
    assert naive_mae_kw(shown[: 20 * 24], 24, same_time) < naive_mae_kw(shown[: 20 * 24], 24)
