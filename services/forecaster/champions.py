"""The champions of the sites: asked for where a site begins, and later where it goes on without the registry's word."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from services.forecaster.asking import registered
from shared.runtime.clock import monotonic_s
from shared.runtime.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from services.forecaster.asking import Answer, Zones
    from services.forecaster.issuing import ZoneModels
    from services.forecaster.metrics import ForecasterMetrics
    from services.forecaster.settings import ForecasterSettings
    from shared.runtime.health import Health
    from shared.runtime.site_notes import SiteNotes
    from shared.sites.table import Sites

__all__ = ["Champions", "names_of"]

READY_S = 0.5  # between two looks at whether the service is ready
SHORT_PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0  # at most, between two questions: each takes five seconds of a processor
TOO_OLD = "the champions that are registered end too long before the readings: run `tetouan train` on newer data"
UNCONFIRMED = "the registry has not said yet which are to run"

log = structlog.get_logger()


class Champions:
    """What the registry has said; all cores of a process share it.

    A site that has kept its state needs nothing of the registry to go on, and must not wait for it: then the registry
    is asked beside the running service, and whoever runs other models hears of it by :meth:`supersede`.

    Parameters
    ----------
    settings
        Of the forecaster.
    sites
        The table.
    health
        Is told what is waited for.
    notes
        Are told, by site, what the registry lacks, and which models cannot be used.
    metrics
        Show which sites the registry has spoken of.
    """

    def __init__(
        self, settings: ForecasterSettings, sites: Sites, health: Health, notes: SiteNotes, metrics: ForecasterMetrics
    ) -> None:
        self._settings = settings
        self._sites = sites
        self._health = health
        self._notes = notes
        self._metrics = metrics
        self._registered: dict[str, Zones] = {}
        self._running: dict[str, Zones] = {}
        self._begun: dict[str, bool] = {}  # the sites that have run in this process, and whether with models
        self._waits_until_s = monotonic_s() + settings.models_wait_s
        self._one_at_a_time = asyncio.Lock()
        self._unsure = asyncio.Event()  # some site runs without the registry's word
        self._logged: dict[str, str] = {}

    def run(self, site: str, zones: Zones) -> None:
        """Note what a site runs now."""
        self._running[site] = zones
        self._begun[site] = not any(zone.cold for zone in zones)
        self._metrics.champions_confirmed.labels(site).set(site in self._registered)
        if site not in self._registered:
            self._notes.say("champions", site, self._logged.get(site, UNCONFIRMED))
            self._unsure.set()

    def leave(self, site: str, zones: Zones) -> bool:
        """Note that a site runs these no longer; returns whether it did, and nothing else in their place."""
        if self._running.get(site) is not zones:
            return False
        del self._running[site]
        return True

    def supersede(self, site: str, zones: Zones) -> bool:
        """Tell whether the registry has said that a site is to run other models than these."""
        found = self._registered.get(site)
        return found is not None and [zone.origin for zone in zones] != [zone.origin for zone in found]

    async def fetch(self, names: Collection[str], *, patient: bool) -> Mapping[str, Zones]:
        """Return the models of the sites that have some, as they were registered.

        One question asks for all of them. The registry is waited for where it has nothing for any of the sites, until
        the time of the settings is over, counted from the start of the process; who is not ``patient`` does not wait.
        A site that has run with models of its own never goes on without.

        Raises ``RegistryError`` where versions with certain tags are wanted, and the registry has none in time.
        """
        if all(name in self._registered for name in names):
            return self._known(names)
        self._health.waiting_for["models"] = "the registry is being asked for the models"
        pause_s = 0.5
        try:
            while (why := await self._lacks(names)) and self._waits_for(names, why, patient=patient):
                self._health.waiting_for["models"] = why
                await asyncio.sleep(min(pause_s, SHORT_PAUSE_S))
                pause_s *= 2
        finally:
            self._health.waiting_for.pop("models", None)
        return self._known(names)

    def _known(self, names: Collection[str]) -> dict[str, Zones]:
        """Return copies: who began with them may have to begin again."""
        return {name: deepcopy(self._registered[name]) for name in names if name in self._registered}

    async def _lacks(self, names: Collection[str]) -> str | None:
        """Ask for what is not known; returns what lacks for which it may be worth to wait, None where nothing does."""
        return await self._ask([name for name in names if name not in self._registered], "waiting for the models")

    def _waits_for(self, names: Collection[str], why: str, *, patient: bool) -> bool:
        lacking = [name for name in names if name not in self._registered]
        if any(self._begun.get(name, False) for name in lacking):
            return True
        if not patient or all(name in self._begun for name in lacking) or len(lacking) < len(names):
            return False
        if monotonic_s() < self._waits_until_s:
            return True
        if self._settings.model_tags and not self._registered:
            raise RegistryError(why)
        return False

    async def confirm(self) -> None:
        """Once the service is ready, ask for what runs without the registry's word, again and again."""
        while not self._health.ready()[0]:  # noqa: ASYNC110 - no one event makes a service ready
            await asyncio.sleep(READY_S)
        while True:
            await self._unsure.wait()
            await self.confirmed()

    async def confirmed(self) -> None:
        """Ask until the registry has said of all running sites which models are to run."""
        pause_s = 0.5
        while unsure := [name for name in self._running if name not in self._registered]:
            await self._ask(unsure, "the registry has not said which models are to run, asking again until it has")
            if all(name in self._registered for name in unsure):
                continue
            await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
            pause_s *= 2
        self._unsure.clear()

    async def _ask(self, names: Iterable[str], event: str) -> str | None:
        """Ask for some sites; returns why some of them have none, None where all is said that can be."""
        async with self._one_at_a_time:
            lacking = [name for name in names if name not in self._registered]
            if not lacking:
                return None
            try:
                answer = await registered(self._settings, [self._sites[name] for name in lacking])
            except RegistryError as error:
                return self._lack(dict.fromkeys(lacking, str(error)), event)
            return self._take(answer, event)

    def _take(self, answer: Answer, event: str) -> str | None:
        for name, why in answer.refused.items():
            if self._notes.say("refused models", name, why):
                log.error("the models of a site cannot be used", site=name, why=why)
        missing = dict(answer.missing)
        for name, zones in answer.found.items():
            self._notes.drop("refused models", name)
            if self._too_old(name, zones):
                missing[name] = TOO_OLD
                continue
            self._registered[name] = zones
            self._logged.pop(name, None)
            self._notes.drop("champions", name)
            if name in self._running:
                self._metrics.champions_confirmed.labels(name).set(1)
            log.info("the registry has said which models are to run", site=name, models=names_of(zones))
        return self._lack(missing, event)

    def _lack(self, missing: Mapping[str, str], event: str) -> str | None:
        """Say why there is no answer; the log has it where that is news, as it is asked for again and again."""
        for name, why in missing.items():
            if name in self._running:
                self._notes.say("champions", name, why)
            if self._logged.get(name) != why:
                self._logged[name] = why
                log.info(event, site=name, why=why)
        return next(iter(missing.values()), None)

    def _too_old(self, site: str, found: Zones) -> bool:
        """Tell whether champions could not go on with what a cold start has seen, so that it is the better one."""
        return any(self._far_behind(*pair) for pair in zip(self._running.get(site, ()), found, strict=False))

    def _far_behind(self, running: ZoneModels, found: ZoneModels) -> bool:
        if not running.cold or running.began is None or found.as_of is None:
            return False
        return running.began - found.as_of > timedelta(days=self._settings.max_gap_days)


def names_of(zones: Iterable[ZoneModels]) -> str:
    """Return which models these are, for people."""
    return ", ".join(
        f"no models for zone {zone.zone}"
        if zone.cold
        else f"{zone.names.demand} with {zone.names.weather or 'no weather model'}"
        for zone in zones
    )
