"""Topics that somebody else has made: with any number of partitions nothing is lost and nothing doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # public, its stub forgets it

from harness.brokers import PATIENCE_S, Broker, until
from harness.february import READINGS, raw_rows
from harness.streaming import NAMES, streaming
from shared.contracts import topics
from shared.contracts.messages import CleanReading, ModelEvent
from shared.runtime.concerns import KafkaSettings
from shared.runtime.settings import load
from shared.training.announcing import announce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from harness.kafka import Kafka
    from shared.contracts.messages import Forecast
    from shared.contracts.topics import Topic
    from shared.data.year import Year

pytestmark = pytest.mark.real_kafka


@pytest.fixture
def bare_broker(kafka: Kafka) -> Iterator[Broker]:
    """Apache Kafka without any topic of ours."""
    broker = Broker("kafka", kafka.bootstrap, f"parts-{uuid4().hex[:8]}.")
    yield broker
    admin = AdminClient(broker.access.confluent())
    ours = [name for name in admin.list_topics(timeout=PATIENCE_S).topics if name.startswith(broker.prefix)]
    for done in (admin.delete_topics(ours) if ours else {}).values():
        done.result()


def make(broker: Broker, counts: Mapping[Topic, int], **config: str) -> None:
    """Make topics as somebody else would."""
    named = {name.replace("_", "."): value for name, value in config.items()}
    wanted = [NewTopic(broker.prefix + topic.name, count, 1, config=named) for topic, count in counts.items()]
    admin = AdminClient(broker.access.confluent())
    for done in admin.create_topics(wanted).values():
        done.result()


@pytest.mark.parametrize(("raw", "others"), [(3, 3), (1, 12)])
def test_a_stream_over_any_number_of_partitions_survives_a_restart(
    bare_broker: Broker,
    year: Year,
    state_dir: Path,
    expected: list[Forecast],
    tmp_path: Path,
    free_port: Callable[[], int],
    *,
    raw: int,
    others: int,
) -> None:
    """All services killed in the middle, one without its state folder: each reading once, forecasts as the backtest."""
    make(bare_broker, {topic: raw if topic is topics.RAW else others for topic in topics.ALL})
    rows = raw_rows(year)
    with streaming(bare_broker, tmp_path, state_dir, free_port) as stream:
        bare_broker.send(topics.RAW, rows[: READINGS // 2])
        until(lambda: stream.answered(READINGS // 2), "half of the forecasts")
        for name in NAMES:
            stream.kill(name)
        stream.forget("ingestor")
        for name in NAMES:
            stream.start(name, ready=False)
        bare_broker.send(topics.RAW, rows[READINGS // 2 - 5 :])  # five once more, which are known
        until(lambda: stream.answered(READINGS), "all forecasts")
        until(lambda: all(running.ready() for running in stream.services.values()), "all services to be ready")
    clean = Counter(CleanReading.from_bytes(m.value() or b"").time for m in bare_broker.everything(topics.CLEAN))
    assert len(clean) == READINGS
    assert set(clean.values()) == {1}
    assert bare_broker.everything(topics.REJECTED) == []
    streamed = [message.value() for message in bare_broker.everything(topics.FORECASTS)]
    assert streamed == [forecast.to_bytes() for forecast in expected]


def command(broker: Broker, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a part of the project with the settings of the broker."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **broker.env, "TETOUAN_HTTP_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_topics_that_are_read_together_with_different_numbers_stop_the_start(bare_broker: Broker) -> None:
    """The monitor ends with exit code 2 and a line that names the topics, their numbers, and what to do."""
    make(bare_broker, {topics.CLEAN: 2, topics.FORECASTS: 3})
    ended = command(bare_broker, "services.monitor")
    assert ended.returncode == 2
    line = ended.stderr.splitlines()[-1]
    for word in (f"{bare_broker.prefix}readings.clean.v1 has 2", f"{bare_broker.prefix}forecasts.v1 has 3", "--alter"):
        assert word in line
    assert "Traceback" not in ended.stderr


def test_answers_that_have_no_partition_to_stand_on_stop_the_start(bare_broker: Broker) -> None:
    """The ingestor ends with exit code 2 and a line that names the topic, its number, and what to do."""
    make(bare_broker, {topics.RAW: 3, topics.CLEAN: 2})
    ended = command(bare_broker, "services.ingestor")
    assert ended.returncode == 2
    line = ended.stderr.splitlines()[-1]
    clean, raw = (bare_broker.prefix + topic.name for topic in (topics.CLEAN, topics.RAW))
    assert f"topic {clean} has 2 partitions, and {raw} has 3" in line
    assert f"--alter --topic {clean} --partitions 3" in line


@pytest.mark.parametrize("site", ["load", "tetouan", "north"])
def test_what_a_training_tells_stands_where_the_readings_of_its_site_do(bare_broker: Broker, site: str) -> None:
    """Whoever reads both topics finds a site on one partition number."""
    make(bare_broker, {topics.RAW: 4, topics.MODELS: 4})
    bare_broker.send(topics.RAW, [b"{}"], key=site.encode())
    time = datetime(2017, 10, 19, tzinfo=UTC)
    event = ModelEvent(
        site=site,
        zone=1,
        model=f"zone-demand-{site}-1",
        version="1",
        role="champion",
        change="promoted",
        reason="it is the first version",
        evidence={},
        origin=time,
    )
    settings = load(KafkaSettings, kafka_bootstrap=bare_broker.bootstrap, topic_prefix=bare_broker.prefix)
    assert announce([event], settings).fault is None
    (raw,), (told,) = bare_broker.read(topics.RAW, 1), bare_broker.read(topics.MODELS, 1)
    assert told.partition() == raw.partition()


def test_a_replay_without_its_topic_says_so_in_one_line(bare_broker: Broker) -> None:
    """It sends nothing, so no reading is reported as lost."""
    ended = command(bare_broker, "cli", "replay", "--data", "synthetic", "--days", "1")
    assert ended.returncode == 2
    *before, line = ended.stderr.splitlines()
    assert "SYNTHETIC year 2018, 52,560 readings" in before  # a slow machine also says what takes long
    assert line == (
        f"tetouan: the Kafka broker at {bare_broker.bootstrap} has no topic {bare_broker.prefix}{topics.RAW.name} "
        "(Broker: Unknown topic or partition): start the services, or run `tetouan topics`"
    )


def test_missing_topics_get_as_many_partitions_as_those_that_are_there(bare_broker: Broker) -> None:
    """And what is wrong with these is told, a line for each, by the command that makes the others."""
    make(bare_broker, {topics.CLEAN: 3}, cleanup_policy="compact", retention_ms="1000")
    made = command(bare_broker, "cli", "topics")
    assert made.returncode == 0
    assert sum(line.startswith("made ") for line in made.stdout.splitlines()) == len(topics.ALL) - 1
    complaints = [
        line for line in made.stderr.splitlines() if line.startswith(f"topic {bare_broker.prefix}{topics.CLEAN.name}: ")
    ]
    assert len(complaints) == 2
    assert "set retention.ms=-1" in complaints[0]
    assert "set cleanup.policy=delete" in complaints[1]
    assert len(bare_broker.partitions(topics.FORECASTS)) == 3
