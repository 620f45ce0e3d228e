"""What the forecaster tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from shared.contracts.messages import Forecast

__all__ = ["ForecasterMetrics"]

SHOWN_LEADS = (1, 6, 36, 144)
STEP_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class ForecasterMetrics:
    """The forecaster's own metrics, each declared once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.forecasts = Counter("tetouan_forecasts", "Forecasts issued.", ["site", "zone", "rung"], registry=registry)
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
            "Demand forecast in kW by lead time in steps.",
            ["site", "zone", "lead"],
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

    def show(self, issue: Forecast) -> None:
        """Set the gauges to the newest forecast of a zone."""
        self.origin_s.labels(issue.site).set(issue.origin.timestamp())
        for lead in SHOWN_LEADS:
            if lead <= len(issue.median_kw):
                self.demand_kw.labels(issue.site, str(issue.zone), str(lead)).set(issue.median_kw[lead - 1])
