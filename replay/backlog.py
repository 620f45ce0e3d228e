"""How far the consumers are behind, and the wait until they have caught up.

The embedded broker keeps 5 MiB a partition and drops the oldest in silence, so whoever feeds it bounds what is on its
way: published, but not yet committed by a group that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from shared.contracts import topics
from shared.runtime.administration import partitions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from replay.pacing import Pauses
    from shared.runtime.access import Access

__all__ = ["Backlog", "ConsumersStalledError", "Lag", "Throttle"]

ANSWER_S = 5.0
POLL_S = 0.02
FIRST_NOTICE_S = 1.0
NOTICE_EVERY_S = 10.0

_LOOK = {
    "group.id": "backlog",  # it neither joins nor commits
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "queued.min.messages": 1,
}

log = structlog.get_logger()


class ConsumersStalledError(RuntimeError):
    """A consumer group is not catching up; the message says which."""


@dataclass(frozen=True)
class Lag:
    """Records of a topic that a consumer group has not committed yet."""

    group: str
    topic: str
    records: int

    def __str__(self) -> str:
        return f"{self.group} is {self.records} records behind on {self.topic}"


class Backlog:
    """The lags of consumer groups on the topics they read, measured from outside: it joins no group.

    Parameters
    ----------
    access : Access
        Where the brokers are.
    groups : Iterable[str]
        The groups to watch, without the prefix; which topics each reads is in ``shared.contracts.topics``.
    prefix : str
        What stands before the names of topics and groups.

    Raises
    ------
    ValueError
        Where a group reads no topic.
    """

    def __init__(self, access: Access, groups: Iterable[str], prefix: str = "") -> None:
        self._access = access
        self._prefix = prefix
        self._consumers: dict[str, Consumer] = {}
        self._partitions: dict[str, list[TopicPartition]] = {}
        self._readers = {group: topics.reader_of(group) for group in groups}
        for group in self._readers:
            self._consumers[group] = Consumer(access.confluent({"group.id": prefix + group}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def lags(self) -> list[Lag]:
        """Return the lag of each group on each of its topics.

        The end of each transaction counts as a record, so that one may remain where all is read. Upstream topics are
        read first, and of each topic the commits before the ends: a record that moves on meanwhile is counted twice
        rather than not at all. Raises ``KafkaException`` where the broker does not answer.
        """
        return [
            Lag(group, topic, sum(records for _, records in self._behind(consumer, topic)))
            for group, consumer, topic in self._reads()
        ]

    def unread(self) -> list[Lag]:
        """Return the lags without those of partitions where nothing but ends of transactions is left.

        Each partition with a lag is read from, which takes longer. Raises as :meth:`lags`.
        """
        found = []
        for group, consumer, topic in self._reads():
            behind = [(position, records) for position, records in self._behind(consumer, topic) if records]
            filled = self._with_records([position for position, _ in behind])
            found.append(Lag(group, topic, sum(records for at, records in behind if at.partition in filled)))
        return found

    def _reads(self) -> Iterator[tuple[str, Consumer, str]]:
        """Yield each group with its client and a topic that it reads, upstream first."""
        for topic in topics.ALL:
            for group, consumer in self._consumers.items():
                if self._readers[group] in topic.read_by:
                    yield group, consumer, topic.name

    def _behind(self, consumer: Consumer, topic: str) -> list[tuple[TopicPartition, int]]:
        """Return where the group goes on in each partition, and how many offsets follow."""
        committed = consumer.committed(self._partitions_of(consumer, self._prefix + topic), timeout=ANSWER_S)
        return [self._position(consumer, partition) for partition in committed]

    def _position(self, consumer: Consumer, committed: TopicPartition) -> tuple[TopicPartition, int]:
        low, high = consumer.get_watermark_offsets(committed, timeout=ANSWER_S)
        offset = max(low, committed.offset)  # before the first commit the offset is negative
        return TopicPartition(committed.topic, committed.partition, offset), max(0, high - offset)

    def _with_records(self, positions: list[TopicPartition]) -> set[int]:
        """Return the partitions that have a record from a position on, or do not tell in time."""
        if not positions:
            return set()
        silent = {position.partition for position in positions}
        filled: set[int] = set()
        reader = Consumer(self._access.confluent(_LOOK))
        try:
            reader.assign(positions)
            while silent and (message := reader.poll(ANSWER_S)) is not None:
                partition, fault = message.partition(), message.error()
                if partition is not None:
                    silent.discard(partition)
                    filled |= set() if fault and fault.code() == KafkaError._PARTITION_EOF else {partition}  # noqa: SLF001 - the client's public name
        finally:
            reader.close()
        return filled | silent

    def _partitions_of(self, consumer: Consumer, topic: str) -> list[TopicPartition]:
        """Return the topic's partitions; none while nobody has published to it."""
        if not self._partitions.get(topic):
            self._partitions[topic] = partitions_of(consumer, topic)
        return self._partitions[topic]


class Throttle:
    """Holds the replay while more than ``max_lag`` records are on their way, all lags taken together.

    Parameters
    ----------
    lags : Callable[[], list[Lag]]
        Measures the lags.
    max_lag : int
        Records that may be on their way.
    patience_s : float
        How long to wait at a time, in seconds.
    pauses : Pauses
        Clock and interruption.
    """

    def __init__(self, lags: Callable[[], list[Lag]], max_lag: int, pauses: Pauses, patience_s: float) -> None:
        self._lags = lags
        self._max_lag = max_lag
        self._pauses = pauses
        self._patience_s = patience_s

    def wait(self) -> float:
        """Return the seconds waited; a broker that does not answer is waited for like a consumer.

        Raises ``ConsumersStalledError`` or ``KafkaException`` where there is no end of it.
        """
        started_s = self._pauses.now_s()
        waited_s, notice_s = 0.0, FIRST_NOTICE_S
        while not self._pauses.stop.is_set() and (obstacle := self._obstacle()):
            if waited_s >= self._patience_s:
                raise _final(obstacle, waited_s)
            if waited_s >= notice_s:
                log.info("waiting for the consumers", because=str(obstacle))
                notice_s += NOTICE_EVERY_S
            self._pauses.wait(POLL_S)
            waited_s = self._pauses.now_s() - started_s
        return waited_s

    def _obstacle(self) -> Lag | KafkaException | None:
        """Return the largest lag where there are too many records on their way, or why no lag can be told."""
        try:
            lags = self._lags()
        except KafkaException as error:
            return error
        return max(lags, key=lambda lag: lag.records) if sum(lag.records for lag in lags) > self._max_lag else None


def _final(obstacle: Lag | KafkaException, waited_s: float) -> Exception:
    if isinstance(obstacle, KafkaException):
        return obstacle
    return ConsumersStalledError(
        f"{obstacle} and not catching up for {waited_s:.0f} s: "
        f"see its log, or start it with `tetouan run {topics.reader_of(obstacle.group)}`"
    )
