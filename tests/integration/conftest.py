"""Brokers and models for the integration tests: the same tests run on every broker there is."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import tenacity
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from harness.brokers import PATIENCE_S, Broker, free_port
from harness.february import expected_forecasts, fit_models
from harness.kafka import Kafka, KafkaMissingError, kafka_container, missing, real_kafka
from shared.contracts import topics
from shared.data.year import Year, find_year
from shared.runtime import embedded
from shared.runtime.access import Access
from shared.runtime.administration import ensure_topics
from tests.once import made_once
from tests.used import note

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from shared.contracts.messages import Forecast

BUSY = tenacity.Retrying(  # a broker that shares its processor with tests may be slow to answer
    retry=tenacity.retry_if_exception_type(KafkaException),
    stop=tenacity.stop_after_delay(PATIENCE_S),
    reraise=True,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of Kafka's log beside the failure of a test that used it."""
    report = yield
    kafka = getattr(item, "funcargs", {}).get("kafka")
    if report.failed and isinstance(kafka, Kafka):
        report.sections.append(("the end of Kafka's log", kafka.last_lines()))
    return report


@pytest.fixture
def embedded_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """An embedded broker of this test's own."""
    note(request.config, "embedded", "librdkafka's mock cluster, always")
    with embedded.start() as broker:
        yield Broker("embedded", broker.bootstrap, "")


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """Apache Kafka for the session, or a skip that says how to provide it."""
    with ExitStack() as stack:
        kafka = _provided(stack, real_kafka())
        note(request.config, "Apache Kafka", f"{kafka.bootstrap}, {kafka.why}")
        yield kafka


@pytest.fixture(scope="module")
def mortal_kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """A Kafka container of a module's own, to be frozen, stopped and started."""
    with ExitStack() as stack:
        kafka = _provided(stack, kafka_container(free_port()))
        note(request.config, "Apache Kafka to be stopped", kafka.why)
        yield kafka


def _provided(stack: ExitStack, kafka: AbstractContextManager[Kafka]) -> Kafka:
    try:
        return stack.enter_context(kafka)
    except KafkaMissingError as error:
        missing(str(error))


@pytest.fixture
def real_broker(kafka: Kafka) -> Iterator[Broker]:
    """Apache Kafka with topics of this test's own."""
    prefix = f"test-{uuid4().hex[:8]}."
    for attempt in BUSY:
        with attempt:
            ensure_topics(Access(kafka.bootstrap), prefix)
    yield Broker("kafka", kafka.bootstrap, prefix)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    for done in admin.delete_topics([prefix + topic.name for topic in topics.ALL]).values():
        with suppress(KafkaException):  # of a broker too busy: topics left behind are in nobody's way
            done.result()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.real_kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Every broker there is, one after the other."""
    name = "embedded_broker" if request.param == "embedded" else "real_broker"
    found = request.getfixturevalue(name)
    assert isinstance(found, Broker)
    return found


@pytest.fixture(name="free_port")
def port_finder() -> Callable[[], int]:
    """Gives ports that nobody listens on."""
    return free_port


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """The synthetic year."""
    return find_year("synthetic", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def state_dir(year: Year, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder of this worker whose registry holds the models fitted on January."""
    made = made_once(tmp_path_factory, "models-of-january", partial(fit_models, year))
    folder = tmp_path_factory.mktemp("state")
    shutil.copytree(made, folder, dirs_exist_ok=True)  # the files of the models are looked up where they were made
    return folder


@pytest.fixture(scope="session")
def expected(year: Year, state_dir: Path) -> list[Forecast]:
    """What the backtest issues for the two days with those models."""
    return expected_forecasts(year, state_dir)
