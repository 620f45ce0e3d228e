"""A Kafka-protocol broker in memory, for one machine with Python alone: librdkafka's mock cluster in its own process.

It keeps 5 MiB a partition and drops the oldest in silence, so whoever feeds it bounds the consumers' lag; it honours no
transactions, no retention and no second member of a group. What needs those runs on Apache Kafka.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CLUSTER", "EmbeddedBroker", "EmbeddedBrokerError", "is_embedded", "start"]

STOP_S = 10.0
CLUSTER = "mockCluster"
"""So begins the name that librdkafka gives to its mock clusters."""


def is_embedded(cluster: str) -> bool:
    """Tell whether a cluster of this name is one of these brokers."""
    return cluster.startswith(CLUSTER)


class EmbeddedBrokerError(Refused):
    """The embedded broker did not start, or has died."""


@dataclass(frozen=True)
class EmbeddedBroker:
    """The process of a broker."""

    process: subprocess.Popen[str]

    @cached_property
    def bootstrap(self) -> str:
        """Its address, once it listens; raises ``EmbeddedBrokerError`` where it has ended instead."""
        address = self.process.stdout.readline().strip() if self.process.stdout else ""
        if not address:
            raise EmbeddedBrokerError(f"the embedded broker ended at its start with exit code {self.process.wait()}")
        return address


@contextmanager
def start() -> Iterator[EmbeddedBroker]:
    """Run the broker in a child process, and end it on leaving.

    The child ends by itself when this process dies, as its standard input closes then.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "shared.runtime.mock_cluster"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C reaches only the parent, which ends the broker last
    )
    if child.stdin is None or child.stdout is None:
        raise EmbeddedBrokerError("the embedded broker has no pipes")
    try:
        yield EmbeddedBroker(child)
    finally:
        child.stdin.close()
        try:
            child.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
