"""The consumer of the services: aiokafka's, with what it keeps to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Consumer"]


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is published without types
    """A consumer that can be asked for the partitions of a topic that it has not subscribed to."""

    async def partitions_of(self, names: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of these topics, as the brokers have them now; raises ``KafkaError``."""
        # the producer's `partitions_for` is this very question, and a consumer has none
        numbers = {name: await self._client._wait_on_metadata(name) for name in names}  # noqa: SLF001
        return [TopicPartition(name, number) for name, found in numbers.items() for number in sorted(found)]
