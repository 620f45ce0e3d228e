"""Reports as the process that makes them would have written them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.monitor.reports.request import Figures, ForecastQuality, Report

MIDNIGHT = datetime(2017, 10, 26, tzinfo=UTC)


def report(until: datetime = MIDNIGHT, *, window_days: int = 7, zone: int = 2) -> Report:
    """Return a report of no content."""
    return Report(
        site="tetouan",
        zone=zone,
        window_days=window_days,
        since=until - timedelta(days=window_days),
        until=until,
        model="zone-demand-tetouan-2/1",
        drift_method="any",
        drift_threshold=0.1,
        drift={"temperature_c": 0.4, "zone_2_kw": 1.25},
        drift_share=1.0,
        quality=(),
        insufficient=("humidity_pct",),
    )


def quality() -> ForecastQuality:
    """Return the figures of a lead time whose RMSE has risen by a half."""
    now, then = Figures(rmse=750.0, mae=500.0, r2=0.9), Figures(rmse=500.0, mae=400.0, r2=0.95)
    change = Figures(rmse=0.5, mae=0.25, r2=-0.05)
    return ForecastQuality(
        lead_minutes=60,
        pairs=1008,
        reference_pairs=672,
        current=now,
        reference=then,
        change=change,
        passed=False,
    )
