"""The wiring of the monitor: clean readings and forecasts in, scores out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitor.metrics import MonitorMetrics
from services.monitor.verification import Monitor
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast
from shared.runtime.health import Health
from shared.runtime.kafka import Outgoing, dead_letter
from shared.runtime.metrics import new_registry
from shared.runtime.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.monitor.settings import MonitorSettings
    from shared.contracts.messages import Scores
    from shared.runtime.kafka import Record

__all__ = ["MonitorCore", "build"]


def build(settings: MonitorSettings) -> Service:
    """Return the monitor of the configured zones."""
    metrics, health = new_registry(), Health()

    async def make_core() -> MonitorCore:
        return MonitorCore(Monitor(settings.zones), MonitorMetrics(metrics))

    return Service("monitor", (topics.CLEAN, topics.FORECASTS), make_core, metrics, health)


class MonitorCore:
    """Scores what comes due; a record that cannot be scored becomes a dead letter."""

    def __init__(self, monitor: Monitor, metrics: MonitorMetrics) -> None:
        self._monitor = monitor
        self._metrics = metrics

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Take each record of the batch in turn."""
        outgoing = [answer for record in records for answer in self._answer(record)]
        self._metrics.repeated_forecasts.set(self._monitor.repeated_forecasts)
        self._metrics.waiting_readings.set(self._monitor.waiting_readings)
        return outgoing

    def _answer(self, record: Record) -> list[Outgoing]:
        try:
            completed = self._score(record)
        except ValueError as error:  # pydantic's and the monitor's own: both name the field and the value
            reason = "invalid_forecast" if record.topic.endswith(topics.FORECASTS.name) else "invalid_clean_reading"
            self._metrics.dead_letters.labels(reason).inc()
            return [dead_letter(record, reason, None, str(error)[:200])]
        for scores in completed:
            self._metrics.show(scores)
        return [Outgoing(topics.SCORES.name, scores.site.encode(), scores.to_bytes()) for scores in completed]

    def _score(self, record: Record) -> list[Scores]:
        value = record.value or b""
        if record.topic.endswith(topics.FORECASTS.name):
            return self._monitor.on_forecast(Forecast.from_bytes(value))
        return self._monitor.on_reading(CleanReading.from_bytes(value))
