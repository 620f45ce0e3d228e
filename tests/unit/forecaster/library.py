"""A registry in memory, and the topic of model events as a forecaster reads it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.forecaster.asking import Answer
from services.forecaster.state import digest_of
from shared.contracts import topics
from shared.contracts.messages import ModelEvent, ModelNames
from shared.runtime.registry import RegistryError
from tests.unit.forecaster.conftest import START
from tests.unit.forecaster.test_app import Consumed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.forecaster.champions import Champions
    from services.forecaster.issuing import ZoneModels
    from services.forecaster.registered import Pair
    from services.forecaster.settings import ForecasterSettings
    from shared.sites.site import Site


@dataclass
class Library:
    """Registered models by site, zone and version; the champions are those of the versions that are named."""

    held: dict[tuple[str, int, str], ZoneModels | str] = field(default_factory=dict)
    champions: dict[tuple[str, int], str] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
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

    async def answer(
        self,
        _: ForecasterSettings,
        sites: Iterable[Site],
        versions: Mapping[str, Mapping[str, str]] | None = None,
        pairs: Mapping[Pair, Site] | None = None,
    ) -> Answer:
        """Answer as the process does that asks the registry."""
        places = list(sites)
        self.asked.append([place.name for place in places] + [str(pair.names.demand) for pair in pairs or ()])
        if self.away:
            raise RegistryError("the registry is away")
        found: dict[str, tuple[ZoneModels, ...]] = {}
        refused, missing = {}, {}
        for place in places:
            wanted = (versions or {}).get(place.name, {})
            models = []
            for zone in place.zones:
                champion = self.champions.get((place.name, zone), "")
                version = wanted.get(f"zone-demand-{place.name}-{zone}", champion)
                each = self.held.get((place.name, zone, version))
                if isinstance(each, str):
                    refused[place.name] = each
                elif each is None:
                    missing[place.name] = f"no champion of zone-demand-{place.name}-{zone} is registered"
                else:
                    models.append(deepcopy(each))
            if models:
                found[place.name] = tuple(models)
        answers = {pair: self._pair(pair) for pair in pairs or ()}
        return Answer(found, refused, missing, answers)

    def _pair(self, pair: Pair) -> ZoneModels | str:
        version = str(pair.names.demand).rpartition("/")[2]
        return deepcopy(self.held.get((pair.site, pair.zone, version), "it is not in the registry"))


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
