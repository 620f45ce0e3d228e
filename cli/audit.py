"""Listens to the topics of a demo from outside and keeps account: what was accepted, refused and answered."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition
from pydantic import ValidationError

from cli.processes import AUDIT
from cli.watching import letter_of
from shared.contracts import topics
from shared.contracts.messages import CleanReading, DriftEvent, Forecast, Scores
from shared.runtime.access import Access
from shared.runtime.administration import partitions_of

if TYPE_CHECKING:
    from datetime import datetime

    from confluent_kafka import Message

    from backtest.transcript import Transcript

__all__ = ["Audit"]

READS = (topics.CLEAN, topics.REJECTED, topics.FORECASTS, topics.SCORES, topics.DRIFT)
BATCH = 500
ANSWER_S = 2.0
RECENT = 1000  # readings kept for those who show them beside their forecast


class Audit:
    """The accounting of one demo; it commits what it has read, so that the replay does not run away from it.

    Parameters
    ----------
    bootstrap
        The broker of the demo.
    site
        The one that is replayed; the readings of others are counted, and what is said of them is not kept.
    transcripts
        Of the zones that are forecast.
    """

    def __init__(self, bootstrap: str, site: str, transcripts: tuple[Transcript, ...]) -> None:
        self._site = site
        self._consumer = Consumer(Access(bootstrap).confluent({"group.id": AUDIT, "enable.auto.commit": False}))
        self._consumer.assign([part for topic in READS for part in partitions_of(self._consumer, topic.name, 0)])
        self.accepted = 0
        self.of_others = 0  # among those accepted
        self.rejected = 0
        self.amended = 0
        self.levels: Counter[str] = Counter()
        self.digest = hashlib.sha256()
        self.transcripts = {transcript.zone: transcript for transcript in transcripts}
        self.readings: dict[datetime, CleanReading] = {}
        self.forecasts: dict[int, Forecast] = {}
        self.scores: dict[int, Scores] = {}
        self.drift_events: dict[str, DriftEvent] = {}

    def __enter__(self) -> Audit:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    @property
    def missing(self) -> int:
        """Accepted readings without a forecast, counted once a zone."""
        return sum(len(transcript.missing()) for transcript in self.transcripts.values())

    @property
    def duplicates(self) -> int:
        """Forecasts that repeat an origin."""
        return sum(transcript.duplicates for transcript in self.transcripts.values())

    @property
    def issued(self) -> int:
        """Forecasts seen so far, repeated ones too."""
        return sum(self.levels.values())

    def sent(self) -> int:
        """Ask the broker how many readings have been sent; any thread may. Raises ``KafkaException``: no answer."""
        partitions = partitions_of(self._consumer, topics.RAW.name)
        return sum(self._consumer.get_watermark_offsets(each, timeout=ANSWER_S)[1] for each in partitions)

    def poll(self, wait_s: float) -> int:
        """Count what has come; returns the number of records."""
        messages = [message for message in self._consumer.consume(BATCH, wait_s) if message.error() is None]
        for message in messages:
            with suppress(ValidationError):  # the services turn it into a dead letter
                self._count(message)
        if messages:
            self._commit(messages)
        return len(messages)

    def _count(self, message: Message) -> None:
        value = message.value() or b""
        match message.topic():
            case topics.CLEAN.name:
                self._count_reading(CleanReading.from_bytes(value))
            case topics.REJECTED.name:
                self.rejected += letter_of(message).topic == topics.RAW.name
            case topics.FORECASTS.name:
                self._count_forecast(Forecast.from_bytes(value), value)
            case topics.SCORES.name:
                scores = Scores.from_bytes(value)
                if scores.site == self._site:
                    self.scores[scores.zone] = scores
            case topics.DRIFT.name:
                event = DriftEvent.from_bytes(value)
                self.drift_events[event.id] = event

    def _count_forecast(self, forecast: Forecast, value: bytes) -> None:
        if forecast.site != self._site:
            return
        self.digest.update(value)
        self.levels.update(span.level for span in forecast.levels[:1])
        self.forecasts[forecast.zone] = forecast
        self.transcripts[forecast.zone].add_forecast(forecast)

    def _count_reading(self, reading: CleanReading) -> None:
        self.accepted += reading.revision == 0
        self.amended += reading.revision > 0
        if reading.site != self._site:
            self.of_others += reading.revision == 0
            return
        self.readings[reading.time] = reading
        if len(self.readings) > RECENT:
            self.readings.pop(next(iter(self.readings)))
        for transcript in self.transcripts.values():
            transcript.add_reading(reading)

    def _commit(self, messages: list[Message]) -> None:
        ends = {(m.topic(), m.partition()): m.offset() for m in messages}
        offsets = [
            TopicPartition(topic, partition, offset + 1)
            for (topic, partition), offset in ends.items()
            if topic is not None and partition is not None and offset is not None
        ]
        self._consumer.commit(offsets=offsets, asynchronous=True)
