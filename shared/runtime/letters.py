"""Dead letters: the records that a service refuses, with their original bytes and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter

from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.runtime.clock import now
from shared.runtime.records import Outgoing

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from shared.runtime.records import Record

__all__ = ["DeadLetters"]


class DeadLetters:
    """Writes and counts the dead letters of one service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter("tetouan_dead_letters", "Records refused, by reason.", ["reason"], registry=registry)

    def of(self, record: Record, reason: str, field: str | None, value: str | None) -> Outgoing:
        """Return the dead letter of a refused record: its original bytes, and in the headers why and where it stood.

        Of a record larger than any topic of ours takes, only as much as that is kept.
        """
        self._count.labels(reason).inc()
        letter = DeadLetter(
            reason=reason,
            field=field,
            value=value,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            received=now(),
        )
        original = (record.value or b"")[: topics.MAX_RECORD_BYTES]
        return Outgoing(topics.REJECTED.name, record.key, original, tuple(letter.to_headers()))
