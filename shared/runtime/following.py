"""A small topic that one reader of the process reads whole, and then follows: no group, no commits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import KafkaConnectionError

from shared.runtime.fetching import Consumer
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.access import Access
    from shared.runtime.health import Health
    from shared.runtime.records import Record

__all__ = ["follow"]

BROKER_S = 0.2  # between two looks at whether the topics are made
AGAIN_S = 5.0  # after a poll that has failed
POLL_MS = 200
REST_MS = 60_000
FETCH_WAIT_MS = 5000  # of a broker that has nothing new


async def follow(
    access: Access, name: str, take: Callable[[Sequence[Record]], None], whole: asyncio.Event, health: Health
) -> None:
    """Hand over all records of a topic, from the first one that is kept, and go on for ever.

    What keeps it from that is shown in the notes of `/readyz`; a broker that does not answer is waited for.

    Parameters
    ----------
    name
        The full name of the topic.
    take
        Is given the records, those of a partition in their order.
    whole
        Is set once all is handed over that was there at the start.
    """
    note, log = f"topic {name}", structlog.get_logger().bind(topic=name)

    async def failed(error: Exception) -> None:
        line = f"it cannot be read, what is new there is not heard of: {error}"
        if health.notes.get(note) != line:
            health.notes[note] = line
            log.warning("a topic cannot be read, trying again", error=str(error))
        await asyncio.sleep(AGAIN_S)

    # who asks for a topic that is not made yet may have a broker make it in its own way
    while not health.broker_up:  # noqa: ASYNC110 - health has no event for it
        await asyncio.sleep(BROKER_S)
    async for attempt in retrying("a topic cannot be read", topic=name):
        with attempt:
            consumer, ends = await _started(access, name, failed)
    handed: dict[TopicPartition, int] = {}  # where partitions are added, all are read anew
    try:
        while True:
            found = await consumer.getmany(timeout_ms=REST_MS if whole.is_set() else POLL_MS)
            if found:
                health.notes.pop(note, None)
            for partition, records in found.items():
                take([record for record in records if record.offset >= handed.get(partition, 0)])
                handed[partition] = records[-1].offset + 1
            if not whole.is_set():
                positions = [await consumer.position(partition) >= end for partition, end in ends.items()]
                if all(positions):
                    whole.set()
    finally:
        await consumer.stop()


async def _started(
    access: Access, name: str, failed: Callable[[Exception], Awaitable[None]]
) -> tuple[Consumer, dict[TopicPartition, int]]:
    """Return a reader of all partitions of the topic, and where each ends; raises ``KafkaError``."""
    consumer = Consumer(
        name,
        on_failure=failed,
        fetch_wait_ms=FETCH_WAIT_MS,
        **access.aiokafka(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
        return consumer, await consumer.end_offsets(list(consumer.assignment()))
    except AssertionError as error:  # aiokafka's word for a broker that has just come back and names none
        await consumer.stop()
        raise KafkaConnectionError(f"the broker is not ready ({error})") from error
    except BaseException:
        await consumer.stop()
        raise
