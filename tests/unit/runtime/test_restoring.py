"""What stands on the topics: read while the broker comes and goes, and told where it is no longer there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.runtime import restoring
from shared.runtime.access import Access
from shared.runtime.health import Health
from shared.runtime.restoring import Past

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
def past(monkeypatch: pytest.MonkeyPatch) -> Past:
    """The past of one partition."""
    monkeypatch.setattr(restoring, "Consumer", Consumer)
    topics = cast("tuple[Topic, ...]", ())
    return Past(Access("127.0.0.1:1"), "", "group", topics, topics, Health())


def test_a_broker_that_goes_while_the_past_is_asked_for_is_waited_for(past: Past) -> None:
    """Each question is asked again, and the service does not end."""
    assert asyncio.run(past.rebuild(Core())) == ({PART: 10}, 0)


def test_what_a_topic_has_not_kept_is_told(past: Past) -> None:
    """A state that is to go on with record 4 of a partition that begins with 10 lacks six; a fresh one lacks none."""

    async def caught_up(start: int) -> list[Any]:
        with structlog.testing.capture_logs() as lines:
            await past.catch_up(Core(), {PART: start}, {PART: 10}, lambda *_: None)
        return [line["why"] for line in lines if "why" in line]

    assert asyncio.run(caught_up(4)) == ["6 records of in-0 are gone"]
    assert asyncio.run(caught_up(0)) == []
