"""The gauges of the reports."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import CollectorRegistry

from services.monitor.reports.metrics import ReportMetrics
from services.monitor.reports.request import Figures
from tests.unit.monitor.reports.written import MIDNIGHT, quality, report

WINDOW = {"site": "tetouan", "zone": "2", "window_days": "7"}


def test_each_figure_of_a_report_has_its_series() -> None:
    """Drift by column, its share, and the change of RMSE, MAE and R2 by lead time are exported as ratios."""
    registry = CollectorRegistry()
    ReportMetrics(registry).show(report().model_copy(update={"quality": (quality(),)}))
    assert registry.get_sample_value("tetouan_report_drift_share_ratio", WINDOW) == 1.0
    assert registry.get_sample_value("tetouan_report_drift_score", {**WINDOW, "column": "zone_2_kw"}) == 1.25
    for figure, value in (("rmse", 0.5), ("mae", 0.25), ("r2", -0.05)):
        sample = registry.get_sample_value(f"tetouan_report_{figure}_change_ratio", {**WINDOW, "lead_minutes": "60"})
        assert sample == value


def test_what_cannot_be_compared_any_more_loses_its_series() -> None:
    """A column, a lead time or a figure that the next report lacks is not shown with its old value; others stay."""
    registry = CollectorRegistry()
    metrics = ReportMetrics(registry)
    metrics.show(report(window_days=28))
    metrics.show(report().model_copy(update={"quality": (quality(),)}))
    poor = quality().model_copy(update={"change": Figures(rmse=0.1, mae=0.1, r2=None)})
    metrics.show(report().model_copy(update={"drift": {"zone_2_kw": 0.5}, "quality": (poor,)}))
    assert registry.get_sample_value("tetouan_report_drift_score", {**WINDOW, "column": "temperature_c"}) is None
    assert registry.get_sample_value("tetouan_report_drift_score", {**WINDOW, "column": "zone_2_kw"}) == 0.5
    assert registry.get_sample_value("tetouan_report_r2_change_ratio", {**WINDOW, "lead_minutes": "60"}) is None
    assert registry.get_sample_value("tetouan_report_rmse_change_ratio", {**WINDOW, "lead_minutes": "60"}) == 0.1
    metrics.show(report().model_copy(update={"drift": {}, "drift_share": None}))
    assert registry.get_sample_value("tetouan_report_drift_share_ratio", WINDOW) is None
    assert registry.get_sample_value("tetouan_report_rmse_change_ratio", {**WINDOW, "lead_minutes": "60"}) is None
    longer = {**WINDOW, "window_days": "28", "column": "temperature_c"}
    assert registry.get_sample_value("tetouan_report_drift_score", longer) == 0.4


def test_a_report_ages_in_event_time() -> None:
    """Its age is how far the scores have come since the end of its window, whether scores or report came first."""
    registry = CollectorRegistry()
    metrics = ReportMetrics(registry)
    metrics.pass_to("tetouan", 2, MIDNIGHT + timedelta(hours=3))
    assert registry.get_sample_value("tetouan_report_age_seconds", WINDOW) is None
    metrics.show(report())
    assert registry.get_sample_value("tetouan_report_age_seconds", WINDOW) == 3 * 3600
    metrics.pass_to("tetouan", 2, MIDNIGHT + timedelta(hours=5))
    assert registry.get_sample_value("tetouan_report_age_seconds", WINDOW) == 5 * 3600


def test_every_outcome_is_there_from_the_start() -> None:
    """A rate over a counter that appears with its first failure would miss that failure."""
    registry = CollectorRegistry()
    metrics = ReportMetrics(registry)
    metrics.count("failed")
    counts = [
        registry.get_sample_value("tetouan_reports_total", {"outcome": o}) for o in ("written", "failed", "skipped")
    ]
    assert counts == [0.0, 1.0, 0.0]
