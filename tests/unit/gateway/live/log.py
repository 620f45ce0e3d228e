"""Topics in memory, and a reader of them that is as unfair to partitions as aiokafka's."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import CorruptRecordException

from tests.unit.consumed import Consumed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.access import Access

__all__ = ["Log", "Reader"]

STEP = 7  # records of a poll, however many are asked for


class Log:
    """The records of some partitions; those at the places in ``bad`` cannot be fetched."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Consumed]] = {}
        self.bad: set[tuple[TopicPartition, int]] = set()
        self.connections = 0

    def send(self, partition: TopicPartition, sent_ms: int, size: int = 10) -> None:
        """Append a record."""
        records = self.records.setdefault(partition, [])
        value = json.dumps({"site": "tetouan", "filling": "x" * size}).encode()
        topic, number = partition
        records.append(Consumed(value, topic, number, len(records), timestamp=sent_ms))

    async def connect(self, _: Access) -> Reader:
        """Return a reader without a partition."""
        self.connections += 1
        return Reader(self)


class Offset(NamedTuple):
    """Where a time is found."""

    offset: int


class Reader:
    """What is used of `shared.runtime.fetching.Consumer`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._positions: dict[TopicPartition, int] = {}

    async def stop(self) -> None:
        """Do nothing."""

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Read these alone."""
        self._positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on there."""
        self._positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        """Return where it goes on."""
        return self._positions[partition]

    async def partitions_of(self, names: Collection[str]) -> list[TopicPartition]:
        """Return all partitions of these topics."""
        return [partition for partition in self._log.records if partition.topic in names]

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets behind the last records."""
        return {partition: len(self._log.records[partition]) for partition in partitions}

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offsets."""
        return dict.fromkeys(partitions, 0)

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, Offset | None]:
        """Return the first records that were sent at these times or later."""
        return {partition: self._first(partition, since_ms) for partition, since_ms in times.items()}

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int = STEP
    ) -> dict[TopicPartition, Sequence[Consumed]]:
        """Return the next records of the first partition that has any."""
        for partition in partitions or tuple(self._positions):
            at = self._positions[partition]
            found = self._log.records[partition][at : at + min(STEP, max_records)]
            if any((partition, record.offset) in self._log.bad for record in found):
                raise CorruptRecordException
            if found:
                self._positions[partition] += len(found)
                return {partition: found}
        await asyncio.sleep(timeout_ms / 1e6)  # shorter than a broker would wait
        return {}

    def _first(self, partition: TopicPartition, since_ms: int) -> Offset | None:
        found = (record.offset for record in self._log.records[partition] if record.timestamp >= since_ms)
        return next((Offset(offset) for offset in found), None)
