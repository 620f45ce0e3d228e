"""The wiring of the ingestor: raw records in, clean readings or dead letters out."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from services.ingestor.judging import Accepted, Ingestor, Merged
from services.ingestor.metrics import IngestorMetrics
from services.ingestor.validation import EPOCH
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.forecasting.state import refuse_misfit
from shared.runtime.clock import now
from shared.runtime.health import Health
from shared.runtime.kafka import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from services.ingestor.settings import IngestorSettings
    from shared.data.sites import Site
    from shared.runtime.records import Record

__all__ = ["IngestorCore", "build"]

FORMAT = "1"
"""Of the state; it goes up when an array of the same name and shape comes to mean something else."""


def build(settings: IngestorSettings) -> Service:
    """Return the ingestor of the configured site."""
    registry, health = new_registry(), Health()
    metrics, letters = IngestorMetrics(registry), DeadLetters(registry)
    place, max_gap = settings.place, timedelta(days=settings.max_gap_days)

    def make_core() -> IngestorCore:
        return IngestorCore(place, Ingestor([place], max_gap), metrics, letters)

    return Service(
        "ingestor",
        (topics.RAW,),
        make_core,
        registry,
        health,
        restores=(topics.CLEAN,),
        publishes=(topics.CLEAN, topics.REJECTED),
    )


class IngestorCore:
    """Gives each raw record its outcome: a clean reading, a dead letter, or merged and counted."""

    def __init__(self, place: Site, ingestor: Ingestor, metrics: IngestorMetrics, letters: DeadLetters) -> None:
        self._site = place
        self._letters = letters
        self._ingestor = ingestor
        self._metrics = metrics

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to."""
        return {"format": FORMAT, "site": self._site.name, "step_minutes": str(self._site.step_minutes)}

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        return self._ingestor.state()

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned; only of a core that has folded nothing.

        Raises ``ValueError`` that names what does not fit; then nothing has changed.
        """
        refuse_misfit(state, self.state())
        self._ingestor.resume(state)

    def restore(self, records: Sequence[Record]) -> None:
        """Judge raw records again, whose outcomes are known, and remember clean readings, which were published."""
        for record in records:
            value = record.value or b""
            if record.topic.endswith(topics.RAW.name):
                self._ingestor.judge(value, _came(record))
                continue
            with suppress(ValidationError):  # somebody else's, refused by those who read it
                self._ingestor.remember(CleanReading.from_bytes(value))

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Judge each record of the batch in turn."""
        answers = (self._answer(record) for record in records)
        return [answer for answer in answers if answer is not None]

    def _answer(self, record: Record) -> Outgoing | None:
        outcome = self._ingestor.judge(record.value or b"", _came(record))
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


def _came(record: Record) -> datetime:
    """Return when the record came: by its own time, so that a second fold comes to what the first one said.

    Whoever sent it is not believed that it comes from the future: a record with such a time, or without any, is judged
    by the clock, which a second fold may see go on.
    """
    wall_clock = now()
    if 0 <= record.timestamp < (wall_clock - EPOCH) / timedelta(milliseconds=1):  # -1 where the sender writes none
        return EPOCH + timedelta(milliseconds=record.timestamp)
    return wall_clock
