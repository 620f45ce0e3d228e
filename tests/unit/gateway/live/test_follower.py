"""What is followed, and what is passed over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from services.gateway.live.events import KINDS, Wanted
from services.gateway.live.follower import Follower
from services.gateway.live.hub import Hub
from services.gateway.live.metrics import LiveMetrics
from services.gateway.live.reading import seek
from shared.runtime.access import Access
from shared.runtime.health import Health
from tests.unit.gateway.live.log import Log, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

TOPICS = [TopicPartition(f"p.{topic}", 0) for topic in KINDS.values()]
READINGS = TOPICS[0]
PATIENCE_S = 10.0


class Following:
    """A follower of topics in memory, from their beginning on."""

    def __init__(self, log: Log, clock: Callable[[], float] = lambda: 0.0) -> None:
        for partition in TOPICS:
            log.records.setdefault(partition, [])
        self.registry = CollectorRegistry()
        self.hub = Hub()
        access = Access("127.0.0.1:1")
        self.follower = Follower(access, "p.", self.hub, LiveMetrics(self.registry), Health(), clock)
        self._reader = Reader(log)

    async def until(self, is_so: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Follow until that is so."""
        self.hub.begin(dict.fromkeys(TOPICS, 0))
        seek(self._reader, self.hub.positions)  # type: ignore[arg-type]  # a reader in memory
        following = asyncio.create_task(self.follower.follow(self._reader))  # type: ignore[arg-type]  # likewise
        async with asyncio.timeout(PATIENCE_S):
            while not is_so() and not following.done():
                meanwhile()
                await asyncio.sleep(0)
        assert following.cancel(), following.exception()


def test_partitions_that_were_added_are_found_while_others_are_busy() -> None:
    """From their beginning on; no silence is needed."""
    log, now_s, added = Log(), [0.0], TopicPartition(READINGS.topic, 1)

    async def run() -> None:
        following = Following(log, lambda: now_s[0])

        def send() -> None:
            now_s[0] += 1.0
            log.send(READINGS, 0)
            if now_s[0] == 5.0:
                log.send(added, 0)

        await following.until(lambda: following.hub.positions.get(added) == 1, send)

    asyncio.run(run())


def test_a_record_that_cannot_be_fetched_is_left_out_with_a_word() -> None:
    """Subscribers are told of it, whatever site they want; all others come."""
    log = Log()
    for _ in range(3):
        log.send(READINGS, 0)
    log.bad = {(READINGS, 1)}

    async def run() -> None:
        following = Following(log)
        await following.until(lambda: following.hub.end == 3)
        wanted = Wanted(frozenset({"readings"}), frozenset({"tetouan"}))
        await following.hub.moved(2)
        piece, count, _ = following.hub.chunk(0, wanted)
        assert count == 3
        assert [line for line in piece.decode().splitlines() if line.startswith(("event: ", "id: "))] == [
            "event: readings",
            f"id: {KINDS['readings']}:0:0",
            "event: gap",
            "event: readings",
            f"id: {KINDS['readings']}:0:2",
        ]
        assert following.registry.get_sample_value("tetouan_live_passed_over_records_total") == 1

    asyncio.run(run())
