"""Follows the topics from their end, in each replica: no group, no commits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import ConsumerStoppedError, KafkaError

from services.gateway.live.events import KINDS, event_of, left_out
from services.gateway.live.reading import reader, seek, take_one
from shared.runtime import embedded
from shared.runtime.administration import identity
from shared.runtime.clock import monotonic_s, now
from shared.runtime.fetching import Unreadable, concerns_a_record, is_of_a_record
from shared.runtime.retries import Refusals, retrying
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiokafka import ConsumerRecord, TopicPartition

    from services.gateway.live.hub import Hub
    from services.gateway.live.metrics import LiveMetrics
    from shared.runtime.access import Access
    from shared.runtime.fetching import Consumer
    from shared.runtime.health import Health

__all__ = ["Follower"]

BROKER_S = 0.2  # between two looks at whether the topics are made
FETCH_WAIT_MS = 5000  # of a broker that has nothing new; it answers at once where it has
EMBEDDED_FETCH_WAIT_MS = 10  # that broker answers an empty fetch only when this is over
LOOK_S = 30.0  # from one look for new partitions to the next
REST_MS = int(LOOK_S * 1000)
AGAIN_S = 5.0  # after a poll that has failed
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
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        access: Access,
        prefix: str,
        hub: Hub,
        metrics: LiveMetrics,
        health: Health,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._access = access
        self._prefix = prefix
        self._topics = [prefix + name for name in KINDS.values()]
        self._hub = hub
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._looked_s = clock()

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
            await self.follow(consumer)
        finally:
            await consumer.stop()

    async def follow(self, consumer: Consumer) -> None:
        """Hand over what a reader finds, for ever, and look for partitions that were added now and then."""
        while True:
            await self._take(consumer)
            if self._clock() - self._looked_s >= LOOK_S:
                await self._look_for_partitions(consumer)
                self._looked_s = self._clock()

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

    def _hand_over(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        now_s, wall_s = self._clock(), now().timestamp()
        events = []
        for record in (record for records in found.values() for record in records):
            event = event_of(record, self._prefix, now_s, now_s - max(0.0, wall_s - record.timestamp / 1000))
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
            while await consumer.position(partition) < end:
                found = await take_one(consumer, partition)
                if isinstance(found, Unreadable):
                    is_found = True
                    self._leave_out(found)
                elif found is not None:
                    self._hand_over({partition: [found]})
        seek(consumer, self._hub.positions)
        return is_found

    def _leave_out(self, lost: Unreadable) -> None:
        topic, number = lost.partition
        self._metrics.passed_over.inc()
        event = left_out(topic.removeprefix(self._prefix), number, lost.offset, self._clock())
        self._hub.add([event], {lost.partition: lost.offset + 1})

    def _note(self, error: Exception) -> None:
        line = f"the live topics cannot be read, trying again: {error}"
        if self._health.notes.get(NOTE) != line:
            self._health.notes[NOTE] = line
            log.warning("the live topics cannot be read, trying again", error=str(error))
