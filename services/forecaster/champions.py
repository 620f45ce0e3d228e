"""The champions of the sites: fetched where a site begins, and beside the running service where others are wanted."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from services.forecaster.asking import pairs_of
from services.forecaster.changes import Changes
from services.forecaster.issuing import ZoneModels
from shared.runtime.clock import monotonic_s
from shared.runtime.registered import ZONE_DEMAND
from shared.runtime.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from services.forecaster.asking import ModelSource, Pair
    from services.forecaster.metrics import ForecasterMetrics
    from services.forecaster.settings import ForecasterSettings
    from shared.contracts.messages import ModelNames
    from shared.runtime.health import Health
    from shared.runtime.site_notes import SiteNotes
    from shared.sites.table import Sites

    Zones = tuple[ZoneModels, ...]
    Origin = tuple[int, ModelNames, str]

__all__ = ["Champions", "names_of"]

READY_S = 0.5  # between two looks at whether the service is ready
FIRST_PAUSE_S = 0.5  # between two questions; each is twice as long as the one before
SHORT_PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0  # at most
UNCONFIRMED = "the registry has not said yet which are to run"
ASKED = "the registry is being asked for the models"

log = structlog.get_logger()


class Champions:
    """Which models are to run, and their files; all cores of a process share it.

    What is wanted stands on the topic of model events. The registry is asked for the files, and which the champions are
    of those models of which no change was ever told: once at the start, for all sites, and again as long as a running
    site has none. What it answers is known to all; the models belong to the site that is given them, and none is kept
    here once it runs. A site that goes on from its state needs nothing of this, and does not wait: the registry is
    asked beside the running service, and whoever runs other models is given them by :meth:`wanted`.

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
    asked
        The registry.
    """

    def __init__(
        self,
        settings: ForecasterSettings,
        sites: Sites,
        health: Health,
        notes: SiteNotes,
        metrics: ForecasterMetrics,
        asked: ModelSource,
    ) -> None:
        self._settings = settings
        self._sites = sites
        self._health = health
        self._notes = notes
        self._metrics = metrics
        self._asked = asked
        self._listed: Mapping[str, str] = {}  # what the registry has said: of each model the version to run
        self._listings = 0  # how often it was asked for that, and why there was no answer the last time
        self._failed: str | None = None
        self._one_at_a_time = asyncio.Lock()
        self._held: dict[Pair, Origin] = {}  # what stands under these names, as far as it was fetched
        self._offers: dict[str, dict[int, tuple[Pair, ZoneModels]]] = {}  # of each site, what it may have to run
        self._running: dict[str, Zones] = {}
        self._begun: dict[str, bool] = {}  # the sites that have run in this process, and whether with models
        self._refused: dict[str, set[Origin]] = {}
        self._waits_until_s = monotonic_s() + settings.models_wait_s
        self._unsure = asyncio.Event()  # of some site it is not known what it is to run, or there are no files of it
        self._heard = asyncio.Event()  # the topic wants something else at a running site
        self._logged: dict[str, str] = {}
        self.changes = Changes(self._hear, metrics.invalid_events)

    # --- what a site runs

    def begin(self, site: str, zones: Zones) -> None:
        """Note that a site begins with these, or goes on with them from its state."""
        self._offers.pop(site, None)  # they may hold readings that its state does not
        self.run(site, zones)

    def run(self, site: str, zones: Zones) -> None:
        """Note what a site runs now."""
        self._running[site] = zones
        self._begun[site] = not any(zone.cold for zone in zones)
        self._look(site)

    def leave(self, site: str, zones: Zones) -> bool:
        """Note that a site runs these no longer; returns whether it did, and nothing else in their place."""
        if self._running.get(site) is not zones:
            return False
        del self._running[site]
        return True

    def wanted(self, site: str) -> dict[int, ZoneModels]:
        """Return the models that are to take over at a site, by zone: they are its own from then on."""
        if site not in self._offers:
            return {}
        return {zone: models for zone, (_, models) in self._offers[site].items()}

    def refuse(self, site: str, models: ZoneModels, why: str) -> None:
        """Note that models cannot take over: they are no longer wanted, and the site goes on with what it has."""
        self._refused.setdefault(site, set()).add(models.origin)
        self._look(site)
        self._refuse(site, why)

    def _refuse(self, site: str, why: str) -> None:
        if self._notes.say("refused models", site, why):
            self._metrics.refused_models.labels(site).inc()
            log.error("the models of a site cannot be used", site=site, why=why)

    # --- what it is to run

    def _told(self, site: str) -> dict[str, str]:
        """Return the versions that the topic wants, once it is read.

        Where versions with certain tags are to run, nobody wants others.
        """
        is_heard = self.changes.read.is_set() and not self._settings.model_tags
        return self.changes.versions_of(site) if is_heard else {}

    def _pairs(self, site: str) -> dict[int, Pair]:
        """Return what each zone of a site is to run, of which that is known."""
        return pairs_of(self._sites[site], {**self._listed, **self._told(site)})

    def _is_sure(self, site: str) -> bool:
        """Tell whether each zone of a site runs what it is to run, or is offered it, or cannot use it."""
        pairs, told = self._pairs(site), self._told(site)
        return all(self._is_settled(models, pairs.get(models.zone), told) for models in self._running[site])

    def _is_settled(self, running: ZoneModels, pair: Pair | None, told: Mapping[str, str]) -> bool:
        if pair is None:
            return False
        if f"{ZONE_DEMAND}-{pair.site}-{pair.zone}" in told and set(pair.labels) <= set(running.labels):
            return True  # the topic wants what runs: the registry need not be asked
        held, offered = self._held.get(pair), self._offers.get(pair.site, {}).get(pair.zone)
        is_answered = held is not None and held in {running.origin, *self._refused.get(pair.site, ())}
        return is_answered or (offered is not None and offered[0] == pair)

    def _hear(self, sites: Iterable[str]) -> None:
        for site in sites:
            if site in self._running:
                self._look(site)
                self._heard.set()

    def _look(self, site: str) -> None:
        """Show whether it is known what a running site is to run, else ask; what it is not to run it is not offered."""
        pairs, done = self._pairs(site), {*self._refused.get(site, ()), *(zone.origin for zone in self._running[site])}
        offers = {
            zone: (pair, models)
            for zone, (pair, models) in self._offers.pop(site, {}).items()
            if pair == pairs.get(zone) and models.origin not in done
        }
        if offers:
            self._offers[site] = offers
        if sure := self._is_sure(site):
            self._logged.pop(site, None)
            self._notes.drop("champions", site)
        else:
            self._notes.say("champions", site, self._logged.get(site, UNCONFIRMED))
            self._unsure.set()
        self._metrics.champions_confirmed.labels(site).set(sure)

    # --- a site that begins

    async def fetch(self, names: Collection[str], *, patient: bool) -> Mapping[str, Zones]:
        """Return the champions of the sites that have some, as they were registered.

        An answer of the registry is waited for at most as long as the settings say. Its first champions are waited for,
        too, where it has none of any site, until that time is over since the start of the process; who is not
        ``patient`` does not wait for those. Of versions with certain tags those of all zones of a site are waited for
        where it has one, or where no site has any. A site that has run with models of its own never goes on without.

        Raises ``RegistryError`` where versions with certain tags are wanted, and the registry has none in time.
        """
        must = bool(self._settings.model_tags) or any(self._begun.get(name) for name in names)
        with self._waiting(ASKED):
            try:
                async with asyncio.timeout(None if must else self._settings.models_wait_s):
                    return await self._found(names, patient=patient)
            except TimeoutError:
                return {}

    @contextmanager
    def _waiting(self, why: str) -> Iterator[None]:
        self._health.waiting_for["models"] = why
        try:
            yield
        finally:
            self._health.waiting_for.pop("models", None)

    async def _found(self, names: Collection[str], *, patient: bool) -> dict[str, Zones]:
        again, pause_s = not self._listings, FIRST_PAUSE_S
        while True:
            found, lacking = await self._once(names, again=again)
            self._lack(lacking, "waiting for the models")
            if not lacking or not self._waits_for(lacking, patient=patient):
                return found
            self._health.waiting_for["models"] = next(iter(lacking.values()))
            await asyncio.sleep(min(pause_s, SHORT_PAUSE_S))
            again, pause_s = True, 2 * pause_s

    async def _once(self, names: Collection[str], *, again: bool) -> tuple[dict[str, Zones], dict[str, str]]:
        """Return the models of some sites, and why others have none; asks ``again`` which these are."""
        try:
            if again:
                await self._list()
            found = await self._champions_of(names)
        except RegistryError as error:
            return {}, dict.fromkeys(names, str(error))
        whole = () if self._settings.model_tags else found  # a training that is under way registers zone after zone
        return found, {name: why for name in names if name not in whole and (why := self._none_of(name))}

    async def _champions_of(self, names: Iterable[str]) -> dict[str, Zones]:
        """Return the models of the sites of which any zone has some; raises ``RegistryError``."""
        pairs = [pair for name in names for pair in self._pairs(name).values()]
        found: dict[str, Zones] = {}
        for pair, models in (await self._models(pairs)).items():
            if isinstance(models, ZoneModels):
                found[pair.site] = *found.get(pair.site, ()), models
            elif models is not None:
                self._refuse(pair.site, models)
        return found

    def _waits_for(self, lacking: Mapping[str, str], *, patient: bool) -> bool:
        if any(self._begun.get(name) for name in lacking):
            return True
        are_others_enough = bool(self._listed) and not self._is_under_way(lacking)
        if not patient or are_others_enough or all(name in self._begun for name in lacking):
            return False
        if monotonic_s() < self._waits_until_s:
            return True
        if self._settings.model_tags and not self._listed:
            raise RegistryError(next(iter(lacking.values())))
        return False

    def _is_under_way(self, lacking: Iterable[str]) -> bool:
        """Tell whether a training of a site registers zone after zone just now: with certain tags its first are new."""
        return bool(self._settings.model_tags) and any(self._pairs(name) for name in lacking)

    async def fetch_pairs(self, pairs: Collection[Pair]) -> Mapping[Pair, ZoneModels | str | None]:
        """Return the models of each pair as they were registered, why they cannot be used, or None where one is gone.

        They were in force for forecasts that have been published: a registry that cannot be used is waited for.
        """
        pause_s = FIRST_PAUSE_S
        with self._waiting("the registry is being asked for the models that were in force"):
            while True:
                try:
                    return await self._models(pairs)
                except RegistryError as error:
                    self._health.waiting_for["models"] = str(error)
                    log.warning("waiting for the models that were in force", why=str(error))
                await asyncio.sleep(min(pause_s, SHORT_PAUSE_S))
                pause_s *= 2

    # --- beside the running service

    async def confirm(self) -> None:
        """Ask for the champions at once, and later for what is wanted and not there, again and again.

        Later is once the service is ready and has read the topic.
        """
        try:
            try:
                await self._list()
            except RegistryError as error:
                log.info("the registry does not say which models are to run, it is asked again", why=str(error))
            while not self._health.ready()[0]:  # noqa: ASYNC110 - no one event makes a service ready
                await asyncio.sleep(READY_S)
            await self.changes.read.wait()
            self._hear(list(self._running))
            while True:
                await self._unsure.wait()
                await self.confirmed()
        finally:
            self._asked.stop()

    async def confirmed(self) -> None:
        """Ask until there are the models that are to run, of all running sites.

        What another site has lacked for long does not delay a change of which the topic tells.
        """
        pause_s = FIRST_PAUSE_S
        while unsure := self._unsure_of(self._running):
            self._heard.clear()
            await self._ask(unsure)
            if not self._unsure_of(unsure):
                continue
            pause_s = FIRST_PAUSE_S if await self._hears_within(min(pause_s, LONGEST_PAUSE_S)) else 2 * pause_s
        self._unsure.clear()

    async def _hears_within(self, pause_s: float) -> bool:
        """Pause; end at once, and return whether that was so, where the topic wants something else meanwhile."""
        try:
            async with asyncio.timeout(pause_s):
                return await self._heard.wait()
        except TimeoutError:
            return False

    def _unsure_of(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self._running and not self._is_sure(name)]

    async def _ask(self, names: Sequence[str]) -> None:
        """Ask for what some running sites are to run, and offer it to them; say why where that cannot be had."""
        event = "the registry has not said which models are to run, asking again until it has"
        try:
            if not all(self._is_told(name) for name in names):
                await self._list()
            for name in names:  # one after the other: what a site runs already is not kept
                self._lack(await self._offer(name), event)
        except RegistryError as error:
            self._lack(dict.fromkeys(self._unsure_of(names), str(error)), event)

    def _is_told(self, site: str) -> bool:
        told = self._told(site)
        return all(f"{ZONE_DEMAND}-{site}-{zone}" in told for zone in self._sites[site].zones)

    async def _offer(self, name: str) -> dict[str, str]:
        """Fetch what the zones of a running site are to run, and offer what they do not run; raises ``RegistryError``.

        Returns why there is none of some zone, by site; nothing where nothing lacks.
        """
        pairs, told = self._pairs(name), self._told(name)
        zones = self._running.get(name, ())
        wanted = [
            pair
            for zone in zones
            if (pair := pairs.get(zone.zone)) is not None and not self._is_settled(zone, pair, told)
        ]
        found = await self._models(wanted)
        if name not in self._running:
            return {}
        refusals = [models for models in found.values() if isinstance(models, str)]
        for why in refusals:
            self._refuse(name, why)
        if not refusals:
            self._notes.drop("refused models", name)
        offers = {pair.zone: (pair, models) for pair, models in found.items() if isinstance(models, ZoneModels)}
        self._offers[name] = self._offers.get(name, {}) | offers
        self._look(name)
        if found and self._is_sure(name):
            log.info("the registry has said which models are to run", site=name, models=", ".join(map(_shown, found)))
        absent = [f"{_shown(pair)} is not registered: run `tetouan train`" for pair in found if found[pair] is None]
        lacking = next(iter(absent), None) or self._none_of(name)
        return {name: lacking} if lacking else {}

    # --- the registry

    async def _list(self) -> None:
        """Ask which versions are to run; whoever asks meanwhile shares the answer. Raises ``RegistryError``."""
        before = self._listings
        async with self._one_at_a_time:
            if self._listings == before:
                try:
                    self._listed, self._failed = await self._asked.versions(), None
                except RegistryError as error:
                    self._failed = str(error)
                self._listings += 1
        if self._failed is not None:
            raise RegistryError(self._failed)

    async def _models(self, pairs: Collection[Pair]) -> Mapping[Pair, ZoneModels | str | None]:
        """Return the models of each pair; raises ``RegistryError``."""
        if not pairs:
            return {}
        found = await self._asked.models({pair: self._sites[pair.site] for pair in pairs})
        self._held |= {pair: models.origin for pair, models in found.items() if isinstance(models, ZoneModels)}
        return found

    def _none_of(self, site: str) -> str | None:
        """Return what is to be said where it is not known what a zone is to run, None where it is of all."""
        known = self._pairs(site)
        for zone in self._sites[site].zones:
            if zone not in known:
                if self._failed is not None and not self._listed:
                    return self._failed
                name = f"{ZONE_DEMAND}-{site}-{zone}"
                wanted = " and ".join(self._settings.model_tags)
                what = f"version of {name} with {wanted}" if wanted else f"champion of {name}"
                return f"no {what} is registered: run `tetouan train`"
        return None

    def _lack(self, missing: Mapping[str, str], event: str) -> None:
        """Say why there are none; the log has it where that is news, as it is asked for again and again."""
        for name, why in missing.items():
            if name in self._running:
                self._notes.say("champions", name, why)
            if self._logged.get(name) != why:
                self._logged[name] = why
                log.info(event, site=name, why=why)


def names_of(zones: Iterable[ZoneModels]) -> str:
    """Return which models these are, for people."""
    return ", ".join(
        f"no models for zone {zone.zone}"
        if zone.cold
        else f"{zone.names.demand} with {zone.names.weather or 'no weather model'}"
        for zone in zones
    )


def _shown(pair: Pair) -> str:
    return " with ".join(pair.labels)
