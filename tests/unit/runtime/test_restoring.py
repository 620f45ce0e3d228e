"""What stands on the topics: read while the broker comes and goes, and told where it is no longer there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.runtime.access import Access
from shared.runtime.health import Health
from shared.runtime.patience import Patience
from shared.runtime.restoring import TopicReplay
from shared.runtime.retries import Refusals
from tests.unit.runtime.local import LocalBroker, LocalReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from shared.runtime.records import Record
    from shared.runtime.restoring import Brokers, Offsets

RAW, CLEAN = TopicPartition("raw", 0), TopicPartition("clean", 0)


class Listing:
    """Notes down what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    async def fold(self, records: Sequence[Record]) -> None:
        """Note down topic and offset."""
        self.told += [(record.topic, record.offset) for record in records]


def replay_of(place: Brokers, consumes: str, *reads: str) -> TopicReplay:
    """Return what stands on the partitions 0 of some topics."""
    refusals = Refusals(Access("127.0.0.1:1"), Health(), "past")
    patience = Patience(refused_s=0.0, look_every_s=0.01)
    return TopicReplay(0, [consumes], reads, place, refusals=refusals, show=lambda _: None, patience=patience)


class Shaky(LocalBroker):
    """A broker of ten records that have gone, which is away at each first question."""

    @asynccontextmanager
    async def reading(self, partitions: Collection[TopicPartition]) -> AsyncIterator[LocalReader]:
        """Return a reader whose questions fail at first."""
        yield ShakyReader(self, partitions)


class ShakyReader(LocalReader):
    """Its partitions begin and end with 10."""

    def __init__(self, broker: LocalBroker, partitions: Collection[TopicPartition]) -> None:
        super().__init__(broker, partitions)
        self._asked: set[str] = set()

    def _ask(self, what: str, partitions: Sequence[TopicPartition]) -> Offsets:
        if what not in self._asked:
            self._asked.add(what)
            raise KafkaConnectionError(what)
        return dict.fromkeys(partitions, 10)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Offsets:
        """Return ten."""
        return self._ask("beginning", partitions)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Offsets:
        """Return ten."""
        return self._ask("end", partitions)


def test_a_broker_that_goes_while_the_past_is_asked_for_is_waited_for() -> None:
    """Each question is asked again, and the service does not end."""
    replay = replay_of(Shaky(commits={RAW: 10}), "raw", "raw")
    assert asyncio.run(replay.rebuild(Listing().fold)) == ({RAW: 10}, 0)


def test_what_a_topic_has_not_kept_is_told() -> None:
    """A state that is to go on with record 4 of a partition that begins with 10 lacks six; a fresh one lacks none."""

    async def caught_up(start: int) -> list[Any]:
        replay = replay_of(Shaky(), "raw", "raw")
        with structlog.testing.capture_logs() as lines:
            await replay.catch_up(Listing().fold, {RAW: start}, {RAW: 10}, lambda *_: None)
        return [line["why"] for line in lines if "why" in line]

    assert asyncio.run(caught_up(4)) == ["6 records of raw-0 are gone"]
    assert asyncio.run(caught_up(0)) == []


def test_what_was_published_is_told_before_what_was_consumed() -> None:
    """All of it when a state is rebuilt, and what was added since when it catches up; consumed is what is committed."""
    broker = LocalBroker(commits={RAW: 3})
    broker.append("raw", 0, *[b"raw"] * 5)
    broker.append("clean", 0, *[b"clean"] * 2)
    replay = replay_of(broker, "raw", "raw", "clean")

    async def run() -> None:
        rebuilt, later, noted = Listing(), Listing(), dict[TopicPartition, int]()
        offsets, records = await replay.rebuild(rebuilt.fold)
        assert rebuilt.told == [("clean", 0), ("clean", 1), ("raw", 0), ("raw", 1), ("raw", 2)]
        assert (offsets, records) == ({RAW: 3, CLEAN: 2}, 5)
        broker.append("clean", 0, *[b"clean"] * 2)
        assert await replay.catch_up(later.fold, offsets, {RAW: 4}, noted.__setitem__) == 3
        assert later.told == [("clean", 2), ("clean", 3), ("raw", 3)]
        assert noted == {RAW: 4, CLEAN: 4}

    asyncio.run(run())


def test_what_was_published_and_not_committed_is_told() -> None:
    """Also where the state is that of all that is committed: without transactions somebody was killed in between."""
    broker = LocalBroker(commits={RAW: 3})
    broker.append("raw", 0, *[b"raw"] * 5)
    broker.append("clean", 0, *[b"clean"] * 4)
    told = Listing()
    folded = asyncio.run(
        replay_of(broker, "raw", "raw", "clean").catch_up(told.fold, {RAW: 3, CLEAN: 3}, {RAW: 3}, lambda *_: None)
    )
    assert (folded, told.told) == (1, [("clean", 3)])


def test_a_service_without_a_state_reads_nothing_of_its_past() -> None:
    """It goes on where it has committed, also where others have gone on meanwhile."""
    broker = LocalBroker(commits={RAW: 4})
    broker.append("raw", 0, *[b"raw"] * 5)
    replay, told = replay_of(broker, "raw"), Listing()
    assert asyncio.run(replay.rebuild(told.fold)) == ({RAW: 4}, 0)
    assert asyncio.run(replay.catch_up(told.fold, {RAW: 1}, {RAW: 4}, lambda *_: None)) == 0
    assert (told.told, broker.looks) == ([], 0)


def test_other_partitions_are_nobody_s_business() -> None:
    """A task reads those of its own number."""
    broker = LocalBroker(commits={RAW: 1, TopicPartition("raw", 1): 1})
    broker.append("raw", 0, b"ours")
    broker.append("raw", 1, b"theirs")
    told = Listing()
    assert asyncio.run(replay_of(broker, "raw", "raw").rebuild(told.fold)) == ({RAW: 1}, 1)
    assert told.told == [("raw", 0)]


def test_a_bug_in_a_restore_is_raised() -> None:
    """Where the past can be read after all, what its poll has raised is no record's fault."""

    class Failing(LocalReader):
        async def getmany(
            self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None = None
        ) -> Mapping[TopicPartition, Sequence[Record]]:
            if not partitions:
                raise TypeError("'NoneType' object is not subscriptable")
            return await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)

    class Odd(LocalBroker):
        @asynccontextmanager
        async def reading(self, partitions: Collection[TopicPartition]) -> AsyncIterator[LocalReader]:
            yield Failing(self, partitions)

    broker = Odd(commits={RAW: 1})
    broker.append("raw", 0, b"one")
    with pytest.raises(TypeError, match="not subscriptable"):
        asyncio.run(asyncio.wait_for(replay_of(broker, "raw", "raw").rebuild(Listing().fold), 10))
