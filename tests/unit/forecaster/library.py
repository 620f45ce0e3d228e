"""A registry in memory, and the topic of model events as a forecaster reads it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.forecaster.state import digest_of
from shared.contracts import topics
from shared.contracts.messages import ModelEvent, ModelNames
from shared.runtime.registry import RegistryError
from tests.unit.consumed import Consumed
from tests.unit.forecaster.conftest import START

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.forecaster.asking import Pair
    from services.forecaster.champions import Champions
    from services.forecaster.issuing import ZoneModels
    from shared.sites.site import Site


@dataclass
class Library:
    """Registered models by site, zone and version; the champions are those of the versions that are named."""

    held: dict[tuple[str, int, str], ZoneModels | str] = field(default_factory=dict)
    champions: dict[tuple[str, int], str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def put(self, site: str, version: str, models: ZoneModels, *, champion: bool = False) -> ZoneModels:
        """Register models as that version; returns them as the registry gives them."""
        names = ModelNames(
            demand=f"zone-demand-{site}-{models.zone}/{version}",
            weather=f"weather-demand-{site}-{models.zone}/{version}",
        )
        named = replace(deepcopy(models), names=names)
        registered = replace(named, digest=digest_of(named))
        self.held[site, models.zone, version] = registered
        if champion:
            self.champions[site, models.zone] = version
        return registered

    async def versions(self) -> Mapping[str, str]:
        """Return the champions of both kinds, as the process does that asks the registry."""
        self.asked.append("versions")
        self._require_here()
        return {
            f"{kind}-{site}-{zone}": version
            for (site, zone), version in self.champions.items()
            for kind in ("zone-demand", "weather-demand")
        }

    async def models(self, pairs: Mapping[Pair, Site]) -> Mapping[Pair, ZoneModels | str | None]:
        """Return copies of the models."""
        self.asked += [str(pair.names.demand) for pair in pairs]
        self._require_here()
        return {pair: deepcopy(self.held.get(_place(pair))) for pair in pairs}

    def _require_here(self) -> None:
        if self.away:
            raise RegistryError("the registry is away")

    def stop(self) -> None:
        """There is nothing to end."""


def _place(pair: Pair) -> tuple[str, int, str]:
    return pair.site, pair.zone, str(pair.names.demand).rpartition("/")[2]


def promoted(champions: Champions, site: str, zone: int, version: str, change: str = "promoted") -> None:
    """Put the change of both models of a zone on the topic, and let it be read."""
    champions.changes.take([event(site, zone, kind, version, change) for kind in ("weather-demand", "zone-demand")])


def event(site: str, zone: int, kind: str, version: str, change: str = "promoted") -> Consumed:
    """Return a record of the topic."""
    said = ModelEvent(
        site=site,
        zone=zone,
        model=f"{kind}-{site}-{zone}",
        version=version,
        role="champion",
        change=change,
        origin=START,
        reason="it is better",
        evidence={},
    )
    return Consumed(said.to_bytes(), topic=topics.MODELS.name, key=site.encode())
