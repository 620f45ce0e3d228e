"""A batch is committed when its rows stand in the history, however long that takes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry
from sqlalchemy import URL, func, select

from services.gateway import tables
from services.gateway.app import HistoryCore
from services.gateway.database import Database
from services.gateway.metrics import HistoryMetrics
from services.gateway.storing import Store, Stored
from services.gateway.writing import Row
from shared.contracts import topics
from shared.runtime.health import Health, Reason
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import PipelineMetrics, new_registry
from shared.runtime.publishing import Batch, Plain
from shared.runtime.settings import Refused
from tests.unit.consumed import Consumed
from tests.unit.gateway.test_decoding import consumed, golden
from tests.unit.runtime.local import LocalBroker, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from shared.runtime.records import Record
    from shared.runtime.restoring import Offsets

PARTITION = TopicPartition(f"prefix.{topics.CLEAN.name}", 0)
READINGS: Sequence[Record] = [
    consumed(topics.CLEAN, {**golden("readings.clean"), "time": f"2017-01-01T0{hour}:00:00Z"}, hour)
    for hour in range(3)
]


class Gateway:
    """The core, the store and the sender of one partition, on a broker in memory."""

    def __init__(self, database: Database, slow_s: float = 60.0) -> None:
        self.database = database
        self.health = Health(broker_up=True)
        self.registry = CollectorRegistry()
        self.store = Store(database, HistoryMetrics(self.registry), self.health, slow_s=slow_s)
        self.letters = DeadLetters(self.registry)
        self.core = HistoryCore(self.letters)
        self.committed: list[Offsets] = []
        self.broker = LocalBroker()

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Stored]:
        """Return a sender that commits here."""

        async def commit(offsets: Offsets) -> None:
            self.committed.append(offsets)

        producer = await self.broker.start("gateway")
        await producer.begin_transaction()
        yield Stored(Plain(0, producer, "", commit, PipelineMetrics(new_registry())), self.store, self.letters)
        await producer.commit_transaction()

    async def answer(self, records: Sequence[Record], spoiled: int | None = None) -> None:
        """Answer a batch; the row of one record may be spoiled, so that no database takes it."""
        answers = self.core.handle(records)
        if spoiled is not None and isinstance(answer := answers[spoiled], Row):
            answers[spoiled] = replace(answer, values={**answer.values, "values_json": None})
        async with self.sender() as sender:
            assert await sender.send(Batch.of(records), answers)

    def count(self) -> int:
        """Return how many readings there are."""
        with self.database.reader.connect() as connection:
            return connection.execute(select(func.count()).select_from(tables.READINGS)).scalar_one()

    @property
    def waits_for(self) -> str | None:
        """What `/readyz` says of the database."""
        return self.health.waiting_for.get(Reason.DATABASE)

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric."""
        return self.registry.get_sample_value(name, labels)


def test_rows_are_written_and_then_committed(database: Database) -> None:
    """The history has the readings and their site, and the figures say so."""
    gateway = Gateway(database)

    async def run() -> None:
        await gateway.store.prepare()
        await gateway.answer(READINGS)

    asyncio.run(run())
    assert gateway.count() == 3
    assert gateway.committed == [{PARTITION: 3}]
    assert gateway.waits_for is None
    assert gateway.metric("tetouan_history_rows_total", table="readings") == 3
    assert gateway.metric("tetouan_history_rows_total", table="sites") == 1
    assert gateway.metric("tetouan_history_newest_reading_timestamp_seconds") == 1483236000


def test_what_is_no_message_becomes_a_dead_letter_and_holds_up_nothing(database: Database) -> None:
    """The letter has the original bytes; the rows beside it are written, and all of them are committed."""
    gateway = Gateway(database)
    odd = Consumed(b"odd", PARTITION.topic, offset=3, key=b"north")

    async def run() -> None:
        await gateway.store.prepare()
        await gateway.answer([*READINGS, odd])

    asyncio.run(run())
    assert gateway.count() == 3
    assert gateway.committed == [{PARTITION: 4}]
    (letter,) = gateway.broker.log[TopicPartition(topics.REJECTED.name, 0)]
    assert (letter.value, letter.key, dict(letter.headers)["reason"]) == (b"odd", b"north", b"invalid_clean_reading")
    assert gateway.metric("tetouan_dead_letters_total", reason="invalid_clean_reading") == 1


@pytest.mark.parametrize("records", [READINGS, READINGS[2:]], ids=["beside others", "alone"])
def test_a_row_that_the_database_refuses_becomes_a_dead_letter(database: Database, records: Sequence[Record]) -> None:
    """The rows beside it are written, their site ends with the last that was taken, and all of them are committed."""
    gateway = Gateway(database)

    async def run() -> None:
        await gateway.store.prepare()
        await gateway.answer(records, spoiled=len(records) - 1)

    asyncio.run(run())
    assert gateway.count() == len(records) - 1
    assert gateway.committed == [{PARTITION: 3}]
    with database.reader.connect() as connection:
        last_s = connection.scalars(select(tables.SITES.c.last_s)).all()
    assert last_s == [1483232400][: len(records) - 1]
    (letter,) = gateway.broker.log[TopicPartition(topics.REJECTED.name, 0)]
    headers = dict(letter.headers)
    assert (letter.value, headers["reason"], headers["offset"]) == (records[-1].value, b"refused_by_database", b"2")
    assert b"values_json" in headers["value"]


def test_a_dead_letter_of_ours_is_read_by_ourselves(database: Database) -> None:
    """What the gateway refuses comes back to it as a row, and is not refused again."""
    gateway = Gateway(database)
    odd = Consumed(b"odd", topics.REJECTED.name, offset=3)

    async def run() -> None:
        await gateway.store.prepare()
        await gateway.answer([odd])
        (letter,) = gateway.broker.log[TopicPartition(topics.REJECTED.name, 0)]
        await gateway.answer([letter])

    asyncio.run(run())
    assert len(gateway.broker.log[TopicPartition(topics.REJECTED.name, 0)]) == 1
    with database.reader.connect() as connection:
        found = connection.execute(select(tables.DEAD_LETTERS.c.topic, tables.DEAD_LETTERS.c.offset)).all()
    assert [tuple(row) for row in found] == [(topics.REJECTED.name, 3)]


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Nothing is committed, the service is alive and not ready, and says what to do; then it goes on by itself."""
    obstacle = tmp_path / "history.db"
    obstacle.mkdir()
    gateway = Gateway(Database(URL.create("sqlite", database=str(obstacle))))

    async def run() -> None:
        preparing = asyncio.create_task(gateway.store.prepare())
        answering = asyncio.create_task(gateway.answer(READINGS))
        await settled(lambda: "is away" in (gateway.waits_for or ""))
        gateway.health.lag_records = 5
        assert gateway.health.ready()[0] is False
        assert gateway.health.live()[0] is True
        assert "TETOUAN_DATABASE_URL" in (gateway.waits_for or "")
        assert gateway.committed == []
        obstacle.rmdir()
        await asyncio.gather(preparing, answering)

    asyncio.run(run())
    assert gateway.count() == 3
    assert gateway.committed == [{PARTITION: 3}]
    assert gateway.waits_for is None
    assert (gateway.metric("tetouan_history_retries_total") or 0) > 0
    gateway.database.close()


def test_a_database_that_hangs_is_told(tmp_path: Path) -> None:
    """A write without an answer makes the gateway not ready, and is no reason to restart it; then it goes on."""
    gateway = Gateway(Database(URL.create("sqlite", database=str(tmp_path / "history.db"))), slow_s=0.01)

    async def run() -> None:
        await gateway.store.prepare()
        with gateway.database.writer.begin():
            answering = asyncio.create_task(gateway.answer(READINGS))
            await settled(lambda: "has not answered" in (gateway.waits_for or ""))
            assert gateway.health.ready()[0] is False
            assert gateway.health.live()[0] is True
            assert gateway.committed == []
        await answering

    asyncio.run(run())
    assert gateway.count() == 3
    assert gateway.waits_for is None
    gateway.database.close()


def test_one_that_waits_is_told_while_others_are_answered(tmp_path: Path) -> None:
    """What `/readyz` says goes once nobody waits any more."""
    gateway = Gateway(Database(URL.create("sqlite", database=str(tmp_path / "history.db"))), slow_s=0.01)
    answers = Event()

    async def run() -> None:
        await gateway.store.prepare()
        hanging = asyncio.create_task(gateway.store.patiently(answers.wait))
        await settled(lambda: "has not answered" in (gateway.waits_for or ""))
        await gateway.store.patiently(lambda: None)
        assert "has not answered" in (gateway.waits_for or "")
        answers.set()
        await hanging

    asyncio.run(run())
    assert gateway.waits_for is None
    gateway.database.close()


def test_tables_of_a_later_release_end_the_start(database: Database) -> None:
    """Nobody waits for what only another release can mend."""
    with database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    gateway = Gateway(database)
    with pytest.raises(Refused, match="another database"):
        asyncio.run(gateway.store.prepare())
