"""The wiring of the forecaster: clean readings in, forecasts out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
from pydantic import ValidationError

from services.forecaster.champions import Champions, names_of
from services.forecaster.cold import ColdStart
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.series import SiteSeries
from services.forecaster.site import SiteForecasts
from services.forecaster.state import FORMAT, described, state_of, zones_of
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime.clock import monotonic_s
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
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry

    from services.forecaster.issuing import ZoneModels
    from services.forecaster.settings import ForecasterSettings
    from services.forecaster.site import Refusal
    from shared.runtime.records import Record
    from shared.sites.site import Site
    from shared.sites.table import Sites

__all__ = ["ForecasterCore", "Shared", "build"]

COLD = "forecasting from the readings alone until champions are registered: run `tetouan train`"
NO_WEATHER = "no weather at this site: no weather estimate, and no fallback level `weather`"
UNTRAINED = "no weather model: run `tetouan train` on data with weather, or take it out of the site's columns"

SITE = re.compile(rb'"site":\s*"([^"\\]*)"')
TABLE = "table"
"""The array of a site's state that says of which table of the site it is."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Shared:
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
    def of(cls, settings: ForecasterSettings, sites: Sites, registry: CollectorRegistry, health: Health) -> Shared:
        """Return what shows itself in a registry of metrics and in the health of a service."""
        notes, metrics = SiteNotes(health.notes), ForecasterMetrics(registry)
        return cls(
            settings,
            sites,
            Champions(settings, sites, health, notes, metrics),
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
    shared = Shared.of(settings, served_sites(settings, health), registry, health)
    return Service(
        "forecaster",
        (topics.CLEAN,),
        lambda: ForecasterCore(shared),
        registry,
        health,
        max_records=200,
        restores=(topics.CLEAN,),
        publishes=(topics.FORECASTS, topics.REJECTED),
        companions=(shared.champions.confirm,),
    )


class ForecasterCore:
    """Decodes clean readings and answers them; what it cannot answer becomes a dead letter.

    Its sites have nothing in common: what it says of one depends on the readings of that one alone.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._sites: dict[str, SiteForecasts] = {}
        self._metrics: dict[str, SiteSeries] = {}
        self._begins: dict[str, tuple[ZoneModels, ...]] = {}  # of sites whose first reading is at hand
        self._unserved = Unserved()
        self._resumed = False

    async def prepare(self, records: Sequence[Record]) -> None:
        """Fetch the models of the sites that begin with these records."""
        named = {site for record in records if (site := _named(record)) is not None}
        begin = sorted(site for site in named if site in self.shared.sites and site not in self._sites)
        if begin:
            found = await self.shared.champions.fetch(begin, patient=not self._resumed)
            cold, sites = self.shared.cold, self.shared.sites
            self._begins = {site: found.get(site) or cold.zones_of(sites[site]) for site in begin}

    def outdated(self) -> bool:
        """Tell whether the registry has other champions than those that a site began with."""
        return any(self.shared.champions.supersede(name, site.zones) for name, site in self._sites.items())

    def close(self) -> None:
        """Show nothing more of the sites."""
        for name, site in self._sites.items():
            if self.shared.champions.leave(name, site.zones):
                self.shared.metrics.forget(name)
                self.shared.notes.forget(name)
        self._sites, self._metrics = {}, {}

    def adopt(self, site: Site, zones: tuple[ZoneModels, ...]) -> SiteForecasts:
        """Let a site run these models from now on."""
        shared, settings = self.shared, self.shared.settings
        shared.metrics.forget(site.name)  # what ran before
        shared.notes.forget(site.name)
        forecasts = SiteForecasts(site, zones, settings.coverages, timedelta(days=settings.max_gap_days))
        self._sites[site.name] = forecasts
        self._metrics[site.name] = SiteSeries(shared.metrics, site, zones)
        shared.champions.run(site.name, zones)
        if any(zone.cold for zone in zones):
            shared.notes.say("cold", site.name, COLD)
            if why := shared.cold.misfit(site.name):
                shared.notes.say("prior", site.name, why)
        else:
            shared.notes.say("models", site.name, names_of(zones))
            if any(zone.weather is None for zone in zones):
                shared.notes.say("weather", site.name, UNTRAINED if site.weather else NO_WEATHER)
        log.info("running", site=site.name, models=names_of(zones), as_of=str(forecasts.as_of))
        return forecasts

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to; its sites and their models are in the state."""
        return {"tags of the models": ",".join(self.shared.settings.model_tags), "state format": FORMAT}

    def parts(self) -> dict[str, int]:
        """Return the parts of the state, each site and what is known of others, and how often each has changed."""
        return {UNSERVED: self._unserved.changes, **{name: site.changes for name, site in self._sites.items()}}

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return every array of a part by name, such as ``zone2.demand.history.series``; a copy."""
        if part == UNSERVED:
            return self._unserved.state()
        site = self._sites[part]
        return {TABLE: np.array(described(site.site)), **state_of(site.zones)}

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Take over what `state` returned of each part, without the sites that the table no longer has.

        Raises ``ValueError``, and stays as it was, where it does not fit; ``OutdatedError`` where a site was another by
        then, runs other models than are registered, or had readings before the table had it.
        """
        sites, unserved = self.shared.sites, Unserved()
        unserved.resume(parts, parts.keys() - {UNSERVED} - sites.keys())
        if site_before := unserved.first_in(sites):
            raise OutdatedError(f"there were readings of {site_before} before the table of sites had it")
        zones = {name: self._zones_of(sites[name], state) for name, state in parts.items() if name in sites}
        self.close()
        self._unserved = unserved
        for name, models in zones.items():
            self.adopt(sites[name], models)
        self._resumed = True

    def _zones_of(self, site: Site, state: Mapping[str, NDArray[Any]]) -> tuple[ZoneModels, ...]:
        held, now = state.get(TABLE), described(site)
        if held is None or str(held) != now:
            raise OutdatedError(f"{site.name} is {held}, by the table of sites it is {now}")
        try:
            zones = zones_of({name: array for name, array in state.items() if name != TABLE}, site.zones)
        except ValueError as error:
            raise ValueError(f"{site.name}: {error}") from error
        if any(models.cold for models in zones):
            self._require_as_begun(site, zones)
        if self.shared.champions.supersede(site.name, zones):
            raise OutdatedError(f"{site.name} is of {names_of(zones)}, and other champions are registered")
        return zones

    def _require_as_begun(self, site: Site, zones: tuple[ZoneModels, ...]) -> None:
        for models, begun in zip(zones, self.shared.cold.zones_of(site), strict=True):
            if models.cold and models.demand.parameters != begun.demand.parameters:
                raise ValueError(
                    f"{site.name}: zone{models.zone}: the calendar of the site, its step, a lower limit, the prior or "
                    "a constant of the method was another"
                )

    def restore(self, records: Sequence[Record]) -> None:
        """Fold clean readings that were answered before; their forecasts are on the topic."""
        readings: dict[str, list[CleanReading]] = {}
        for record in records:
            admitted = self._admit(record)
            if isinstance(admitted, CleanReading):
                readings.setdefault(admitted.site, []).append(admitted)
        for name, of_site in readings.items():
            self._sites[name].fold(of_site)

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
        issues, lacking = site.answer(readings)
        if lacking > 0:
            self._note_gap(site, lacking)
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
        return [Outgoing(topics.FORECASTS.name, key, issue.to_bytes()) for issue in issues]

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
        forecasts = self._sites.get(site.name) or self.adopt(site, self._begins.pop(site.name))
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


def _named(record: Record) -> str | None:
    """Return the site that the message of a record names, before it is decoded; None where it names none."""
    found = SITE.search(record.value or b"")
    return found[1].decode(errors="replace") if found else None
