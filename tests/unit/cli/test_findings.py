"""What `tetouan doctor` says of what it has seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import findings
from cli.doctor import report
from cli.findings import BrokerFindings, Finding, Port
from replay.backlog import Lag
from shared.contracts import topics

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHOLE = BrokerFindings("127.0.0.1:9092", "PLAINTEXT", {topic.name: 4 for topic in topics.ALL})
AWAY = replace(WHOLE, partitions={}, fault="the Kafka broker at 127.0.0.1:9092 does not answer: start it")
FOLDER = Path("/state")
GIB = 2**30


def without(topic: str) -> BrokerFindings:
    """Return brokers that lack a topic."""
    return replace(WHOLE, partitions={name: count for name, count in WHOLE.partitions.items() if name != topic})


def with_partitions(topic: str, count: int) -> BrokerFindings:
    """Return brokers on which a topic has another number of partitions."""
    return replace(WHOLE, partitions={**WHOLE.partitions, topic: count})


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (findings.of_python((3, 12, 1)), "ok", "3.12.1"),
        (findings.of_python((3, 10, 9)), "wrong", "3.10.9"),
        (findings.of_packages({"a": "1"}, {"a": "1", "b": "2"}), "ok", "1 packages have the locked versions"),
        (findings.of_packages({"a": "1", "c": "3"}, {"a": "2"}), "wrong", "c is missing, a 2 (the lock has 1)"),
        (findings.of_packages(None, {}), "note", "no requirements.lock"),
        (findings.of_settings([], None), "ok", "are known"),
        (findings.of_settings(["TETOUAN_X is no setting"], None), "note", "TETOUAN_X is no setting"),
        (findings.of_settings([], "TETOUAN_ZONES='x': give numbers"), "wrong", "give numbers"),
        (findings.of_disk(FOLDER, 50 * GIB, None), "ok", "50.0 GiB free"),
        (findings.of_disk(FOLDER, GIB, None), "note", "1.0 GiB free"),
        (findings.of_disk(FOLDER, 2**20, None), "wrong", "0.0 GiB free"),
        (findings.of_disk(FOLDER, 50 * GIB, "Read-only file system"), "wrong", "Read-only file system"),
        (findings.of_ports([Port(8001, "ingestor", None)]), "ok", "8001 are free"),
        (
            findings.of_ports([Port(8001, "ingestor", "pid 7, nginx")]),
            "note",
            "8001 (ingestor) is not free: pid 7, nginx",
        ),
        (
            findings.of_data("x.csv", "ab" * 32, None, is_published=True),
            "ok",
            "the published year, sha256 abab",
        ),
        (findings.of_data("x.csv", None, None, is_published=False), "note", "no data file at x.csv"),
        (
            findings.of_data("synthetic", None, None, is_published=False),
            "ok",
            "a synthetic year, generated at the start",
        ),
        (findings.of_data("x.csv", None, "No such file", is_published=False), "wrong", "x.csv: No such file"),
        (findings.of_broker(WHOLE, is_chosen=True), "ok", "127.0.0.1:9092 (PLAINTEXT) answers"),
        (findings.of_broker(AWAY, is_chosen=False), "note", "does not answer"),
        (findings.of_broker(AWAY, is_chosen=True), "wrong", "does not answer"),
        (findings.of_topics(WHOLE, "", is_chosen=False), "ok", f"{len(topics.ALL)} with 4 partitions"),
        (findings.of_topics(replace(WHOLE, partitions={}), "", is_chosen=True), "wrong", "missing: "),
        (findings.of_topics(AWAY, "", is_chosen=False), "note", "no broker answers"),
        (findings.of_topics(replace(WHOLE, partitions={}), "", is_chosen=False), "note", "missing: "),
        (findings.of_topics(without("scores.v1"), "", is_chosen=False), "wrong", "missing: scores.v1"),
        (
            findings.of_topics(with_partitions("readings.clean.v1", 8), "", is_chosen=False),
            "wrong",
            "readings.clean.v1 has 8",
        ),
        (
            findings.of_topics(
                replace(WHOLE, complaints=("topic a: it deletes: set b on it", "c")), "", is_chosen=False
            ),
            "wrong",
            "topic a: it deletes, and 1 more",
        ),
        (findings.of_lag([Lag("ingestor", "readings.raw.v1", 3)]), "ok", "ingestor up to 3 records"),
        (findings.of_lag([Lag("monitor", name, 6000) for name in "ab"]), "wrong", "monitor up to 12,000 records"),
        (findings.of_lag([Lag("monitor", "forecasts.v1", 0)]), "ok", "monitor 0 records"),
        (findings.of_lag(None), "note", "no broker answers"),
        (findings.of_registry("sqlite:////x", 3, None), "ok", "champions of 3 zones"),
        (findings.of_registry("sqlite:////x", 0, None), "note", "no champion"),
        (findings.of_registry("sqlite:////x", None, None), "note", "no registry at sqlite:////x"),
        (findings.of_registry("http://x", None, "the registry is away: start it"), "wrong", "the registry is away"),
        (findings.of_clock(NOW, NOW - timedelta(days=1), timedelta(0)), "ok", "2026-03-01"),
        (findings.of_clock(NOW, NOW + timedelta(days=1), None), "wrong", "earlier than the program files"),
        (findings.of_clock(NOW, NOW, timedelta(minutes=5)), "wrong", "300 s behind the newest record"),
        (findings.of_docker("29.1", None), "ok", "engine 29.1"),
        (findings.of_docker(None, "docker is not installed"), "note", "docker is not installed"),
    ],
)
def test_each_check_says_what_it_found_and_what_mends_it(found: Finding, state: str, said: str) -> None:
    """What is wrong has an advice."""
    assert found.state == state
    assert said in found.found
    assert found.advice or state != "wrong"


def test_only_what_is_wrong_makes_the_report_bad() -> None:
    """A note does not: a demo brings its own broker, and not every machine has Docker."""
    fine = [findings.of_docker(None, "none"), findings.of_broker(AWAY, is_chosen=False)]
    assert report(fine)["well"]
    told = report([*fine, findings.of_broker(AWAY, is_chosen=True)])
    assert not told["well"]
    assert told["checks"][2]["advice"] == "start it"
