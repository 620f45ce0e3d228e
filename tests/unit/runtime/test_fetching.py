"""A record that cannot be fetched: which one it is, and what is read before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, UnsupportedCodecError

from shared.runtime import restoring
from shared.runtime.access import Access
from shared.runtime.fetching import Unreadable, concerns_a_record, first_unreadable
from shared.runtime.health import Health
from shared.runtime.restoring import TopicReplay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.contracts.topics import Topic
    from shared.runtime.fetching import Consumer
    from shared.runtime.records import Record

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

    async def start(self) -> None:
        """Start."""

    async def stop(self) -> None:
        """Stop."""

    def assign(self, _: object) -> None:
        """Assign."""

    def assignment(self) -> set[TopicPartition]:
        """Return both."""
        return set(self.at)

    async def partitions_of(self, names: list[str]) -> list[TopicPartition]:
        """Return both partitions."""
        return list(self.at) if names else []

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

    async def committed(self, _: object) -> int:
        """Return the end."""
        return END

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return zero."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return ten."""
        return dict.fromkeys(partitions, END)

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
    consumer = cast("Consumer", Log(bad))
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


def test_a_restore_waits_for_a_record_and_folds_all_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not ready meanwhile, with the record named; once it can be read nothing is missing and nothing twice."""
    consumers: list[Log] = []
    health = Health(broker_up=True)
    folded: list[int] = []
    shown: list[tuple[bool, dict[str, object]]] = []

    def consumer(**_: object) -> Log:
        consumers.append(Log(bad=4))
        return consumers[-1]

    async def mended(seconds: float) -> None:
        if seconds:
            shown.append(health.ready())
            consumers[-1].bad = None

    class Core:
        """Notes what it is given."""

        def restore(self, records: Sequence[Record]) -> None:
            """Note the offsets."""
            folded.extend(record.offset for record in records)

    monkeypatch.setattr(restoring, "Consumer", consumer)
    monkeypatch.setattr("shared.runtime.restoring.asyncio.sleep", mended)
    topics = (cast("Topic", type("Named", (), {"name": "in"})()),)
    past = TopicReplay(Access("127.0.0.1:1"), "", "group", topics, topics, health)
    with structlog.testing.capture_logs() as lines:
        committed, count = asyncio.run(past.rebuild(Core()))
    assert committed == {GOOD: END, BAD: END}
    assert count == 2 * END
    assert sorted(folded) == sorted([*range(END), *range(END)])
    ((ready, evidence),) = cast("list[tuple[bool, dict[str, Any]]]", shown)
    assert not ready
    assert "offset 4 cannot be read" in evidence["waiting_for"]["in-1"]
    assert health.unreadable == {}
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["a record cannot be fetched"]
