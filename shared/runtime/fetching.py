"""The consumer of the services: aiokafka's, which says which record it cannot fetch, and how many partitions there are.

aiokafka raises what is wrong with a batch without saying where it stands, drops what it had taken from other partitions
in the same call, and asks for the same batch again. So after such an error nothing of the call may be believed: whoever
reads goes back to what it has handled, and the partitions are looked through one by one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    KafkaError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from aiokafka import ConsumerRecord

    from shared.runtime.restoring import Reader

    Fetched = Mapping[TopicPartition, list[ConsumerRecord]]

__all__ = ["Consumer", "Unreadable", "concerns_a_record", "first_unreadable", "is_of_a_record"]

MANY = 500
LOOK_MS = 200
REST_MS = 500
BUSY_MS = 5

_OF_RECORDS = (UnsupportedCodecError, CorruptRecordException, RecordTooLargeError)


@dataclass(frozen=True)
class Unreadable:
    """A record, the first of a batch where it is one of several, that can never be read as things are, and why."""

    partition: TopicPartition
    offset: int
    reason: str

    @property
    def advice(self) -> str:
        """One line for people: which record, why, and what to do."""
        topic, number = self.partition
        return (
            f"{topic}, partition {number}, offset {self.offset} cannot be read ({self.reason}), and nothing behind it "
            "is: make it readable, or give it up with all before it in this partition: kafka-delete-records.sh"
        )


def concerns_a_record(error: Exception) -> bool:
    """Tell whether a consumer's error may be about what stands on a topic, not about broker, group or permission.

    What goes wrong while a batch is unpacked is whatever the codecs and the decoding of bytes raise. A bug of
    ours may raise the same: it is one where no such record is found, unless the error ``is_of_a_record``.
    """
    return is_of_a_record(error) or not isinstance(error, (KafkaError, ConsumerStoppedError))


def is_of_a_record(error: Exception) -> bool:
    """Tell whether a consumer's error is about what stands on a topic, whether or not it is found there again."""
    return isinstance(error, _OF_RECORDS)


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is published without types
    """A consumer that asks only for what there is room for, and tells somebody why it fetches nothing.

    FastStream makes one of aiokafka's, and polls it with a short time-out, after which it sleeps; this one waits
    longer, so that a service at rest rests.

    Parameters
    ----------
    on_failure
        Is awaited with what was raised by a poll, which then returns nothing; None: it is raised.
    roomy
        Returns the partitions that can take more, and whether all can; None: no partition is ever full.
    polls
        Returns how often positions have changed.
    fetch_wait_ms
        How long a broker waits for a record before it answers; it answers at once where there is any.

    Attributes
    ----------
    polled_at
        What ``polls`` returned at the end of the last poll.
    """

    def __init__(
        self,
        *names: str,
        on_failure: Callable[[Exception], Awaitable[None]] | None = None,
        roomy: Callable[[], tuple[Collection[TopicPartition], bool]] | None = None,
        polls: Callable[[], int] = lambda: 0,
        fetch_wait_ms: int = 500,
        **config: object,
    ) -> None:
        super().__init__(*names, **{**config, "fetch_max_wait_ms": fetch_wait_ms})
        self._on_failure = on_failure
        self._roomy = roomy
        self._polls = polls
        self.polled_at = 0

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Fetched:
        """Return what has come, as the base does."""
        if self._roomy is not None:
            roomy, all_are = self._roomy()
            partitions, timeout_ms = tuple(roomy), REST_MS if all_are else BUSY_MS
            if not roomy and not all_are:  # none would mean all of them
                await asyncio.sleep(timeout_ms / 1000)
                return {}
        try:
            found: Fetched = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            if self._on_failure is None:
                raise
            await self._on_failure(error)
            return {}
        self.polled_at = self._polls()
        return found

    async def stop(self) -> None:
        """Close it.

        The base awaits what it has cancelled, takes the outcome for an order to itself, and leaves its connections
        open.
        """
        try:
            await super().stop()
        except asyncio.CancelledError:
            await self._client.close()
            this = asyncio.current_task()
            if this is not None and this.cancelling():
                raise

    async def partitions_of(self, names: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of these topics, as the brokers have them now; raises ``KafkaError``."""
        # the producer's `partitions_for` is this very question, and a consumer has none
        numbers = {name: await self._client._wait_on_metadata(name) for name in names}  # noqa: SLF001
        return [TopicPartition(name, number) for name, found in numbers.items() for number in sorted(found)]


def _reason(error: Exception) -> str:
    if isinstance(error, UnsupportedCodecError):
        return f"{error.args[0]}: install cramjam where this service runs"
    return str(error) if isinstance(error, KafkaError) else f"{type(error).__name__}: {error}"


async def first_unreadable(consumer: Reader, partition: TopicPartition, start: int, end: int) -> Unreadable | None:
    """Return the first record between two offsets that cannot be read, None where all can.

    The consumer has no other partition that is not paused, and this one is paused before and after.
    """
    step = MANY
    consumer.seek(partition, start)
    consumer.resume(partition)
    try:
        while (offset := await consumer.position(partition)) < end:
            try:
                await consumer.getmany(partition, timeout_ms=LOOK_MS, max_records=step)
            except Exception as error:
                if not concerns_a_record(error):
                    raise
                if step == 1:
                    return Unreadable(partition, offset, _reason(error))
                step = 1  # of those that were taken together it is one
                consumer.seek(partition, offset)
            await asyncio.sleep(0)  # what is buffered comes without a pause
    finally:
        consumer.pause(partition)
    return None
