"""What the forecaster counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.forecaster.issuing import Issuer, ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.series import ForecasterSeries
from shared.runtime.metrics import new_registry
from shared.sites.table import site

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from shared.contracts.messages import CleanReading


def test_forecasts_are_counted_by_zone_and_level(
    models: tuple[ZoneModels, ZoneModels], reading: Callable[..., CleanReading]
) -> None:
    """Each once, by what answered the next step; those of which any lead is a lower level's are counted as such."""
    adapted, other, *rest = Issuer(site("tetouan"), models).answer([reading(0), reading(1)])
    (answer,) = adapted.forecast.answers
    spans = answer._replace(to_lead=6), answer._replace(from_lead=7, level="analogue")
    mixed = replace(adapted, forecast=replace(adapted.forecast, answers=spans))
    registry = new_registry()
    ForecasterSeries(ForecasterMetrics(registry), site("tetouan"), models).note([mixed, other, *rest], 1.0)
    zones = [{"site": "tetouan", "zone": zone} for zone in ("1", "2")]
    counted = [registry.get_sample_value("tetouan_forecasts_total", {**zone, "level": answer.level}) for zone in zones]
    lower = [registry.get_sample_value("tetouan_forecasts_on_lower_levels_total", zone) for zone in zones]
    assert (counted, lower) == ([2, 2], [1, 0])


@pytest.mark.parametrize(
    ("step_minutes", "shown"),
    [
        (10, {("10", "10"): 0, ("60", "60"): 5, ("360", "360"): 35, ("1440", "1440"): 143}),
        (15, {("10", "15"): 0, ("60", "60"): 3, ("360", "360"): 23, ("1440", "1440"): 95}),
        (60, {("60", "60"): 0, ("360", "360"): 5, ("1440", "1440"): 23}),
    ],
)
def test_the_newest_demand_is_shown_by_lead_group(
    models: tuple[ZoneModels, ZoneModels],
    reading: Callable[..., CleanReading],
    step_minutes: int,
    shown: dict[tuple[str, str], int],
) -> None:
    """The name of the group and the lead itself in minutes, whatever the step is."""
    issue, _ = Issuer(site("tetouan"), models).answer([reading(0)])
    registry = new_registry()
    place = site("tetouan").model_copy(update={"step_minutes": step_minutes})
    ForecasterSeries(ForecasterMetrics(registry), place, models[:1]).note([issue], 1.0)
    series = {
        (sample.labels["lead_minutes"], sample.labels["scored_minutes"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "tetouan_forecast_demand_kw"
    }
    assert series == {labels: issue.forecast.median_kw[at] for labels, at in shown.items()}


def test_what_is_shown_of_a_site_goes_away_with_it(
    models: tuple[ZoneModels, ZoneModels], reading: Callable[..., CleanReading]
) -> None:
    """Every series with its name, and none of another site."""
    registry = new_registry()
    metrics = ForecasterMetrics(registry)
    issues = Issuer(site("tetouan"), models).answer([reading(0)])
    shown = {}
    for name in ("tetouan", "north"):
        ForecasterSeries(metrics, site("tetouan").model_copy(update={"name": name}), models).note(issues, 1.0)
        shown[name] = series_of(registry, name)
    metrics.forget("north")
    assert len(shown["north"]) == len(shown["tetouan"]) > 10
    assert (series_of(registry, "north"), series_of(registry, "tetouan")) == ([], shown["tetouan"])


def series_of(registry: CollectorRegistry, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return names and labels of all series of a site."""
    samples = [sample for family in registry.collect() for sample in family.samples]
    return [(sample.name, sample.labels) for sample in samples if sample.labels.get("site") == name]
