"""The member of a consumer group that a service is: FastStream polls, and hands over what has come."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from aiokafka import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.runtime.fetching import Consumer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from collections.abc import Set as AbstractSet

    from aiokafka import ConsumerRecord, TopicPartition
    from faststream.kafka.message import ConsumerProtocol
    from faststream.kafka.subscriber.usecase import BatchSubscriber

    from shared.runtime.access import Access
    from shared.runtime.patience import Patience
    from shared.runtime.records import Record
    from shared.runtime.tasks import Flow

__all__ = ["Group"]

PAUSE_MS = 1  # FastStream sleeps so long after a poll that returned nothing; how long a poll waits says `Consumer`


class Group:
    """Membership in a consumer group, of which FastStream's acknowledgement is not used.

    That commits whatever the consumer's position is, past failures.

    Parameters
    ----------
    access
        Where the brokers are.
    name
        Of the group, in full.
    instance
        ``group.instance.id``, or None.
    names
        The topics to consume.
    most_records
        The most that a poll returns.
    patience
        Of the service.
    """

    def __init__(
        self,
        access: Access,
        name: str,
        instance: str | None,
        names: Sequence[str],
        *,
        client: str,
        most_records: int,
        patience: Patience,
    ) -> None:
        self._access = access
        self._broker = KafkaBroker(
            access.bootstrap,
            apply_types=False,
            consumer_only=True,
            graceful_timeout=patience.batch_s,
            request_timeout_ms=int(1000 * patience.request_s),
            logger=None,
            client_id=client,
        )
        self._listener = _Listener()
        self._most_records = most_records
        self._hand_over: Callable[[Sequence[Record], int], None] = lambda _records, _poll: None
        self._subscriber: BatchSubscriber = self._broker.subscriber(
            *names,
            group_id=name,
            group_instance_id=instance,
            batch=True,
            max_records=most_records,
            batch_timeout_ms=PAUSE_MS,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            partition_assignment_strategy=(RangePartitionAssignor,),  # both topics of one site go to one member
            listener=self._listener,
            parser=self._unread,
            decoder=_as_it_is,
        )
        self._subscriber(self._handle)

    @property
    def consumer(self) -> Consumer | None:
        """The consumer, None before it has joined."""
        return self._subscriber.consumer

    def tell(
        self,
        *,
        assigned: Callable[[AbstractSet[TopicPartition], Flow], None],
        revoked: Callable[[], Awaitable[None]],
        hand_over: Callable[[Sequence[Record], int], None],
    ) -> None:
        """Say who is to be told what the group gives and takes, and what has come."""
        self._hand_over = hand_over
        self._listener.revoked = revoked
        self._listener.assigned = self._assigned(assigned)

    def _assigned(
        self, assigned: Callable[[AbstractSet[TopicPartition], Flow], None]
    ) -> Callable[[AbstractSet[TopicPartition]], None]:
        def tell(partitions: AbstractSet[TopicPartition]) -> None:
            consumer = self.consumer
            if consumer is not None:
                assigned(partitions, consumer)

        return tell

    async def join(
        self,
        *,
        fetch_wait_ms: int,
        on_failure: Callable[[Exception], Awaitable[None]],
        roomy: Callable[[], tuple[Collection[TopicPartition], bool]],
        polls: Callable[[], int],
    ) -> None:
        """Join the group, with a consumer of ours: FastStream makes one of aiokafka's, and takes no other class.

        Raises ``KafkaError`` where it cannot be joined; then nothing is left open.
        """
        await self._broker.connect()
        config = self._broker.config.broker_config
        given = config.builder.keywords  # type: ignore[attr-defined]  # it is a partial, typed as any callable
        ours = {"on_failure": on_failure, "roomy": roomy, "polls": polls, "fetch_wait_ms": fetch_wait_ms}
        config.builder = partial(Consumer, **{**given, **self._access.aiokafka(), **ours})
        try:
            await self._broker.start()
        except BaseException:
            await self._broker.stop()
            raise

    async def leave(self) -> None:
        """Leave the group."""
        await self._broker.stop()

    def take(self, most_records: int | None = None) -> None:
        """Let a poll return at most so many records, or as many as at first."""
        self._subscriber.max_records = most_records or self._most_records

    async def _unread(self, records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
        """Return the message of a poll, none of whose records is looked at: FastStream reads the headers of each."""
        return KafkaMessage(records, b"", consumer=cast("ConsumerProtocol", self.consumer))

    async def _handle(self, message: KafkaMessage) -> None:
        consumer = self.consumer
        if consumer is not None:
            self._hand_over(message.raw_message, consumer.polled_at)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is published without types
    """Tells what the group gives and takes."""

    revoked: Callable[[], Awaitable[None]]
    assigned: Callable[[AbstractSet[TopicPartition]], None]

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Before the group is joined again, all that was assigned is given back."""
        if revoked:
            await self.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """After the group was joined; fetching goes on while this runs."""
        self.assigned(assigned)


async def _as_it_is(message: KafkaMessage) -> KafkaMessage:
    """Hand the whole message to the handler: each record is decoded on its own, so that one bad record is one."""
    return message
