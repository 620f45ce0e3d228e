"""Apache Kafka for the tests: a container where a Docker engine answers, else the Kafka that is named."""

from __future__ import annotations

import gc
import os
import subprocess
import warnings
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

import docker
import pytest
from docker.errors import DockerException
from testcontainers.community.kafka import KafkaContainer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.models.containers import Container

__all__ = ["Kafka", "KafkaMissingError", "engine", "kafka_container", "missing", "real_kafka", "secured_kafka"]

ADDRESS = "TETOUAN_TEST_KAFKA"
SCRIPT = "TETOUAN_TEST_KAFKA_SCRIPT"
IMAGE = "confluentinc/cp-kafka:7.6.0"
START_S = 90
STOP_S = 10
LAST_LINES = 40


class KafkaMissingError(Exception):
    """There is no Apache Kafka to test on; the message says how to provide one."""


@dataclass(frozen=True)
class Kafka:
    """A running Apache Kafka, why it was chosen, and its container if it has one of ours."""

    bootstrap: str
    why: str
    container: Container | None = None

    def stop(self) -> None:
        """Stop the container as an operator would."""
        self._own().stop(timeout=STOP_S)

    def start(self) -> None:
        """Start the container again, on its port and with its data."""
        self._own().start()

    @contextmanager
    def gone(self, fault: Literal["frozen", "restarted"]) -> Iterator[None]:
        """Freeze the broker, or stop it, until the block ends."""
        leave, come_back = {
            "frozen": (self._own().pause, self._own().unpause),
            "restarted": (self.stop, self.start),
        }[fault]
        leave()
        try:
            yield
        finally:
            come_back()

    def _own(self) -> Container:
        if self.container is None:
            raise KafkaMissingError(f"the Kafka at {self.bootstrap} is none of ours to stop")
        return self.container

    def last_lines(self) -> str:
        """Return the end of the container's log."""
        if self.container is None:
            return f"see the log of the Kafka at {self.bootstrap}"
        return str(self.container.logs(tail=LAST_LINES), errors="replace")


def engine() -> str:
    """Return the address of the Docker engine; raises ``KafkaMissingError`` where none answers."""
    try:
        with closing(docker.from_env(timeout=10)) as client:
            client.ping()
            return os.environ.get("DOCKER_HOST", "its usual socket")
    except DockerException as error:
        why = f"no Docker engine answers ({str(error)[:80]})"
    with warnings.catch_warnings():
        # the client forgets to close the socket that it could not connect; it goes with the error that held it
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    raise KafkaMissingError(why)


def missing(why: str) -> NoReturn:
    """Skip the test; fail it in CI, if CI has said where its Docker engine is."""
    if os.environ.get("CI") and os.environ.get("DOCKER_HOST"):
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def kafka_container(port: int | None = None) -> Iterator[Kafka]:
    """Run Kafka in a container, on a port of the host that stays the same when it is restarted, if one is given."""
    address = engine()
    container = KafkaContainer(IMAGE).with_kraft()
    for name in ("REPLICATION_FACTOR", "MIN_ISR"):  # three brokers are its default, and no transaction begins on one
        container.with_env(f"KAFKA_TRANSACTION_STATE_LOG_{name}", "1")
    if port is not None:
        container.with_bind_ports(container.port, port)
    with ExitStack() as stack:
        try:
            container.start(timeout=START_S)
        except Exception as error:
            container.stop()
            raise KafkaMissingError(f"{IMAGE} does not start on the Docker engine ({str(error)[:200]})") from error
        stack.callback(container.stop)
        why = f"{IMAGE} by testcontainers, as a Docker engine answers at {address}"
        yield Kafka(container.get_bootstrap_server(), why, container.get_wrapped_container())


@contextmanager
def secured_kafka(folder: Path, *options: str) -> Iterator[str]:
    """Run a Kafka that asks for passwords or certificates, and yield its address; its files are in the folder.

    Raises ``KafkaMissingError`` where no program is named that runs one, or where it lacks what it takes.
    """
    script = os.environ.get(SCRIPT)
    if not script:
        raise KafkaMissingError(f"real_kafka: {SCRIPT} is not set: name a program that runs a Kafka with passwords")
    started = subprocess.run(
        [script, "start", str(folder), "--port", "0", *options], capture_output=True, text=True, check=False
    )
    try:
        if started.returncode:
            raise KafkaMissingError(f"{script} starts no Kafka: {started.stderr.strip()[-200:]}")
        yield started.stdout.partition("BOOTSTRAP=")[2].strip()
    finally:
        subprocess.run([script, "stop", str(folder)], capture_output=True, check=False)


@contextmanager
def real_kafka() -> Iterator[Kafka]:
    """Yield a container's Kafka, else the one in ``TETOUAN_TEST_KAFKA``; raises ``KafkaMissingError``."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(kafka_container())
        except KafkaMissingError as error:
            bootstrap = os.environ.get(ADDRESS)
            if not bootstrap:
                raise KafkaMissingError(
                    f"real_kafka: {error}, and {ADDRESS} is not set: start Docker, or name an Apache Kafka"
                ) from error
            kafka = Kafka(bootstrap, f"named by {ADDRESS}, as {error}")
        yield kafka
