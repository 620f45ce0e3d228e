"""Tells running forecasters, on the topic of model events, what a training has registered and promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from pydantic import ValidationError

from shared.contracts import topics
from shared.contracts.messages import ModelEvent
from shared.runtime.administration import partitions_of
from shared.runtime.diagnosis import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from typing import Literal

    from shared.runtime.concerns import KafkaSettings
    from shared.sites.site import Site
    from shared.training.training import Trained, TrainingReport

    Change = Literal["registered", "promoted"]

__all__ = ["announce", "events_of"]

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
        _event(trained, change, site.name, origin)
        for trained in models
        for change in changes
        if change == "registered" or trained.promoted
    ]


def _event(trained: Trained, change: Change, site: str, origin: datetime) -> ModelEvent:
    version = trained.version
    return ModelEvent(
        site=site,
        zone=int(version.name.rpartition("-")[2]),
        model=version.name,
        version=version.version,
        role="champion",
        change=change,
        origin=origin,
        reason=trained.reason,
        evidence=dict(version.metrics),
    )


def announce(events: Sequence[ModelEvent], settings: KafkaSettings) -> str | None:
    """Write those that the topic does not have yet; returns why that cannot be, None where it is done.

    The topic is not made here: who makes it says how many partitions it has, and how it keeps its records.
    """
    name = settings.topic_prefix + topics.MODELS.name
    try:
        said = _said(settings, name)
        if said is None:
            return f"topic {name} is not on {settings.kafka_bootstrap}: start the services, or `tetouan topics`"
        _publish([event for event in events if _key(event) not in said], settings, name)
    except KafkaException as error:
        return explain(settings.kafka, error, name)
    return None


def _key(event: ModelEvent) -> tuple[str, str | None, str]:
    return event.model, event.version, event.change


def _said(settings: KafkaSettings, name: str) -> set[tuple[str, str | None, str]] | None:
    """Return what stands on the topic, None where there is none; raises ``KafkaException``."""
    consumer = Consumer(
        settings.kafka.confluent({"group.id": "train", "enable.partition.eof": True, "enable.auto.commit": False})
    )
    try:
        partitions = partitions_of(consumer, name, OFFSET_BEGINNING)
        if not partitions:
            return None
        consumer.assign(partitions)
        said: set[tuple[str, str | None, str]] = set()
        left = len(partitions)
        while left:
            message = consumer.poll(ANSWER_S)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the client's public name
            if (error := message.error()) is None:
                said.update(_read(message.value()))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                left -= 1
            else:
                raise KafkaException(error)
        return said
    finally:
        consumer.close()


def _read(raw: bytes | None) -> Iterable[tuple[str, str | None, str]]:
    try:
        return [_key(ModelEvent.from_bytes(raw or b""))]
    except ValidationError:  # forecasters count it
        return []


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
