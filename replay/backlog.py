"""How far the consumers are behind, and the wait until they have caught up.

The embedded broker keeps 5 MiB a partition and drops the oldest in silence, so whoever feeds it bounds what is on its
way: published, but not yet committed by a group that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import structlog
from confluent_kafka import Consumer, TopicPartition

from shared.contracts import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.pacing import Pauses

__all__ = ["Backlog", "ConsumersStalledError", "Lag", "Throttle"]

ANSWER_S = 5.0
POLL_S = 0.02
FIRST_NOTICE_S = 1.0
NOTICE_EVERY_S = 10.0
PATIENCE_S = 120.0

log = structlog.get_logger()


class ConsumersStalledError(RuntimeError):
    """A consumer group is not catching up; the message says which."""


@dataclass(frozen=True)
class Lag:
    """Records of a topic that a consumer group has not committed yet."""

    group: str
    topic: str
    records: int


class Backlog:
    """The lags of consumer groups on the topics they read, measured from outside: it joins no group.

    Parameters
    ----------
    bootstrap : str
        Address of the broker.
    groups : Iterable[str]
        The groups to watch; which topics each reads is in ``shared.contracts.topics``.
    prefix : str
        What stands before the names of topics and groups.

    Raises
    ------
    ValueError
        Where a group reads no topic.
    """

    def __init__(self, bootstrap: str, groups: Iterable[str], prefix: str = "") -> None:
        self._prefix = prefix
        self._consumers: dict[str, Consumer] = {}
        self._partitions: dict[str, list[TopicPartition]] = {}
        known = {reader for topic in topics.ALL for reader in topic.read_by}
        for group in groups:
            if group not in known:
                raise ValueError(f"consumer group {group!r} reads no topic: choose from {', '.join(sorted(known))}")
            config = {"bootstrap.servers": bootstrap, "group.id": prefix + group, "log_level": 0}
            self._consumers[group] = Consumer(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def lags(self) -> list[Lag]:
        """Return the lag of each group on each of its topics.

        Upstream topics are read first, and of each topic the commits before the ends: a record that moves on
        meanwhile is counted twice rather than not at all. Raises ``KafkaException`` where the broker does not answer.
        """
        return [
            Lag(group, topic.name, self._lag(consumer, self._prefix + topic.name))
            for topic in topics.ALL
            for group, consumer in self._consumers.items()
            if group in topic.read_by
        ]

    def _lag(self, consumer: Consumer, topic: str) -> int:
        committed = consumer.committed(self._partitions_of(consumer, topic), timeout=ANSWER_S)
        return sum(self._behind(consumer, partition) for partition in committed)

    def _partitions_of(self, consumer: Consumer, topic: str) -> list[TopicPartition]:
        """Return the topic's partitions; none while nobody has published to it."""
        if not self._partitions.get(topic):
            there = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
            self._partitions[topic] = [TopicPartition(topic, number) for number in there]
        return self._partitions[topic]

    def _behind(self, consumer: Consumer, committed: TopicPartition) -> int:
        low, high = consumer.get_watermark_offsets(committed, timeout=ANSWER_S)
        return high - max(low, committed.offset)  # before the first commit the offset is negative


class Throttle:
    """Holds the replay while more than ``max_lag`` records are on their way, all lags taken together.

    Parameters
    ----------
    lags : Callable[[], list[Lag]]
        Measures the lags.
    max_lag : int
        Records that may be on their way.
    pauses : Pauses
        Clock and interruption.
    """

    def __init__(self, lags: Callable[[], list[Lag]], max_lag: int, pauses: Pauses) -> None:
        self._lags = lags
        self._max_lag = max_lag
        self._pauses = pauses

    def wait(self) -> float:
        """Return the seconds waited; raises ``ConsumersStalledError`` after two minutes without an end."""
        started_s = self._pauses.now_s()
        waited_s, notice_s = 0.0, FIRST_NOTICE_S
        while not self._pauses.stop.is_set() and (slowest := self._too_slow()):
            if waited_s >= PATIENCE_S:
                raise ConsumersStalledError(
                    f"{slowest.group} is {slowest.records} records behind on {slowest.topic} and not catching up for "
                    f"{waited_s:.0f} s: see its log, or start it with `tetouan run {slowest.group}`"
                )
            if waited_s >= notice_s:
                log.info("waiting for a consumer", group=slowest.group, topic=slowest.topic, lag=slowest.records)
                notice_s += NOTICE_EVERY_S
            self._pauses.wait(POLL_S)
            waited_s = self._pauses.now_s() - started_s
        return waited_s

    def _too_slow(self) -> Lag | None:
        """Return the largest lag where there are too many records on their way."""
        lags = self._lags()
        return max(lags, key=lambda lag: lag.records) if sum(lag.records for lag in lags) > self._max_lag else None
