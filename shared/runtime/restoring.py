"""Rebuilds the state of a service at its start: what was answered before is folded again, and nothing is sent.

A topic that the service consumes is read up to the offsets that its group has committed, any other one (an ingestor
remembers by what it has published) to its end. So a service that was killed goes on with the state it would have had:
what it answered without committing, it answers again with the same bytes. It cannot know what its topics do not keep: a
monitor's detectors begin with the oldest forecasts there are, thirty days back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts import topics
from shared.runtime import hooks
from shared.runtime.retries import patiently

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.contracts.topics import Topic
    from shared.runtime.health import Health
    from shared.runtime.records import Record

__all__ = ["Foldable", "Past"]

MAX_RECORDS = 500
POLL_MS = 200

Spans = dict[TopicPartition, tuple[int, int]]  # first and past-the-last offset


class Foldable(Protocol):
    """A core whose state can be rebuilt from what stands on topics."""

    def restore(self, records: Sequence[Record]) -> None:
        """Fold records that were answered before; counts nothing and sends nothing."""


class Past:
    """What stands on some topics before a service goes on.

    Parameters
    ----------
    bootstrap, prefix
        Address of the broker, and what stands before the names of topics and groups.
    group
        The consumer group whose committed offsets end the past of the topics in ``consumes``.
    reads
        The topics to fold.
    """

    def __init__(
        self, bootstrap: str, prefix: str, group: str, consumes: Iterable[Topic], reads: Iterable[Topic]
    ) -> None:
        self._bootstrap = bootstrap
        self._group = prefix + group
        self._consumes = {prefix + topic.name for topic in consumes}
        self._partitions = [
            TopicPartition(prefix + topic.name, number) for topic in reads for number in range(topics.PARTITIONS)
        ]

    async def fold_into(self, core: Foldable, health: Health) -> int:
        """Hand the past to the core batch by batch, in the order of each partition; returns the number of records.

        A broker that does not answer is waited for.
        """
        async for attempt in patiently("the past cannot be read", group=self._group):
            with attempt:
                consumer, spans = await self._open()
        try:
            return await _fold(consumer, spans, core, health)
        finally:
            await consumer.stop()

    async def _open(self) -> tuple[AIOKafkaConsumer, Spans]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what retention takes away meanwhile is skipped, and nothing behind it
            isolation_level="read_committed",
            max_poll_records=MAX_RECORDS,
        )
        try:
            await consumer.start()
            consumer.assign(self._partitions)
            return consumer, await self._spans(consumer)
        except BaseException:
            await consumer.stop()
            raise

    async def _spans(self, consumer: AIOKafkaConsumer) -> Spans:
        """Return first and past-the-last offset of each partition that has a past."""
        starts = await consumer.beginning_offsets(self._partitions)
        ends = await consumer.end_offsets(self._partitions)
        for partition in self._partitions:
            if partition.topic in self._consumes:
                ends[partition] = min(ends[partition], await consumer.committed(partition) or 0)
        return {part: (starts[part], ends[part]) for part in self._partitions if starts[part] < ends[part]}


async def _fold(consumer: AIOKafkaConsumer, spans: Spans, core: Foldable, health: Health) -> int:
    left = dict(spans)
    total, folded = sum(end - start for start, end in spans.values()), 0
    # a second assign() can meet aiokafka's coordinator on its way to the first one, which it takes for an error
    consumer.pause(*consumer.assignment() - spans.keys())
    for partition, (start, _) in spans.items():
        consumer.seek(partition, start)
    while left:
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            past = [record for record in records if record.offset < spans[partition][1]]
            core.restore(past)
            folded += len(past)
            hooks.reach("in_restore")
            await asyncio.sleep(0)  # what is buffered comes without a pause: heartbeats and health answers need one
        for partition, (_, end) in list(left.items()):
            if await consumer.position(partition) >= end:
                del left[partition]
                consumer.pause(partition)
        health.progressed()
        health.waiting_for["state"] = f"the state is being rebuilt: {folded} of {total} records"
    return folded
