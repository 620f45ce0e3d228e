"""The wiring of the forecaster: clean readings in, forecasts out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from services.forecaster.champions import Champions, names_of
from services.forecaster.issuing import Issuer, ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.state import FORMAT, state_of, zones_of
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime.clock import monotonic_s
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.other_sites import OtherSites
from shared.runtime.records import Outgoing
from shared.runtime.service import Service
from shared.runtime.state import OutdatedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from services.forecaster.issue import Issue
    from services.forecaster.settings import ForecasterSettings
    from shared.runtime.records import Record

__all__ = ["ForecasterCore", "build"]

Refusal = tuple[str, str | None, str]  # reason, field and value of a dead letter

COLD = "forecasting from the readings alone until champions are registered: run `tetouan train`"

NO_WEATHER = "no weather at this site: no weather estimate, and no fallback level `weather`"
UNTRAINED = "no weather model: run `tetouan train` on data with weather, or take it out of the site's columns"

log = structlog.get_logger()


def build(settings: ForecasterSettings) -> Service:
    """Return the forecaster, which goes on with the models that it has kept, or waits for some minutes for others."""
    registry, health = new_registry(), Health()
    metrics, letters = ForecasterMetrics(registry), DeadLetters(registry)
    champions = Champions(settings, health, metrics.champions_confirmed)
    others = OtherSites("forecaster", settings.site, registry, health)
    return Service(
        "forecaster",
        (topics.CLEAN,),
        lambda: ForecasterCore(settings, champions, metrics, letters, health, others),
        registry,
        health,
        max_records=200,
        restores=(topics.CLEAN,),
        publishes=(topics.FORECASTS, topics.REJECTED),
        companions=(champions.confirm,),
    )


class ForecasterCore:
    """Decodes clean readings and answers them; what it cannot answer becomes a dead letter."""

    def __init__(
        self,
        settings: ForecasterSettings,
        champions: Champions,
        metrics: ForecasterMetrics,
        letters: DeadLetters,
        health: Health,
        others: OtherSites,
    ) -> None:
        self._settings = settings
        self._site = settings.place
        self._max_gap = timedelta(days=settings.max_gap_days)
        self._champions = champions
        self._metrics = metrics
        self._letters = letters
        self._health = health
        self._others = others
        self._zones: tuple[ZoneModels, ...] = ()
        self._issuer = Issuer(self._site, ())
        self._as_of: datetime | None = None
        self._newest: datetime | None = None

    async def begin(self) -> None:
        """Begin with the champions as they were registered."""
        self.adopt(await self._champions.fetch())

    def outdated(self) -> bool:
        """Tell whether the registry has other champions than those that this core began with."""
        return self._champions.supersede(self._zones)

    def adopt(self, zones: tuple[ZoneModels, ...]) -> None:
        """Run these models from now on."""
        as_of = min((zone.as_of for zone in zones if zone.as_of is not None), default=None)
        self._zones, self._as_of, self._newest = zones, as_of, as_of
        self._champions.run(zones)
        self._issuer = Issuer(self._site, zones, self._settings.coverages)
        self._metrics.model_info.clear()
        for note in ("cold", "gap", "ignored", "origin", "weather"):  # of models that ran before
            self._health.notes.pop(note, None)
        for label in (label for zone in zones for label in (zone.names.demand, zone.names.weather)):
            if label is not None:
                self._announce(label)
        if any(zone.cold for zone in zones):
            self._health.notes["cold"] = COLD
        elif any(zone.weather is None for zone in zones):
            self._health.notes["weather"] = UNTRAINED if self._site.weather else NO_WEATHER

    def _announce(self, label: str) -> None:
        model, version = label.rsplit("/", 1)
        self._metrics.model_info.labels(model, version).set(1)
        self._health.notes[model] = version
        log.info("running", model=model, version=version, as_of=str(self._as_of))

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to: the site and what is asked of it; the models are in the state."""
        return {
            "site": self._site.name,
            "step_minutes": str(self._site.step_minutes),
            "weather": ",".join(self._site.weather),
            "zones": ",".join(map(str, self._settings.zones)),
            "tags of the models": ",".join(self._settings.model_tags),
            "state format": FORMAT,
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """Return every array of the state by name; a copy."""
        return state_of(self._zones)

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned; raises ``ValueError``, and stays as it was, where it does not fit."""
        zones = zones_of(state, self._settings.zones)
        for models in zones:
            if models.cold and models.demand.parameters != self._cold_parameters(models.zone):
                raise ValueError(
                    f"zone{models.zone}: the calendar of the site, its step, a lower limit or a constant of the method "
                    "was another"
                )
        if self._champions.supersede(zones):
            raise OutdatedError(f"it is of {names_of(zones)}, and other champions are registered")
        self.adopt(zones)

    def _cold_parameters(self, zone: int) -> dict[str, Any]:
        return ZoneModels.begun_cold(self._site, zone).demand.parameters

    def restore(self, records: Sequence[Record]) -> None:
        """Fold clean readings that were answered before; their forecasts are on the topic."""
        admitted = (self._admit(record) for record in records)
        self._issuer.answer([reading for reading in admitted if isinstance(reading, CleanReading)])
        self._as_of = self._newest

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Answer each clean reading of the site that the state does not hold yet, zone by zone."""
        admitted = [(record, self._admit(record)) for record in records]
        letters = [self._letters.of(record, *refusal) for record, refusal in admitted if isinstance(refusal, tuple)]
        readings = [reading for _, reading in admitted if isinstance(reading, CleanReading)]
        for _, site in admitted:
            if isinstance(site, str):
                self._others.count(site)
        started_s = monotonic_s()
        issues = self._issuer.answer(readings)
        self._account(readings, issues, monotonic_s() - started_s)
        key = self._site.name.encode()
        return letters + [Outgoing(topics.FORECASTS.name, key, issue.to_bytes()) for issue in issues]

    def _admit(self, record: Record) -> CleanReading | Refusal | str:
        """Return the reading to answer, why the record is none, or the name of another site that it is of."""
        try:
            reading = CleanReading.from_bytes(record.value or b"")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or None
            return "invalid_clean_reading", field, repr(first["input"])[:200]
        if reading.site != self._site.name:
            return reading.site
        refusal = self._refusal(reading)
        if refusal is None:
            self._newest = max(self._newest or reading.time, reading.time)
        return refusal or reading

    def _refusal(self, reading: CleanReading) -> Refusal | None:
        """Return reason, field and value where the reading is one of this site that no state can take."""
        if reading.step_minutes != self._site.step_minutes:
            return "wrong_step", "step_minutes", str(reading.step_minutes)
        if self._newest is not None and reading.time - self._newest > self._max_gap:
            advice = f"more than {self._max_gap.days} days after {self._newest.isoformat()}: run `tetouan train`"
            return "too_far_ahead", "time", f"{reading.time.isoformat()} is {advice}"
        return None

    def _account(self, readings: Sequence[CleanReading], issues: Sequence[Issue], duration_s: float) -> None:
        answered = {issue.origin for issue in issues}
        ignored = [reading for reading in readings if reading.time not in answered]
        if ignored:
            self._note_ignored(ignored)
        if not issues:
            return
        if "origin" not in self._health.notes:
            self._note_gap(issues[0].origin)
        self._metrics.step_s.observe(duration_s / len(answered))
        self._metrics.count(issues)
        for issue in {issue.zone: issue for issue in issues}.values():
            self._metrics.show(issue)
        self._health.notes["origin"] = issues[-1].origin.isoformat()
        self._health.notes.pop("ignored", None)

    def _note_gap(self, first: datetime) -> None:
        """Say so where the first reading does not follow the state: the gap is filled by the model's own forecasts."""
        if self._as_of is None:
            return
        missing = (first - self._as_of) // self._site.grid.length - 1
        if missing > 0:
            note = f"{missing} readings between {self._as_of.isoformat()} and the first one are filled by forecasts"
            self._health.notes["gap"] = note
            log.warning("the readings do not follow the models", why=note)

    def _note_ignored(self, ignored: Sequence[CleanReading]) -> None:
        self._metrics.ignored.labels(self._site.name).inc(len(ignored))
        note = f"the models know all readings up to {ignored[-1].time.isoformat()}: waiting for later ones"
        if "ignored" not in self._health.notes:
            log.warning("readings ignored", why=note, readings=len(ignored))
        self._health.notes["ignored"] = note
