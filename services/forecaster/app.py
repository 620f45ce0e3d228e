"""The wiring of the forecaster: clean readings in, forecasts out."""

from __future__ import annotations

import asyncio
import re
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from services.forecaster.asking import Asking, Pair
from services.forecaster.champions import Champions, names_of
from services.forecaster.cold import ColdStart
from services.forecaster.in_force import TopicModels, events_of
from services.forecaster.issuing import ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.series import ForecasterSeries
from services.forecaster.site import Planned, SiteForecasts
from services.forecaster.state import FORMAT, described, zones_of
from shared.contracts import topics
from shared.contracts.messages import CleanReading, ModelEvent
from shared.runtime.clock import monotonic_s
from shared.runtime.following import follow
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.service import Service
from shared.runtime.site_notes import SiteNotes
from shared.runtime.site_table import UnknownSites, served_sites
from shared.runtime.state import OutdatedError
from shared.sites.unserved import UNSERVED, Unserved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry

    from services.forecaster.asking import ModelSource
    from services.forecaster.in_force import InForce
    from services.forecaster.settings import ForecasterSettings
    from services.forecaster.site import Refusal
    from shared.runtime.records import Record
    from shared.sites.site import Site
    from shared.sites.table import Sites

__all__ = ["ForecasterCore", "ForecasterShared", "build"]

COLD = "forecasting from the readings alone until champions are registered: run `tetouan train`"
NO_WEATHER = "no weather at this site: no weather estimate, and no fallback level `weather`"
UNTRAINED = "no weather model: run `tetouan train` on data with weather, or take it out of the site's columns"

GONE = "{} was in force from {} and cannot be had ({}): what was before it goes on"
TOO_OLD = "{} end too long before the readings, at {}: run `tetouan train` on newer data"
SITE = re.compile(rb'"site":\s*"([^"\\]*)"')
LARGE = "/large"
"""What stands behind the name of a site in the name of the part that hardly changes but at a day's end."""
TABLE = "table"
"""The array of a site's state that says of which table of the site it is."""

log = structlog.get_logger()


@dataclass(frozen=True)
class ForecasterShared:
    """What the cores of a process have in common."""

    settings: ForecasterSettings
    sites: Sites
    champions: Champions
    cold: ColdStart
    metrics: ForecasterMetrics
    letters: DeadLetters
    notes: SiteNotes
    unknown: UnknownSites
    health: Health

    @classmethod
    def of(
        cls, settings: ForecasterSettings, sites: Sites, registry: CollectorRegistry, health: Health, asked: ModelSource
    ) -> ForecasterShared:
        """Return what shows itself in a registry of metrics and in the health of a service, and asks for models."""
        notes, metrics = SiteNotes(health.notes), ForecasterMetrics(registry)
        return cls(
            settings,
            sites,
            Champions(settings, sites, health, notes, metrics, asked),
            ColdStart(settings.prior),
            metrics,
            DeadLetters(registry),
            notes,
            UnknownSites(registry, health),
            health,
        )


def build(settings: ForecasterSettings) -> Service:
    """Return the forecaster of all sites of the table: each begins with its first reading."""
    registry, health = new_registry(), Health()
    shared = ForecasterShared.of(settings, served_sites(settings, health), registry, health, Asking(settings))
    champions, events = shared.champions, settings.topic_prefix + topics.MODELS.name
    follows = partial(follow, settings.kafka, events, champions.changes.take, champions.changes.read, health)
    return Service(
        "forecaster",
        (topics.CLEAN,),
        lambda: ForecasterCore(shared),
        registry,
        health,
        max_records=200,
        restores=(topics.MODELS, topics.CLEAN),
        publishes=(topics.FORECASTS, topics.REJECTED, topics.MODELS),
        companions=(champions.confirm, follows),
    )


class ForecasterCore:
    """Decodes clean readings and answers them; what it cannot answer becomes a dead letter.

    Its sites have nothing in common: what it says of one depends on the readings of that one alone.
    """

    def __init__(self, shared: ForecasterShared) -> None:
        self.shared = shared
        self._sites: dict[str, SiteForecasts] = {}
        self._metrics: dict[str, ForecasterSeries] = {}
        self._written = TopicModels()
        self._plans: dict[str, list[Planned]] = {}  # of sites that have not begun, which models they have to run when
        self._begins: dict[str, tuple[ZoneModels, ...]] = {}  # of sites whose first reading is at hand
        self._wanted: dict[str, dict[int, ZoneModels]] = {}  # what is to take over at sites whose readings are at hand
        self._unserved = Unserved()
        self._resumed = False

    async def prepare(self, records: Sequence[Record]) -> None:
        """Fetch the models of the sites that begin with these records, and bring those that take over where these are.

        That may take long, and others are let through in between.
        """
        readings = (record for record in records if not _is_event(record))
        named = {site for record in readings if (site := _named(record)) is not None}
        served = sorted(site for site in named if site in self.shared.sites)
        await self._plan(served)
        begin = [site for site in served if site not in self._sites]
        if begin:
            unknown = [site for site in begin if not self._is_planned(site)]
            fetch = self.shared.champions.fetch
            found = await fetch(unknown, patient=not self._resumed) if unknown else {}
            self._begins = {site: self._beginning(site, found.get(site, ())) for site in begin}
        self._wanted = {site: wanted for site in served if (wanted := self.shared.champions.wanted(site))}
        for forecasts in (self._sites[site] for site in served if site in self._sites):
            for _ in forecasts.catch_up(self._wanted.get(forecasts.site.name, {}).values()):
                await asyncio.sleep(0)

    async def _plan(self, names: Sequence[str]) -> None:
        """Fetch the models of which it is written from which origins on they were in force: of all sites at once."""
        if not self._written.any_of(names):
            return
        written = self._written.all()
        pairs = {_pair(site, each) for site, said in written.items() for each in said if each.names.demand}
        found = await self.shared.champions.fetch_pairs(pairs) if pairs else {}
        for name, said in written.items():
            plan = [self._planned(name, each, found) for each in said]
            if name in self._sites:
                self._follow(self._sites[name], plan)
            else:
                self._plans[name] = plan
        self._written.forget()

    def _planned(self, site: str, written: InForce, found: Mapping[Pair, ZoneModels | str | None]) -> Planned:
        step = self.shared.sites[site].grid.step_of(written.origin)
        if written.names.demand is None:
            return Planned(written.zone, step, None)
        models = found.get(_pair(site, written)) or "it is not in the registry"
        if isinstance(models, ZoneModels) and written.digest not in ("", models.digest):
            models = "another model is registered under its name"
        if isinstance(models, str):
            return Planned(written.zone, step, None, GONE.format(written.names.demand, written.origin, models))
        return Planned(written.zone, step, deepcopy(models))  # it may be in force twice

    def _follow(self, forecasts: SiteForecasts, plan: Sequence[Planned]) -> None:
        """Let models take over where they did, and name those that cannot be had."""
        forecasts.plan(plan)
        for why in (change.gone for change in plan if change.gone):
            self.shared.notes.say("gone models", forecasts.site.name, why)
            log.error("models that were in force are gone", site=forecasts.site.name, why=why)

    def _is_planned(self, site: str) -> bool:
        return {change.zone for change in self._plans.get(site, ())} >= set(self.shared.sites[site].zones)

    def _beginning(self, name: str, found: Sequence[ZoneModels]) -> tuple[ZoneModels, ...]:
        """Return what each zone begins with: what was in force first, else its champion, else nothing."""
        site = self.shared.sites[name]
        models: dict[int, ZoneModels | None] = {each.zone: each for each in found}
        models |= {change.zone: change.models for change in reversed(self._plans.get(name, ()))}
        if all(models.get(zone) for zone in site.zones):
            return tuple(each for zone in site.zones if (each := models[zone]) is not None)
        return tuple(models.get(cold.zone) or cold for cold in self.shared.cold.zones_of(site))

    def close(self) -> None:
        """Show nothing more of the sites."""
        for name, site in self._sites.items():
            if self.shared.champions.leave(name, site.zones):
                self.shared.metrics.forget(name)
                self.shared.notes.forget(name)
        self._sites, self._metrics = {}, {}

    def adopt(self, site: Site, zones: tuple[ZoneModels, ...], announced: Iterable[int] = ()) -> SiteForecasts:
        """Let a site run these models from now on; of the zones ``announced`` it is written that it does."""
        return self._adopt(self._forecasts(site, zones, announced))

    def _forecasts(self, site: Site, zones: tuple[ZoneModels, ...], announced: Iterable[int] = ()) -> SiteForecasts:
        settings = self.shared.settings
        return SiteForecasts(site, zones, settings.coverages, timedelta(days=settings.max_gap_days), announced)

    def _adopt(self, forecasts: SiteForecasts) -> SiteForecasts:
        shared, site, zones = self.shared, forecasts.site, forecasts.zones
        shared.metrics.forget(site.name)  # what ran before
        shared.notes.forget(site.name)
        self._sites[site.name] = forecasts
        self._metrics[site.name] = ForecasterSeries(shared.metrics, site, zones)
        shared.champions.begin(site.name, zones)
        self._show(forecasts)
        log.info("running", site=site.name, models=names_of(zones), as_of=str(forecasts.as_of))
        return forecasts

    def _begin(self, site: Site) -> SiteForecasts:
        """Let a site begin, its first reading is at hand; what is written of later origins takes over there."""
        plan = self._plans.pop(site.name, [])
        first = {change.zone: change for change in reversed(plan)}
        forecasts = self.adopt(site, self._begins.pop(site.name), announced=first)
        self._follow(forecasts, [change for change in plan if change.gone or change is not first[change.zone]])
        return forecasts

    def _show(self, forecasts: SiteForecasts) -> None:
        """Say which models a site runs by now."""
        shared, site, zones = self.shared, forecasts.site, forecasts.zones
        for kind in ("cold", "prior", "models", "weather"):
            shared.notes.drop(kind, site.name)
        if any(zone.cold for zone in zones):
            shared.notes.say("cold", site.name, COLD)
            if why := shared.cold.misfit(site.name):
                shared.notes.say("prior", site.name, why)
            return
        shared.notes.say("models", site.name, names_of(zones))
        if any(zone.weather is None for zone in zones):
            shared.notes.say("weather", site.name, UNTRAINED if site.weather else NO_WEATHER)

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to; its sites and their models are in the state."""
        return {"tags of the models": ",".join(self.shared.settings.model_tags), "state format": FORMAT}

    def parts(self) -> dict[str, int]:
        """Return the parts of the state and how often each has changed: two a site, and what is known of others.

        What of a site hardly changes but at a day's end is a part of its own: it is twenty times as large as the rest.
        """
        sites = self._sites.items()
        moving, large = (
            {name: site.changes for name, site in sites},
            {name + LARGE: site.days for name, site in sites},
        )
        return {UNSERVED: self._unserved.changes, **moving, **large}

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return every array of a part by name, such as ``zone2.champion.demand.outlook.last_step``: no copies."""
        if part == UNSERVED:
            return self._unserved.state()
        site = self._sites[part.removesuffix(LARGE)]
        return {TABLE: site.table, **(site.large_state() if part.endswith(LARGE) else site.moving_state())}

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Take over what `state` returned of each part, without the sites that the table no longer has.

        Raises ``ValueError``, and stays as it was, where it does not fit; ``OutdatedError`` where a site was another by
        then, or had readings before the table had it.
        """
        for _ in self.resuming(parts):
            pass

    def resuming(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> Iterator[None]:
        """Do the same with a pause after each site; it stays as it was until the last one."""
        sites, unserved = self.shared.sites, Unserved()
        names = {part.removesuffix(LARGE) for part in parts if part != UNSERVED}
        unserved.resume(parts, names - sites.keys())
        if site_before := unserved.first_in(sites):
            raise OutdatedError(f"there were readings of {site_before} before the table of sites had it")
        resumed = []
        for name in sorted(names & sites.keys()):
            resumed.append(self._site_of(sites[name], parts.get(name + LARGE, {}), parts.get(name, {})))
            yield
        self.close()
        self._unserved = unserved
        for forecasts in resumed:
            self._adopt(forecasts)
        self._resumed = True

    def _site_of(
        self, site: Site, large: Mapping[str, NDArray[Any]], moving: Mapping[str, NDArray[Any]]
    ) -> SiteForecasts:
        table = described(site)
        for held in (large.get(TABLE), moving.get(TABLE)):
            if held is None or str(held) != table:
                raise OutdatedError(f"{site.name} is {held}, by the table of sites it is {table}")
        try:
            zones = zones_of(_of_zones(large), _of_zones(moving), site.zones)
            forecasts = self._forecasts(site, zones)
            forecasts.resume(dict(large), dict(moving))
        except ValueError as error:
            raise ValueError(f"{site.name}: {error}") from error
        for models in zones:
            if models.cold and not self.shared.cold.has_begun(site, models):
                raise ValueError(
                    f"{site.name}: zone{models.zone}: the calendar of the site, its step, a lower limit, the prior or "
                    "a constant of the method was another"
                )
        return forecasts

    def restore(self, records: Sequence[Record]) -> None:
        """Fold clean readings that were answered before; their forecasts, and which models they are of, are written."""
        readings: dict[str, list[CleanReading]] = {}
        for record in records:
            if _is_event(record):
                self._note_event(record)
                continue
            admitted = self._admit(record)
            if isinstance(admitted, CleanReading):
                readings.setdefault(admitted.site, []).append(admitted)
        for name, of_site in readings.items():
            self._note_takeovers(self._sites[name], self._sites[name].fold(of_site))

    def _note_event(self, record: Record) -> None:
        """Note which models were in force from which origin on, where the state does not hold that already."""
        try:
            event = ModelEvent.from_bytes(record.value or b"")
        except ValidationError:  # who follows the topic counts it
            return
        site = self.shared.sites.get(event.site)
        if event.change != "in_force" or site is None or event.zone not in site.zones:
            return
        folded = self._sites[site.name].last_step if site.name in self._sites else None
        if folded is None or site.grid.step_of(event.origin) > folded:
            self._written.add(event)

    def _note_takeovers(self, forecasts: SiteForecasts, models: Sequence[ZoneModels]) -> None:
        if not models:
            return
        metrics = self._metrics[forecasts.site.name]
        for each in models:
            metrics.took_over(each)
        metrics.show(forecasts.zones)
        self.shared.champions.run(forecasts.site.name, forecasts.zones)
        self._show(forecasts)
        log.info("other models have taken over", site=forecasts.site.name, models=names_of(models))

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Answer each clean reading that the state of its site does not hold yet, site by site and zone by zone."""
        letters: list[Outgoing] = []
        readings: dict[str, list[CleanReading]] = {}
        for record in records:
            admitted = self._admit(record)
            if isinstance(admitted, tuple):
                letters.append(self.shared.letters.of(record, *admitted))
            elif isinstance(admitted, str):
                self.shared.unknown.count(admitted)
            else:
                readings.setdefault(admitted.site, []).append(admitted)
                if record.key != admitted.site.encode():
                    self._metrics[admitted.site].odd_keys.inc()
        return letters + [answer for name, of_site in readings.items() for answer in self._answers(name, of_site)]

    def _answers(self, name: str, readings: Sequence[CleanReading]) -> list[Outgoing]:
        site, metrics, started_s = self._sites[name], self._metrics[name], monotonic_s()
        answers = site.answer(readings, self._wanted.pop(name, {}))
        issues = answers.issues
        self._note_takeovers(site, answers.took_over)
        for models in answers.too_old:
            self.shared.champions.refuse(name, models, TOO_OLD.format(names_of([models]), models.as_of))
        if answers.lacking > 0:
            self._note_gap(site, answers.lacking)
        answered = {issue.origin for issue in issues}
        ignored = [reading for reading in readings if reading.time not in answered]
        if ignored:
            metrics.ignored.inc(len(ignored))
            self._note_ignored(name, ignored)
        if issues:
            metrics.note(issues, monotonic_s() - started_s)
            self.shared.health.notes["origin"] = f"{issues[-1].origin.isoformat()} ({name})"
            self.shared.notes.drop("ignored", name)
        key = name.encode()
        events = [event for each in answers.in_force for event in events_of(name, each)]
        return [
            *(Outgoing(topics.MODELS.name, key, event.to_bytes()) for event in events),
            *(Outgoing(topics.FORECASTS.name, key, issue.to_bytes()) for issue in issues),
        ]

    def _admit(self, record: Record) -> CleanReading | Refusal | str:
        """Return the reading to answer, why the record is none, or the name of a site that is not known.

        What names a site that the table does not have is not decoded.
        """
        name = _named(record)
        if name is not None and name not in self.shared.sites:
            self._unserved.add(name)
            return name
        try:
            reading = CleanReading.from_bytes(record.value or b"")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or None
            return "invalid_clean_reading", field, repr(first["input"])[:200]
        if reading.site != name:
            return "invalid_clean_reading", "site", f"{reading.site!r} and {name!r}: the message names two sites"
        return self._placed(reading)

    def _placed(self, reading: CleanReading) -> CleanReading | Refusal:
        """Return the reading, or why its site cannot take it; the first one that it can take begins the site."""
        site = self.shared.sites[reading.site]
        if reading.step_minutes != site.step_minutes:
            return "wrong_step", "step_minutes", str(reading.step_minutes)
        forecasts = self._sites.get(site.name) or self._begin(site)
        return forecasts.admit(reading) or reading

    def _note_gap(self, site: SiteForecasts, lacking: int) -> None:
        """Say that the first reading does not follow the state: the gap is filled by the model's own forecasts."""
        note = f"{lacking} readings between {site.as_of} and the first one are filled by forecasts"
        self.shared.notes.say("gap", site.site.name, note)
        log.warning("the readings do not follow the models", site=site.site.name, why=note)

    def _note_ignored(self, name: str, ignored: Sequence[CleanReading]) -> None:
        note = f"the models know all readings up to {ignored[-1].time.isoformat()}: waiting for later ones"
        if not self.shared.notes.has("ignored", name):
            log.warning("readings ignored", site=name, why=note, readings=len(ignored))
        self.shared.notes.say("ignored", name, note)


def _of_zones(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: array for name, array in state.items() if name.startswith("zone")}


def _is_event(record: Record) -> bool:
    return record.topic.endswith(topics.MODELS.name)


def _pair(site: str, written: InForce) -> Pair:
    return Pair(site=site, zone=written.zone, names=written.names)


def _named(record: Record) -> str | None:
    """Return the site that the message of a record names, before it is decoded; None where it names none."""
    found = SITE.search(record.value or b"")
    return found[1].decode(errors="replace") if found else None
