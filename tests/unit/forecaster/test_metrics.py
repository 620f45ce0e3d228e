"""What the forecaster counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.forecaster.issuing import Issuer, ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from shared.data.sites import site
from shared.runtime.metrics import new_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.contracts.messages import CleanReading


def test_forecasts_are_counted_by_zone_and_level(
    models: tuple[ZoneModels, ZoneModels], reading: Callable[..., CleanReading]
) -> None:
    """Each once, by what answered the next step; those of which any lead is a lower level's are counted as such."""
    adapted, other, *rest = Issuer(site("tetouan"), models).answer([reading(0), reading(1)])
    (answer,) = adapted.forecast.answers
    spans = answer._replace(to_lead=6), answer._replace(from_lead=7, rung="analogue")
    mixed = replace(adapted, forecast=replace(adapted.forecast, answers=spans))
    registry = new_registry()
    ForecasterMetrics(registry).count([mixed, other, *rest])
    zones = [{"site": "tetouan", "zone": zone} for zone in ("1", "2")]
    counted = [registry.get_sample_value("tetouan_forecasts_total", {**zone, "level": answer.rung}) for zone in zones]
    lower = [registry.get_sample_value("tetouan_forecasts_on_lower_levels_total", zone) for zone in zones]
    assert (counted, lower) == ([2, 2], [1, 0])
