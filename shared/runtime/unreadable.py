"""A poll that fails: the unreadable record is found and named, its partition paused, and all others go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from shared.runtime.fetching import is_of_a_record
from shared.runtime.restoring import UNREADABLE, Unreadables, look_through
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.background import Background
    from shared.runtime.fetching import Unreadable
    from shared.runtime.health import Health
    from shared.runtime.patience import Patience
    from shared.runtime.restoring import Brokers
    from shared.runtime.retries import Refusals
    from shared.runtime.tasks import Tasks

__all__ = ["UnreadableRecordSearch"]

log = structlog.get_logger()


class UnreadableRecordSearch:
    """Searches for records that cannot be fetched, and repeats the search until all can be.

    Parameters
    ----------
    tasks
        The tasks whose partitions are searched; a partition is paused before an unreadable record.
    place
        Opens readers outside the consumer group.
    refusals
        Shows missing permissions in `/readyz`.
    limit_poll
        Sets the largest number of records of a poll, None: the usual one. It is 1 while an unreadable record is not yet
        held, because a fetch that holds one fails as a whole.
    """

    def __init__(
        self,
        tasks: Tasks,
        place: Brokers,
        refusals: Refusals,
        background: Background,
        health: Health,
        patience: Patience,
        limit_poll: Callable[[int | None], None],
    ) -> None:
        self._tasks = tasks
        self._place = place
        self._patiently = retrying(UNREADABLE, refusals)
        self._background = background
        self._health = health
        self._patience = patience
        self._limit_poll = limit_poll
        self._shown = Unreadables(health)
        self._found: Sequence[Unreadable] = ()
        self._running: asyncio.Task[None] | None = None

    def begin(self, error: Exception) -> asyncio.Task[None]:
        """Seek back to the last records that the tasks were given, and search for the one that made the poll fail.

        The search raises ``error`` where no record is the cause: it is a bug, and would come again for ever.
        """
        log.warning("a poll has failed, looking for the record", error=repr(error))
        self._tasks.go_back()
        self._hold()
        if self._running is None or self._running.done():  # polls that go on failing must not restart the search
            self._running = self._background.run(self._search(error))
        return self._running

    def _hold(self) -> None:
        """Hold the partitions whose next record is one of those that were found."""
        next_offsets = self._tasks.next
        held = {each.partition for each in self._found if next_offsets.get(each.partition, -1) >= each.offset}
        self._tasks.stick(held)
        self._limit_poll(None if len(held) == len(self._found) else 1)

    async def _search(self, error: Exception) -> None:
        found: list[Unreadable] | None = await self._patiently(self._look)
        if found == [] and not is_of_a_record(error):
            raise error
        self._found = found or ()
        while self._found:
            self._shown.show(self._found)
            self._hold()
            await asyncio.sleep(self._patience.look_every_s)
            self._found = await self._patiently(self._look) or ()
        self._shown.show(())
        self._hold()
        self._tasks.go_back()

    async def _look(self) -> list[Unreadable] | None:
        """Return the records that cannot be fetched; None where no partition is left to be searched."""
        next_offsets = self._tasks.next
        if not next_offsets:
            return None
        async with self._place.reading(list(next_offsets)) as reader:
            ends: dict[TopicPartition, int] = await reader.end_offsets(list(next_offsets))
            spans = {partition: (offset, ends[partition]) for partition, offset in next_offsets.items()}
            return await look_through(reader, {part: span for part, span in spans.items() if span[0] < span[1]})
