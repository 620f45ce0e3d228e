"""Where a task finds its past: readers of partitions without a group, and what the group has committed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaConnectionError

from shared.runtime.fetching import Consumer
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.access import Access
    from shared.runtime.restoring import Offsets
    from shared.runtime.retries import Refusals

__all__ = ["KafkaPlace"]

MAX_RECORDS = 200
UNREADABLE = "the past cannot be read"


class KafkaPlace:
    """Some brokers, as a consumer group sees them.

    Parameters
    ----------
    access
        Where the brokers are.
    group
        The consumer group by its full name.
    refusals
        Shows what is not permitted.
    """

    def __init__(self, access: Access, group: str, refusals: Refusals) -> None:
        self._access = access
        self._group = group
        self._refusals = refusals
        self._asking: Consumer | None = None

    async def start(self) -> None:
        """Begin to be able to ask; raises ``KafkaError`` where the brokers do not answer."""
        self._asking = await self._started(group_id=self._group)

    async def stop(self) -> None:
        """Close what was opened."""
        asking, self._asking = self._asking, None
        if asking is not None:
            await asking.stop()

    async def partitions(self, names: Sequence[str]) -> list[TopicPartition]:
        """Return all partitions of these topics; raises ``KafkaError``."""
        return await self._asker.partitions_of(names)

    async def committed(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Return what the group has committed of each, 0 where nothing; a broker that does not answer is waited for."""
        ask = retrying(UNREADABLE, self._refusals, group=self._group)
        return {partition: await ask(self._asker.committed, partition) or 0 for partition in partitions}

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
    def _asker(self) -> Consumer:
        if self._asking is None:
            raise RuntimeError("the brokers are asked before there is a connection: report it")
        return self._asking

    async def _started(self, group_id: str | None = None) -> Consumer:
        consumer = Consumer(
            **self._access.aiokafka(),
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what retention takes away meanwhile is skipped, and nothing behind it
            isolation_level="read_committed",
            max_poll_records=MAX_RECORDS,
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
