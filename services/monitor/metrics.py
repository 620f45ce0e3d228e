"""What the monitor tells Prometheus."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from shared.forecasting.leads import MEAN

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from services.monitor.forecast_error import ErrorWatch
    from shared.contracts.messages import DriftEvent, Scores

__all__ = ["MonitorMetrics"]

LABELS = ("site", "zone", "lead_minutes", "scored_minutes", "window_days")
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


class MonitorMetrics:
    """The monitor's own metrics, each declared once.

    ``lead_minutes`` names a lead group, ``scored_minutes`` is the lead itself; both are ``mean`` over all leads.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._figures = {
            figure: Gauge(name, text, LABELS, registry=registry) for figure, (name, text) in FIGURES.items()
        }
        self.scored_s = Gauge(
            "tetouan_scores_timestamp_seconds",
            "The hour of the last scores, event time in seconds since 1970.",
            ["site", "zone"],
            registry=registry,
        )
        self.repeated_forecasts = Gauge(
            "tetouan_repeated_forecasts", "Forecasts whose site, zone and origin had come before.", registry=registry
        )
        self.repeated_readings = Gauge(
            "tetouan_repeated_readings", "Readings, once a zone, that were not newer than the last.", registry=registry
        )
        self.waiting_readings = Gauge(
            "tetouan_waiting_readings", "Readings, once a zone, whose forecasts were not seen yet.", registry=registry
        )
        self.detections = Counter(
            "tetouan_drift_detections",
            "Changes detected; those within a day of each other are one event.",
            ["site", "zone", "detector"],
            registry=registry,
        )
        self.open_events = Gauge(
            "tetouan_drift_open_events",
            "Drift events that have not ended.",
            ["site", "zone", "detector", "severity"],
            registry=registry,
        )
        self.drift_score = Gauge(
            "tetouan_drift_score_ratio",
            "Score of a drift detector relative to its threshold; below 1 no change is detected.",
            ["site", "zone", "detector"],
            registry=registry,
        )
        self.standardised_error = Gauge(
            "tetouan_forecast_standardised_error",
            "Mean error (load less forecast) of the last hour, 1 h ahead, in standard deviations of the forecast.",
            ["site", "zone"],
            registry=registry,
        )

    def show(self, scores: Scores) -> None:
        """Set the gauges; a figure that cannot be computed has no series."""
        site, zone = scores.site, str(scores.zone)
        self.scored_s.labels(site, zone).set(scores.time.timestamp())
        for score in scores.scores:
            group = str(score.lead_minutes or MEAN), str(score.scored_minutes or MEAN)
            labels = (site, zone, *group, str(score.window_days))
            for name, gauge in self._figures.items():
                figure = getattr(score, name)
                if figure is not None:
                    gauge.labels(*labels).set(figure)
                else:
                    gauge.remove(*labels)

    def count(self, event: DriftEvent) -> None:
        """Count what opened an event or let it grow."""
        if event.ended is None:
            self.detections.labels(event.site, str(event.zone), event.detector).inc()

    def show_watch(self, watch: ErrorWatch) -> None:
        """Set the gauges of a zone's forecast error; an hour without enough readings has no series."""
        site, zone = watch.site, str(watch.zone)
        if isnan(watch.error):
            self.standardised_error.remove(site, zone)
        else:
            self.standardised_error.labels(site, zone).set(watch.error)
        for name, detector in watch.detectors.items():
            episodes = watch.episodes[name]
            self.drift_score.labels(site, zone, name).set(detector.score / detector.threshold)
            self.open_events.labels(site, zone, name, episodes.subject.severity).set(episodes.open is not None)
