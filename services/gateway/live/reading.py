"""Reading the live topics without a group: from any offset, in the order of time, past what cannot be fetched."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.runtime.fetching import Consumer, Unreadable, concerns_a_record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from aiokafka import ConsumerRecord

    from shared.runtime.access import Access

__all__ = ["FetchedRecord", "in_time", "reader", "seek", "take_one"]

POLL_MS = 200
MOST_RECORDS = 100  # of a poll: of each partition some wait until those of the others are as far

log = structlog.get_logger()


async def reader(access: Access, fetch_wait_ms: int = 500) -> Consumer:
    """Return a reader without a group, which has no partition yet; raises ``KafkaError``."""
    consumer = Consumer(
        fetch_wait_ms=fetch_wait_ms,
        **access.aiokafka(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # if retention has deleted where it stands
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
    except AssertionError as error:  # aiokafka's word for a broker that has just come back and names none
        await consumer.stop()
        raise KafkaConnectionError(f"the broker is not ready ({error})") from error
    except BaseException:
        await consumer.stop()
        raise
    return consumer


def seek(consumer: Consumer, positions: Mapping[TopicPartition, int]) -> None:
    """Let it read these partitions alone, from these offsets on."""
    consumer.assign(list(positions))
    for partition, offset in positions.items():
        consumer.seek(partition, offset)


async def take_one(consumer: Consumer, partition: TopicPartition) -> ConsumerRecord | Unreadable | None:
    """Return the next record of a partition, or that it cannot be fetched: it is passed over then.

    None where none has come yet. Raises what is about no record.
    """
    offset = await consumer.position(partition)
    try:
        found = await consumer.getmany(partition, timeout_ms=POLL_MS, max_records=1)
    except Exception as error:
        if not concerns_a_record(error):
            raise
        log.warning("a record is not shown live", partition=partition, offset=offset, error=repr(error))
        consumer.seek(partition, offset + 1)
        return Unreadable(partition, offset, repr(error))
    return found[partition][0] if found else None


class FetchedRecord(NamedTuple):
    """A record, or None where it cannot be fetched, and where it stands."""

    partition: TopicPartition
    offset: int
    sent_ms: int
    record: ConsumerRecord | None


async def in_time(
    consumer: Consumer, positions: Mapping[TopicPartition, int], until: Mapping[TopicPartition, int]
) -> AsyncGenerator[FetchedRecord]:
    """Yield what stands between some offsets and others in the order in which it was sent, as the timestamps say.

    Within a partition the order is that of the offsets. Who has been given one has been given all that stands in the
    other partitions before the first that was sent at that time or later.
    """
    ahead = _Ahead(consumer, {partition: at for partition, at in positions.items() if at < until[partition]}, until)
    while await ahead.fill():
        yield ahead.take()


class _Ahead:
    """What is fetched of each partition and not taken yet."""

    def __init__(
        self, consumer: Consumer, positions: Mapping[TopicPartition, int], until: Mapping[TopicPartition, int]
    ) -> None:
        self._consumer = consumer
        self._until = until
        self._fetched = dict(positions)
        self._waiting: dict[TopicPartition, deque[FetchedRecord]] = {partition: deque() for partition in positions}
        self._sent_ms = dict.fromkeys(positions, 0)
        seek(consumer, positions)

    def take(self) -> FetchedRecord:
        """Return the one of all partitions that was sent first."""
        return min(self._waiting.values(), key=lambda waiting: waiting[0].sent_ms).popleft()

    async def fill(self) -> bool:
        """Fetch until something waits of each partition that has more; returns whether there is anything."""
        while empty := [partition for partition, waiting in self._waiting.items() if not waiting]:
            at_end = [partition for partition in empty if self._fetched[partition] >= self._until[partition]]
            for partition in at_end:
                del self._waiting[partition]
            if not at_end:
                await self._fetch(empty)
        return bool(self._waiting)

    async def _fetch(self, partitions: Sequence[TopicPartition]) -> None:
        try:
            found = await self._consumer.getmany(*partitions, timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        except Exception as error:
            if not concerns_a_record(error):
                raise
            await self._fetch_singly(partitions)
        else:
            for record in (record for records in found.values() for record in records):
                self._add(record)
        for partition in partitions:
            self._fetched[partition] = await self._consumer.position(partition)

    async def _fetch_singly(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch one of each partition: nothing of the poll that has failed may be believed."""
        for partition in partitions:
            self._consumer.seek(partition, self._fetched[partition])
            found = await take_one(self._consumer, partition)
            if isinstance(found, Unreadable):
                lost = FetchedRecord(partition, found.offset, self._sent_ms[partition], None)
                self._waiting[partition].append(lost)
            elif found is not None:
                self._add(found)

    def _add(self, record: ConsumerRecord) -> None:
        partition = TopicPartition(record.topic, record.partition)
        if record.offset < self._until[partition]:
            self._sent_ms[partition] = record.timestamp
            self._waiting[partition].append(FetchedRecord(partition, record.offset, record.timestamp, record))
