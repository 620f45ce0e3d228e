"""The embedded broker: a process that holds all topics, and ends with whoever started it."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from shared.contracts import topics
from shared.runtime import embedded


def test_it_holds_all_topics_and_ends_with_the_block() -> None:
    """Each has as many partitions as on Apache Kafka, and the name of the cluster says that it is embedded."""
    with embedded.start() as broker:
        metadata = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=30)
    assert embedded.is_embedded(str(metadata.cluster_id))
    found = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
    assert found == {topic.name: topics.PARTITIONS for topic in topics.ALL}
    assert broker.process.returncode == 0
