"""The ingestor as a process, on every broker."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime import embedded
from tests.integration.brokers import Broker, letter_of, service, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = {
    "site": "tetouan",
    "DateTime": "3/4/2018 0:00",
    "Temperature": "14.9",
    "Humidity": "80.2",
    "Wind Speed": "0.08",
    "general diffuse flows": "0.1",
    "diffuse flows": "0.1",
    "Zone 1 Power Consumption": "25012.44",
    "Zone 2  Power Consumption": "15880.26",
    "Zone 3  Power Consumption": "9800.1",
}


def raw(**changes: object) -> bytes:
    """Return the good reading as it comes from a meter, with changes; None takes a field away."""
    fields = {**GOOD, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


HOSTILE: dict[str, tuple[bytes | None, str]] = {
    "random bytes": (b"\x00\xff\xfe\x01garbage", "not_utf8"),
    "empty message": (b"", "not_json"),
    "no value at all": (None, "not_json"),
    "a list": (b"[1, 2]", "not_an_object"),
    "unknown zone": (raw(**{"DateTime": "3/4/2018 0:10", "Zone 9 Power Consumption": "1"}), "unknown_field"),
    "unknown site": (raw(site="atlantis"), "unknown_site"),
    "no time": (raw(DateTime=None), "no_time"),
    "deep nesting": (b"[" * 50_000, "too_deep"),
}


def test_each_hostile_record_is_a_dead_letter_and_the_stream_goes_on(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Every refused record comes back with its original bytes and its reason; good readings around it are published."""
    flagged = raw(**{"DateTime": "3/4/2018 0:20", "Zone 2  Power Consumption": "error", "Humidity": None})
    broker.send(topics.RAW, [raw(), *(value for value, _ in HOSTILE.values()), flagged, flagged])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        clean = [CleanReading.from_bytes(m.value() or b"") for m in broker.read(topics.CLEAN, 2)]
        letters = broker.read(topics.REJECTED, len(HOSTILE))
        until(lambda: ingestor.metric("tetouan_merged_readings_total") == 1, "the repeated reading to be counted")

    assert [reading.values["zone_2_kw"] for reading in clean] == [15880.3, None]
    assert clean[1].flags["zone_2_kw"].original == "error"
    assert clean[1].flags["humidity_pct"].flag == "missing"
    reasons = [letter_of(m).reason for m in letters]
    assert reasons == [reason for _, reason in HOSTILE.values()]
    assert [m.value() or b"" for m in letters] == [value or b"" for value, _ in HOSTILE.values()]


def test_sigterm_commits_what_was_answered(broker: Broker, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """An ingestor that is told to stop leaves within ten seconds, and its successor repeats nothing."""
    first, second = raw(), raw(DateTime="3/4/2018 0:10")
    broker.send(topics.RAW, [first])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        broker.read(topics.CLEAN, 1)
        ingestor.process.send_signal(signal.SIGTERM)
        assert ingestor.process.wait(timeout=10) == 0
    broker.send(topics.RAW, [second])
    with service("ingestor", broker, tmp_path, free_port()):
        times = [CleanReading.from_bytes(m.value() or b"").time.minute for m in broker.read(topics.CLEAN, 2)]
    assert times == [0, 10]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_service_leaves_in_time_although_the_broker_is_gone(
    blow: signal.Signals, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """However the broker went, dead or frozen: the service stays live, and SIGTERM ends it within ten seconds."""
    with embedded.start() as running:
        broker = Broker("embedded", running.bootstrap, "")
        broker.send(topics.RAW, [raw()])
        with service("ingestor", broker, tmp_path, free_port()) as ingestor:
            broker.read(topics.CLEAN, 1)
            running.process.send_signal(blow)
            until(lambda: not ingestor.ready(), "the ingestor to miss its broker")
            assert ingestor.get("/healthz").status_code == 200
            ingestor.process.send_signal(signal.SIGTERM)
            assert ingestor.process.wait(timeout=10) == 0
        running.process.kill()


def test_the_health_answers_tell_progress_and_readiness(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """A ready service answers 200 on both paths, names its lag, and exports what it did."""
    broker.send(topics.RAW, [raw()])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        broker.read(topics.CLEAN, 1)
        until(lambda: ingestor.get("/healthz").json()["lag_records"] == 0, "no lag")
        assert ingestor.get("/healthz").status_code == 200
        assert ingestor.get("/readyz").json()["ready"] is True
        assert ingestor.metric('tetouan_accepted_readings_total{site="tetouan"}') == 1
        assert ingestor.metric("tetouan_consumed_records_total{topic=") == 1
