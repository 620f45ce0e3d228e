"""The watch over the consume loop: does the broker answer, is anything assigned, how far behind are we."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import IllegalStateError, KafkaError

from shared.runtime.diagnosis import why_no_answer
from shared.runtime.health import BROKER_AWAY, Reason
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaProducer

    from shared.runtime.access import Access
    from shared.runtime.fetching import Consumer
    from shared.runtime.health import Health
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.patience import Patience
    from shared.runtime.tasks import Tasks

__all__ = ["JOINING", "Watch"]

JOINING = "no partition is assigned: the consumer group is joining"

STANDING_BY = (
    "all partitions are with other replicas of this service: this one takes over when one of them goes; where more are "
    "to share the work, more partitions are needed"
)

log = structlog.get_logger()


class Watch:
    """Looks once a second.

    Parameters
    ----------
    access
        Where the brokers are.
    consumer
        Returns the consumer, None before it has joined.
    tasks
        What the group has assigned.
    health, metrics, patience
        Of the service.
    """

    def __init__(
        self,
        access: Access,
        consumer: Callable[[], Consumer | None],
        tasks: Tasks,
        health: Health,
        metrics: PipelineMetrics,
        patience: Patience,
    ) -> None:
        self._access = access
        self._consumer = consumer
        self._tasks = tasks
        self._health = health
        self._metrics = metrics
        self._patience = patience

    async def look(self, producer: AIOKafkaProducer) -> None:
        """Look at broker, assignment and lag."""
        await self._note_broker(up=await self._answers(producer))
        consumer = self._consumer()
        if consumer is None or not self._tasks.joined:
            self._health.waiting_for[Reason.ASSIGNMENT] = JOINING
            return
        self._health.waiting_for.pop(Reason.ASSIGNMENT, None)
        if consumer.assignment():
            self._health.notes.pop("standby", None)
        else:
            self._health.notes["standby"] = STANDING_BY
        with suppress(IllegalStateError):  # a partition that is taken away meanwhile has no position
            await self._measure(consumer)

    async def _answers(self, producer: AIOKafkaProducer) -> bool:
        """Ask for what the producer has to know of its topics: the answer does not grow with those of others."""
        try:
            async with asyncio.timeout(self._patience.admin_s):
                return bool(await producer.client.force_metadata_update())
        except (KafkaError, TimeoutError):
            return False

    async def _note_broker(self, *, up: bool) -> None:
        was_up, self._health.broker_up = self._health.broker_up, up
        self._metrics.broker_up.set(up)
        if up:
            if not was_up:
                log.info("the Kafka broker answers again", bootstrap=self._access.bootstrap)
            return
        if was_up:
            self._health.broker_fault = BROKER_AWAY
        with suppress(TimeoutError):
            why = await run_in_thread(self._patience.explain_s, why_no_answer, self._access)
            if why is not None and (was_up or why != self._health.broker_fault):
                log.warning("Kafka cannot be used", why=why)
                self._health.broker_fault = why

    async def _measure(self, consumer: Consumer) -> None:
        """Measure the lag, and how many of the partitions that are ours stand still."""
        total = self._tasks.waiting
        self._metrics.lag.clear()
        assigned = consumer.assignment()
        for partition in assigned:
            high = consumer.highwater(partition)
            lag = 0 if high is None else max(0, high - await consumer.position(partition))
            self._metrics.lag.labels(partition.topic, str(partition.partition)).set(lag)
            total += lag
        self._metrics.partitions.labels("assigned").set(len(assigned))
        self._metrics.partitions.labels("paused").set(len(consumer.paused()))
        self._health.lag_records = total
        if total == 0:
            self._health.progressed()
