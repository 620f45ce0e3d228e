"""The wiring of the ingestor: raw records in, clean readings or dead letters out."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from services.ingestor.judging import Accepted, Ingestor, Merged
from services.ingestor.metrics import IngestorMetrics
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime.clock import now
from shared.runtime.health import Health
from shared.runtime.kafka import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.ingestor.settings import IngestorSettings
    from shared.runtime.records import Record

__all__ = ["IngestorCore", "build"]


def build(settings: IngestorSettings) -> Service:
    """Return the ingestor of the configured site."""
    metrics, health = new_registry(), Health()
    ingestor = Ingestor([settings.place], timedelta(days=settings.max_gap_days), now)

    async def make_core() -> IngestorCore:
        return IngestorCore(ingestor, IngestorMetrics(metrics), DeadLetters(metrics))

    return Service("ingestor", (topics.RAW,), make_core, metrics, health, restores=(topics.CLEAN,))


class IngestorCore:
    """Gives each raw record its outcome: a clean reading, a dead letter, or merged and counted."""

    def __init__(self, ingestor: Ingestor, metrics: IngestorMetrics, letters: DeadLetters) -> None:
        self._letters = letters
        self._ingestor = ingestor
        self._metrics = metrics

    def restore(self, records: Sequence[Record]) -> None:
        """Remember the readings that were published."""
        for record in records:
            with suppress(ValidationError):  # somebody else's, refused by those who read it
                self._ingestor.remember(CleanReading.from_bytes(record.value or b""))

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Judge each record of the batch in turn."""
        answers = (self._answer(record) for record in records)
        return [answer for answer in answers if answer is not None]

    def _answer(self, record: Record) -> Outgoing | None:
        outcome = self._ingestor.judge(record.value or b"")
        if isinstance(outcome, Accepted):
            self._account(outcome.reading)
            return Outgoing(topics.CLEAN.name, outcome.reading.site.encode(), outcome.reading.to_bytes())
        if isinstance(outcome, Merged):
            self._metrics.merged.labels(outcome.reading.site).inc()
            return None
        return self._letters.of(record, outcome.reason, outcome.field, outcome.value)

    def _account(self, reading: CleanReading) -> None:
        self._metrics.accepted.labels(reading.site).inc()
        self._metrics.time_s.labels(reading.site).set(reading.time.timestamp())
        for field, flagged in reading.flags.items():
            self._metrics.flags.labels(field, flagged.flag).inc()
        for field, value in reading.values.items():
            if value is not None:
                self._metrics.value.labels(reading.site, field).set(value)
