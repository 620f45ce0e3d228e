"""Tells whoever has sent readings that nobody forecasts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException

from shared.contracts import topics
from shared.runtime.administration import partitions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.pacing import Pauses
    from shared.contracts.topics import Topic
    from shared.runtime.concerns import KafkaSettings

__all__ = ["Counts", "counted", "remark", "remark_on"]

PATIENCE_S = 10.0
POLL_S = 0.2
ANSWER_S = 5.0


@dataclass(frozen=True)
class Counts:
    """How many records have ever stood on two topics."""

    clean: int
    forecasts: int


def counted(settings: KafkaSettings) -> Counts | None:
    """Return what stands on the topics now, None where the broker does not say."""
    consumer = Consumer(settings.kafka.confluent({"group.id": "replay"}))
    try:
        return Counts(*(_end(consumer, settings, topic) for topic in (topics.CLEAN, topics.FORECASTS)))
    except KafkaException:
        return None
    finally:
        consumer.close()


def _end(consumer: Consumer, settings: KafkaSettings, topic: Topic) -> int:
    found = partitions_of(consumer, settings.topic_prefix + topic.name)
    return sum(consumer.get_watermark_offsets(partition, timeout=ANSWER_S)[1] for partition in found)


def remark(before: Counts, after: Counts) -> str | None:
    """Return what to say of readings that were sent in between; None where there are forecasts."""
    if after.forecasts > before.forecasts:
        return None
    if after.clean > before.clean:
        return (
            "the readings were accepted, and no forecast has come yet: the forecaster waits for its models, these have "
            "seen the readings already, or none runs. Its /readyz and its log say which; send later readings (--from), "
            "or train on earlier ones (`tetouan train --until`)"
        )
    return (
        "no reading was accepted: an earlier replay has sent them, or no ingestor runs. See its log, and "
        "`tetouan watch rejected --from-start`"
    )


def remark_on(before: Counts | None, count: Callable[[], Counts | None], pauses: Pauses) -> str | None:
    """Return what to say of the readings that were sent since a count, once there was time for an answer.

    Nothing where the broker does not say, or where the wait is ended.
    """
    deadline_s = pauses.now_s() + PATIENCE_S
    while before is not None and (after := count()) is not None and not pauses.stop.is_set():
        said = remark(before, after)
        if said is None or pauses.now_s() > deadline_s:
            return said
        pauses.wait(POLL_S)
    return None
