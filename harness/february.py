"""Two days of the synthetic year, the models that end before them, and what the services must answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backtest.run import issued, judged
from services.forecaster.asking import Asking, pairs_of
from services.forecaster.issuing import ZoneModels
from services.forecaster.settings import ForecasterSettings
from shared.runtime.concerns import RegistrySettings
from shared.runtime.registry import Registry, Signature
from shared.runtime.settings import load
from shared.sites.table import site
from shared.training.training import Trained, ensure

if TYPE_CHECKING:
    from pathlib import Path

    from shared.contracts.messages import Forecast
    from shared.data.year import Year
    from shared.sites.site import Site

__all__ = [
    "READINGS",
    "START",
    "UNTIL",
    "champions_of",
    "expected_forecasts",
    "fit_models",
    "raw_rows",
    "registered_again",
]

START = datetime(2018, 2, 1, tzinfo=UTC)
UNTIL = START + timedelta(days=2)
READINGS = 288


def raw_rows(year: Year) -> list[bytes]:
    """Return the raw records of the two days."""
    return [raw for _, raw in year.raw_messages(START, UNTIL)]


def fit_models(year: Year, folder: Path) -> None:
    """Register the models fitted on January in a state folder, as champions."""
    settings = load(RegistrySettings, state_dir=folder)
    registry = Registry(settings.registry_uri, settings.artifact_root)
    for trained in ensure(year, START, (2,), registry, lambda *_: None).models:
        registry.promote(trained.version)


def registered_again(registry: Registry) -> tuple[Trained, ...]:
    """Register the champions once more, as if they were better; return these versions."""
    signature = Signature({"step": "long"}, {"demand_kw": "double"})
    again = []
    for name in ("weather-demand-tetouan-2", "zone-demand-tetouan-2"):
        version = registry.known(name, "2")
        if version is None:
            champion = registry.champion(name)
            assert champion is not None
            files = registry.fetch(champion)
            version = registry.register(
                name, files, params={}, metrics={}, tags=champion.tags, signature=signature, run_name=name
            )
        again.append(Trained(version, promoted=True, reason="it is not worse"))
    return tuple(again)


def champions_of(place: Site, settings: ForecasterSettings) -> tuple[ZoneModels, ...]:
    """Return the champions of the zones of a site."""

    async def fetched() -> list[ZoneModels | str | None]:
        pairs = pairs_of(place, await asking.versions())
        found = await asking.models(dict.fromkeys(pairs.values(), place))
        return list(found.values())

    asking = Asking(settings)
    try:
        return tuple(each for each in asyncio.run(fetched()) if isinstance(each, ZoneModels))
    finally:
        asking.stop()


def expected_forecasts(year: Year, state_dir: Path) -> list[Forecast]:
    """Return what the backtest issues for the two days with the champions of the folder."""
    (models,) = champions_of(site("tetouan"), load(ForecasterSettings, state_dir=state_dir))
    return list(issued(year, models, judged(year, START, UNTIL)))
