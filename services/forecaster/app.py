"""The wiring of the forecaster: clean readings in, forecasts out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
import tenacity
from pydantic import ValidationError

from services.forecaster.issuing import Issuer, ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.state import identity_of, resume_zones, state_of
from shared.contracts import topics
from shared.contracts.messages import CleanReading, ModelNames
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import WeatherDemand
from shared.runtime.clock import monotonic_s
from shared.runtime.health import Health
from shared.runtime.kafka import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.registry import ModelVersion, Registry, RegistryError
from shared.runtime.service import Service
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.forecaster.issue import Issue
    from services.forecaster.settings import ForecasterSettings
    from shared.data.sites import Site
    from shared.runtime.records import Record

__all__ = ["ForecasterCore", "build", "load_models"]

Refusal = tuple[str, str | None, str]  # reason, field and value of a dead letter

log = structlog.get_logger()


def build(settings: ForecasterSettings) -> Service:
    """Return the forecaster, which waits for its models for some minutes."""
    place = settings.place
    registry, health = new_registry(), Health()
    metrics, letters = ForecasterMetrics(registry), DeadLetters(registry)

    async def make_core() -> ForecasterCore:
        zones = await _await_models(settings, place, health)
        return ForecasterCore(settings, zones, metrics, letters, health)

    return Service(
        "forecaster", (topics.CLEAN,), make_core, registry, health, max_records=200, restores=(topics.CLEAN,)
    )


async def _await_models(settings: ForecasterSettings, place: Site, health: Health) -> tuple[ZoneModels, ...]:
    """Load the models as soon as they are registered; where they are not in time, start without any.

    Raises ``RegistryError`` where versions with certain tags are wanted.
    """

    def say(state: tenacity.RetryCallState) -> None:
        why = str(state.outcome.exception()) if state.outcome else ""
        health.waiting_for["models"] = why
        health.progressed()
        log.info("waiting for the models", why=why)

    health.waiting_for["models"] = "the models are being loaded"
    registered = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(RegistryError),
        wait=tenacity.wait_exponential(multiplier=0.5, max=2),
        stop=tenacity.stop_after_delay(settings.models_wait_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        zones: tuple[ZoneModels, ...] = await registered(asyncio.to_thread, load_models, settings, place)
    except RegistryError as error:
        if settings.model_tags:
            raise
        health.notes["cold"] = f"forecasting from the readings alone, since {error}; then start the forecaster again"
        log.warning("starting without champions", why=str(error))
        zones = tuple(ZoneModels.cold(place, zone) for zone in settings.zones)
    del health.waiting_for["models"]
    return zones


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
        return ZoneModels(
            zone=zone,
            demand=ZoneDemand.load(registry.fetch(demand) / "state.npz"),
            weather=WeatherDemand.load(registry.fetch(weather)),
            names=ModelNames(demand=demand.label, weather=weather.label),
        )
    except (OSError, ValueError) as error:
        raise Refused(f"the files of {demand.label} or {weather.label} cannot be used: {error}") from error


def _version(registry: Registry, tags: dict[str, str], name: str) -> ModelVersion:
    version = registry.find(name, tags) if tags else registry.champion(name)
    if version is None:
        wanted = " and ".join(f"{tag}={value}" for tag, value in tags.items())
        what = f"version of {name} with {wanted}" if tags else f"champion of {name}"
        raise RegistryError(f"no {what} is registered: run `tetouan train`")
    return version


class ForecasterCore:
    """Decodes clean readings and answers them; what it cannot answer becomes a dead letter."""

    def __init__(
        self,
        settings: ForecasterSettings,
        zones: tuple[ZoneModels, ...],
        metrics: ForecasterMetrics,
        letters: DeadLetters,
        health: Health,
    ) -> None:
        self._site = settings.place
        self._max_gap = timedelta(days=settings.max_gap_days)
        self._zones = zones
        self._identity = identity_of(self._site, zones)  # of the models as they were loaded
        self._issuer = Issuer(self._site, zones, settings.coverages)
        self._metrics = metrics
        self._letters = letters
        self._health = health
        self._as_of = min((zone.as_of for zone in zones if zone.as_of is not None), default=None)
        self._newest = self._as_of
        for zone in zones:
            for label in (zone.names.demand, zone.names.weather):
                if label is not None:
                    self._announce(label)

    def _announce(self, label: str) -> None:
        model, version = label.rsplit("/", 1)
        self._metrics.model_info.labels(model, version).set(1)
        self._health.notes[model] = version
        log.info("running", model=model, version=version, as_of=str(self._as_of))

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to: the site, its zones and their models."""
        return self._identity

    def state(self) -> dict[str, NDArray[Any]]:
        """Return every array of the state by name; a copy."""
        newest_s = -1 if self._newest is None else int(self._newest.timestamp())
        return {"newest_s": np.array(newest_s), **state_of(self._zones)}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned; raises ``ValueError``, and stays as it was, where it does not fit."""
        zones = dict(state)
        newest_s = zones.pop("newest_s", None)
        if newest_s is None or newest_s.shape != () or newest_s.dtype.kind != "i":
            raise ValueError("newest_s: the state needs one whole number")
        resume_zones(self._zones, zones)
        self._newest = None if newest_s < 0 else datetime.fromtimestamp(int(newest_s), UTC)
        self._as_of = self._newest

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
        started_s = monotonic_s()
        issues = self._issuer.answer(readings)
        self._account(readings, issues, monotonic_s() - started_s)
        key = self._site.name.encode()
        return letters + [Outgoing(topics.FORECASTS.name, key, issue.to_bytes()) for issue in issues]

    def _admit(self, record: Record) -> CleanReading | Refusal | None:
        """Return the reading to answer, why the record is none, or None where it is of another site."""
        try:
            reading = CleanReading.from_bytes(record.value or b"")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or None
            return "invalid_clean_reading", field, repr(first["input"])[:200]
        if reading.site != self._site.name:
            return None
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
        missing = (first - self._as_of) // timedelta(minutes=self._site.step_minutes) - 1
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
