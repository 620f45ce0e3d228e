"""What stands on the topics of a service before it goes on: what was answered is folded again, and nothing is sent.

A topic that the service consumes is read up to the offsets that its group has committed. Any other one holds what it
has published: that is read to its end, and first, as it tells what became of the records that were consumed. So a
service that was killed goes on with the state it would have had: what it answered without committing, it answers again
with the same bytes. It cannot know what its topics do not keep: a monitor's detectors begin with the oldest forecasts
there are, thirty days back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.runtime.administration import uneven
from shared.runtime.failpoints import failpoint
from shared.runtime.fetching import Consumer, concerns_a_record, first_unreadable, is_of_a_record
from shared.runtime.retries import Refusals, retrying
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    import tenacity

    from shared.contracts.topics import Topic
    from shared.runtime.access import Access
    from shared.runtime.fetching import Unreadable
    from shared.runtime.health import Health
    from shared.runtime.records import Record

__all__ = ["LOOK_EVERY_S", "REFUSED_S", "Foldable", "Offsets", "Preparing", "TopicReplay", "show_unreadable"]

MAX_RECORDS = 500
POLL_MS = 200
LOOK_EVERY_S = 15.0
"""How often a record that cannot be fetched is asked for again."""
REFUSED_S = 1.0
"""How long an error of the group, or a permission, is waited for before the next poll."""
UNREADABLE = "the past cannot be read"

log = structlog.get_logger()

Offsets = dict[TopicPartition, int]  # of the next record
Spans = dict[TopicPartition, tuple[int, int]]  # first and past-the-last offset


class Foldable(Protocol):
    """A core whose state can be rebuilt from what stands on topics."""

    def restore(self, records: Sequence[Record]) -> None:
        """Fold records that were answered before; counts nothing and sends nothing."""


@runtime_checkable
class Preparing(Protocol):
    """A core that needs something from elsewhere for what it is to fold, such as models."""

    async def prepare(self, records: Sequence[Record]) -> None:
        """Fetch what these records need, which are folded or answered next; ``Refused`` ends the service."""


class TopicReplay:
    """What stands on some topics before a service goes on.

    Parameters
    ----------
    access, prefix
        Where the brokers are, and what stands before the names of topics and groups.
    group
        The consumer group whose committed offsets end the past of the topics in ``consumes``.
    reads
        The topics from which a state is rebuilt that nobody has kept.
    health
        Is told how far it is.
    """

    def __init__(
        self, access: Access, prefix: str, group: str, consumes: Iterable[Topic], reads: Iterable[Topic], health: Health
    ) -> None:
        self._access = access
        self._group = prefix + group
        self._topics_consumed = [prefix + topic.name for topic in consumes]
        self._topics_read = [prefix + topic.name for topic in reads]
        self._consumes: list[TopicPartition] = []  # as the brokers have them, asked for with each consumer
        self._reads: list[TopicPartition] = []
        self._published: list[TopicPartition] = []  # of those read, what the service itself has written
        self._health = health
        self._refusals = Refusals(access, health, "past")

    async def committed(self) -> Offsets:
        """Return what the group has committed, for each partition of the consumed topics, 0 where nothing."""
        async with self._consumer() as consumer:
            return await self._committed(consumer)

    async def rebuild(self, core: Foldable) -> tuple[Offsets, int]:
        """Fold the whole past into a fresh core; returns how far, and the number of records.

        A broker that does not answer is waited for.
        """
        async with self._consumer() as consumer:
            committed = await self._committed(consumer)  # before the ends: what is committed until then has its answers
            ends = await self._ends(consumer) | committed
            spans = await _spans(consumer, dict.fromkeys(self._reads, 0), ends, self._retrying())
            return ends, await self._fold(consumer, spans, core, lambda _partition, _offset: None)

    async def unreadable(self, starts: Offsets) -> list[Unreadable]:
        """Return, of each partition, the first record from an offset on that cannot be fetched, if there is one."""
        async with self._consumer() as consumer:
            ends: Offsets = await self._retrying()(consumer.end_offsets, list(starts))
            return await _look_through(consumer, await _spans(consumer, starts, ends, self._retrying()))

    async def catch_up(
        self,
        core: Foldable,
        start: Mapping[TopicPartition, int],
        end: Offsets,
        note: Callable[[TopicPartition, int], None],
    ) -> int:
        """Fold what stands between ``start`` and ``end``, and what was published since; returns the number of records.

        ``note`` is told the next offset of a partition as soon as what is before it has been folded.
        """
        if all(start.get(partition, 0) >= offset for partition, offset in end.items()):
            return 0
        async with self._consumer() as consumer:
            ends = await self._ends(consumer) | end
            starts = {partition: start.get(partition, 0) for partition in ends}
            spans = await _spans(consumer, starts, ends, self._retrying())
            return await self._fold(consumer, spans, core, note)

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Consumer]:
        """Return a consumer beside the group, of all the partitions; a broker that does not answer is waited for."""
        async for attempt in self._retrying():
            with attempt:
                consumer = await self._started()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def _started(self) -> Consumer:
        consumer = Consumer(
            **self._access.aiokafka(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what retention takes away meanwhile is skipped, and nothing behind it
            isolation_level="read_committed",
            max_poll_records=MAX_RECORDS,
        )
        try:
            await consumer.start()
            self._consumes = await consumer.partitions_of(self._topics_consumed)
            self._reads = await consumer.partitions_of(self._topics_read)
            self._published = [partition for partition in self._reads if partition not in self._consumes]
            _refuse_uneven(self._consumes)
            # a second assign() can meet aiokafka's coordinator on its way to the first one, which it takes for an error
            consumer.assign({*self._consumes, *self._reads})
            consumer.pause(*consumer.assignment())
            await consumer.committed(self._consumes[0])  # whoever answers this can answer all that will be asked
        except AssertionError as error:  # aiokafka's word for a broker that has just come back and names none
            await consumer.stop()
            raise KafkaConnectionError(f"the broker is not ready ({error})") from error
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def _committed(self, consumer: Consumer) -> Offsets:
        ask = self._retrying()
        return {partition: await ask(consumer.committed, partition) or 0 for partition in self._consumes}

    async def _ends(self, consumer: Consumer) -> Offsets:
        """Return where each partition ends that holds what the service has published."""
        return await self._retrying()(consumer.end_offsets, self._published) if self._published else {}

    async def _fold(
        self, consumer: Consumer, spans: Spans, core: Foldable, note: Callable[[TopicPartition, int], None]
    ) -> int:
        published = {partition: spans[partition] for partition in self._published if partition in spans}
        consumed = {partition: span for partition, span in spans.items() if partition not in published}
        return sum([await self._fold_together(consumer, part, core, note) for part in (published, consumed)])

    async def _fold_together(
        self, consumer: Consumer, spans: Spans, core: Foldable, note: Callable[[TopicPartition, int], None]
    ) -> int:
        left = dict(spans)
        total, folded = sum(end - start for start, end in spans.values()), 0
        _go_on(consumer, left)
        while left:
            for partition, records in (await self._poll(consumer, left)).items():
                past = [record for record in records if record.offset < spans[partition][1]]
                if isinstance(core, Preparing):
                    await core.prepare(past)
                core.restore(past)
                folded += len(past)
                if past:
                    left[partition] = past[-1].offset + 1, spans[partition][1]
                    note(partition, past[-1].offset + 1)
                failpoint("in_restore")
                await asyncio.sleep(0)  # what is buffered comes without a pause: heartbeats and health need one
            for partition, (_, end) in list(left.items()):
                if await consumer.position(partition) >= end:
                    del left[partition]
                    consumer.pause(partition)
                    note(partition, end)
            self._health.progressed()
            self._health.waiting_for["state"] = f"the state is being rebuilt: {folded} of {total} records"
        return folded

    async def _poll(self, consumer: Consumer, left: Spans) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return what has come; where nothing can come, say so, wait, and go back to what is ``left`` to be folded."""
        try:
            found: Mapping[TopicPartition, Sequence[Record]] = await consumer.getmany(timeout_ms=POLL_MS)
        except Exception as error:
            if concerns_a_record(error):
                await self._until_readable(consumer, left, error)
            elif not isinstance(error, KafkaError):
                raise
            else:
                log.warning("the past cannot be read, trying again", error=self._refusals.note(error) or str(error))
                await asyncio.sleep(REFUSED_S)
            _go_on(consumer, left)
            return {}
        if found:
            self._refusals.note(None)
        return found

    async def _until_readable(self, consumer: Consumer, left: Spans, failed: Exception) -> None:
        """Wait while there are records that cannot be fetched; raises what a poll has ``failed`` of where none is."""
        log.warning("a poll has failed, looking for the record", error=repr(failed), group=self._group)
        consumer.pause(*left)
        found = await _look_through(consumer, left)
        if not found and not is_of_a_record(failed):
            raise failed
        while found:
            show_unreadable(self._health, found)
            await asyncio.sleep(LOOK_EVERY_S)
            found = await _look_through(consumer, left)
        show_unreadable(self._health, [])

    def _retrying(self) -> tenacity.AsyncRetrying:
        return retrying(UNREADABLE, self._refusals, group=self._group)


def show_unreadable(health: Health, found: Iterable[Unreadable]) -> None:
    """Show in `/readyz` which records cannot be fetched, and log those that are new."""
    lines = {f"{each.partition.topic}-{each.partition.partition}": each.advice for each in found}
    for name, line in lines.items():
        if health.unreadable.get(name) != line:
            log.error("a record cannot be fetched", why=line)
    health.unreadable = lines


def _go_on(consumer: Consumer, left: Spans) -> None:
    for partition, (start, _) in left.items():
        consumer.seek(partition, start)  # what was fetched before this is fetched again
        consumer.resume(partition)


async def _look_through(consumer: Consumer, spans: Spans) -> list[Unreadable]:
    found = [await first_unreadable(consumer, part, start, end) for part, (start, end) in spans.items()]
    return [each for each in found if each is not None]


def _refuse_uneven(partitions: Sequence[TopicPartition]) -> None:
    if line := uneven(Counter(partition.topic for partition in partitions)):
        raise Refused(line)


async def _spans(consumer: Consumer, starts: Offsets, ends: Offsets, ask: tenacity.AsyncRetrying) -> Spans:
    """Return first and past-the-last offset of each partition that has a past."""
    held_from: Offsets = await ask(consumer.beginning_offsets, list(starts))
    held_to: Offsets = await ask(consumer.end_offsets, list(starts))
    for part, start in starts.items():
        if 0 < start < held_from[part]:
            gone = f"{held_from[part] - start} records of {part.topic}-{part.partition} are gone"
            log.warning("the state lacks what its topic has not kept: keep the topic for longer", why=gone)
    spans = {part: (max(start, held_from[part]), min(ends[part], held_to[part])) for part, start in starts.items()}
    return {partition: span for partition, span in spans.items() if span[0] < span[1]}
