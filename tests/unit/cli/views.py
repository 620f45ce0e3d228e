"""A stream that is going well, for tests to change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from cli.chart import Curves
from cli.screen import ScreenContent
from shared.contracts.messages import (
    DriftEvent,
    Forecast,
    Interval,
    LeadMinutes,
    LevelSpan,
    ModelNames,
    Score,
    Scores,
)

ORIGIN = datetime(2018, 2, 4, 4, 40, tzinfo=UTC)
LEADS = 144


def curves() -> Curves:
    """Return a day of load between 14 and 26 MW, its forecast of the day before, and that of the day after."""
    hours = np.linspace(24 / LEADS, 24, LEADS)
    day_kw = 20_000 - 6_000 * np.cos(2 * np.pi * hours / 24)
    return Curves(load_kw=day_kw, former_kw=day_kw + 300, median_kw=day_kw, low_kw=day_kw - 900, high_kw=day_kw + 900)


def forecast(*levels: LevelSpan) -> Forecast:
    """Return the forecast of the curves, answered by these levels; by the best one where none is given."""
    known = curves()
    interval = Interval(coverage=0.9, low_kw=tuple(known.low_kw), high_kw=tuple(known.high_kw))
    return Forecast(
        site="tetouan",
        zone=2,
        origin=ORIGIN,
        step_minutes=10,
        median_kw=tuple(known.median_kw),
        intervals=(interval,),
        levels=levels or (LevelSpan(from_lead=1, to_lead=LEADS, level="adapted"),),
        weather_estimate_kw=None,
        weather_model_kw=None,
        models=ModelNames(demand="zone-demand-tetouan-2/3", weather=None),
    )


def scores(**figures: float | None) -> Scores:
    """Return the scores of the leads on show, alike for each lead and window."""
    known: dict[str, Any] = {
        "rmse_kw": 500.0,
        "mae_kw": 400.0,
        "mape": 0.02,
        "bias_kw": 0.0,
        "coverage": 0.912,
        "pinball_kw": 50.0,
        "skill_vs_same_time_yesterday": 0.75,
        **figures,
    }
    groups: tuple[LeadMinutes, ...] = (10, 60, 1440)
    each = tuple(
        Score(lead_minutes=minutes, scored_minutes=minutes, window_days=days, **known)
        for minutes in groups
        for days in (1, 7)
    )
    return Scores(site="tetouan", zone=2, time=ORIGIN, scores=each)


def drift_event(**changes: Any) -> DriftEvent:
    """Return an open finding of a stuck meter."""
    known: dict[str, Any] = {
        "id": "a",
        "site": "tetouan",
        "zone": 2,
        "kind": "sensor",
        "feature": "zone_2_kw",
        "detector": "residual_6h",
        "score": 3.1,
        "threshold": 2.6,
        "severity": "critical",
        "started": ORIGIN - timedelta(hours=2),
        "ended": None,
        "report": None,
    }
    return DriftEvent(**{**known, **changes})


def content(**changes: Any) -> ScreenContent:
    """Return day 4 of 14 of a measured year at 20 readings a second."""
    usual = ScreenContent(
        label="UCI Tetouan 2017",
        synthetic=False,
        start=ORIGIN - timedelta(days=3),
        until=ORIGIN + timedelta(days=11),
        forecast=forecast(),
        load_kw=14_020.0,
        curves=curves(),
        scores=scores(),
        drift=(),
        sent=12_345,
        accepted=12_340,
        rejected=2,
        merged=3,
        readings_per_s=20.0,
        forecasts_per_s=20.0,
        waiting={"ingestor": 0, "forecaster": 12, "monitor": None},
        overdue_s=0.2,
        bootstrap="127.0.0.1:45983",
        addresses={
            "gateway": "http://127.0.0.1:8000",
            "ingestor": "http://127.0.0.1:8001",
            "forecaster": "http://127.0.0.1:8002",
            "monitor": "http://127.0.0.1:8003",
        },
        command="tetouan",
    )
    return replace(usual, **changes)
