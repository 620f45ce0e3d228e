"""The process of an embedded broker, which imports little: whoever starts a demo waits for it.

confluent-kafka makes a mock cluster by a setting, and then the first member of each group waits for others for 3 s. So
this calls librdkafka itself, as ``rdkafka_mock.h`` describes it.
"""

from __future__ import annotations

import ctypes
import signal
import sys

from confluent_kafka import cimpl

from shared.contracts import topics

__all__: list[str] = []

PRODUCER = 0
JOIN_MS = 1
"""How long the first member of a group waits for others; with 0 it would wait for ever."""


def main() -> None:
    """Serve until standard input closes; prints the bootstrap address."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.write(_served() + "\n")
    sys.stdout.flush()
    sys.stdin.read()


def _served() -> str:
    """Start a cluster of one broker, which ends with this process, and return its address."""
    librdkafka = ctypes.CDLL(cimpl.__file__)  # the loader looks into the libraries that this one needs, too
    librdkafka.rd_kafka_new.restype = ctypes.c_void_p
    librdkafka.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    librdkafka.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    why = ctypes.create_string_buffer(512)
    client = ctypes.c_void_p(librdkafka.rd_kafka_new(PRODUCER, None, why, ctypes.c_size_t(len(why))))
    if not client:
        sys.exit(why.value.decode())
    cluster = ctypes.c_void_p(librdkafka.rd_kafka_mock_cluster_new(client, 1))
    librdkafka.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, JOIN_MS)
    for topic in topics.ALL:
        librdkafka.rd_kafka_mock_topic_create(cluster, topic.name.encode(), topics.PARTITIONS, 1)
    return str(librdkafka.rd_kafka_mock_cluster_bootstraps(cluster), "ascii")


if __name__ == "__main__":
    main()
