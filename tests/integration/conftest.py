"""Brokers and models for the integration tests: the same tests run on every broker there is."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient

from shared.contracts import topics
from shared.runtime import embedded
from shared.runtime.kafka import ensure_topics
from tests.integration.brokers import Broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KAFKA = "TETOUAN_TEST_KAFKA"


@pytest.fixture
def embedded_broker() -> Iterator[Broker]:
    """An embedded broker of this test's own."""
    with embedded.start() as broker:
        yield Broker("embedded", broker.bootstrap, "")


@pytest.fixture
def real_broker() -> Iterator[Broker]:
    """Apache Kafka with topics of this test's own, or a skip that says how to provide it."""
    bootstrap = os.environ.get(KAFKA)
    if not bootstrap:
        pytest.skip(f"real_kafka: set {KAFKA} to the address of an Apache Kafka to run this test")
    prefix = f"test-{uuid4().hex[:8]}."
    ensure_topics(bootstrap, prefix)
    yield Broker("kafka", bootstrap, prefix)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for done in admin.delete_topics([prefix + topic.name for topic in topics.ALL]).values():
        done.result()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.real_kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Every broker there is, one after the other."""
    name = "embedded_broker" if request.param == "embedded" else "real_broker"
    found = request.getfixturevalue(name)
    assert isinstance(found, Broker)
    return found


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
