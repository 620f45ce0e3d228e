"""How records are handed to the producer: each once, in order, however full its buffer is."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from shared.runtime.kafka import publish
from shared.runtime.records import Outgoing

RECORDS = [Outgoing("out", b"key", value) for value in (b"one", b"two", b"three")]


class Producer:
    """A producer that takes records, after failing as it is told to."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.taken: list[tuple[str, bytes]] = []

    async def send(self, topic: str, value: bytes, **_: object) -> asyncio.Future[None]:
        """Take a record, or raise the next failure."""
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.taken.append((topic, value))
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


def test_a_full_buffer_delays_and_doubles_nothing() -> None:
    """While the broker is away the producer takes nothing more: the same record is offered until it does."""
    producer = Producer(None, KafkaTimeoutError(), KafkaTimeoutError())
    asyncio.run(publish(producer, "prefix.", RECORDS))
    assert producer.taken == [("prefix.out", b"one"), ("prefix.out", b"two"), ("prefix.out", b"three")]


def test_what_the_producer_refuses_for_good_is_raised() -> None:
    """No second try for what cannot get better: the batch stays uncommitted and the service ends."""
    producer = Producer(None, MessageSizeTooLargeError())
    with pytest.raises(MessageSizeTooLargeError):
        asyncio.run(publish(producer, "", RECORDS))
    assert producer.taken == [("out", b"one")]
