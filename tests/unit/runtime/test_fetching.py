"""A record that cannot be fetched: which one it is, and what is read before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, UnsupportedCodecError

from shared.runtime.fetching import Unreadable, concerns_a_record, first_unreadable

if TYPE_CHECKING:
    from shared.runtime.restoring import Reader

GOOD, BAD = TopicPartition("in", 0), TopicPartition("in", 1)
END = 10
LACKING = UnsupportedCodecError("Libraries for zstd compression codec not found")


class Held:
    """A record of which only the offset matters."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Log:
    """A consumer of two partitions of ten records each that behaves as aiokafka's where a batch cannot be unpacked.

    What it has taken from another partition in the same call is lost, and so is what comes before the bad record.
    """

    def __init__(self, bad: int | None, **_: object) -> None:
        self.bad = bad
        self.at = {GOOD: 0, BAD: 0}
        self.paused = {GOOD, BAD}

    def pause(self, *partitions: TopicPartition) -> None:
        """Stop fetching."""
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Fetch again."""
        self.paused -= set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go there."""
        self.at[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        """Return where it is."""
        return self.at[partition]

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int = 500
    ) -> dict[TopicPartition, list[Held]]:
        """Return what is left of each partition; raises at the bad record, all else being lost."""
        assert timeout_ms
        taken = {}
        for part in partitions or tuple(self.at):
            if part in self.paused or self.at[part] >= END:
                continue
            until = min(END, self.at[part] + max_records)
            if part == BAD and self.bad is not None and self.at[part] <= self.bad < until:
                raise LACKING
            taken[part] = [Held(offset) for offset in range(self.at[part], until)]
            self.at[part] = until
        return taken


def found(bad: int | None, start: int = 0) -> Unreadable | None:
    """Return what is found between an offset and the end."""
    consumer = cast("Reader", Log(bad))
    return asyncio.run(first_unreadable(consumer, BAD, start, END))


@pytest.mark.parametrize("bad", [0, 4, 9])
def test_the_record_is_found_wherever_it_stands(bad: int) -> None:
    """By its offset, with the reason and what to do."""
    unreadable = found(bad)
    assert unreadable is not None
    assert (unreadable.partition, unreadable.offset) == (BAD, bad)
    assert f"in, partition 1, offset {bad} cannot be read" in unreadable.advice
    assert "zstd" in unreadable.advice
    assert "install cramjam" in unreadable.advice


def test_what_can_be_read_is_not_complained_of() -> None:
    """Nothing is wrong with the partition, or with what stands behind the record."""
    assert found(None) is None
    assert found(3, start=4) is None


@pytest.mark.parametrize(
    ("error", "record"),
    [
        (LACKING, True),
        (CorruptRecordException("Invalid CRC - in-1"), True),
        (ValueError("lz4: corrupt input"), True),
        (IndexError("out of range"), True),
        (KafkaConnectionError("away"), False),
    ],
)
def test_whatever_unpacking_a_batch_raises_concerns_a_record(error: Exception, *, record: bool) -> None:
    """What the broker or the group is the reason of does not."""
    assert concerns_a_record(error) is record
