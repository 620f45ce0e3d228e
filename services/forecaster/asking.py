"""What the registry says, asked by a process of its own: which versions are to run, and the models of certain ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

import structlog

from services.forecaster.issuing import ZoneModels
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import WeatherDemand
from shared.runtime.asked_registry import AskedRegistry
from shared.runtime.registered import FILE, REFUSAL, WEATHER_DEMAND, ZONE_DEMAND
from shared.runtime.registry import RegistryError
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from services.forecaster.settings import ForecasterSettings
    from shared.runtime.registered import Question
    from shared.sites.site import Site

__all__ = ["Asking", "ModelSource", "Pair", "loaded", "pairs_of", "unpublished"]

QUEUE_S = 3600.0  # for an answer behind those to the questions of others
AT_ONCE = 16  # pairs in a question: their files lie on a disk until they are read

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


class Pair(NamedTuple):
    """The models of a zone by name and version, as forecasts name them."""

    site: str
    zone: int
    names: ModelNames

    @property
    def labels(self) -> tuple[str, ...]:
        """Those that it has."""
        return tuple(label for label in (self.names.demand, self.names.weather) if label is not None)


def pairs_of(site: Site, versions: Mapping[str, str]) -> dict[int, Pair]:
    """Return the models of each zone of a site whose versions are known; a weather model only where it has weather."""
    pairs = {}
    for zone in site.zones:
        names = {kind: f"{kind}-{site.name}-{zone}" for kind in (ZONE_DEMAND, WEATHER_DEMAND)}
        labels = {kind: f"{name}/{versions[name]}" for kind, name in names.items() if name in versions}
        if ZONE_DEMAND in labels:
            weather = labels.get(WEATHER_DEMAND) if site.weather else None
            pairs[zone] = Pair(site.name, zone, ModelNames(demand=labels[ZONE_DEMAND], weather=weather))
    return pairs


class ModelSource(Protocol):
    """A registry of models."""

    async def versions(self) -> Mapping[str, str]:
        """Return the version that is to run of each model by name; raises ``RegistryError``.

        That is the champion, or the newest one with the tags of the settings.
        """

    async def models(self, pairs: Mapping[Pair, Site]) -> Mapping[Pair, ZoneModels | str | None]:
        """Return the models of each pair, why they cannot be used, or None where one is not registered.

        They belong to the caller. Raises ``RegistryError``.
        """

    def stop(self) -> None:
        """Stop asking; callers that still wait get ``RegistryError``."""


class Asking:
    """The registry of the settings, asked in threads."""

    def __init__(self, settings: ForecasterSettings) -> None:
        self._registry = AskedRegistry(settings)

    async def versions(self) -> Mapping[str, str]:
        """Return the version that is to run of each model by name; raises ``RegistryError``."""
        return await _in_thread(self._registry.versions) if self._registry.is_made else {}

    async def models(self, pairs: Mapping[Pair, Site]) -> Mapping[Pair, ZoneModels | str | None]:
        """Return the models of each pair, why they cannot be used, or None; raises ``RegistryError``."""
        if not self._registry.is_made:
            return dict.fromkeys(pairs)
        found: dict[Pair, ZoneModels | str | None] = {}
        asked = list(pairs.items())
        for first in range(0, len(asked), AT_ONCE):
            found |= await _in_thread(self._models, dict(asked[first : first + AT_ONCE]))
        return found

    def _models(self, pairs: Mapping[Pair, Site]) -> Mapping[Pair, ZoneModels | str | None]:
        with self._registry.files_of(label for pair in pairs for label in pair.labels) as question:
            return {pair: _read(question, pair, site) for pair, site in pairs.items()}

    def stop(self) -> None:
        """End the process that asks."""
        self._registry.stop()


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await run_in_thread(QUEUE_S, work, *args, **kwargs)
    except OSError as error:  # no room, no process more: nothing that those who run would have to end for
        raise RegistryError(f"the registry cannot be asked ({error}): see to the machine's memory and disks") from error


def _read(question: Question, pair: Pair, site: Site) -> ZoneModels | str | None:
    """Return the models of a pair whose files were fetched, why they cannot be used, or None where one is unknown."""
    folders = [question.folder_of(label) for label in pair.labels]
    if not all(folder.exists() for folder in folders):
        return None
    for refusal in (folder / REFUSAL for folder in folders):
        if refusal.exists():
            return refusal.read_text(encoding="utf-8")
    try:
        models = loaded(pair, site, question.folder_of)
    except ValueError as error:
        return str(error)
    if (lacking := unpublished(models, site)) is not None:
        log.warning("going on without the weather model", model=pair.names.weather, why=lacking)
        models = replace(models, weather=None, names=pair.names.model_copy(update={"weather": None}))
    return replace(models, digest=digest_of(models))


def loaded(pair: Pair, site: Site, folder_of: Callable[[str], Path]) -> ZoneModels:
    """Return the models of a pair from the folders of their versions, by label.

    Raises ``ValueError`` that says why they cannot be used, and what to do.
    """
    names = pair.names
    if names.demand is None:
        raise ValueError(f"{names.weather} cannot be used: there is no demand model beside it: run `tetouan train`")
    try:
        demand = ZoneDemand.load(folder_of(names.demand) / FILE)
        weather = WeatherDemand.load(folder_of(names.weather) / FILE) if names.weather else None
    except (OSError, ValueError) as error:
        raise ValueError(f"the files of {' or '.join(pair.labels)} cannot be used: {error}") from error
    for label, model in ((names.demand, demand), (names.weather, weather)):
        if model is not None and model.step_minutes != site.step_minutes:
            why = f"its step is {model.step_minutes} minutes, that of the site {site.step_minutes}"
            raise ValueError(f"{label} cannot be used: {why}: run `tetouan train`")
    return ZoneModels(zone=pair.zone, demand=demand, weather=weather, names=names)


def unpublished(models: ZoneModels, site: Site) -> str | None:
    """Return why a site goes without the weather model beside its demand model; None where it does not."""
    lacking = sorted(set(models.weather.fields) - set(site.weather)) if models.weather else []
    return f"it needs {', '.join(lacking)}, which the site does not publish: run `tetouan train`" if lacking else None
