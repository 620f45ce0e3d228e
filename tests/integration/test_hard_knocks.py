"""When broker or process let the services down: they go on, lose nothing, and double only identically."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient

from backtest.run import judged
from harness.brokers import PATIENCE_S, Broker, until
from harness.february import READINGS, START, UNTIL, raw_rows
from harness.streaming import streaming
from replay.backlog import Backlog
from services.monitor.verification import DrawnScores, SiteScores, messages_of
from shared.contracts import topics
from shared.contracts.messages import Forecast, Scores
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from confluent_kafka import Message

    from harness.kafka import Kafka
    from shared.data.year import Year

pytestmark = pytest.mark.real_kafka

OUTAGE_S = 30.0
HOURS = 48
FIRST = 6


def assert_nothing_lost(broker: Broker, year: Year, expected: list[Forecast]) -> None:
    """Every reading is there once, every forecast and score as undisturbed; what is doubled has identical bytes."""
    readings = [reading.to_bytes() for reading in judged(year, START, UNTIL)]
    assert [m.value() for m in broker.everything(topics.CLEAN)] == readings
    assert by_time(broker.everything(topics.FORECASTS), lambda raw: Forecast.from_bytes(raw).origin.isoformat()) == {
        forecast.origin.isoformat(): {forecast.to_bytes()} for forecast in expected
    }
    monitor = SiteScores(year.site)
    forecasts = [said for forecast in expected for said in monitor.on_forecast(forecast)]
    scores = forecasts + [said for reading in judged(year, START, UNTIL) for said in monitor.on_reading(reading)]
    assert by_time(broker.everything(topics.SCORES), lambda raw: Scores.from_bytes(raw).time.isoformat()) == {
        said.time.isoformat(): {said.to_bytes()} for said in messages_of(scores) if isinstance(said, DrawnScores)
    }


def by_time(messages: list[Message], time_of: Callable[[bytes], str]) -> dict[str, set[bytes]]:
    """Return the different bytes that were published for each time."""
    found: dict[str, set[bytes]] = defaultdict(set)
    for message in messages:
        raw = message.value() or b""
        found[time_of(raw)].add(raw)
    return dict(found)


def test_a_broker_that_comes_late_is_waited_for(
    mortal_kafka: Kafka, year: Year, state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Without a broker the services are live, not ready, and say why; when it comes they answer."""
    broker = Broker("kafka", mortal_kafka.bootstrap, f"late-{uuid4().hex[:8]}.")
    with mortal_kafka.gone("restarted"), ExitStack() as stack:
        stream = stack.enter_context(streaming(broker, tmp_path, state_dir, free_port, ready=False))
        until(stream.misses_broker, "all services to say that they wait for the broker")
        assert stream.live()
        services = stack.pop_all()
    with services:
        until(lambda: all(running.ready() for running in stream.services.values()), "all services to be ready")
        broker.send(topics.RAW, raw_rows(year)[:10])
        until(lambda: stream.answered(10), "ten forecasts")


@pytest.mark.parametrize("fault", ["frozen", "restarted"])
def test_a_broker_that_goes_is_waited_for_and_nothing_is_lost(
    fault: Literal["frozen", "restarted"],
    mortal_kafka: Kafka,
    year: Year,
    state_dir: Path,
    expected: list[Forecast],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """The broker is gone for thirty seconds while the replay streams: all stay alive, and go on by themselves."""
    broker = Broker("kafka", mortal_kafka.bootstrap, f"{fault}-{uuid4().hex[:8]}.")
    with streaming(broker, tmp_path, state_dir, free_port) as stream:
        broker.send(topics.RAW, raw_rows(year)[:FIRST])  # with them the forecaster fetches its models
        until(lambda: stream.answered(FIRST), "the first forecasts")
        begin = START + FIRST * timedelta(minutes=year.site.step_minutes)
        command = ["-m", "cli", "replay", "--data", "synthetic", "--speed", "15"]
        window = ["--from", begin.isoformat(), "--until", UNTIL.isoformat()]
        replay = subprocess.Popen([sys.executable, *command, *window], env={**os.environ, **broker.env})
        try:
            until(lambda: stream.answered(FIRST + 21), "forecasts of what is replayed")
            with mortal_kafka.gone(fault):
                gone_s = monotonic_s()
                until(stream.misses_broker, "all services to miss the broker")
                assert replay.poll() is None
                until(lambda: not stream.live() or monotonic_s() - gone_s > OUTAGE_S, "the outage to end")
                assert stream.live()
            assert replay.wait(timeout=PATIENCE_S) == 0
            until(lambda: stream.answered(READINGS), "every reading to be answered")
            until(lambda: stream.scored(HOURS), "every hour to be scored")
        finally:
            replay.kill()
            replay.wait()
    assert_nothing_lost(broker, year, expected)


def test_a_forecaster_that_was_asleep_catches_up(
    real_broker: Broker,
    year: Year,
    state_dir: Path,
    expected: list[Forecast],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """Frozen until its group has given it up, it is behind by every reading; awake again it answers each of them."""
    admin = AdminClient({"bootstrap.servers": real_broker.bootstrap, "log_level": 0})
    group = real_broker.prefix + "forecaster"

    def members() -> int:
        return len(admin.describe_consumer_groups([group])[group].result().members)

    with (
        streaming(real_broker, tmp_path, state_dir, free_port) as stream,
        Backlog(real_broker.access, ["forecaster"], real_broker.prefix) as backlog,
    ):
        stream.services["forecaster"].process.send_signal(signal.SIGSTOP)
        real_broker.send(topics.RAW, raw_rows(year))
        until(lambda: backlog.lags()[0].records >= READINGS, "the lag to show every reading")
        until(lambda: members() == 0, "the group to give the member up")
        stream.services["forecaster"].process.send_signal(signal.SIGCONT)
        until(lambda: backlog.lags()[0].records <= 1, "the lag to be gone")  # the end of a transaction counts as one
        until(lambda: stream.scored(HOURS), "every hour to be scored")
    assert_nothing_lost(real_broker, year, expected)
