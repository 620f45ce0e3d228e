"""Follows the topics from their end, in each replica: no group, no commits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import ConsumerStoppedError, KafkaConnectionError, KafkaError

from services.gateway.live.events import KINDS, event_of
from shared.runtime import embedded
from shared.runtime.administration import identity
from shared.runtime.clock import monotonic_s
from shared.runtime.fetching import Consumer, concerns_a_record, is_of_a_record
from shared.runtime.retries import Refusals, retrying
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import ConsumerRecord, TopicPartition

    from services.gateway.live.hub import Hub
    from services.gateway.live.metrics import LiveMetrics
    from shared.runtime.access import Access
    from shared.runtime.health import Health

__all__ = ["Follower", "reader", "seek"]

BROKER_S = 0.2  # between two looks at whether the topics are made
FETCH_WAIT_MS = 5000  # of a broker that has nothing new; it answers at once where it has
EMBEDDED_FETCH_WAIT_MS = 10  # that broker answers an empty fetch only when this is over
REST_MS = 30_000  # also between two looks for new partitions
AGAIN_S = 5.0  # after a poll that has failed
LOOK_MS = 200
NOTE = "live"

log = structlog.get_logger()


class Follower:
    """Hands the records of the live topics to the hub.

    Parameters
    ----------
    access, prefix
        Where the topics are, and what begins their names.
    hub, metrics
        Who takes the events, and what counts them.
    health
        Says when the topics are there, and shows what is wrong.
    """

    def __init__(self, access: Access, prefix: str, hub: Hub, metrics: LiveMetrics, health: Health) -> None:
        self._access = access
        self._prefix = prefix
        self._topics = [prefix + name for name in KINDS.values()]
        self._hub = hub
        self._metrics = metrics
        self._health = health

    async def run(self) -> None:
        """Follow for ever; a broker that does not answer is waited for."""
        # who asks for a topic that is not made yet may have a broker make it in its own way
        while not self._health.broker_up:  # noqa: ASYNC110 - health has no event for it
            await asyncio.sleep(BROKER_S)
        refusals = Refusals(self._access, self._health, NOTE)
        async for attempt in retrying("the live topics cannot be followed", refusals):
            with attempt:
                consumer = await self._started()
        try:
            while True:
                await self._take(consumer)
        finally:
            await consumer.stop()

    async def _started(self) -> Consumer:
        """Return a reader at the end of all partitions; raises ``KafkaError``."""
        found = await run_in_thread(None, identity, self._access, "", self._topics)
        wait_ms = EMBEDDED_FETCH_WAIT_MS if embedded.is_embedded(found["cluster"]) else FETCH_WAIT_MS
        consumer = await reader(self._access, wait_ms)
        try:
            partitions = await consumer.partitions_of(self._topics)
            ends = await consumer.end_offsets(partitions)
            seek(consumer, ends)
        except BaseException:
            await consumer.stop()
            raise
        self._hub.begin(ends)
        return consumer

    async def _take(self, consumer: Consumer) -> None:
        """Hand over what has come, or wait for it."""
        try:
            found = await consumer.getmany(timeout_ms=REST_MS)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            if not await self._overcome(consumer, error):
                raise
            return
        self._health.notes.pop(NOTE, None)
        if found:
            self._hand_over(found)
        else:
            await self._look_for_partitions(consumer)

    def _hand_over(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        now_s = monotonic_s()
        events = []
        for record in (record for records in found.values() for record in records):
            event = event_of(record, self._prefix, now_s)
            if event is None:
                self._metrics.passed_over.inc()
            else:
                self._metrics.events.labels(event.kind).inc()
                events.append(event)
        self._hub.add(events, {partition: records[-1].offset + 1 for partition, records in found.items()})

    async def _look_for_partitions(self, consumer: Consumer) -> None:
        """Follow partitions that were added, from their beginning."""
        try:
            partitions = await consumer.partitions_of(self._topics)
        except KafkaError as error:
            self._note(error)
            return
        if added := set(partitions) - self._hub.positions.keys():
            self._hub.add([], dict.fromkeys(added, 0))
            seek(consumer, self._hub.positions)

    async def _overcome(self, consumer: Consumer, error: Exception) -> bool:
        """Wait where the broker is the reason, pass over a record that cannot be fetched; False for a bug of ours."""
        self._note(error)
        if concerns_a_record(error):
            try:
                if await self._pass_over(consumer):
                    return True
            except KafkaError as other:
                self._note(other)
            else:
                if not is_of_a_record(error):
                    return False
        await asyncio.sleep(AGAIN_S)
        return True

    async def _pass_over(self, consumer: Consumer) -> bool:
        """Take what is there record by record, but for those that cannot be fetched; returns whether there are any.

        Nothing of the poll that has failed may be believed, so all partitions are read from where they were.
        """
        is_found = False
        ends = await consumer.end_offsets(list(self._hub.positions))
        for partition, end in ends.items():
            seek(consumer, {partition: self._hub.positions[partition]})
            while (offset := await consumer.position(partition)) < end:
                try:
                    self._hand_over(await consumer.getmany(partition, timeout_ms=LOOK_MS, max_records=1))
                except Exception as error:
                    if not concerns_a_record(error):
                        raise
                    is_found = True
                    self._metrics.passed_over.inc()
                    log.warning("a record is not shown live", partition=partition, offset=offset, error=str(error))
                    self._hub.add([], {partition: offset + 1})
                    consumer.seek(partition, offset + 1)
        seek(consumer, self._hub.positions)
        return is_found

    def _note(self, error: Exception) -> None:
        line = f"the live topics cannot be read, trying again: {error}"
        if self._health.notes.get(NOTE) != line:
            self._health.notes[NOTE] = line
            log.warning("the live topics cannot be read, trying again", error=str(error))


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
