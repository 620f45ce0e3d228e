"""What somebody has missed who was with another replica, or longer away than memory reaches: it is on the topics."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from aiokafka import TopicPartition

from services.gateway.live.events import event_of, gap, left_out
from services.gateway.live.reading import in_time, reader, seek, take_one
from shared.runtime.fetching import Unreadable
from shared.runtime.pipeline import TRANSACTION_S
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from services.gateway.live.events import Event, EventId
    from shared.runtime.access import Access
    from shared.runtime.fetching import Consumer

__all__ = ["UNKNOWN", "Past"]

T = TypeVar("T")

READERS = 4  # at once: many clients come again together once a gateway does
MOST_BYTES = 2_000_000  # of the records in memory for one client
VISIBLE_S = TRANSACTION_S + 10.0  # from the time of a record until it can be read, and by which clocks may differ
UNKNOWN = "there is no such event: what comes from now on is sent"
FAILED = "what a client has missed cannot be read"


class Past:
    """Reads the topics beside the follower; for many clients at once a few at a time.

    Parameters
    ----------
    access, prefix
        Where the topics are, and what begins their names.
    connect
        Returns a reader that has no partition yet.
    """

    def __init__(self, access: Access, prefix: str, connect: Callable[[Access], Awaitable[Consumer]] = reader) -> None:
        self._access = access
        self._prefix = prefix
        self._connect = connect
        self._free = asyncio.Semaphore(READERS)

    async def behind(
        self, place: EventId, partitions: Collection[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], bytes | None]:
        """Return where to go on in each partition for who has seen all up to a place.

        It is the next record in the partition of the place, and in the others the time of the record there less
        the longest that a record may take until it can be read: something may come twice, and nothing is missing.

        Returns
        -------
        dict, bytes or None
            Offsets by partition; and an event that says so where something is no longer kept, or the place is none.
        """
        return await self._asked(lambda consumer: self._behind(consumer, place, partitions))

    async def read(
        self, positions: Mapping[TopicPartition, int], until: Mapping[TopicPartition, int]
    ) -> tuple[list[Event], dict[TopicPartition, int]]:
        """Return the next events between some offsets and others, a few megabytes of them, and the offsets behind.

        They are in the order in which they were sent: whoever is cut off behind one of them has all that ``behind``
        takes him to have. A record that cannot be fetched is an event that says so.
        """
        return await self._asked(lambda consumer: self._read(consumer, dict(positions), until))

    async def _asked(self, ask: Callable[[Consumer], Awaitable[T]]) -> T:
        """Ask a reader, once one is free; a broker that does not answer is waited for."""
        async for attempt in retrying(FAILED):
            with attempt:
                async with self._free:
                    consumer = await self._connect(self._access)
                    try:
                        return await ask(consumer)
                    finally:
                        await consumer.stop()
        raise AssertionError("it is tried until it is done")

    async def _behind(
        self, consumer: Consumer, place: EventId, partitions: Collection[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], bytes | None]:
        own = TopicPartition(self._prefix + place.topic, place.partition)
        ends = await consumer.end_offsets([*partitions, own])
        first = (await consumer.beginning_offsets([own]))[own]
        if place.offset >= ends[own]:
            return {partition: ends[partition] for partition in partitions}, gap(place, UNKNOWN)
        said = gap(place, "older events of this topic are no longer kept") if first > place.offset + 1 else None
        sent_ms = await _time_of(consumer, own, max(first, place.offset), ends[own])
        since_ms = max(0, sent_ms - int(1000 * VISIBLE_S))
        found = await consumer.offsets_for_times(dict.fromkeys({*partitions, own}, since_ms))
        if found[own] is None:  # the embedded broker knows no times
            begins = await consumer.beginning_offsets(list(partitions))
            positions = {partition: begins[partition] for partition in partitions}
        else:
            positions = {p: found[p].offset if found[p] is not None else ends[p] for p in partitions}
        if own in positions:
            positions[own] = max(first, place.offset + 1)
        return positions, said

    async def _read(
        self, consumer: Consumer, positions: dict[TopicPartition, int], until: Mapping[TopicPartition, int]
    ) -> tuple[list[Event], dict[TopicPartition, int]]:
        events: list[Event] = []
        size = 0
        async with aclosing(in_time(consumer, positions, until)) as found:
            async for partition, offset, _, record in found:
                positions[partition] = offset + 1
                if record is None:
                    events.append(
                        left_out(partition.topic.removeprefix(self._prefix), partition.partition, offset, 0.0)
                    )
                    continue
                if (event := event_of(record, self._prefix, 0.0)) is not None:
                    events.append(event)
                size += len(record.value or b"")
                if size >= MOST_BYTES:
                    return events, positions
        return events, {partition: max(at, until[partition]) for partition, at in positions.items()}


async def _time_of(consumer: Consumer, partition: TopicPartition, offset: int, end: int) -> int:
    """Return the time of the first record from an offset on, in ms since 1970; 0 where it cannot be told."""
    seek(consumer, {partition: offset})
    while await consumer.position(partition) < end:
        found = await take_one(consumer, partition)
        if isinstance(found, Unreadable):
            break
        if found is not None:
            return int(found.timestamp)
    return 0
