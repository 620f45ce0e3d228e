"""A poll that fails: a record is the reason, or a bug that ends the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError, UnsupportedCodecError

from tests.unit.runtime.local import IN, OUT, LocalBroker, LocalReader, LocalService, settled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from shared.runtime.restoring import Offsets

ZERO, ONE = TopicPartition(IN, 0), TopicPartition(IN, 1)
NUMBERS = [b"%d" % number for number in range(1, 11)]
SUMS = [b"1", b"3", b"6", b"10", b"15", b"21", b"28", b"36", b"45", b"55"]
BUG = TypeError("'NoneType' object is not subscriptable")


def test_a_bug_in_a_poll_ends_the_service(tmp_path: Path) -> None:
    """Where no record is the reason it is raised, however fast the next polls fail: it would never end."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        service.flow.assign(0)
        await settled(lambda: not service.tasks.restoring)
        broker.append(IN, 0, b"1")
        looks = broker.looks
        for _ in range(3):
            service.search.begin(BUG)
        await settled(lambda: service.health.failure is not None)
        assert service.health.failure is BUG
        assert broker.looks == looks + 1
        await service.stop()

    asyncio.run(run())


def test_where_no_partition_is_left_there_is_nothing_to_find(tmp_path: Path) -> None:
    """Another replica has them: a poll that failed before is no bug of this one."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        service.flow.assign(0)
        await settled(lambda: not service.tasks.restoring)
        await service.flow.revoke()
        await service.search.begin(BUG)
        assert service.health.failure is None
        await service.stop()

    asyncio.run(run())


def test_a_broker_that_is_away_during_the_search_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not end the service; the record is found once the broker answers."""
    broker = LocalBroker(damage=UnsupportedCodecError("Libraries for zstd compression codec not found"))
    end_offsets, away = LocalReader.end_offsets, [KafkaTimeoutError("no answer")]

    async def answer(reader: LocalReader, partitions: Sequence[TopicPartition]) -> Offsets:
        if broker.damaged and away:
            raise away.pop()
        return await end_offsets(reader, partitions)

    monkeypatch.setattr(LocalReader, "end_offsets", answer)

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        service.flow.assign(0)
        await settled(lambda: not service.tasks.restoring)
        broker.damaged = {ZERO: 6}
        broker.append(IN, 0, *NUMBERS)
        await settled(lambda: broker.commits == {ZERO: 6}, service)
        assert not away
        assert service.health.failure is None
        await service.stop()

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS[:6]


def test_a_record_that_cannot_be_unpacked_holds_up_nothing_but_what_is_behind_it(tmp_path: Path) -> None:
    """It is named; what is before it and on other partitions is answered, and the rest once it can be read."""
    broker = LocalBroker(damage=UnsupportedCodecError("Libraries for zstd compression codec not found"))

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        broker.damaged = {ONE: 6}
        broker.append(IN, 0, *NUMBERS)
        broker.append(IN, 1, *NUMBERS)
        service.flow.assign(0, 1)
        await settled(lambda: broker.commits == {ZERO: 10, ONE: 6}, service)
        await settled(lambda: ONE in service.flow.paused_ones, service)
        ready, evidence = service.health.ready()
        assert not ready
        assert "in, partition 1, offset 6 cannot be read" in str(evidence["waiting_for"])
        assert service.health.live()[0]
        broker.damaged = {}
        await settled(lambda: broker.commits == {ZERO: 10, ONE: 10}, service)
        await settled(lambda: service.health.unreadable == {}, service)
        assert service.health.failure is None
        await service.stop()

    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())
    assert broker.values(OUT, 0) == broker.values(OUT, 1) == SUMS
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["a record cannot be fetched"]


def test_a_damage_that_is_gone_by_the_next_look_is_read_over(tmp_path: Path) -> None:
    """A batch that was damaged on its way is asked for again."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        broker.append(IN, 0, *NUMBERS)
        service.flow.assign(0)
        await settled(lambda: not service.tasks.restoring)
        service.flow.positions[ZERO] = 5  # the consumer had taken five when it failed
        service.search.begin(broker.damage)
        await settled(lambda: broker.commits == {ZERO: 10}, service)
        assert service.health.failure is None
        assert service.health.unreadable == {}
        await service.stop()

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS


def test_a_restore_waits_for_a_record_and_folds_all_others_once(tmp_path: Path) -> None:
    """Not ready meanwhile, with the record named; once it can be read nothing is missing and nothing twice."""
    broker = LocalBroker(damaged={ZERO: 4}, commits={ZERO: 8})

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        broker.append(IN, 0, *NUMBERS)
        service.flow.assign(0)
        await settled(lambda: bool(service.health.unreadable), service)
        assert "offset 4 cannot be read" in service.health.unreadable["in-0"]
        assert service.tasks.restoring == [0]
        broker.damaged = {}
        await settled(lambda: broker.commits == {ZERO: 10}, service)
        assert service.health.unreadable == {}
        await service.stop()

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS[8:]
