"""A task: the records of one partition number of a service's topics, answered one batch after the other.

It is the stream task of Kafka Streams: it owns a core, the offsets that it has folded, its snapshots and its sender,
and shares none of them. So tasks do not wait for each other, and one machine and a cluster run the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic

from shared.runtime.clock import monotonic_s
from shared.runtime.publishing import Batch
from shared.runtime.records import Answer
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.publishing import Sender
    from shared.runtime.records import Record
    from shared.runtime.restoring import Offsets
    from shared.runtime.retries import Refusals
    from shared.runtime.state import Copy, TaskState

    Account = Callable[[Sequence[Record], Sequence[Answer], float], None]

__all__ = ["Task"]


class Task(Generic[Answer]):
    """One partition number: what it has been given, and how far it is.

    Parameters
    ----------
    number
        That of its partitions.
    state, sender
        Its own.
    most_records
        The most records of a batch; there is room for twice as many.
    account
        Is told the records and answers of each batch that is through, and how many seconds it took.
    refusals
        Shows what may not be published.
    """

    def __init__(
        self,
        number: int,
        state: TaskState[Answer],
        sender: Sender[Answer],
        *,
        most_records: int,
        account: Account[Answer],
        refusals: Refusals,
    ) -> None:
        self.number = number
        self.state = state
        self.next: Offsets = {}
        """Of each of its partitions the offset that is to be given next, once it is open."""
        self._sender = sender
        self._most_records = most_records
        self._account = account
        self._refusals = refusals
        self._given: deque[Record] = deque()
        self._wanted = asyncio.Event()
        self._full = asyncio.Event()  # where it has as many as a batch takes
        self._hand = asyncio.Lock()  # of whoever works with the state: a batch, or a copy
        self._open = False
        self._in_hand = 0

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """The partitions whose records it answers."""
        return self.state.consumed

    @property
    def open(self) -> bool:
        """Whether it takes records."""
        return self._open

    @property
    def waiting(self) -> int:
        """How many records it has that are not answered."""
        return len(self._given) + self._in_hand

    @property
    def has_room(self) -> bool:
        """Whether it can take as many as a poll returns."""
        return len(self._given) <= self._most_records

    async def restore(self) -> None:
        """Shut out whoever had it before, and bring the state to where it is committed."""
        await self._sender.take_over()
        self.next = await self.state.restore()

    def begin(self) -> None:
        """Take records from now on, from ``next``."""
        self._open = True

    def give(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        """Take records of one of its partitions, in their order; those that it has had are passed over."""
        if not self._open:
            return
        first = self.next[partition]
        fresh = [record for record in records if record.offset >= first]
        if fresh:
            self.next[partition] = fresh[-1].offset + 1
            self._given.extend(fresh)
            self._note_given()

    async def work(self) -> None:
        """Answer what it is given, for ever; what is raised ends the service."""
        while True:
            await self._wanted.wait()
            await self._sender.pace(self._full)
            records = self._taken()
            await self.state.prepare(records)  # it may take long, and whoever gives the partition back need not wait
            async with self._hand:
                await self._answer(records)
            self._in_hand = 0

    def _taken(self) -> list[Record]:
        count = min(len(self._given), self._most_records)
        records = [self._given.popleft() for _ in range(count)]
        self._in_hand = count
        self._note_given()
        return records

    def _note_given(self) -> None:
        for event, least in ((self._wanted, 1), (self._full, self._most_records)):
            if len(self._given) >= least:
                event.set()
            else:
                event.clear()

    async def _answer(self, records: Sequence[Record]) -> None:
        started_s = monotonic_s()
        batch = Batch.of(records)
        answers = self.state.handle(records, batch)
        async for attempt in retrying("answers cannot be published", self._refusals, only_refused=True):
            with attempt:
                if await self._sender.send(batch, answers):
                    self.state.settle(batch.end)
        self._account(records, answers, monotonic_s() - started_s)

    async def finish(self, patience_s: float) -> None:
        """Take nothing more, forget what has not begun, and wait for the batch in hand; not for longer."""
        self._open = False
        self._given.clear()
        self._note_given()
        try:
            async with asyncio.timeout(patience_s), self._hand:
                return
        except TimeoutError:
            return

    async def snapshot(self) -> Copy | None:
        """Return what is to be kept, copied between two batches; None where there is nothing new."""
        async with self._hand:
            return await self.state.snapshot()

    def abandon(self) -> None:
        """Note that its work was cancelled: what was in hand is not settled, and comes again."""
        self._in_hand = 0

    async def disconnect(self) -> None:
        """Close its connections."""
        await self._sender.stop()

    async def close(self) -> None:
        """Close its connections, and forget its state."""
        await self.disconnect()
        self.state.close()
