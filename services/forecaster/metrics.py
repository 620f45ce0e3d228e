"""What the forecaster tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from shared.forecasting.leads import lead_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import CollectorRegistry

    from services.forecaster.issue import Issue
    from services.forecaster.issuing import ZoneModels
    from shared.sites.site import Site

__all__ = ["ForecasterMetrics", "SiteMetrics"]

STEP_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class ForecasterMetrics:
    """The forecaster's own metrics, each declared once; those of a site are shown by its `SiteMetrics`."""

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
            "1 when the registry has said which models a site is to run, 0 while it goes on without its word.",
            ["site"],
            registry=registry,
        )

    def forget(self, site: str) -> None:
        """Show nothing more of a site."""
        by_site = (self.forecasts, self.lower_levels, self.ignored, self.odd_keys, self.origin_s, self.demand_kw)
        for metric in (*by_site, self.model_info, self.cold_zones, self.champions_confirmed):
            metric.remove_by_labels({"site": site})


class SiteMetrics:
    """The metrics of one site: looked up by their labels once, as that costs more than to move them."""

    def __init__(self, metrics: ForecasterMetrics, site: Site, zones: Iterable[ZoneModels]) -> None:
        self.ignored = metrics.ignored.labels(site.name)
        self.odd_keys = metrics.odd_keys.labels(site.name)
        self._origin_s = metrics.origin_s.labels(site.name)
        self._step_s = metrics.step_s
        self._zones = {}
        cold = 0
        for models in zones:
            self._zones[models.zone] = _ZoneMetrics(metrics, site, models.zone)
            cold += models.cold
            for label in (models.names.demand, models.names.weather):
                if label is not None:
                    metrics.model_info.labels(site.name, *label.rsplit("/", 1)).set(1)
        metrics.cold_zones.labels(site.name).set(cold)

    def note(self, issues: Sequence[Issue], duration_s: float) -> None:
        """Count the forecasts that answer some readings, one or more, and show the newest of each zone."""
        self._step_s.observe(duration_s / len({issue.origin for issue in issues}))
        for issue in issues:
            self._zones[issue.zone].count(issue)
        for issue in {issue.zone: issue for issue in issues}.values():
            self._zones[issue.zone].show(issue)
        self._origin_s.set(issues[-1].origin.timestamp())


class _ZoneMetrics:
    def __init__(self, metrics: ForecasterMetrics, site: Site, zone: int) -> None:
        self._labels = site.name, str(zone)
        self._forecasts = metrics.forecasts
        self._by_level: dict[str, Counter] = {}
        self._lower_levels = metrics.lower_levels.labels(*self._labels)
        groups = [group for group in lead_groups(site.step_minutes) if group.steps <= site.grid.day]
        self._demand_kw = [
            (group.steps - 1, metrics.demand_kw.labels(*self._labels, group.key, str(group.scored_minutes)))
            for group in groups
        ]

    def count(self, issue: Issue) -> None:
        answers = issue.forecast.answers
        level = answers[0].rung
        if level not in self._by_level:
            self._by_level[level] = self._forecasts.labels(*self._labels, level)
        self._by_level[level].inc()
        if any(answer.rung != "adapted" for answer in answers):
            self._lower_levels.inc()

    def show(self, issue: Issue) -> None:
        median_kw = issue.forecast.median_kw
        for index, gauge in self._demand_kw:
            gauge.set(median_kw[index])
