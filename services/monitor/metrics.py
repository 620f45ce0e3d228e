"""What the monitor tells Prometheus."""

from __future__ import annotations

from functools import partial
from math import isnan
from typing import TYPE_CHECKING

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared.forecasting.leads import MEAN
from shared.runtime.metrics import FixedSamples, GaugeOfParts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from services.monitor.forecast_error import ErrorWatch
    from services.monitor.verification import DrawnScores, Repeats, SiteScores
    from shared.contracts.messages import DriftEvent

__all__ = ["MonitorMetrics"]

ZONE = ("site", "zone")
LABELS = (*ZONE, "lead_minutes", "scored_minutes", "window_days")
FIGURES = {
    "rmse_kw": ("tetouan_forecast_rmse_kw", "Rolling root mean squared error of the median forecast, in kW."),
    "mae_kw": ("tetouan_forecast_mae_kw", "Rolling mean absolute error of the median forecast, in kW."),
    "mape": ("tetouan_forecast_mape_ratio", "Rolling mean absolute error relative to the load, 0..1."),
    "bias_kw": ("tetouan_forecast_bias_kw", "Rolling mean of forecast less load, in kW."),
    "coverage": ("tetouan_forecast_coverage_ratio", "Rolling share of loads inside the 90 % interval, 0..1."),
    "pinball_kw": ("tetouan_forecast_pinball_kw", "Rolling mean pinball loss at 5 and 95 %, in kW."),
    "skill_vs_same_time_yesterday": (
        "tetouan_forecast_skill_ratio",
        "1 - RMSE / RMSE of the load at the same time yesterday, over the same pairs; 1 is perfect, 0 no better.",
    ),
}
SCORED_S = ("tetouan_scores_timestamp_seconds", "The hour of the last scores, event time in seconds since 1970.", ZONE)
WAITING = ("tetouan_waiting_readings", "Readings, once a zone, whose forecasts were not seen yet.", ("site",))
OPEN_EVENTS = ("tetouan_drift_open_events", "Drift events that have not ended.", (*ZONE, "detector", "severity"))
DRIFT_SCORE = (
    "tetouan_drift_score_ratio",
    "Score of a drift detector relative to its threshold; below 1 no change is detected.",
    (*ZONE, "detector"),
)
STANDARDISED_ERROR = (
    "tetouan_forecast_standardised_error",
    "Mean error (load less forecast) of the last hour, 1 h ahead, in standard deviations of the forecast.",
    ZONE,
)


class MonitorMetrics(Collector):
    """The monitor's own metrics, each declared once.

    What the sites are like now is drawn from them when somebody asks: a figure that cannot be computed has no series,
    and neither has a site of which no message came since the process started. ``lead_minutes`` names a lead group,
    ``scored_minutes`` is the lead itself; both are ``mean`` over all leads.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sites: dict[str, SiteScores] = {}
        self._scores: dict[tuple[str, int], tuple[DrawnScores, FixedSamples]] = {}
        self._repeated_forecasts = Counter(
            "tetouan_repeated_forecasts",
            "Forecasts whose site, zone and origin had come before.",
            ["site"],
            registry=registry,
        )
        self._repeated_readings = Counter(
            "tetouan_repeated_readings",
            "Readings, once a zone, that were not newer than the last.",
            ["site"],
            registry=registry,
        )
        self._detections = Counter(
            "tetouan_drift_detections",
            "Drift events that opened or grew; changes within a day of each other are one event.",
            [*ZONE, "detector"],
            registry=registry,
        )
        registry.register(self)

    def show(self, site: SiteScores) -> None:
        """Show a site as it is whenever somebody asks."""
        self._sites[site.site.name] = site

    def show_scores(self, scores: DrawnScores) -> None:
        """Show these in place of the last ones of their zone."""
        self._scores[scores.site, scores.zone] = scores, FixedSamples(partial(_figures_of, scores))

    def count_repeats(self, site: SiteScores, before: Repeats) -> None:
        """Count what came again of a site since so much had."""
        self._repeated_forecasts.labels(site.site.name).inc(site.repeats.forecasts - before.forecasts)
        self._repeated_readings.labels(site.site.name).inc(site.repeats.readings - before.readings)

    def count(self, event: DriftEvent) -> None:
        """Count what opened an event or let it grow."""
        if event.ended is None:
            self._detections.labels(event.site, str(event.zone), event.detector).inc()

    def forget(self, site: SiteScores) -> bool:
        """Show a site no longer; returns False where another object shows it by now."""
        name = site.site.name
        if self._sites.get(name, site) is not site:
            return False
        self._sites.pop(name, None)
        for key in [key for key in self._scores if key[0] == name]:
            del self._scores[key]
        for counter in (self._repeated_forecasts, self._repeated_readings, self._detections):
            counter.remove_by_labels({"site": name})
        return True

    def describe(self) -> Iterator[Metric]:
        """Yield every gauge without a series, as its name is all that is asked for."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge; may run beside the consume loop, in a thread of its own."""
        sites = list(self._sites.values())
        yield _family(WAITING, [((site.site.name,), site.waiting_readings) for site in sites])
        yield from self._figures()
        watches = [zone.watch for site in sites for zone in site.zones.values() if zone.rolling.clock is not None]
        yield from _watched(watches)

    def _figures(self) -> Iterator[Metric]:
        shown = list(self._scores.values())
        yield _family(SCORED_S, [((one.site, str(one.zone)), one.time.timestamp()) for one, _ in shown])
        for name, text in FIGURES.values():
            yield GaugeOfParts(name, text, LABELS, [part for _, part in shown])


def _figures_of(scores: DrawnScores) -> dict[str, Metric]:
    """Return the families of all figures, each with the samples of one zone."""
    zone = (scores.site, str(scores.zone))
    labelled = [
        ((*zone, *(str(score[label] or MEAN) for label in LABELS[len(ZONE) :])), score) for score in scores.scores
    ]
    families: dict[str, Metric] = {}
    for figure, (name, text) in FIGURES.items():
        values = ((labels, score[figure]) for labels, score in labelled)
        known = [(labels, value) for labels, value in values if value is not None]
        families[name] = _family((name, text, LABELS), known)
    return families


def _watched(watches: list[ErrorWatch]) -> Iterator[Metric]:
    named = [((watch.site, str(watch.zone)), watch) for watch in watches]
    errors = ((labels, watch.error) for labels, watch in named)
    yield _family(STANDARDISED_ERROR, [(labels, error) for labels, error in errors if not isnan(error)])
    detectors = [(labels, watch, name) for labels, watch in named for name in watch.detectors]
    ratios = (
        ((*labels, name), watch.detectors[name].score / watch.detectors[name].threshold)
        for labels, watch, name in detectors
    )
    yield _family(DRIFT_SCORE, list(ratios))
    episodes = (((*labels, name), watch.episodes[name]) for labels, watch, name in detectors)
    yield _family(OPEN_EVENTS, [((*labels, one.subject.severity), one.open is not None) for labels, one in episodes])


def _family(
    declared: tuple[str, str, tuple[str, ...]], values: list[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    name, text, labels = declared
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family
