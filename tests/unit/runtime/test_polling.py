"""A poll that fails: a record is the reason, or a bug that ends the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException

from shared.contracts import topics
from shared.runtime import kafka, restoring
from shared.runtime.access import Access
from shared.runtime.fetching import Unreadable
from shared.runtime.health import Health
from shared.runtime.kafka import Pipeline
from shared.runtime.metrics import PipelineMetrics, new_registry
from shared.runtime.restoring import TopicReplay
from shared.runtime.service import Service
from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import AIOKafkaConsumer

    from shared.runtime.state import Core, ServiceState

PART = TopicPartition(topics.RAW.name, 0)
BUG = TypeError("'NoneType' object is not subscriptable")
DAMAGED = CorruptRecordException("Invalid CRC")
NAMED = Unreadable(PART, 4, "TypeError: damaged")


class Idle:
    """A consumer that is paused and resumed."""

    def pause(self, *_: TopicPartition) -> None:
        """Pause."""

    def resume(self, *_: TopicPartition) -> None:
        """Resume."""

    def seek(self, *_: object) -> None:
        """Seek."""

    async def seek_to_beginning(self, *_: object) -> None:
        """Seek."""


class Failing(Idle):
    """A consumer of one record that fails where it is asked for all partitions."""

    at = 0

    async def start(self) -> None:
        """Start."""

    async def stop(self) -> None:
        """Stop."""

    def assign(self, _: object) -> None:
        """Assign."""

    def assignment(self) -> set[TopicPartition]:
        """Return the one."""
        return {PART}

    async def partitions_of(self, names: list[str]) -> list[TopicPartition]:
        """Return the one."""
        return [PART] if names else []

    async def committed(self, _: object) -> int:
        """Return the end."""
        return 1

    async def beginning_offsets(self, _: object) -> dict[TopicPartition, int]:
        """Return zero."""
        return {PART: 0}

    async def end_offsets(self, _: object) -> dict[TopicPartition, int]:
        """Return one."""
        return {PART: 1}

    async def position(self, _: TopicPartition) -> int:
        """Return where it is."""
        return self.at

    async def getmany(self, *partitions: TopicPartition, **_: object) -> dict[TopicPartition, list[object]]:
        """Fail where all is asked for."""
        if not partitions:
            raise BUG
        self.at = 1
        return {}


class State:
    """A state whose partition holds these unreadable records; to look for them lasts until the polls are over."""

    def __init__(self, found: Sequence[Unreadable]) -> None:
        self.found = list(found)
        self.looked = 0
        self.polled = asyncio.Event()

    async def unreadable(self, _: object) -> list[Unreadable]:
        """Return them."""
        self.looked += 1
        await self.polled.wait()
        return self.found

    async def committed(self) -> dict[TopicPartition, int]:
        """Return the offset of the record."""
        return {PART: 4}

    async def catch_up(self, _: object) -> dict[TopicPartition, int]:
        """Return where to go on."""
        return {PART: 4}


async def fail(state: State, error: Exception, polls: int) -> tuple[Health, Sequence[object]]:
    """Let so many polls in a row fail of one error, and wait until the partition was looked through."""
    health = Health(broker_up=True)
    make = cast("Callable[[], Core]", object)
    service = Service("ingestor", (topics.RAW,), make, new_registry(), health)
    settings = Settings(transactions=False)
    metrics = PipelineMetrics(service.registry)
    pipeline = Pipeline(service, settings, state=cast("ServiceState", state), metrics=metrics)
    # there is no broker that would assign anything
    pipeline._subscriber.consumer = cast("AIOKafkaConsumer", Idle())  # noqa: SLF001 - see above
    pipeline._owned = frozenset({PART})  # noqa: SLF001 - see above
    pipeline._rebuilt.set()  # noqa: SLF001 - see above
    with structlog.testing.capture_logs() as lines:
        for _ in range(polls):
            await pipeline._note_failure(error)  # noqa: SLF001 - what a consumer calls
        state.polled.set()
        seeking = pipeline._seeking  # noqa: SLF001 - see above
        assert seeking is not None
        await asyncio.wait((seeking,), timeout=10)
        assert seeking.done()
        if pipeline._looking is not None:  # noqa: SLF001 - see above
            pipeline._looking.cancel()  # noqa: SLF001 - it looks again and again
    return health, [line["error"] for line in lines if line["event"].startswith("a poll has failed")]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait after a poll that has failed."""
    monkeypatch.setattr(kafka, "REFUSED_S", 0.0)


@pytest.mark.parametrize("polls", [1, 3])
def test_a_bug_in_a_poll_ends_the_service(polls: int) -> None:
    """Where no record is the reason it is logged and raised, however fast the next polls fail: it would never end."""
    state = State([])
    health, logged = asyncio.run(fail(state, BUG, polls))
    assert health.failure is BUG
    assert logged == [repr(BUG)] * polls
    assert state.looked == 1


def test_whatever_a_record_raises_makes_the_service_not_ready() -> None:
    """Where the record is found the service stays, and names it."""
    health, logged = asyncio.run(fail(State([NAMED]), BUG, 1))
    assert health.failure is None
    assert health.unreadable == {f"{PART.topic}-0": NAMED.advice}
    assert logged == [repr(BUG)]


def test_a_damage_that_is_gone_by_the_next_look_is_read_over() -> None:
    """A batch that was damaged on its way is logged, and asked for again."""
    health, logged = asyncio.run(fail(State([]), DAMAGED, 1))
    assert health.failure is None
    assert health.unreadable == {}
    assert logged == [repr(DAMAGED)]


def test_a_bug_in_a_restore_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the past can be read after all, what its poll has raised is no record's fault."""
    monkeypatch.setattr(restoring, "Consumer", lambda **_: Failing())
    past = TopicReplay(Access("127.0.0.1:1"), "", "group", (topics.RAW,), (topics.RAW,), Health())
    with pytest.raises(TypeError, match="not subscriptable"):
        asyncio.run(asyncio.wait_for(past.rebuild(cast("Core", object())), 10))
