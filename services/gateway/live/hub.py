"""The newest events in memory, and who waits for the next ones.

There is one copy of them for all: a subscriber is a number, that of the next event it has to get. So one that is slow
costs nothing but its place in the line, and once what it waits for is no longer kept, it is told so and ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiokafka import TopicPartition

    from services.gateway.live.events import Event, EventId, Wanted

__all__ = ["Hub", "SlowError"]

MOST_BYTES = 32_000_000  # of the events in memory
CHUNK_BYTES = 128_000  # for one subscriber at a time: what a connection holds that takes nothing
MOST_CHUNKS = 32  # that are kept for others who are as far
PACE_S = 0.05  # between two times that subscribers are woken: of many events a second each gets many at once
MARGIN_S = 10.0  # by which two replicas may hear of two records in another order


class SlowError(Exception):
    """What a subscriber has to get next is no longer kept."""


class Hub:
    """The newest events, in the order in which they came.

    Parameters
    ----------
    most_bytes
        How much of them is kept.
    clock
        Seconds that never go back.

    Attributes
    ----------
    positions
        By partition, the offset behind the last record that came, be it an event or not.
    closed
        Whether all streams are to end.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = monotonic_s) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._events: list[Event] = []
        self._first = 0
        self._shown = 0
        self._bytes = 0
        self._begun_s = 0.0
        self._woken_s = -PACE_S
        self._woken = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None
        self._chunks: dict[tuple[int, Wanted], tuple[bytes, int, int]] = {}
        self.positions: dict[TopicPartition, int] = {}
        self._begun = asyncio.Event()
        self._sent_s: dict[tuple[str, str], float] = {}
        self.closed = False

    @property
    def end(self) -> int:
        """The number that the next event will have."""
        return self._first + len(self._events)

    def begin(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note from where on the topics are followed."""
        self.positions |= positions
        self._begun_s = self._clock()
        self._begun.set()

    def add(self, events: Sequence[Event], positions: Mapping[TopicPartition, int]) -> None:
        """Take what has come, and wake who waits: at once, or as soon as it is time again."""
        self.positions |= positions
        if not events:
            return
        self._sent_s |= {(event.kind, event.site): event.sent_s for event in events if event.site}
        self._events += events
        self._bytes += sum(len(event.frame) for event in events)
        if self._bytes > self._most_bytes:
            self._forget()
        early_s = self._woken_s + PACE_S - self._clock()
        if early_s <= 0:
            self._wake()
        elif self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(early_s, self._wake)

    def silence_s(self, kind: str, site: str) -> float | None:
        """Return how long ago the newest event of a kind and a site was sent; None where none came since the start."""
        sent_s = self._sent_s.get((kind, site))
        return None if sent_s is None else max(0.0, self._clock() - sent_s)

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self._begun.set()
        self._wake()

    async def begun(self) -> None:
        """Wait until the topics are followed, from when on all that comes is seen, or all streams end."""
        await self._begun.wait()

    async def moved(self, cursor: int) -> None:
        """Wait until subscribers are woken for an event of this number, or all streams end."""
        while cursor >= self._shown and not self.closed:
            await self._woken.wait()

    def holds(self, cursor: int) -> bool:
        """Tell whether all events from this number on are in memory."""
        return cursor >= self._first

    def events(self, cursor: int) -> tuple[Sequence[Event], int]:
        """Return the events from this number on that were shown, and where it goes on.

        Raises ``SlowError`` where they are no longer kept.
        """
        if not self.holds(cursor):
            raise SlowError
        until = max(cursor, self._shown)
        return self._events[cursor - self._first : until - self._first], until

    def chunk(self, cursor: int, wanted: Wanted) -> tuple[bytes, int, int]:
        """Return the next events of a subscriber in one piece, how many they are, and where it goes on.

        Raises ``SlowError`` where they are no longer kept.
        """
        if not self.holds(cursor):
            raise SlowError
        key = cursor, wanted
        if key not in self._chunks:  # those who are as far as most are given the same bytes
            if len(self._chunks) >= MOST_CHUNKS:
                del self._chunks[next(iter(self._chunks))]  # the oldest
            self._chunks[key] = self._joined(cursor, wanted)
        return self._chunks[key]

    def behind(self, place: EventId) -> tuple[list[Event], int] | None:
        """Return what somebody may have missed who has seen all up to a place, and where it goes on from there.

        Another replica may have sent other partitions in another order, and what is read from the topics comes in the
        order in which it was sent: of these, all that came here since shortly before the place was sent is returned,
        too. None where it, or what came before it, is not in memory.
        """
        found = next((n for n in reversed(range(len(self._events))) if self._events[n].place == place), None)
        if found is None:
            return None
        since_s = self._events[found].sent_s - MARGIN_S
        covered_s = self._events[0].arrived_s if self._first else self._begun_s
        if covered_s > since_s:
            return None
        partition = place[:2]
        before = self._events[: found + 1]
        missed = [event for event in before if event.arrived_s >= since_s and event.place[:2] != partition]
        return missed, self._first + found + 1

    def _forget(self) -> None:
        """Drop the oldest, a quarter more than is needed, so that it is not done for each event."""
        dropped, kept = 0, self._most_bytes * 3 // 4
        while self._bytes > kept and dropped < len(self._events) - 1:
            self._bytes -= len(self._events[dropped].frame)
            dropped += 1
        del self._events[:dropped]
        self._first += dropped

    def _joined(self, cursor: int, wanted: Wanted) -> tuple[bytes, int, int]:
        frames: list[bytes] = []
        size = 0
        for event in self._events[cursor - self._first : self._shown - self._first]:
            if wanted.takes(event):
                size += len(event.frame)
                if frames and size > CHUNK_BYTES:
                    break
                frames.append(event.frame)
            cursor += 1
        return b"".join(frames), len(frames), cursor

    def _wake(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        self._woken_s = self._clock()
        self._shown = self.end
        self._chunks.clear()
        self._woken.set()
        self._woken = asyncio.Event()
