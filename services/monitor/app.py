"""The wiring of the monitor: clean readings and forecasts in, scores and drift events out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from services.monitor.metrics import MonitorMetrics
from services.monitor.reports.desk import ReportDesk
from services.monitor.reports.metrics import ReportMetrics
from services.monitor.reports.order import Calendar
from services.monitor.reports.page import report_routes
from services.monitor.verification import Monitor
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast, Scores
from shared.forecasting.scores import step_of
from shared.forecasting.state import refuse_misfit
from shared.runtime.clock import monotonic_s
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.other_sites import OtherSites
from shared.runtime.records import Outgoing
from shared.runtime.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.settings import MonitorSettings
    from services.monitor.verification import Finding
    from shared.runtime.records import Record
    from shared.sites.site import Site

__all__ = ["MonitorCore", "build"]

SILENCE_S = 60.0
CONSUMES = (topics.CLEAN, topics.FORECASTS)

FORMAT = "3"
"""Of the state; it goes up when an array of the same name and shape comes to mean something else."""
_REPORTS = "reports.made_s"


def build(settings: MonitorSettings) -> Service:
    """Return the monitor of the configured zones."""
    registry, health = new_registry(), Health()
    place = settings.place
    weather = tuple(field for field in place.fields if not field.startswith("zone_"))
    desk = ReportDesk(settings, place.step_minutes, ReportMetrics(registry))
    metrics, letters = MonitorMetrics(registry), DeadLetters(registry)

    others = OtherSites("monitor", settings.site, registry, health)

    def make_core() -> MonitorCore:
        monitor = Monitor(settings.zones, silence_s=SILENCE_S, now_s=monotonic_s, weather=weather)
        return MonitorCore(place, monitor, metrics, letters, desk, Calendar(settings.report_every_hours), others)

    return Service(
        "monitor",
        CONSUMES,
        make_core,
        registry,
        health,
        restores=CONSUMES,
        publishes=(topics.SCORES, topics.DRIFT, topics.REJECTED),
        companions=(desk.run,),
        routes=report_routes(settings.reports_dir, settings.report_every_hours),
    )


class MonitorCore:
    """Scores what comes due; a record that cannot be scored becomes a dead letter."""

    def __init__(
        self,
        place: Site,
        monitor: Monitor,
        metrics: MonitorMetrics,
        letters: DeadLetters,
        desk: ReportDesk,
        calendar: Calendar,
        others: OtherSites,
    ) -> None:
        self._desk = desk
        self._site = place
        self._letters = letters
        self._monitor = monitor
        self._metrics = metrics
        self._calendar = calendar
        self._others = others
        monitor.expect(place.name, place.step_minutes, place.calendar)

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to; the models are none of it, for forecasts of any are scored."""
        return {
            "format": FORMAT,
            "site": self._site.name,
            "step_minutes": str(self._site.step_minutes),
            "time_zone": self._site.time_zone,
            "zones": ",".join(map(str, self._monitor.zones)),
            "weather": ",".join(self._monitor.weather),
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name; about 2 MB a zone at 144 steps a day."""
        made_s = self._calendar.made_s(self._site.name, self._monitor.zones)
        return {_REPORTS: made_s, **self._monitor.state()}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned; only of a core that has folded nothing.

        Raises ``ValueError`` that names what does not fit; then nothing has changed.
        """
        refuse_misfit(state, self.state())
        self._monitor.resume(state)
        self._calendar.resume(state[_REPORTS], self._site.name, self._monitor.zones)

    def restore(self, records: Sequence[Record]) -> None:
        """Score what was scored before: windows, detectors and the calendar of the reports go on where they were."""
        self._monitor.be_patient()
        for record in records:
            with suppress(ValueError):  # it was refused then
                message = _read(record)
                if message.site == self._site.name:
                    for finding in self._score(message):
                        if isinstance(finding, Scores):
                            self._due(finding)

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Take each record of the batch in turn."""
        outgoing = [answer for record in records for answer in self._answer(record)]
        self._metrics.repeated_forecasts.set(self._monitor.repeated_forecasts)
        self._metrics.repeated_readings.set(self._monitor.repeated_readings)
        self._metrics.waiting_readings.set(self._monitor.waiting_readings)
        if outgoing:  # what the watches say changes with the hour
            for watch in self._monitor.watches:
                self._metrics.show_watch(watch)
        return outgoing

    def _answer(self, record: Record) -> list[Outgoing]:
        try:
            message = _read(record)
            if message.site != self._site.name:
                self._others.count(message.site)
                return []
            completed = self._score(message)
        except ValueError as error:  # pydantic's and the monitor's own: both name the field and the value
            reason = "invalid_forecast" if record.topic.endswith(topics.FORECASTS.name) else "invalid_clean_reading"
            return [self._letters.of(record, reason, None, str(error)[:200])]
        return [self._publish(finding) for finding in completed]

    def _publish(self, finding: Finding) -> Outgoing:
        if isinstance(finding, Scores):
            self._metrics.show(finding)
            self._desk.on_scores(finding, self._due(finding), self._monitor.recent(finding.site, finding.zone))
            topic = topics.SCORES
        else:
            self._metrics.count(finding)
            topic = topics.DRIFT
        return Outgoing(topic.name, finding.site.encode(), finding.to_bytes())

    def _due(self, scores: Scores) -> list[int]:
        until = step_of(scores.time, self._site.step_minutes)
        return self._calendar.due(scores, until, self._monitor.recent(scores.site, scores.zone))

    def _score(self, message: CleanReading | Forecast) -> list[Finding]:
        """Take a message of this site; raises ``ValueError`` where it has another step than the site."""
        if message.step_minutes != self._site.step_minutes:
            raise ValueError(f"step_minutes: {message.step_minutes}, the site has {self._site.step_minutes}")
        if isinstance(message, Forecast):
            return self._monitor.on_forecast(message)
        return self._monitor.on_reading(message)


def _read(record: Record) -> CleanReading | Forecast:
    """Return the message in a record; raises ``ValueError``, which names field and value."""
    kind = Forecast if record.topic.endswith(topics.FORECASTS.name) else CleanReading
    return kind.from_bytes(record.value or b"")
