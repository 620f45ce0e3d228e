"""What stands on the topics: read while the broker comes and goes, and told where it is no longer there."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.contracts import topics
from shared.runtime import restoring
from shared.runtime.access import Access
from shared.runtime.health import Health
from shared.runtime.restoring import TopicReplay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.contracts.topics import Topic
    from shared.runtime.records import Record

PART = TopicPartition("in", 0)


class Consumer:
    """A consumer of one partition that holds nothing from 10 to 10, whose broker is away at each first question."""

    def __init__(self, **_: object) -> None:
        self.asked: list[str] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.asked.count(what) == 1:
            raise KafkaConnectionError(what)

    async def start(self) -> None:
        """Start."""

    async def stop(self) -> None:
        """Stop."""

    async def partitions_of(self, _: object) -> list[TopicPartition]:
        """Return the partition."""
        return [PART]

    def assign(self, _: object) -> None:
        """Assign."""

    def pause(self, *_: object) -> None:
        """Pause."""

    def assignment(self) -> set[TopicPartition]:
        """Return the partition."""
        return {PART}

    async def committed(self, _: object) -> int:
        """Return ten."""
        if "started" in self.asked:
            self._ask("committed")
        self.asked.append("started")
        return 10

    async def beginning_offsets(self, _: object) -> dict[TopicPartition, int]:
        """Return ten."""
        self._ask("beginning")
        return {PART: 10}

    async def end_offsets(self, _: object) -> dict[TopicPartition, int]:
        """Return ten."""
        self._ask("end")
        return {PART: 10}


class Core:
    """Folds nothing."""

    def restore(self, records: Sequence[Record]) -> None:
        """Do nothing."""


@pytest.fixture
def past(monkeypatch: pytest.MonkeyPatch) -> TopicReplay:
    """The past of one partition."""
    monkeypatch.setattr(restoring, "Consumer", Consumer)
    none = cast("tuple[Topic, ...]", ())
    return TopicReplay(Access("127.0.0.1:1"), "", "group", none, none, Health())


def test_a_broker_that_goes_while_the_past_is_asked_for_is_waited_for(past: TopicReplay) -> None:
    """Each question is asked again, and the service does not end."""
    assert asyncio.run(past.rebuild(Core())) == ({PART: 10}, 0)


def test_what_a_topic_has_not_kept_is_told(past: TopicReplay) -> None:
    """A state that is to go on with record 4 of a partition that begins with 10 lacks six; a fresh one lacks none."""

    async def caught_up(start: int) -> list[Any]:
        with structlog.testing.capture_logs() as lines:
            await past.catch_up(Core(), {PART: start}, {PART: 10}, lambda *_: None)
        return [line["why"] for line in lines if "why" in line]

    assert asyncio.run(caught_up(4)) == ["6 records of in-0 are gone"]
    assert asyncio.run(caught_up(0)) == []


class Log:
    """A broker's partitions, each of some records, read by a consumer of its own."""

    def __init__(self, held: dict[TopicPartition, int], committed: dict[TopicPartition, int]) -> None:
        self.held = held
        self.marks = committed
        self.positions: dict[TopicPartition, int] = {}
        self.resumed: set[TopicPartition] = set()

    def __call__(self, **_: object) -> Log:
        """Return a consumer: this one will do."""
        return self

    async def start(self) -> None:
        """Start."""

    async def stop(self) -> None:
        """Stop."""

    async def partitions_of(self, names: Sequence[str]) -> list[TopicPartition]:
        """Return those of these topics."""
        return [partition for name in names for partition in self.held if partition.topic == name]

    def assign(self, _: object) -> None:
        """Assign."""

    def assignment(self) -> set[TopicPartition]:
        """Return all partitions."""
        return set(self.held)

    def pause(self, *partitions: TopicPartition) -> None:
        """Hold back what these have."""
        self.resumed -= set(partitions)

    def resume(self, partition: TopicPartition) -> None:
        """Give what this one has."""
        self.resumed.add(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go there."""
        self.positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        """Return where it is."""
        return self.positions[partition]

    async def committed(self, partition: TopicPartition) -> int | None:
        """Return what the group has committed."""
        return self.marks.get(partition)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return zeros."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the ends."""
        return {partition: self.held[partition] for partition in partitions}

    async def getmany(self, **_: object) -> dict[TopicPartition, list[Any]]:
        """Return the next record of each partition that is not held back."""
        found = {}
        for part in self.resumed:
            offset = self.positions[part]
            if offset < self.held[part]:
                found[part] = [SimpleNamespace(topic=part.topic, offset=offset)]
                self.positions[part] += 1
        return found


class Listing:
    """Notes down what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def restore(self, records: Sequence[Record]) -> None:
        """Note down topic and offset."""
        self.told += [(record.topic, record.offset) for record in records]


def test_what_was_published_is_told_before_what_was_consumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it when a state is rebuilt, and what was added since when it catches up; consumed is what is committed."""
    raw, clean = (TopicPartition(topic.name, 0) for topic in (topics.RAW, topics.CLEAN))
    broker = Log({raw: 5, clean: 2}, {raw: 3})
    monkeypatch.setattr(restoring, "Consumer", broker)
    past = TopicReplay(Access("127.0.0.1:1"), "", "group", (topics.RAW,), (topics.RAW, topics.CLEAN), Health())

    async def run() -> None:
        rebuilt, later, noted = Listing(), Listing(), dict[TopicPartition, int]()
        offsets, records = await past.rebuild(rebuilt)
        assert rebuilt.told == [(clean.topic, 0), (clean.topic, 1), *((raw.topic, offset) for offset in range(3))]
        assert (offsets, records) == ({raw: 3, clean: 2}, 5)
        broker.held[clean] = 4
        assert await past.catch_up(later, offsets, {raw: 4}, noted.__setitem__) == 3
        assert later.told == [(clean.topic, 2), (clean.topic, 3), (raw.topic, 3)]
        assert noted == {raw: 4, clean: 4}

    asyncio.run(run())
