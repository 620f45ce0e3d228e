"""The wiring of the monitor: clean readings and forecasts in, scores and drift events out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from services.monitor.decoding import FORECASTS, READINGS
from services.monitor.metrics import MonitorMetrics
from services.monitor.reports.metrics import ReportMetrics
from services.monitor.reports.page import report_routes
from services.monitor.reports.scheduler import ReportScheduler
from services.monitor.sites import SitesScores, named
from services.monitor.verification import DrawnScores, Repeats, ScoredHour, messages_of
from shared.contracts import topics
from shared.runtime.extras import lacking_workbench
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.service import Service
from shared.runtime.site_table import UnknownSites, served_sites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry

    from services.monitor.decoding import ScorableForecast
    from services.monitor.settings import MonitorSettings
    from services.monitor.verification import Finding
    from shared.contracts.decoding import ReadingFields
    from shared.contracts.messages import DriftEvent
    from shared.runtime.records import Record
    from shared.sites.site import Site

__all__ = ["MonitorCore", "MonitorShared", "build"]

CONSUMES = (topics.CLEAN, topics.FORECASTS)
PACE_S = 0.5  # scores are hourly; the forecasts of a round come in many transactions, and each of ours costs 2 ms

FORMAT = "5"
"""Of the state; it goes up when an array of the same name and shape comes to mean something else."""


@dataclass(frozen=True)
class MonitorShared:
    """What the cores of a process have in common."""

    sites: Mapping[str, Site]
    patience: timedelta
    report_every_hours: int
    metrics: MonitorMetrics
    letters: DeadLetters
    scheduler: ReportScheduler
    unknown: UnknownSites

    @classmethod
    def of(
        cls, settings: MonitorSettings, sites: Mapping[str, Site], registry: CollectorRegistry, health: Health
    ) -> Self:
        """Return what shows itself in a registry of metrics and in the health of a service."""
        return cls(
            sites,
            timedelta(days=settings.patience_days),
            settings.report_every_hours,
            MonitorMetrics(registry),
            DeadLetters(registry),
            ReportScheduler(settings, ReportMetrics(registry)),
            UnknownSites(registry, health),
        )


def build(settings: MonitorSettings) -> Service:
    """Return the monitor of all sites of the table: each begins with its first message."""
    registry, health = new_registry(), Health()
    if settings.report_every_hours and (why := lacking_workbench("a report", "evidently")):
        health.notes["reports"] = why
        settings = settings.model_copy(update={"report_every_hours": 0})
    shared = MonitorShared.of(settings, served_sites(settings, health), registry, health)
    return Service(
        "monitor",
        CONSUMES,
        lambda: MonitorCore(shared),
        registry,
        health,
        restores=CONSUMES,
        publishes=(topics.SCORES, topics.DRIFT, topics.REJECTED),
        pace_s=PACE_S,
        companions=(shared.scheduler.run,),
        routes=report_routes(
            settings.reports_dir, settings.report_every_hours, shared.scheduler.under_way, health.notes.get("reports")
        ),
    )


class MonitorCore:
    """Scores what comes due; a record that cannot be scored becomes a dead letter."""

    def __init__(self, shared: MonitorShared) -> None:
        self._shared = shared
        self._scored = SitesScores(shared.sites, shared.patience, shared.report_every_hours)

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to; its sites are in the state, and forecasts of any models are scored."""
        return {"format": FORMAT}

    def parts(self) -> dict[str, int]:
        """Return the parts of the state, and how often each has changed."""
        return self._scored.parts()

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays of a part by name; about 1.6 MB a zone at 144 steps a day."""
        return self._scored.state(part)

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Go on from what :meth:`state` returned of each part; only of a core that has folded nothing.

        A site that is no longer in the table is dropped. Raises ``ValueError`` that names what does not fit,
        ``OutdatedError`` where a site was another or none: its past is on the topics. Then nothing has changed.
        """
        self._scored.resume(parts)

    def close(self) -> None:
        """Show nothing more of the sites."""
        for site in self._scored.begun.values():
            if self._shared.metrics.forget(site):
                self._shared.scheduler.forget(site.site.name)

    def restore(self, records: Sequence[Record]) -> None:
        """Score what was scored before: windows, detectors and the calendar of the reports go on where they were."""
        for record in records:
            try:
                message = self._read(record)
                if message is not None:
                    self._scored.take(message)
            except ValueError:  # it was refused then
                continue

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Take each record of the batch in turn; what they have found is told in one go."""
        answers = [answer for record in records for answer in self._answer(record)]
        said = iter(messages_of([answer for answer in answers if not isinstance(answer, Outgoing)]))
        return [answer if isinstance(answer, Outgoing) else self._publish(next(said)) for answer in answers]

    def _answer(self, record: Record) -> Sequence[Finding | Outgoing]:
        try:
            message = self._read(record)
            if message is None:
                self._shared.unknown.count(named(record.value) or "")
                return []
            site = self._scored.site(message.site)
            forecasts, readings = site.repeats.forecasts, site.repeats.readings
            found = self._scored.take(message)
        except ValueError as error:  # pydantic's and the monitor's own: both name the field and the value
            reason = "invalid_forecast" if _is_forecast(record) else "invalid_clean_reading"
            return [self._shared.letters.of(record, reason, None, str(error)[:200])]
        self._shared.metrics.show(site)
        if site.repeats.forecasts != forecasts or site.repeats.readings != readings:
            self._shared.metrics.count_repeats(site, Repeats(forecasts, readings))
        for finding, due in found:
            if isinstance(finding, ScoredHour):
                self._shared.scheduler.on_hour(finding, due, site.zones[finding.zone].recent)
        return [finding for finding, _ in found]

    def _publish(self, message: DrawnScores | DriftEvent) -> Outgoing:
        if isinstance(message, DrawnScores):
            self._shared.metrics.show_scores(message)
            topic = topics.SCORES
        else:
            self._shared.metrics.count(message)
            topic = topics.DRIFT
        return Outgoing(topic.name, message.site.encode(), message.to_bytes())

    def _read(self, record: Record) -> ReadingFields | ScorableForecast | None:
        """Return the message in a record, None where it names a site that the table does not have.

        That is not decoded. Raises ``ValueError``, which names field and value.
        """
        name = named(record.value)
        if name is not None and name not in self._shared.sites:
            self._scored.pass_over(name)
            return None
        raw = record.value or b""
        message = FORECASTS.read(raw) if _is_forecast(record) else READINGS.read(raw)
        if message.site != name:
            raise ValueError(f"site: {message.site!r} and {name!r}: the message names two sites")
        return message


def _is_forecast(record: Record) -> bool:
    return record.topic.endswith(topics.FORECASTS.name)
