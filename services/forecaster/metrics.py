"""What the forecaster tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


__all__ = ["ForecasterMetrics"]

STEP_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class ForecasterMetrics:
    """The forecaster's own metrics, each declared once; those of a site are shown by its `SiteSeries`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.forecasts = Counter(
            "tetouan_forecasts",
            "Forecasts issued, by the fallback level that answered the next step.",
            ["site", "zone", "level"],
            registry=registry,
        )
        self.lower_levels = Counter(
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
        self.odd_keys = Counter(
            "tetouan_odd_keys",
            "Clean readings whose record had another key than their site, answered all the same.",
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
            "Mean time to fold one reading of a site and forecast all leads of all its zones, in seconds.",
            buckets=STEP_SECONDS,
            registry=registry,
        )
        self.model_info = Gauge(
            "tetouan_model_info", "1 for each model version in force.", ["site", "model", "version"], registry=registry
        )
        self.cold_zones = Gauge(
            "tetouan_cold_zones",
            "Zones of a site that have begun without a champion, from the readings alone.",
            ["site"],
            registry=registry,
        )
        self.champions_confirmed = Gauge(
            "tetouan_champions_confirmed",
            "1 when it is known which models a site is to run, 0 while neither the topic nor the registry has said it.",
            ["site"],
            registry=registry,
        )
        self.takeovers = Counter(
            "tetouan_model_takeovers",
            "How often other models have taken a zone over from those before them.",
            ["site", "zone"],
            registry=registry,
        )
        self.refused_models = Counter(
            "tetouan_refused_models",
            "Models that cannot be used: unreadable, of another step, or too old to go on with the readings at hand.",
            ["site"],
            registry=registry,
        )
        self.invalid_events = Counter(
            "tetouan_invalid_model_events",
            "Records on the topic of model events that are none, passed over.",
            registry=registry,
        )

    def forget(self, site: str) -> None:
        """Show nothing more of a site."""
        by_site = (self.forecasts, self.lower_levels, self.ignored, self.odd_keys, self.origin_s, self.demand_kw)
        shown = (self.model_info, self.cold_zones, self.champions_confirmed, self.takeovers, self.refused_models)
        for metric in (*by_site, *shown):
            metric.remove_by_labels({"site": site})
