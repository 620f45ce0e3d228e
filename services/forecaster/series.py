"""The metrics of one site of a forecaster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.forecasting.leads import lead_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Counter

    from services.forecaster.issue import Issue
    from services.forecaster.issuing import ZoneModels
    from services.forecaster.metrics import ForecasterMetrics
    from shared.sites.site import Site

__all__ = ["ForecasterSeries"]


class ForecasterSeries:
    """The metrics of one site: looked up by their labels once, as that costs more than to move them."""

    def __init__(self, metrics: ForecasterMetrics, site: Site, zones: Sequence[ZoneModels]) -> None:
        self.ignored = metrics.ignored.labels(site.name)
        self.odd_keys = metrics.odd_keys.labels(site.name)
        self._origin_s = metrics.origin_s.labels(site.name)
        self._step_s = metrics.step_s
        self._metrics = metrics
        self._site = site.name
        self._zones = {models.zone: _ZoneMetrics(metrics, site, models.zone) for models in zones}
        self.show(zones)

    def show(self, zones: Sequence[ZoneModels]) -> None:
        """Show which models the zones run, in place of what was shown before."""
        self._metrics.model_info.remove_by_labels({"site": self._site})
        for models in zones:
            for label in models.labels:
                self._metrics.model_info.labels(self._site, *label.rsplit("/", 1)).set(1)
        self._metrics.cold_zones.labels(self._site).set(sum(models.cold for models in zones))

    def took_over(self, models: ZoneModels) -> None:
        """Count that these have taken their zone over."""
        self._metrics.takeovers.labels(self._site, str(models.zone)).inc()

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
        level = answers[0].level
        if level not in self._by_level:
            self._by_level[level] = self._forecasts.labels(*self._labels, level)
        self._by_level[level].inc()
        if any(answer.level != "adapted" for answer in answers):
            self._lower_levels.inc()

    def show(self, issue: Issue) -> None:
        median_kw = issue.forecast.median_kw
        for index, gauge in self._demand_kw:
            gauge.set(median_kw[index])
