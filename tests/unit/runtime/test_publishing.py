"""How a batch is answered: each record once and in order, its offsets with it, and never by two processes."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, ProducerFenced

from shared.runtime.access import Access
from shared.runtime.health import Health, Reason, WaitsOfPartitions
from shared.runtime.metrics import PipelineMetrics, new_registry
from shared.runtime.patience import Patience
from shared.runtime.publishing import TRIES, Batch, Fenced, Transactional, Transactions, publish
from shared.runtime.records import Outgoing
from shared.runtime.retries import Refusals
from tests.unit.runtime.local import LocalBatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.runtime import publishing

PARTITION = TopicPartition("in", 3)
BATCH = Batch({PARTITION: 4}, {PARTITION: 7})
IMPATIENT = Patience(begin_s=0.01, transact_s=0.01, goodbye_s=0.01)
RECORDS = [Outgoing("out", b"key", value) for value in (b"one", b"two", b"three")]


class Producer:
    """A producer that takes records, after failing as it is told to."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.taken: list[tuple[str, bytes]] = []

    def create_batch(self) -> LocalBatch:
        """Return a batch of two records."""
        return LocalBatch(room=2)

    async def send_batch(self, batch: publishing.Builder, topic: str, *, partition: int) -> asyncio.Future[None]:
        """Take the records of a batch, or raise the next failure."""
        assert isinstance(batch, LocalBatch)
        assert partition == 3
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        assert all((record.key, record.headers) == (b"key", ()) for record in batch.records)
        self.taken += [(topic, record.value) for record in batch.records]
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


def test_a_full_buffer_delays_and_doubles_nothing() -> None:
    """While the broker is away the producer takes nothing more: the same records are offered until it does."""
    producer = Producer(None, KafkaTimeoutError(), KafkaTimeoutError())
    asyncio.run(publish(cast("publishing.Producer", producer), "prefix.", 3, RECORDS))
    assert producer.taken == [("prefix.out", b"one"), ("prefix.out", b"two"), ("prefix.out", b"three")]


def test_records_of_several_topics_keep_their_order_in_each() -> None:
    """Those of a topic go together, whatever stands between them."""
    producer = Producer()
    mixed = [replace(record, topic=topic) for record in RECORDS for topic in ("out", "other")]
    asyncio.run(publish(cast("publishing.Producer", producer), "", 3, mixed))
    values = [record.value for record in RECORDS]
    assert producer.taken == [("out", value) for value in values] + [("other", value) for value in values]


def test_what_the_producer_refuses_for_good_is_raised() -> None:
    """No second try for what cannot get better: the batch stays uncommitted and the service ends."""
    producer = Producer(None, MessageSizeTooLargeError())
    with pytest.raises(MessageSizeTooLargeError):
        asyncio.run(publish(cast("publishing.Producer", producer), "", 3, RECORDS))
    assert producer.taken == [("out", b"one"), ("out", b"two")]


def refusals_of(health: Health) -> Refusals:
    """Return what shows in a health what is not permitted."""
    return Refusals(Access("127.0.0.1:1"), health, "transactions")


@dataclass
class Broker:
    """What a broker with transactions has seen: what is committed, and by which producer."""

    failures: list[Exception] = field(default_factory=list)
    committed: list[bytes] = field(default_factory=list)
    offset: int = 0
    started: list[str] = field(default_factory=list)
    deaf: bool = False
    """Whether the failure comes after the commit: only the answer is lost."""
    stuck: bool = False
    """Whether nothing that needs the transaction log ends."""
    third_try: asyncio.Event = field(default_factory=asyncio.Event)
    health: Health = field(default_factory=lambda: Health(broker_up=True))
    patience: Patience = field(default_factory=Patience)

    async def producer(self, name: str) -> TransactionalProducer:
        """Start a producer of this name."""
        self.started.append(name)
        if self.started.count("group-3") == 3:
            self.third_try.set()
        if self.stuck:
            await asyncio.Event().wait()
        return TransactionalProducer(self)

    async def offsets(self, _: object) -> dict[TopicPartition, int]:
        """Return what is committed."""
        return {PARTITION: self.offset}

    def sender(self) -> Transactional:
        """Return a sender on this broker."""
        return Transactional(3, self.shared())

    def shared(self, **changes: Any) -> Transactions:
        """Return what the senders on this broker share."""
        waits = WaitsOfPartitions(self.health, Reason.TRANSACTIONS)
        shared = Transactions(
            "group",
            "",
            cast("Callable[[str], Awaitable[publishing.Producer]]", self.producer),
            self.offsets,
            PipelineMetrics(new_registry()),
            refusals_of(self.health),
            waits,
            self.patience,
        )
        return replace(shared, **changes)


class TransactionalProducer(Producer):
    """A producer whose commit fails as its broker is told to."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self._broker = broker
        self._offset = 0

    async def begin_transaction(self) -> None:
        """Begin with nothing."""
        self.taken.clear()

    async def send_offsets_to_transaction(self, offsets: dict[TopicPartition, int], group: str) -> None:
        """Take the offsets."""
        assert group == "group"
        self._offset = offsets[PARTITION]

    async def commit_transaction(self) -> None:
        """Commit what was taken, or fail."""
        if self._broker.stuck:
            await asyncio.Event().wait()
        failure = self._broker.failures.pop(0) if self._broker.failures else None
        if failure is None or self._broker.deaf:
            self._broker.committed += [value for _, value in self.taken]
            self._broker.offset = self._offset
        if failure is not None:
            raise failure

    async def stop(self) -> None:
        """Leave."""


def answered(broker: Broker) -> None:
    """Answer one batch on the broker."""

    async def run() -> None:
        sender = broker.sender()
        await sender.take_over()
        assert await sender.send(BATCH, RECORDS)
        await sender.stop()

    asyncio.run(run())


def test_answers_and_offsets_are_committed_together() -> None:
    """By a producer that is named after group, topic and partition."""
    broker = Broker()
    answered(broker)
    assert (broker.committed, broker.offset) == ([b"one", b"two", b"three"], 7)
    assert broker.started == ["group-3"]


def test_a_transaction_that_fails_is_done_again_with_the_same_bytes() -> None:
    """A new producer of the name ends what is open; what was not committed does not count."""
    broker = Broker([KafkaError(), KafkaTimeoutError()])
    answered(broker)
    assert (broker.committed, broker.offset) == ([b"one", b"two", b"three"], 7)
    assert broker.started == ["group-3"] * 3


class AwaitedEvent(asyncio.Event):
    """An event that tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = asyncio.Event()

    async def wait(self) -> Literal[True]:
        """Tell, and wait."""
        self.awaited.set()
        return await super().wait()


def test_batches_that_come_at_once_wait_for_each_other_and_the_first_does_not() -> None:
    """A reading that comes alone is answered at once; of a fast stream, what comes meanwhile is one transaction.

    A batch that is full has nothing to wait for.
    """
    broker = Broker()

    async def run() -> None:
        full = AwaitedEvent()
        sender = Transactional(3, broker.shared(pace_s=3600.0, clock=lambda: 100.0))
        await sender.take_over()
        await sender.pace(full)
        await sender.send(BATCH, RECORDS)
        paced = asyncio.ensure_future(sender.pace(full))
        async with asyncio.timeout(10):
            await full.awaited.wait()
        assert not paced.done()
        full.set()
        await paced

    asyncio.run(run())


def test_a_batch_that_is_not_full_is_sent_when_its_time_has_come() -> None:
    """However few records come, none is kept waiting for more."""
    broker = Broker()

    async def run() -> None:
        sender = Transactional(3, broker.shared(pace_s=0.001, clock=lambda: 100.0))
        await sender.take_over()
        await sender.send(BATCH, RECORDS)
        async with asyncio.timeout(10):
            await sender.pace(asyncio.Event())

    asyncio.run(run())


def test_a_commit_whose_answer_is_lost_is_not_repeated() -> None:
    """Whether it was committed says the broker, not the error."""
    broker = Broker([KafkaError()], deaf=True)
    answered(broker)
    assert broker.committed == [b"one", b"two", b"three"]


@pytest.mark.parametrize(("theirs", "committed"), [(5, []), (9, []), (4, [b"one", b"two", b"three"]), (7, [])])
def test_who_was_away_does_not_answer_what_its_successor_has_answered(theirs: int, committed: list[bytes]) -> None:
    """A transaction that has run out is done again only if no other process has committed meanwhile.

    That one goes on: no new producer of the name shuts it out.
    """
    broker = Broker([KafkaTimeoutError()], offset=theirs)
    known = theirs in {4, 7}  # nothing, or just our batch: it cannot be told from ours
    with suppress(Fenced) if known else pytest.raises(Fenced, match="another process answers partition 3 of group"):
        answered(broker)
    assert broker.committed == committed
    assert broker.started == ["group-3"] * (2 if known else 1)


def test_who_is_fenced_ends_at_once() -> None:
    """No second try: a new producer of the name would shut out its successor."""
    broker = Broker([ProducerFenced()])
    with pytest.raises(Fenced, match="another process answers partition 3 of group"):
        answered(broker)
    assert (broker.committed, broker.started) == ([], ["group-3"])


def test_what_fails_again_and_again_is_raised() -> None:
    """The service ends then, and the next one answers the batch."""
    broker = Broker([KafkaError()] * TRIES)
    with pytest.raises(KafkaError):
        answered(broker)
    assert broker.committed == []


def test_where_no_transaction_can_be_begun_it_says_so_tries_again_and_can_be_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not ready, with what to do, in `/readyz` as in the log; cancelled it ends, and it begins when it can."""
    broker = Broker(stuck=True, patience=IMPATIENT)

    async def run() -> None:
        sender = broker.sender()
        waiting = asyncio.create_task(sender.take_over())
        await broker.third_try.wait()
        ready, evidence = broker.health.ready()
        assert not ready
        assert "transaction.state.log.replication.factor" in str(evidence["waiting_for"])
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        broker.stuck = False
        await sender.take_over()
        assert "transactions" not in broker.health.waiting_for

    asyncio.run(run())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(re.search("TETOUAN_TRANSACTIONS=false, trying again", line) for line in lines)


def test_a_transaction_that_does_not_end_is_done_again() -> None:
    """The broker loses its transaction log in the middle of the work: the batch is answered once it is back."""
    broker = Broker(patience=IMPATIENT)

    async def run() -> None:
        sender = broker.sender()
        await sender.take_over()
        broker.stuck = True
        sending = asyncio.create_task(sender.send(BATCH, RECORDS))
        await broker.third_try.wait()
        assert "transactions" in broker.health.waiting_for
        broker.stuck = False
        assert await sending

    asyncio.run(run())
    assert (broker.committed, broker.offset) == ([b"one", b"two", b"three"], 7)
    assert broker.health.waiting_for == {}


def test_who_was_frozen_hears_first_that_it_is_shut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is over when it wakes up, and what has come meanwhile is still to be read; nobody is shut out."""
    broker = Broker(patience=Patience(transact_s=0.2))

    class Frozen(TransactionalProducer):
        async def commit_transaction(self) -> None:
            loop = asyncio.get_running_loop()
            heard = loop.create_future()
            loop.call_soon(lambda: Event().wait(0.3))  # the whole process stands still
            loop.call_later(0.35, heard.set_exception, ProducerFenced())
            await heard

    async def producer(name: str) -> TransactionalProducer:
        broker.started.append(name)
        return Frozen(broker)

    monkeypatch.setattr(broker, "producer", producer)
    with pytest.raises(Fenced):
        answered(broker)
    assert broker.started == ["group-3"]


@pytest.mark.parametrize("fenced", [False, True], ids=["silent", "fenced"])
def test_a_producer_that_cannot_say_goodbye_leaves_no_connection(*, fenced: bool) -> None:
    """It waits for records that nobody confirms, or is shut out: its connections are closed, and the stop ends."""
    closed: list[str] = []

    class Client:
        async def close(self) -> None:
            closed.append("client")

    class Waiting:
        client = Client()

        async def stop(self) -> None:
            if fenced:
                raise ProducerFenced
            await asyncio.Event().wait()

    async def started(_: str) -> Waiting:
        return Waiting()

    async def run() -> None:
        sender = Transactional(3, Broker(patience=IMPATIENT).shared(start=started))
        await sender.take_over()
        await sender.stop()

    asyncio.run(run())
    assert closed == ["client"]
