"""Streams readings onto the raw topic: paced, never too far ahead of the consumers, each delivery confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
import tenacity
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from replay.backlog import Backlog, Throttle
from replay.pacing import Tempo, TempoFollower
from shared.contracts import topics
from shared.runtime.diagnosis import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from confluent_kafka import Message

    from replay.pacing import Pauses
    from shared.runtime.access import Access

__all__ = ["BrokerLostError", "Outlet", "ReplayOptions", "ReplaySummary", "replay", "stream"]

CHUNK = 32  # readings between two looks at the consumers
LINGER_MS = 5
SLICE_S = 0.1
TOPIC_EVERY_S = 0.2
DELIVERY_S = 240.0  # a broker is restarted within minutes; librdkafka itself gives a record up after five
STOP_S = 5.0

log = structlog.get_logger()


class BrokerLostError(RuntimeError):
    """The broker does not answer or confirm, or does not let us in; the message says which one, and why."""


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """How to replay: ``max_lag`` records of the ``groups`` may be on their way (0: no limit), else they are waited for.

    ``prefix`` stands before the names of topics and groups. Brokers that have not answered within ``answer_s`` at the
    start are asked why, for as long again. So long a topic is waited for that services may be about to make.
    """

    access: Access
    site: str
    tempo: Tempo = field(default_factory=Tempo)
    max_lag: int = 0
    lag_patience_s: float
    groups: tuple[str, ...] = ()
    prefix: str = ""
    answer_s: float = 5.0


@dataclass(frozen=True)
class ReplaySummary:
    """What became of the readings, and how long the consumers were waited for.

    ``sent`` were confirmed by the broker, ``refused`` were too large to send, ``failed`` were never confirmed.
    """

    sent: int
    refused: int
    failed: int
    waited_s: float


class Outlet:
    """The producer's end of the raw topic; counts what became of each reading.

    Parameters
    ----------
    producer : Producer
        A producer of the broker.
    site : str
        The key of every record.
    pauses : Pauses
        Clock and interruption.
    prefix : str
        What stands before the name of the topic.
    """

    def __init__(self, producer: Producer, site: str, pauses: Pauses, prefix: str = "") -> None:
        self._producer = producer
        self._topic = prefix + topics.RAW.name
        self._key = site.encode()
        self._pauses = pauses
        self.sent = 0
        self.refused = 0
        self.handed_over = 0

    def send(self, raw: bytes) -> None:
        """Hand over one reading; one of more than 1 MiB is refused, since it could wipe an embedded partition."""
        if len(raw) > topics.MAX_RECORD_BYTES:
            self.refused += 1
            log.warning("reading refused: it is too large", size_bytes=len(raw), limit_bytes=topics.MAX_RECORD_BYTES)
            return
        self._producer.produce(self._topic, value=raw, key=self._key, on_delivery=self._delivered)
        self._producer.poll(0)
        self.handed_over += 1

    def settle(self) -> None:
        """Wait until the broker has confirmed everything, or for a stop.

        Raises ``BrokerLostError`` where neither comes within four minutes.
        """
        started_s = self._pauses.now_s()
        while (unconfirmed := self._producer.flush(SLICE_S)) and not self._pauses.stop.is_set():
            if self._pauses.now_s() - started_s >= DELIVERY_S:
                raise BrokerLostError(
                    f"the Kafka broker has not confirmed {unconfirmed} readings for {DELIVERY_S:.0f} s: see its log"
                )

    def finish(self) -> None:
        """Settle; after a stop, give the broker five seconds more."""
        self.settle()
        if self._pauses.stop.is_set():
            self._producer.flush(STOP_S)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.sent += 1
        else:
            log.warning("reading not delivered", error=error.str())


def replay(
    messages: Iterable[tuple[datetime, bytes]],
    options: ReplayOptions,
    pauses: Pauses,
    progress: Callable[[datetime, int], None],
) -> ReplaySummary:
    """Publish the messages in their order until they end or ``pauses.stop`` is set.

    Parameters
    ----------
    messages : Iterable[tuple[datetime, bytes]]
        Event time and raw record of each reading.
    options : ReplayOptions
        Where to and how fast.
    pauses : Pauses
        Clock and interruption.
    progress : Callable[[datetime, int], None]
        Called after each reading with its event time and the number handed over or refused so far.

    Raises
    ------
    BrokerLostError
        Where the broker does not answer or confirm, or has no topic for readings.
    ConsumersStalledError
        Where a watched group stops catching up.
    """
    groups = options.groups if options.max_lag else ()
    topic = options.prefix + topics.RAW.name
    try:
        outlet = Outlet(_connect(options.access, topic, options.answer_s), options.site, pauses, options.prefix)
        with Backlog(options.access, groups, options.prefix) as backlog:
            throttle = Throttle(backlog.lags, options.max_lag, pauses, options.lag_patience_s)
            return stream(messages, outlet, throttle, options.tempo, pauses, progress)
    except KafkaException as error:
        raise BrokerLostError(explain(options.access, error, answer_s=options.answer_s)) from error


def stream(
    messages: Iterable[tuple[datetime, bytes]],
    outlet: Outlet,
    throttle: Throttle,
    tempo: Tempo,
    pauses: Pauses,
    progress: Callable[[datetime, int], None],
) -> ReplaySummary:
    """Send each message when it is due; before each chunk let the broker confirm and the consumers catch up."""
    pace, waited_s = TempoFollower(tempo, pauses), 0.0
    for n, (time, raw) in enumerate(messages):
        if n % CHUNK == 0:
            outlet.settle()
            held_s = throttle.wait()
            pace.postpone(held_s)
            waited_s += held_s
        pace.wait(n)
        if pauses.stop.is_set():
            break
        outlet.send(raw)
        progress(time, n + 1)
    outlet.finish()
    return ReplaySummary(outlet.sent, outlet.refused, outlet.handed_over - outlet.sent, waited_s)


def _connect(access: Access, topic: str, answer_s: float) -> Producer:
    """Return a producer of a broker that answers within ``answer_s`` and has the topic; raises ``BrokerLostError``."""
    config = {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "message.max.bytes": topics.MAX_RECORD_BYTES + topics.HEADROOM_BYTES,
        "partitioner": "murmur2_random",  # the services' producers choose partitions by murmur2 too
        "error_cb": lambda error: log.warning("trouble with the Kafka broker", error=error.str()),
    }
    producer = Producer(access.confluent(config))
    patient = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_come),
        wait=tenacity.wait_fixed(TOPIC_EVERY_S),
        stop=tenacity.stop_after_delay(answer_s),
        reraise=True,
    )
    asking = Consumer(access.confluent({"group.id": topic}))  # brokers may make a topic that a producer asks for
    try:
        patient(_require_topic, asking, topic, answer_s)
    except KafkaException as error:
        raise BrokerLostError(explain(access, error, topic, answer_s=answer_s)) from error
    finally:
        asking.close()
    return producer


def _require_topic(asking: Consumer, topic: str, answer_s: float) -> None:
    """Raise ``KafkaException`` where the brokers have no such topic, or hide it from us."""
    error = asking.list_topics(topic, timeout=answer_s).topics[topic].error
    if error is not None:
        raise KafkaException(error)


def _may_come(error: BaseException) -> bool:
    """Tell whether a topic is missing that may be being made."""
    coming = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.LEADER_NOT_AVAILABLE)
    return isinstance(error, KafkaException) and error.args[0].code() in coming
