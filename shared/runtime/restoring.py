"""What stands on the topics of a task before it goes on: what was answered is folded again, and nothing is sent.

A partition that the task consumes is read up to the offsets that its group has committed. Any other one holds what it
has published: that is read to its end, and first, as it tells what became of the records that were consumed. So a
service that was killed goes on with the state it would have had: what it answered without committing, it answers again
with the same bytes. It cannot know what its topics do not keep: a monitor's detectors begin with the oldest forecasts
there are, thirty days back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from shared.runtime.failpoints import failpoint
from shared.runtime.fetching import Unreadable, concerns_a_record, first_unreadable, is_of_a_record
from shared.runtime.retries import Refusals, retrying

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    import tenacity

    from shared.runtime.health import Health
    from shared.runtime.patience import Patience
    from shared.runtime.records import Record

__all__ = ["UNREADABLE", "Brokers", "Fold", "Offsets", "Reader", "Spans", "TopicReplay", "Unreadables", "look_through"]

POLL_MS = 200
UNREADABLE = "earlier records cannot be read"

log = structlog.get_logger()

Offsets = dict[TopicPartition, int]  # of the next record
Spans = dict[TopicPartition, tuple[int, int]]  # first and past-the-last offset
Fold = Callable[[Sequence["Record"]], Awaitable[None]]
"""Folds records that were answered before; counts nothing and sends nothing."""


class Reader(Protocol):
    """As much of a consumer without a group as is needed to read some partitions from one offset to another."""

    def pause(self, *partitions: TopicPartition) -> None:
        """Give nothing of these."""

    def resume(self, *partitions: TopicPartition) -> None:
        """Give what these have."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go there."""

    async def position(self, partition: TopicPartition) -> int:
        """Return the next offset."""

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Offsets:
        """Return the first offset of each that is kept."""

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Offsets:
        """Return the next offset of each to be written; behind an open transaction nothing is there yet."""

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None = None
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return what has come of those that are not paused, or of these alone."""


class Brokers(Protocol):
    """Where partitions can be read and a group's commits be asked for: some brokers."""

    def reading(self, partitions: Collection[TopicPartition]) -> AbstractAsyncContextManager[Reader]:
        """Return a reader of these, all paused; a broker that does not answer is waited for."""

    async def committed(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Return what the group has committed of each, 0 where nothing."""


class TopicReplay:
    """What stands on the partitions of one number before a task goes on.

    Parameters
    ----------
    number
        That of the partitions.
    consumes
        The topics whose past ends where the group has committed, by their full names.
    reads
        The topics from which a state is rebuilt that nobody has kept; without any there is no state.
    place
        Where they are.
    health
        Is told what cannot be read.
    show
        Is told how far it is.
    """

    def __init__(
        self,
        number: int,
        consumes: Sequence[str],
        reads: Sequence[str],
        place: Brokers,
        *,
        refusals: Refusals,
        show: Callable[[str], None],
        patience: Patience,
    ) -> None:
        self.consumed = tuple(TopicPartition(name, number) for name in consumes)
        self._reads = [TopicPartition(name, number) for name in reads]
        self._published = [partition for partition in self._reads if partition not in self.consumed]
        self._place = place
        self._refusals = refusals
        self._show = show
        self._patience = patience

    async def committed(self) -> Offsets:
        """Return what the group has committed, for each consumed partition, 0 where nothing."""
        return await self._place.committed(self.consumed)

    async def rebuild(self, fold: Fold) -> tuple[Offsets, int]:
        """Fold the whole past; returns how far, and the number of records.

        A broker that does not answer is waited for.
        """
        committed = await self.committed()  # before the ends: what is committed until then has its answers
        if not self._reads:
            return committed, 0
        async with self._place.reading({*self.consumed, *self._reads}) as reader:
            ends = await self._ends(reader) | committed
            spans = await _spans(reader, dict.fromkeys(self._reads, 0), ends, self._retrying())
            return ends, await self._fold(reader, spans, fold, lambda _partition, _offset: None)

    async def catch_up(
        self,
        fold: Fold,
        start: Mapping[TopicPartition, int],
        end: Offsets,
        note: Callable[[TopicPartition, int], None],
    ) -> int:
        """Fold what stands between ``start`` and ``end``, and what was published since; returns the number of records.

        That may be more than the answers to what is committed: without transactions somebody was killed in between.
        ``note`` is told the next offset of a partition as soon as what is before it has been folded.
        """
        if not self._reads:
            return 0
        if not self._published and all(start.get(partition, 0) >= offset for partition, offset in end.items()):
            return 0
        async with self._place.reading({*self.consumed, *self._reads}) as reader:
            ends = await self._ends(reader) | end
            starts = {partition: start.get(partition, 0) for partition in ends}
            spans = await _spans(reader, starts, ends, self._retrying())
            return await self._fold(reader, spans, fold, note)

    async def _ends(self, reader: Reader) -> Offsets:
        """Return where each partition ends that holds what the service has published."""
        return await self._retrying()(reader.end_offsets, self._published) if self._published else {}

    async def _fold(self, reader: Reader, spans: Spans, fold: Fold, note: Callable[[TopicPartition, int], None]) -> int:
        published = {partition: spans[partition] for partition in self._published if partition in spans}
        consumed = {partition: span for partition, span in spans.items() if partition not in published}
        return sum([await self._fold_together(reader, part, fold, note) for part in (published, consumed)])

    async def _fold_together(
        self, reader: Reader, spans: Spans, fold: Fold, note: Callable[[TopicPartition, int], None]
    ) -> int:
        left = dict(spans)
        total, folded = sum(end - start for start, end in spans.values()), 0
        _go_on(reader, left)
        while left:
            for partition, records in (await self._poll(reader, left)).items():
                past = [record for record in records if record.offset < spans[partition][1]]
                if past:
                    await fold(past)
                    folded += len(past)
                    left[partition] = past[-1].offset + 1, spans[partition][1]
                    note(partition, past[-1].offset + 1)
                failpoint("in_restore")
                await asyncio.sleep(0)  # what is buffered comes without a pause: heartbeats and health need one
            for partition, (_, end) in list(left.items()):
                if await reader.position(partition) >= end:
                    del left[partition]
                    reader.pause(partition)
                    note(partition, end)
            self._show(f"the state is being rebuilt: {folded} of {total} records")
        return folded

    async def _poll(self, reader: Reader, left: Spans) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return what has come; where nothing can come, say so, wait, and go back to what is ``left`` to be folded."""
        try:
            found = await reader.getmany(timeout_ms=POLL_MS)
        except Exception as error:
            if concerns_a_record(error):
                await self._until_readable(reader, left, error)
            elif not isinstance(error, KafkaError):
                raise
            else:
                log.warning(UNREADABLE, so="it is tried again", error=self._refusals.note(error) or str(error))
                await asyncio.sleep(self._patience.refused_s)
            _go_on(reader, left)
            return {}
        if found:
            self._refusals.note(None)
        return found

    async def _until_readable(self, reader: Reader, left: Spans, failed: Exception) -> None:
        """Wait while there are records that cannot be fetched; raises what a poll has ``failed`` of where none is."""
        log.warning("a poll has failed, looking for the record", error=repr(failed))
        reader.pause(*left)
        found = await look_through(reader, left)
        if not found and not is_of_a_record(failed):
            raise failed
        shown = Unreadables(self._refusals.health)
        while found:
            shown.show(found)
            await asyncio.sleep(self._patience.look_every_s)
            found = await look_through(reader, left)
        shown.show([])

    def _retrying(self) -> tenacity.AsyncRetrying:
        return retrying(UNREADABLE, self._refusals)


class Unreadables:
    """The records that somebody cannot fetch, shown in `/readyz`, the new ones in the log."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._names: set[str] = set()

    def show(self, found: Iterable[Unreadable]) -> None:
        """Show these and none that were shown before."""
        lines = {f"{each.partition.topic}-{each.partition.partition}": each.advice for each in found}
        for name, line in lines.items():
            if self._health.unreadable.get(name) != line:
                log.error("a record cannot be fetched", why=line)
        for name in self._names - lines.keys():
            self._health.unreadable.pop(name, None)
        self._names = set(lines)
        self._health.unreadable |= lines


def _go_on(reader: Reader, left: Spans) -> None:
    for partition, (start, _) in left.items():
        reader.seek(partition, start)  # what was fetched before this is fetched again
        reader.resume(partition)


async def look_through(reader: Reader, spans: Spans) -> list[Unreadable]:
    """Return, of each partition, the first record of its span that cannot be fetched, if there is one.

    All partitions of the reader are paused, before and after.
    """
    found = [await first_unreadable(reader, part, start, end) for part, (start, end) in spans.items()]
    return [each for each in found if each is not None]


async def _spans(reader: Reader, starts: Offsets, ends: Offsets, ask: tenacity.AsyncRetrying) -> Spans:
    """Return first and past-the-last offset of each partition that has a past."""
    held_from: Offsets = await ask(reader.beginning_offsets, list(starts))
    held_to: Offsets = await ask(reader.end_offsets, list(starts))
    for part, start in starts.items():
        if 0 < start < held_from[part]:
            gone = f"{held_from[part] - start} records of {part.topic}-{part.partition} are gone"
            log.warning("the state lacks what its topic has not kept: keep the topic for longer", why=gone)
    spans = {part: (max(start, held_from[part]), min(ends[part], held_to[part])) for part, start in starts.items()}
    return {partition: span for partition, span in spans.items() if span[0] < span[1]}
