"""The champions of a forecaster: waited for where it has nothing else, asked for later where it has kept its state."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
import tenacity

from services.forecaster.issuing import ZoneModels
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import WeatherDemand
from shared.runtime.registry import ModelVersion, Registry, RegistryError
from shared.runtime.settings import Refused
from shared.runtime.threads import beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Gauge

    from services.forecaster.settings import ForecasterSettings
    from shared.data.sites import Site
    from shared.runtime.health import Health

__all__ = ["Champions", "load_models"]

READY_S = 0.5  # between two looks at whether the service is ready
LONGEST_PAUSE_S = 60.0  # between two questions to a registry that does not answer

log = structlog.get_logger()


class Champions:
    """What the registry says of the zones of the settings.

    A forecaster that has kept its state needs nothing of the registry to go on, and must not wait for it: then the
    registry is asked beside the running service, and whoever runs other models hears of it by :meth:`supersede`.

    Parameters
    ----------
    settings
        Of the forecaster.
    health
        Is told what is waited for.
    confirmed
        Becomes 1 when the registry has said what is to run.
    """

    def __init__(self, settings: ForecasterSettings, health: Health, confirmed: Gauge) -> None:
        self._settings = settings
        self._site = settings.place
        self._health = health
        self._confirmed = confirmed
        self._registered: tuple[ZoneModels, ...] | None = None

    def supersede(self, zones: Sequence[ZoneModels]) -> bool:
        """Tell whether the registry has said that other models than these are to run."""
        registered = self._registered
        return registered is not None and [zone.origin for zone in zones] != [zone.origin for zone in registered]

    async def fetch(self) -> tuple[ZoneModels, ...]:
        """Return the models as they were registered, waited for; without any where they are not in time.

        Raises ``RegistryError`` where versions with certain tags are wanted and not there in time, ``Refused`` where
        files cannot be used.
        """
        if self._registered is None:
            self._health.waiting_for["models"] = "the models are being loaded"
            asking = self._asking(RegistryError, "models", self._health.waiting_for, 2.0)
            try:
                await self._ask(asking.copy(stop=tenacity.stop_after_delay(self._settings.models_wait_s)))
            except RegistryError as error:
                if self._settings.model_tags:
                    raise
                log.warning("starting without champions", why=str(error))
            del self._health.waiting_for["models"]
        if self._registered is None:
            return tuple(ZoneModels.cold(self._site, zone) for zone in self._settings.zones)
        return deepcopy(self._registered)  # who began with them may have to begin again

    async def confirm(self) -> None:
        """Once the service is ready, ask until the registry has said what is to run."""
        while not self._health.ready()[0]:  # noqa: ASYNC110 - no one event makes a service ready
            await asyncio.sleep(READY_S)
        if self._registered is None:
            self._health.notes["champions"] = "the registry is being asked for them"
            await self._ask(self._asking(Refused, "champions", self._health.notes, LONGEST_PAUSE_S))
            del self._health.notes["champions"]

    async def _ask(self, asking: tenacity.AsyncRetrying) -> None:
        self._registered = await asking(beside, None, load_models, self._settings, self._site)
        self._confirmed.set(1)

    def _asking(
        self, kind: type[Refused], what: str, say_in: dict[str, str], longest_pause_s: float
    ) -> tenacity.AsyncRetrying:
        def say(state: tenacity.RetryCallState) -> None:
            why = str(state.outcome.exception()) if state.outcome else ""
            say_in[what] = why
            self._health.progressed()
            log.info("waiting for the models", why=why)

        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(kind),
            wait=tenacity.wait_exponential(multiplier=0.5, max=longest_pause_s),
            before_sleep=say,
            reraise=True,
        )


def load_models(settings: ForecasterSettings, place: Site) -> tuple[ZoneModels, ...]:
    """Return the models of the configured zones: the champions, or the newest with the tags of the settings.

    Raises ``RegistryError`` where one is not registered, ``Refused`` where its files cannot be used.
    """
    registry = Registry(settings.registry_uri, settings.artifact_root)
    tags = dict(tag.split("=", 1) for tag in settings.model_tags)
    return tuple(_load_zone(registry, tags, place.name, zone) for zone in settings.zones)


def _load_zone(registry: Registry, tags: dict[str, str], site_name: str, zone: int) -> ZoneModels:
    demand, weather = (
        _version(registry, tags, f"{kind}-{site_name}-{zone}") for kind in ("zone-demand", "weather-demand")
    )
    try:
        models = ZoneModels(
            zone=zone,
            demand=ZoneDemand.load(registry.fetch(demand) / "state.npz"),
            weather=WeatherDemand.load(registry.fetch(weather) / "state.npz"),
            names=ModelNames(demand=demand.label, weather=weather.label),
        )
    except (OSError, ValueError) as error:
        raise Refused(f"the files of {demand.label} or {weather.label} cannot be used: {error}") from error
    return replace(models, digest=digest_of(models))


def _version(registry: Registry, tags: dict[str, str], name: str) -> ModelVersion:
    version = registry.find(name, tags) if tags else registry.champion(name)
    if version is None:
        wanted = " and ".join(f"{tag}={value}" for tag, value in tags.items())
        what = f"version of {name} with {wanted}" if tags else f"champion of {name}"
        raise RegistryError(f"no {what} is registered: run `tetouan train`")
    return version
