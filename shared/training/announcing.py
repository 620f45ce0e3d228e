"""Tells running forecasters, on the topic of model events, what was registered and which versions are to run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from pydantic import ValidationError

from shared.contracts import topics
from shared.contracts.messages import ModelEvent
from shared.runtime.administration import partitions_of
from shared.runtime.diagnosis import explain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from confluent_kafka import Message

    from shared.runtime.concerns import KafkaSettings
    from shared.runtime.registry import ModelVersion
    from shared.sites.site import Site
    from shared.training.training import TrainingReport

__all__ = ["Announcement", "Change", "announce", "event_of", "events_of"]

Change = Literal["registered", "promoted", "rolled_back"]

ANSWER_S = 5.0


def events_of(report: TrainingReport, site: Site) -> list[ModelEvent]:
    """Return what is to be told of a training: each version, and of each champion that it is one.

    They hold from the first reading on that the models have not seen. Those of a zone's ``weather-demand`` stand before
    those of its ``zone-demand``.
    """
    origin = report.as_of + site.grid.length
    models = sorted(report.models, key=lambda trained: trained.version.name.startswith("zone-demand"))
    changes: tuple[Change, ...] = ("registered", "promoted")
    return [
        event_of(trained.version, change, site.name, origin, trained.reason)
        for trained in models
        for change in changes
        if change == "registered" or trained.promoted
    ]


def event_of(version: ModelVersion, change: Change, site: str, origin: datetime, reason: str) -> ModelEvent:
    """Return what is to be told of a version; it holds from the ``origin`` on at the earliest."""
    return ModelEvent(
        site=site,
        zone=int(version.name.rpartition("-")[2]),
        model=version.name,
        version=version.version,
        role="champion",
        change=change,
        origin=origin,
        reason=reason,
        evidence={name: value for name, value in version.metrics.items() if math.isfinite(value)},
    )


class Announcement(NamedTuple):
    """How many events were written, and why the topic cannot be told what it lacks; None where it knows all."""

    written: int
    fault: str | None


def announce(events: Sequence[ModelEvent], settings: KafkaSettings) -> Announcement:
    """Write those that the topic does not know yet: each registration once, a champion where another one is wanted.

    So who is interrupted tells the rest when it is called again. The topic is not made here: who makes it says how many
    partitions it has, and how it keeps its records.
    """
    name = settings.topic_prefix + topics.MODELS.name
    try:
        known = _known(settings, name)
        if known is None:
            why = f"topic {name} is not on {settings.kafka_bootstrap}: start the services, or `tetouan topics`"
            return Announcement(0, why)
        unknown = [event for event in events if not known.tells(event)]
        _publish(unknown, settings, name)
    except KafkaException as error:
        return Announcement(0, explain(settings.kafka, error, name))
    return Announcement(len(unknown), None)


@dataclass
class _Known:
    """What stands on the topic: the versions that are registered, and of each model the champion told last."""

    registered: set[tuple[str, str | None]] = field(default_factory=set)
    champions: dict[str, tuple[str | None, int, int]] = field(default_factory=dict)

    def tells(self, event: ModelEvent) -> bool:
        """Tell whether nothing is new in an event."""
        if event.change == "registered":
            return (event.model, event.version) in self.registered
        return self.champions.get(event.model, (None, 0, 0))[0] == event.version

    def take(self, message: Message) -> None:
        """Note what a record says; what is no event is counted by the forecasters."""
        try:
            event = ModelEvent.from_bytes(message.value() or b"")
        except ValidationError:
            return
        if event.change == "registered":
            self.registered.add((event.model, event.version))
        elif event.change != "in_force" and event.role == "champion":
            self._promote(event, message.partition() or 0, message.timestamp()[1])

    def _promote(self, event: ModelEvent, partition: int, timestamp_ms: int) -> None:
        """Let the later of two win, as forecasters do: on one partition by its place, on two by their times."""
        _, other, before_ms = self.champions.get(event.model, (None, partition, timestamp_ms))
        if other == partition or before_ms <= timestamp_ms:
            self.champions[event.model] = event.version, partition, timestamp_ms


def _known(settings: KafkaSettings, name: str) -> _Known | None:
    """Return what stands on the topic, None where there is none; raises ``KafkaException``."""
    config = {
        "group.id": "train",
        "enable.partition.eof": True,
        "enable.auto.commit": False,
        # the transaction of a forecaster that was killed would hide all behind it for a minute; what is written in
        # transactions, that a model is in force, is not looked at here
        "isolation.level": "read_uncommitted",
    }
    consumer = Consumer(settings.kafka.confluent(config))
    try:
        partitions = partitions_of(consumer, name, OFFSET_BEGINNING)
        if not partitions:
            return None
        consumer.assign(partitions)
        known = _Known()
        left = len(partitions)
        while left:
            message = consumer.poll(ANSWER_S)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the client's public name
            if (error := message.error()) is None:
                known.take(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                left -= 1
            else:
                raise KafkaException(error)
        return known
    finally:
        consumer.close()


def _publish(events: Sequence[ModelEvent], settings: KafkaSettings, name: str) -> None:
    """Write the events, in their order; raises ``KafkaException`` where they are not confirmed."""
    failures: list[KafkaError] = []
    config = {
        "enable.idempotence": True,
        "delivery.timeout.ms": int(1000 * ANSWER_S),
        "linger.ms": 0,
        "partitioner": "murmur2_random",  # that of all other senders: a site stands on one number everywhere
    }
    producer = Producer(settings.kafka.confluent(config))
    for event in events:
        producer.produce(
            name,
            value=event.to_bytes(),
            key=event.site.encode(),
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
    if producer.flush(2 * ANSWER_S):
        raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT))  # noqa: SLF001 - the client's public name
    if failures:
        raise KafkaException(failures[0])
