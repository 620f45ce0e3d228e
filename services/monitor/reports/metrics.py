"""What the reports tell Prometheus: figures for comparison, none of which alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from prometheus_client import Counter, Gauge, Histogram

from services.monitor.reports.request import WINDOWS_DAYS, Figures

if TYPE_CHECKING:
    from datetime import datetime

    from prometheus_client import CollectorRegistry

    from services.monitor.reports.request import Report

__all__ = ["ReportMetrics"]

Outcome = Literal["written", "failed", "skipped"]
Series = tuple[Gauge, tuple[str, ...]]

OUTCOMES: tuple[Outcome, ...] = ("written", "failed", "skipped")
WINDOW = ("site", "zone", "window_days")
HANDOVER_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
NAMES = {"rmse": "root mean squared error", "mae": "mean absolute error", "r2": "coefficient of determination"}


class ReportMetrics:
    """Each figure of the last report of a zone and window; what could not be compared has no series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._drift_share = Gauge(
            "tetouan_report_drift_share_ratio",
            "Share of the columns whose distribution differs from the training's by the textbook threshold, 0..1; "
            "for comparison, does not alert.",
            WINDOW,
            registry=registry,
        )
        self._drift_score = Gauge(
            "tetouan_report_drift_score",
            "Wasserstein distance of a column to the training, in standard deviations of the training; "
            "for comparison, does not alert.",
            [*WINDOW, "column"],
            registry=registry,
        )
        self._changes = {
            figure: Gauge(
                f"tetouan_report_{figure}_change_ratio",
                f"Change of the {NAMES[figure]} since the training: window / training - 1, by lead group; "
                "for comparison, does not alert.",
                [*WINDOW, "lead_minutes"],
                registry=registry,
            )
            for figure in Figures.model_fields
        }
        self._age_s = Gauge(
            "tetouan_report_age_seconds",
            "Event time from the end of the last report's window to the last scores, in seconds.",
            WINDOW,
            registry=registry,
        )
        self._reports = Counter("tetouan_reports", "Reports that were due, by outcome.", ["outcome"], registry=registry)
        for outcome in OUTCOMES:
            self._reports.labels(outcome)
        self.handover_s = Histogram(
            "tetouan_report_handover_duration_seconds",
            "What the consume loop itself spends on a report, in seconds.",
            buckets=HANDOVER_SECONDS,
            registry=registry,
        )
        self._shown: dict[tuple[str, ...], dict[Series, float]] = {}
        self._until: dict[tuple[str, ...], datetime] = {}
        self._clock: dict[tuple[str, ...], datetime] = {}

    def count(self, outcome: Outcome) -> None:
        """Count what has become of a report."""
        self._reports.labels(outcome).inc()

    def pass_to(self, site: str, zone: int, time: datetime) -> None:
        """Note the time of the last scores of a zone: its reports grow older."""
        self._clock[site, str(zone)] = time
        for days in WINDOWS_DAYS:
            self._show_age((site, str(zone), str(days)))

    def show(self, report: Report) -> None:
        """Set the gauges of a report, and remove those of the one before that have no value any more."""
        window = (report.site, str(report.zone), str(report.window_days))
        shown = self._series(report, window)
        for gauge, labels in self._shown.get(window, {}).keys() - shown.keys():
            gauge.remove(*labels)
        for (gauge, labels), value in shown.items():
            gauge.labels(*labels).set(value)
        self._shown[window], self._until[window] = shown, report.until
        self._show_age(window)

    def forget(self, site: str) -> None:
        """Remove every series of a site."""
        for known in (self._shown, self._until, self._clock):
            for key in [key for key in known if key[0] == site]:
                del known[key]
        for gauge in (self._drift_share, self._drift_score, self._age_s, *self._changes.values()):
            gauge.remove_by_labels({"site": site})

    def _series(self, report: Report, window: tuple[str, ...]) -> dict[Series, float]:
        series: dict[Series, float | None] = {(self._drift_share, window): report.drift_share}
        for column, score in report.drift.items():
            series[self._drift_score, (*window, column)] = score
        for quality in report.quality:
            for figure, gauge in self._changes.items():
                series[gauge, (*window, str(quality.lead_minutes))] = getattr(quality.change, figure)
        return {key: value for key, value in series.items() if value is not None}

    def _show_age(self, window: tuple[str, ...]) -> None:
        until, clock = self._until.get(window), self._clock.get(window[:2])
        if until is not None and clock is not None:
            self._age_s.labels(*window).set((clock - until).total_seconds())
