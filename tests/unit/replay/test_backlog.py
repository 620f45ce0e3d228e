"""How long the replay waits for the consumers."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from replay.backlog import Backlog, ConsumersStalledError, Lag, Throttle
from shared.runtime.access import Access
from tests.unit.replay.clocks import Clock


def throttle(clock: Clock, catches_up_at_s: float, *, max_lag: int = 99) -> Throttle:
    """Return a throttle whose consumers are 60 + 40 records behind until they have caught up."""

    def lags() -> list[Lag]:
        behind = clock.now_s < catches_up_at_s
        return [Lag("ingestor", "raw", 60 * behind), Lag("monitor", "forecasts", 40 * behind)]

    return Throttle(lags, max_lag, clock.pauses, 300.0)


def test_a_small_lag_is_not_waited_for() -> None:
    """As much as ``max_lag`` may be on its way, all lags together."""
    clock = Clock()
    assert throttle(clock, 10, max_lag=100).wait() == 0
    assert clock.now_s == 0


def test_a_large_lag_is_waited_for() -> None:
    """The wait lasts until the consumers have caught up, and is reported."""
    clock = Clock()
    assert throttle(clock, 5).wait() == pytest.approx(5, abs=0.1)
    assert clock.now_s == pytest.approx(5, abs=0.1)


def test_a_long_wait_says_for_whom() -> None:
    """After one second, then every ten, a line names the group that is furthest behind; a short wait is silent."""
    with capture_logs() as lines:
        throttle(Clock(), 0.9).wait()
        assert lines == []
        throttle(Clock(), 22).wait()
    assert len(lines) == 3
    assert lines[0] == {
        "event": "waiting for the consumers",
        "log_level": "info",
        "because": "ingestor is 60 records behind on raw",
    }


def test_a_wait_without_end_is_an_error() -> None:
    """After that long the error names the group, its lag and what to do."""
    clock = Clock()
    with pytest.raises(ConsumersStalledError, match=r"ingestor is 60 records behind on raw .*tetouan run ingestor"):
        throttle(clock, 1e9).wait()
    assert clock.now_s == pytest.approx(300, abs=0.1)


def test_a_broker_that_does_not_answer_is_waited_for() -> None:
    """Its lags are asked for again until they come; after five minutes its own error is the end."""
    clock = Clock()

    def lags() -> list[Lag]:
        if clock.now_s < back_at_s:
            raise KafkaException(KafkaError(KafkaError.NETWORK_EXCEPTION))
        return []

    back_at_s = 30.0
    assert Throttle(lags, 0, clock.pauses, 300.0).wait() == pytest.approx(30, abs=0.1)
    back_at_s = 1e9
    with pytest.raises(KafkaException):
        Throttle(lags, 0, clock.pauses, 300.0).wait()


def test_a_stop_ends_the_wait() -> None:
    """Who is told to stop waits for nobody."""
    clock = Clock(stop_at_s=3)
    assert throttle(clock, 1e9).wait() == pytest.approx(3, abs=0.2)


def test_a_group_with_a_name_before_it_is_that_of_its_service() -> None:
    """The advice names the service that has to be started, not its group."""
    clock = Clock()
    with pytest.raises(ConsumersStalledError, match=r"north-monitor is 9 .*start it with `tetouan run monitor`"):
        Throttle(lambda: [Lag("north-monitor", "forecasts.v1", 9)], 0, clock.pauses, 300.0).wait()


def test_a_group_that_reads_nothing_is_refused() -> None:
    """The error lists the groups there are."""
    with pytest.raises(ValueError, match=r"'ingester' reads no topic: give one of .*gateway, ingestor, monitor"):
        Backlog(Access("127.0.0.1:1"), ["ingester"])
