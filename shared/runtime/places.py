"""Readers of partitions outside the consumer group, and the offsets that the group has committed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaConnectionError

from shared.runtime.fetching import Consumer
from shared.runtime.restoring import UNREADABLE
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.access import Access
    from shared.runtime.restoring import Offsets
    from shared.runtime.retries import Refusals

__all__ = ["KafkaPlace"]

MAX_RECORDS = 200


class KafkaPlace:
    """The brokers on which a consumer group reads.

    Parameters
    ----------
    access
        Where the brokers are.
    group
        The consumer group by its full name.
    refusals
        Shows missing permissions in `/readyz`.
    """

    def __init__(self, access: Access, group: str, refusals: Refusals) -> None:
        self._access = access
        self._group = group
        self._refusals = refusals
        self._query_consumer: Consumer | None = None

    async def start(self) -> None:
        """Connect the consumer that asks for offsets and partitions; raises ``KafkaError`` where no broker answers."""
        self._query_consumer = await self._started(group_id=self._group)

    async def stop(self) -> None:
        """Close what was opened."""
        consumer, self._query_consumer = self._query_consumer, None
        if consumer is not None:
            await consumer.stop()

    async def partitions(self, names: Sequence[str]) -> list[TopicPartition]:
        """Return all partitions of these topics; raises ``KafkaError``."""
        return await self._connected.partitions_of(names)

    async def committed(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Return the next offset of each that the group has committed, 0 where none; waits until a broker answers."""
        ask = retrying(UNREADABLE, self._refusals, group=self._group)
        return {partition: await ask(self._connected.committed, partition) or 0 for partition in partitions}

    @asynccontextmanager
    async def reading(self, partitions: Collection[TopicPartition]) -> AsyncIterator[Consumer]:
        """Return a reader of these, all paused; a broker that does not answer is waited for."""
        async for attempt in retrying(UNREADABLE, self._refusals, group=self._group):
            with attempt:
                reader = await self._started()
        try:
            reader.assign(partitions)
            reader.pause(*partitions)
            yield reader
        finally:
            await reader.stop()

    @property
    def _connected(self) -> Consumer:
        if self._query_consumer is None:
            raise RuntimeError("the brokers are asked before there is a connection: report it")
        return self._query_consumer

    async def _started(self, group_id: str | None = None) -> Consumer:
        consumer = Consumer(
            **self._access.aiokafka(),
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # if retention deletes records meanwhile, go on at the oldest one kept
            isolation_level="read_committed",
            max_poll_records=MAX_RECORDS,
        )
        try:
            await consumer.start()
        except AssertionError as error:  # aiokafka raises it where a broker that has just started lists no brokers
            await consumer.stop()
            raise KafkaConnectionError(f"the broker is not ready ({error})") from error
        except BaseException:
            await consumer.stop()
            raise
        return consumer
