"""The champions of the sites: fetched where a site begins, and beside the running service where others are wanted."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

import structlog

from services.forecaster.asking import registered
from services.forecaster.changes import Changes
from shared.runtime.clock import monotonic_s
from shared.runtime.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from services.forecaster.asking import Answer, Zones
    from services.forecaster.issuing import ZoneModels
    from services.forecaster.metrics import ForecasterMetrics
    from services.forecaster.registered import Pair
    from services.forecaster.settings import ForecasterSettings
    from shared.runtime.health import Health
    from shared.runtime.site_notes import SiteNotes
    from shared.sites.table import Sites

__all__ = ["Champions", "names_of"]

READY_S = 0.5  # between two looks at whether the service is ready
SHORT_PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0  # at most, between two questions: each takes five seconds of a processor
UNCONFIRMED = "the registry has not said yet which are to run"

log = structlog.get_logger()


class Champions:
    """Which models are to run, and their files; all cores of a process share it.

    What is wanted stands on the topic of model events. The registry is asked for the files, and which the champions are
    of those models of which no change was ever told. A site that goes on from its state needs nothing of this, and does
    not wait: the registry is asked beside the running service, and whoever runs other models is given them by
    :meth:`wanted`.

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
        Show which sites are confirmed.
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
        self._answered: dict[str, dict[str, str]] = {}  # of each of them, the versions that were wanted then
        self._said: dict[str, dict[str, str]] = {}  # of each site, the versions for which all has been answered
        self._offers: dict[str, Zones] = {}  # of each site, what it may have to run
        self._running: dict[str, Zones] = {}
        self._begun: dict[str, bool] = {}  # the sites that have run in this process, and whether with models
        self._refused: dict[str, set[tuple[object, ...]]] = {}
        self._waits_until_s = monotonic_s() + settings.models_wait_s
        self._one_at_a_time = asyncio.Lock()
        self._unsure = asyncio.Event()  # of some site it is not known what it is to run, or there are no files of it
        self._logged: dict[str, str] = {}
        self.changes = Changes(self._hear, metrics.invalid_events)

    def run(self, site: str, zones: Zones) -> None:
        """Note what a site runs now."""
        self._running[site] = zones
        self._begun[site] = not any(zone.cold for zone in zones)
        if self.changes.read.is_set():
            self._look(site)
        self._offer(site)
        said = self._is_said(site)
        self._metrics.champions_confirmed.labels(site).set(said)
        if not said:
            self._notes.say("champions", site, self._logged.get(site, UNCONFIRMED))
            self._unsure.set()

    def leave(self, site: str, zones: Zones) -> bool:
        """Note that a site runs these no longer; returns whether it did, and nothing else in their place."""
        if self._running.get(site) is not zones:
            return False
        del self._running[site]
        return True

    def wanted(self, site: str, zones: Zones) -> dict[int, ZoneModels]:
        """Return the models that are to take over from these, by zone."""
        if site not in self._offers:
            return {}
        refused, running = self._refused.get(site, ()), {zone.zone: zone.origin for zone in zones}
        found = {
            zone.zone: zone
            for zone in self._offers[site]
            if zone.origin != running.get(zone.zone) and zone.origin not in refused
        }
        if not found:
            del self._offers[site]
        return found

    def _offer(self, site: str) -> None:
        if self._answered.get(site) == self._versions_of(site):
            self._offers[site] = self._registered[site]
        else:
            self._offers.pop(site, None)

    def refuse(self, site: str, models: ZoneModels, why: str) -> None:
        """Note that models cannot take over: they are no longer wanted, and the site goes on with what it has."""
        self._refused.setdefault(site, set()).add(models.origin)
        self._refuse(site, why)

    def _refuse(self, site: str, why: str) -> None:
        if self._notes.say("refused models", site, why):
            self._metrics.refused_models.labels(site).inc()
            log.error("the models of a site cannot be used", site=site, why=why)

    def _hear(self, sites: Iterable[str]) -> None:
        for site in sites:
            self._look(site)
            self._offer(site)
            if site in self._running and not self._is_said(site):
                self._metrics.champions_confirmed.labels(site).set(0)
                self._unsure.set()

    def _is_said(self, site: str) -> bool:
        """Tell whether the registry has answered for what is wanted of a site by now."""
        return self._said.get(site) == self._versions_of(site)

    def _versions_of(self, site: str) -> dict[str, str]:
        """Return the versions that are wanted; where versions with certain tags are to run, nobody wants others."""
        return {} if self._settings.model_tags else self.changes.versions_of(site)

    def _look(self, site: str) -> None:
        """Confirm a site that runs what the topic wants of each of its zones: the registry need not be asked."""
        wanted, running = self._versions_of(site), self._running.get(site, ())
        if self._settings.model_tags:
            return
        labels = {label.rpartition("/")[::2] for zone in running for label in zone.labels}
        if running and self.changes.zones_of(site) >= {zone.zone for zone in running} and labels >= set(wanted.items()):
            self._confirm(site, wanted)

    def _confirm(self, site: str, versions: dict[str, str]) -> None:
        self._said[site] = versions
        self._logged.pop(site, None)
        self._notes.drop("champions", site)
        if site in self._running:
            self._metrics.champions_confirmed.labels(site).set(1)

    async def fetch(self, names: Collection[str], *, patient: bool) -> Mapping[str, Zones]:
        """Return the models of the sites that have some, as they were registered.

        One question asks for all of them. The registry is waited for where it has nothing for any of the sites, until
        the time of the settings is over, counted from the start of the process; who is not ``patient`` does not wait.
        A site that has run with models of its own never goes on without.

        Raises ``RegistryError`` where versions with certain tags are wanted, and the registry has none in time.
        """
        if all(name in self._registered and self._is_said(name) for name in names):
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

    async def fetch_pairs(self, pairs: Collection[Pair]) -> Mapping[Pair, ZoneModels | str]:
        """Return the models of each pair as they were registered, or why they cannot be used.

        They were in force for forecasts that have been published: a registry that cannot be used is waited for.
        """
        places = {pair: self._sites[pair.site] for pair in pairs}
        pause_s = 0.5
        self._health.waiting_for["models"] = "the registry is being asked for the models that were in force"
        try:
            while True:
                try:
                    async with self._one_at_a_time:
                        return (await registered(self._settings, (), pairs=places)).pairs
                except RegistryError as error:
                    self._health.waiting_for["models"] = str(error)
                    log.warning("waiting for the models that were in force", why=str(error))
                await asyncio.sleep(min(pause_s, SHORT_PAUSE_S))
                pause_s *= 2
        finally:
            self._health.waiting_for.pop("models", None)

    async def confirm(self) -> None:
        """Once the service is ready and has read the topic, ask for what is wanted and not there, again and again."""
        while not self._health.ready()[0]:  # noqa: ASYNC110 - no one event makes a service ready
            await asyncio.sleep(READY_S)
        await self.changes.read.wait()
        while True:
            await self._unsure.wait()
            await self.confirmed()

    async def confirmed(self) -> None:
        """Ask until there are the models that are to run, of all running sites."""
        pause_s = 0.5
        for name in self._running:
            self._look(name)
        while unsure := [name for name in self._running if not self._is_said(name)]:
            await self._ask(unsure, "the registry has not said which models are to run, asking again until it has")
            if all(self._is_said(name) for name in unsure):
                continue
            await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
            pause_s *= 2
        self._unsure.clear()

    async def _ask(self, names: Iterable[str], event: str) -> str | None:
        """Ask for some sites; returns why some of them have none, None where all is said that can be."""
        async with self._one_at_a_time:
            lacking = [name for name in names if name not in self._registered or not self._is_said(name)]
            if not lacking:
                return None
            versions = {name: self._versions_of(name) for name in lacking}
            try:
                answer = await registered(self._settings, [self._sites[name] for name in lacking], versions)
            except RegistryError as error:
                return self._lack(dict.fromkeys(lacking, str(error)), event)
            return self._take(answer, versions, event)

    def _take(self, answer: Answer, versions: Mapping[str, dict[str, str]], event: str) -> str | None:
        for name, why in answer.refused.items():
            self._refuse(name, why)
        for name, zones in answer.found.items():
            self._registered[name], self._answered[name] = zones, versions[name]
            self._offer(name)
            if name in answer.refused or name in answer.missing:
                continue
            self._notes.drop("refused models", name)
            self._confirm(name, versions[name])
            log.info("the registry has said which models are to run", site=name, models=names_of(zones))
        return self._lack(answer.missing, event)

    def _lack(self, missing: Mapping[str, str], event: str) -> str | None:
        """Say why there is no answer; the log has it where that is news, as it is asked for again and again."""
        for name, why in missing.items():
            if name in self._running:
                self._notes.say("champions", name, why)
            if self._logged.get(name) != why:
                self._logged[name] = why
                log.info(event, site=name, why=why)
        return next(iter(missing.values()), None)


def names_of(zones: Iterable[ZoneModels]) -> str:
    """Return which models these are, for people."""
    return ", ".join(
        f"no models for zone {zone.zone}"
        if zone.cold
        else f"{zone.names.demand} with {zone.names.weather or 'no weather model'}"
        for zone in zones
    )
