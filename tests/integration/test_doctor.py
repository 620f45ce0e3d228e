"""`tetouan doctor` on every broker, and where nothing works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from cli.__main__ import app
from harness.brokers import PATIENCE_S
from shared.contracts import topics

if TYPE_CHECKING:
    from pathlib import Path

    from harness.brokers import Broker


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without data and without state."""
    monkeypatch.delenv("TETOUAN_DATA", raising=False)
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    return monkeypatch


def doctor() -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code and each finding by its check."""
    done = CliRunner().invoke(app, ["doctor", "--json"])
    return done.exit_code, {each["check"]: each for each in json.loads(done.stdout)["checks"]}


def test_brokers_with_all_topics_are_well(broker: Broker, nothing: pytest.MonkeyPatch) -> None:
    """Nobody is behind on them, and that there are no models yet is no fault."""
    nothing.setenv("TETOUAN_KAFKA_BOOTSTRAP", broker.bootstrap)
    nothing.setenv("TETOUAN_TOPIC_PREFIX", broker.prefix)
    code, found = doctor()
    states = {check: found[check]["state"] for check in ("broker", "topics", "lag", "clock", "registry")}
    assert states == {"broker": "ok", "topics": "ok", "lag": "ok", "clock": "ok", "registry": "note"}, found
    assert code == 0


@pytest.mark.real_kafka
def test_a_group_that_has_read_all_is_behind_on_nothing(real_broker: Broker, nothing: pytest.MonkeyPatch) -> None:
    """Neither the end of a transaction nor an aborted one is a record; the next record is."""
    nothing.setenv("TETOUAN_KAFKA_BOOTSTRAP", real_broker.bootstrap)
    nothing.setenv("TETOUAN_TOPIC_PREFIX", real_broker.prefix)
    name = real_broker.prefix + topics.CLEAN.name
    producer = Producer(real_broker.access.confluent({"transactional.id": real_broker.prefix + "ingestor-0"}))
    producer.init_transactions(PATIENCE_S)
    for ended in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(name, b"{}", partition=0)
        producer.flush(PATIENCE_S)
        ended(PATIENCE_S)
    reader = Consumer(real_broker.access.confluent({"group.id": real_broker.prefix + "forecaster"}))
    reader.commit(offsets=[TopicPartition(name, 0, 3)], asynchronous=False)
    reader.close()
    assert "forecaster 0," in doctor()[1]["lag"]["found"]
    assert "monitor up to 8 records" in doctor()[1]["lag"]["found"]
    real_broker.send(topics.CLEAN, [b"{}"])
    assert "forecaster up to " in doctor()[1]["lag"]["found"]


def test_where_nothing_works_each_fault_has_its_advice(tmp_path: Path, nothing: pytest.MonkeyPatch) -> None:
    """No broker, no data, no registry, no Docker: the command still ends with a report."""
    nothing.setenv("TETOUAN_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    nothing.setenv("TETOUAN_DATA", str(tmp_path / "none.csv"))
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_text("no database" * 100, encoding="utf-8")
    nothing.setenv("PATH", str(tmp_path))
    code, found = doctor()
    wrong = {check for check, each in found.items() if each["state"] == "wrong"}
    assert wrong == {"data", "broker", "registry"}
    assert all(found[check]["advice"] for check in wrong)
    assert code == 1


def test_a_setting_that_is_refused_is_a_finding(nothing: pytest.MonkeyPatch) -> None:
    """What needs the settings is left out, and the rest is looked at."""
    nothing.setenv("TETOUAN_ZONES", "none")
    code, found = doctor()
    assert (code, found["settings"]["state"], found["Python"]["state"]) == (1, "wrong", "ok")
    assert "TETOUAN_ZONES" in found["settings"]["found"]
