"""What the forecaster tells Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from shared.forecasting.leads import lead_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

    from services.forecaster.issue import Issue

__all__ = ["ForecasterMetrics"]

STEP_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class ForecasterMetrics:
    """The forecaster's own metrics, each declared once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._forecasts = Counter(
            "tetouan_forecasts",
            "Forecasts issued, by the fallback level that answered the next step.",
            ["site", "zone", "level"],
            registry=registry,
        )
        self._lower_levels = Counter(
            "tetouan_forecasts_on_lower_levels",
            "Forecasts of which some lead was not answered by the adapted model.",
            ["site", "zone"],
            registry=registry,
        )
        self.ignored = Counter(
            "tetouan_ignored_readings",
            "Clean readings that no zone had to answer: the state held them already.",
            ["site"],
            registry=registry,
        )
        self.origin_s = Gauge(
            "tetouan_forecast_origin_timestamp_seconds",
            "Origin of the last forecast, event time in seconds since 1970.",
            ["site"],
            registry=registry,
        )
        self.demand_kw = Gauge(
            "tetouan_forecast_demand_kw",
            "Demand forecast in kW by lead group; scored_minutes is the lead itself.",
            ["site", "zone", "lead_minutes", "scored_minutes"],
            registry=registry,
        )
        self.step_s = Histogram(
            "tetouan_forecast_step_seconds",
            "Mean time of a batch to fold one reading and forecast all leads of all zones, in seconds.",
            buckets=STEP_SECONDS,
            registry=registry,
        )
        self.model_info = Gauge(
            "tetouan_model_info", "1 for each model version in force.", ["model", "version"], registry=registry
        )
        self.champions_confirmed = Gauge(
            "tetouan_champions_confirmed",
            "1 when the registry has said which models are to run, 0 while the forecaster goes on without its word.",
            registry=registry,
        )

    def count(self, issues: Sequence[Issue]) -> None:
        """Count forecasts by what answered them."""
        by_level = Counts((issue.site, str(issue.zone), issue.forecast.answers[0].rung) for issue in issues)
        for labels, number in by_level.items():
            self._forecasts.labels(*labels).inc(number)
        lower = Counts((issue.site, str(issue.zone)) for issue in issues if _on_lower_levels(issue))
        for site, zone in {(issue.site, str(issue.zone)) for issue in issues}:
            self._lower_levels.labels(site, zone).inc(lower[site, zone])

    def show(self, issue: Issue) -> None:
        """Set the gauges to the newest forecast of a zone."""
        self.origin_s.labels(issue.site).set(issue.origin.timestamp())
        median_kw = issue.forecast.median_kw
        for group in lead_groups(issue.step_minutes):
            if group.steps <= len(median_kw):
                labels = issue.site, str(issue.zone), group.key, str(group.scored_minutes)
                self.demand_kw.labels(*labels).set(median_kw[group.steps - 1])


def _on_lower_levels(issue: Issue) -> bool:
    return any(answer.rung != "adapted" for answer in issue.forecast.answers)
