"""What the replay hands to the broker, when, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from replay.backlog import Lag, Throttle
from replay.pacing import Pauses, Tempo
from replay.publishing import BrokerLostError, Outlet, ReplayOptions, ReplaySummary, replay, stream
from shared.runtime.access import Access
from tests.unit.replay.clocks import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import Producer

MIB = 1024 * 1024


@dataclass
class Broker:
    """A producer whose broker confirms all at the next flush, until it goes down after ``lives`` records."""

    clock: Clock
    lives: int = 1_000_000
    fails: frozenset[int] = frozenset()
    published: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    sent_at_s: list[float] = field(default_factory=list)
    waiting: list[Callable[[Any, Any], None]] = field(default_factory=list)

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Callable[[Any, Any], None]) -> None:
        """Take a record."""
        self.published.append((topic, key, value))
        self.sent_at_s.append(self.clock.now_s)
        self.waiting.append(on_delivery)

    def poll(self, _: float) -> int:
        """Confirm nothing yet."""
        return 0

    def flush(self, timeout: float) -> int:
        """Confirm what is waiting, or let the time pass."""
        if len(self.published) > self.lives:
            self.clock.sleep(timeout)
            return len(self.waiting)
        first = len(self.published) - len(self.waiting)
        for n, confirm in enumerate(self.waiting, start=first):
            confirm(KafkaError(KafkaError.POLICY_VIOLATION) if n in self.fails else None, None)
        self.waiting.clear()
        return 0


def messages(count: int) -> Iterator[tuple[datetime, bytes]]:
    """Yield so many records, ten minutes apart."""
    for n in range(count):
        yield datetime(2020, 3, 1, tzinfo=UTC) + timedelta(minutes=10 * n), str(n).encode()


def run(
    clock: Clock,
    broker: Broker,
    count: int = 100,
    *,
    rate_per_s: float = 0,
    tempo: Tempo | None = None,
    lags: Callable[[], list[Lag]] = list,
    progress: Callable[[datetime, int], None] = lambda _time, _n: None,
) -> ReplaySummary:
    """Stream so many messages to the broker."""
    outlet = Outlet(cast("Producer", broker), "tetouan", clock.pauses)
    throttle = Throttle(lags, 10, clock.pauses, 300.0)
    return stream(messages(count), outlet, throttle, tempo or Tempo(rate_per_s), clock.pauses, progress)


def test_all_messages_are_sent_in_their_order() -> None:
    """Each goes to the raw topic as it is, keyed by the site, and is counted when confirmed."""
    clock = Clock()
    broker = Broker(clock)
    assert run(clock, broker) == ReplaySummary(sent=100, refused=0, failed=0, waited_s=0)
    assert broker.published == [("readings.raw.v1", b"tetouan", str(n).encode()) for n in range(100)]


def test_progress_is_told_of_every_reading() -> None:
    """Its event time and the count so far."""
    clock, told = Clock(), []
    run(clock, Broker(clock), 50, progress=lambda time, n: told.append((time, n)))
    assert told == [(time, n) for n, (time, _) in enumerate(messages(50), start=1)]


def test_readings_go_out_at_their_rate() -> None:
    """Reading n leaves n / rate after the first."""
    clock = Clock()
    broker = Broker(clock)
    run(clock, broker, rate_per_s=4)
    assert broker.sent_at_s == pytest.approx([n / 4 for n in range(100)])


def test_a_replay_follows_its_tempo() -> None:
    """It goes on at another rate from the reading on at which it is told, and rests while it is paused."""
    clock, tempo = Clock(), Tempo(4)
    broker = Broker(clock)

    def change(_: datetime, count: int) -> None:
        if count == 10:
            tempo.rate_per_s = 8
        tempo.paused = count == 20

    def resume(seconds: float) -> None:
        clock.sleep(seconds)
        tempo.paused = tempo.paused and clock.now_s < 60

    pauses = Pauses(clock.stop, lambda: clock.now_s, resume)
    outlet = Outlet(cast("Producer", broker), "tetouan", pauses)
    stream(messages(30), outlet, Throttle(list, 10, pauses, 300.0), tempo, pauses, change)
    between = np.diff(broker.sent_at_s)
    assert between[:9] == pytest.approx(0.25)
    assert between[10:19] == pytest.approx(0.125)
    assert broker.sent_at_s[20] == pytest.approx(60, abs=0.3)
    assert between[20:] == pytest.approx(0.125)


def test_time_waited_for_consumers_is_reported_and_not_made_up() -> None:
    """After a wait the readings go on at their rate, not in a burst."""
    clock = Clock()
    broker = Broker(clock)

    def lags() -> list[Lag]:
        return [Lag("ingestor", "raw", 11 if len(broker.published) == 32 and clock.now_s < 20 else 10)]

    summary = run(clock, broker, rate_per_s=4)
    waiting = run(clock := Clock(), broker := Broker(clock), rate_per_s=4, lags=lags)
    assert summary.waited_s == 0
    assert waiting.waited_s == pytest.approx(20 - 31 / 4, abs=0.1)
    assert broker.sent_at_s[33] - broker.sent_at_s[32] == pytest.approx(1 / 4)
    assert broker.sent_at_s[-1] == pytest.approx(99 / 4 + waiting.waited_s)


def test_a_reading_over_one_mib_is_refused_and_counted() -> None:
    """One line says so, the rest goes on; exactly 1 MiB is sent."""
    clock = Clock()
    broker = Broker(clock)
    outlet = Outlet(cast("Producer", broker), "tetouan", clock.pauses)
    with capture_logs() as lines:
        for size_bytes in (MIB, MIB + 1, 1):
            outlet.send(b"x" * size_bytes)
        outlet.finish()
    assert (outlet.sent, outlet.refused) == (2, 1)
    assert [(line["log_level"], line["size_bytes"]) for line in lines] == [("warning", MIB + 1)]


def test_a_reading_that_the_broker_refuses_is_counted() -> None:
    """It is logged and not sent; nothing vanishes: sent + refused + failed is what was to be sent."""
    clock = Clock()
    with capture_logs() as lines:
        summary = run(clock, Broker(clock, fails=frozenset({3, 40})))
    assert summary == ReplaySummary(sent=98, refused=0, failed=2, waited_s=0)
    assert [line["error"] for line in lines] == ["Broker: Policy violation"] * 2


def test_a_stop_ends_the_replay_with_everything_confirmed() -> None:
    """What was handed over is flushed and reported."""
    clock = Clock(stop_at_s=5.1)
    summary = run(clock, Broker(clock), rate_per_s=4)
    assert summary == ReplaySummary(sent=21, refused=0, failed=0, waited_s=0)
    assert clock.now_s < 5.5


def test_a_broker_that_confirms_nothing_is_an_error() -> None:
    """After four minutes the error says how many readings are not confirmed."""
    clock = Clock()
    with pytest.raises(BrokerLostError, match="has not confirmed 32 readings for 240 s"):
        run(clock, Broker(clock, lives=20))
    assert clock.now_s == pytest.approx(240, abs=0.5)


def test_a_stop_does_not_wait_long_for_a_dead_broker() -> None:
    """Five seconds after the stop the rest is reported as failed."""
    clock = Clock(stop_at_s=30)
    summary = run(clock, Broker(clock, lives=40))
    assert summary == ReplaySummary(sent=32, refused=0, failed=32, waited_s=0)
    assert clock.now_s <= 35.2


def test_no_broker_is_an_error_that_names_the_address() -> None:
    """The error says which setting to change."""
    options = ReplayOptions(access=Access("127.0.0.1:1"), site="tetouan", answer_s=0.2, lag_patience_s=300.0)
    with capture_logs(), pytest.raises(BrokerLostError, match=r"127\.0\.0\.1:1 .*TETOUAN_KAFKA_BOOTSTRAP"):
        replay(messages(1), options, Clock().pauses, lambda _time, _n: None)
