"""What becomes of a poll that fails: the record that is the reason is found and named, and all others go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from shared.runtime.fetching import is_of_a_record
from shared.runtime.restoring import Unreadables, look_through

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.background import Background
    from shared.runtime.fetching import Unreadable
    from shared.runtime.health import Health
    from shared.runtime.patience import Patience
    from shared.runtime.restoring import Place
    from shared.runtime.tasks import Tasks

__all__ = ["Search"]

log = structlog.get_logger()


class Search:
    """Looks for the records that cannot be fetched, and again and again until they can be.

    Parameters
    ----------
    tasks
        Whose partitions are looked through; they hold still before such a record.
    place
        Where it reads, beside the group.
    take
        Is told to take one record at a time: what is fetched together with such a record is not to be had but so.
    """

    def __init__(
        self,
        tasks: Tasks,
        place: Place,
        background: Background,
        health: Health,
        patience: Patience,
        take: Callable[[int | None], None],
    ) -> None:
        self._tasks = tasks
        self._place = place
        self._background = background
        self._health = health
        self._patience = patience
        self._take = take
        self._shown = Unreadables(health)
        self._found: Sequence[Unreadable] = ()
        self._running: asyncio.Task[None] | None = None

    def begin(self, failed: Exception) -> asyncio.Task[None]:
        """Go back to what has been given, and look for the record that a poll has ``failed`` of.

        The search raises that where no record is the reason: it is a bug, and would come again for ever.
        """
        log.warning("a poll has failed, looking for the record", error=repr(failed))
        self._tasks.go_back()
        self._hold()
        if self._running is None or self._running.done():  # a poll that fails all the time must not begin it anew
            self._running = self._background.run(self._search(failed))
        return self._running

    def _hold(self) -> None:
        """Hold the partitions whose next record is one of those that were found."""
        ahead = self._tasks.next
        held = {each.partition for each in self._found if ahead.get(each.partition, -1) >= each.offset}
        self._tasks.stick(held)
        self._take(None if len(held) == len(self._found) else 1)

    async def _search(self, failed: Exception) -> None:
        self._found = await self._look()
        if not self._found and not is_of_a_record(failed):
            raise failed
        while self._found:
            self._shown.show(self._found)
            self._hold()
            await asyncio.sleep(self._patience.look_every_s)
            self._found = await self._look()
        self._shown.show(())
        self._hold()
        self._tasks.go_back()

    async def _look(self) -> list[Unreadable]:
        ahead = self._tasks.next
        if not ahead:
            return []
        async with self._place.reading(list(ahead)) as reader:
            ends: dict[TopicPartition, int] = await reader.end_offsets(list(ahead))
            spans = {partition: (offset, ends[partition]) for partition, offset in ahead.items()}
            return await look_through(reader, {part: span for part, span in spans.items() if span[0] < span[1]})
