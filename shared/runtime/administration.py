"""The topics on the brokers: made where they are missing, counted, and checked where somebody else has made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are public, its stub forgets it
    AdminClient,
    ConfigResource,
    NewTopic,
)

from shared.contracts import topics
from shared.runtime import embedded
from shared.runtime.diagnosis import NoAccessError, why_refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka import Consumer
    from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are public, its stub forgets it
        ClusterMetadata,
        TopicMetadata,
    )

    from shared.contracts.topics import Topic
    from shared.runtime.access import Access

__all__ = [
    "EnsuredTopics",
    "Kept",
    "check_topics",
    "complaints",
    "ensure_topics",
    "find_topics",
    "identity",
    "lacking",
    "partitions_of",
    "uneven",
]

ADMIN_S = 5.0
UNCHECKED = "how the topics keep their records could not be checked"
DAY_MS = 24 * 3600 * 1000
BATCH_BYTES = topics.MAX_RECORD_BYTES
"""The largest batch that a service sends; a broker's limit is one of batches."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Kept:
    """How a topic keeps its records: its configuration on the brokers, and the replicas of its partitions."""

    config: Mapping[str, str]
    replicas: int


@dataclass(frozen=True)
class EnsuredTopics:
    """The topics that were made, and what is wrong with those that were there."""

    made: tuple[str, ...]
    complaints: tuple[str, ...]


def ensure_topics(access: Access, prefix: str = "", partitions: int = topics.PARTITIONS) -> list[str]:
    """Make the missing topics, kept as long as their table says; returns the names of those it made.

    They get as many partitions as those of ours that are there, or ``partitions`` where none is.

    Raises ``KafkaException`` where the broker does not
    answer within five seconds, ``NoAccessError`` where we may neither see nor make a topic.
    """
    return _ensure(_admin(access), access, prefix, topics.ALL, partitions)


def find_topics(
    access: Access,
    prefix: str = "",
    wanted: Collection[Topic] = topics.ALL,
    partitions: int = topics.PARTITIONS,
) -> EnsuredTopics:
    """Make the topics that are missing, and look at those that are ``wanted``; raises as `ensure_topics` does.

    That others cannot be made is no error.
    """
    admin = _admin(access)
    before = admin.list_topics(timeout=ADMIN_S)
    made = _ensure(admin, access, prefix, wanted, partitions)
    return EnsuredTopics(tuple(made), tuple(_check(admin, access, before, prefix, wanted)))


def check_topics(access: Access, prefix: str = "", wanted: Collection[Topic] = topics.ALL) -> list[str]:
    """Return what is wrong with those topics that are there; raises ``KafkaException`` where no broker answers."""
    admin = _admin(access)
    return _check(admin, access, admin.list_topics(timeout=ADMIN_S), prefix, wanted)


def partitions_of(client: Consumer, name: str, offset: int = OFFSET_INVALID) -> list[TopicPartition]:
    """Return all partitions of a topic, as many as the brokers have, none where it is not there.

    Raises ``KafkaException`` where the broker does not answer within five seconds, or hides the topic from us.
    """
    found = client.list_topics(name, timeout=ADMIN_S).topics[name]
    if found.error is not None and found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise KafkaException(found.error)
    return [TopicPartition(name, number, offset) for number in found.partitions]


def identity(access: Access, group: str, names: Sequence[str]) -> dict[str, str]:
    """Return what offsets belong to: cluster, group and topics, which may have been deleted and made again.

    Raises ``KafkaException`` where the broker does not answer within five seconds.
    """
    admin = _admin(access)
    cluster = str(admin.list_topics(timeout=ADMIN_S).cluster_id)
    found = {"cluster": cluster, "group": group}
    if embedded.is_embedded(cluster):  # it knows no identities of topics, and none outlives it
        return found
    described = admin.describe_topics(TopicCollection(list(names)), request_timeout=ADMIN_S)
    return found | {f"topic {name}": str(topic.result().topic_id) for name, topic in described.items()}


def uneven(partitions: Mapping[str, int]) -> str | None:
    """Return why a service cannot read these topics together, None where it can.

    A key stands on partitions of one number, and one replica has both, only where the topics have equally many.
    """
    if len(set(partitions.values())) < 2:
        return None
    counts = ", ".join(f"{name} has {count}" for name, count in partitions.items())
    fewer = min(partitions, key=lambda name: partitions[name])
    most = max(partitions.values())
    return (
        f"the topics that are read together have different numbers of partitions ({counts}): make them equal, "
        f"such as with kafka-topics --alter --topic {fewer} --partitions {most} before anything is on it"
    )


def lacking(consumed: Mapping[str, int], all_of_them: Mapping[str, int]) -> str | None:
    """Return why what is consumed cannot be answered, None where it can.

    The answers stand on the partition of the number that was read, so there must be one of that number.
    """
    most = max(consumed.values(), default=0)
    widest = max(consumed, key=lambda name: consumed[name], default="")
    for name, count in all_of_them.items():
        if count < most:
            return (
                f"topic {name} has {count} partitions, and {widest} has {most}: "
                "what is read on one partition is answered on that of the same number: "
                f"kafka-topics --alter --topic {name} --partitions {most}"
            )
    return None


def _admin(access: Access) -> AdminClient:
    return AdminClient(access.confluent())


def _ensure(admin: AdminClient, access: Access, prefix: str, wanted: Collection[Topic], partitions: int) -> list[str]:
    there = admin.list_topics(timeout=ADMIN_S).topics
    count = _partitions_of_ours(there, prefix) or partitions
    missing = [_new_topic(topic, prefix, count) for topic in topics.ALL if prefix + topic.name not in there]
    made = admin.create_topics(missing, request_timeout=ADMIN_S) if missing else {}
    needed = {prefix + topic.name for topic in wanted}
    return [name for name, done in made.items() if _settle(access, name, done, needed=name in needed)]


def _partitions_of_ours(there: Mapping[str, TopicMetadata], prefix: str) -> int:
    """Return how many partitions the topics of ours have that are there, the most of them; 0 where none is."""
    known = (prefix + topic.name for topic in topics.ALL)
    return max((len(there[name].partitions) for name in known if name in there), default=0)


def _settle(access: Access, name: str, done: Future[None], *, needed: bool) -> bool:
    """Wait until a topic is made; returns whether by us. One that is not ``needed`` need not be made."""
    try:
        done.result()
    except KafkaException as error:
        if error.args[0].name() == "TOPIC_ALREADY_EXISTS":  # another service was faster
            log.debug("topic was there already", topic=name)
            return False
        if (line := why_refused(access, error, name)) is not None and not needed:
            log.debug("topic cannot be made", topic=name, why=line)
            return False
        if line is not None:
            raise NoAccessError(
                f"topic {name} is not there, or hidden from us, and we may not make it: {line}"
            ) from None
        raise
    return True


def _new_topic(topic: Topic, prefix: str, count: int) -> NewTopic:
    kept_ms = -1 if topic.kept is None else int(topic.kept.total_seconds() * 1000)
    config = {"retention.ms": str(kept_ms), "max.message.bytes": str(topics.MAX_RECORD_BYTES + topics.HEADROOM_BYTES)}
    return NewTopic(prefix + topic.name, num_partitions=count, replication_factor=-1, config=config)


def _check(
    admin: AdminClient, access: Access, metadata: ClusterMetadata, prefix: str, wanted: Collection[Topic]
) -> list[str]:
    """Return what is wrong with the topics that are there; none of it keeps a service from running."""
    if embedded.is_embedded(str(metadata.cluster_id)):  # it has no configurations
        return []
    named = {prefix + topic.name: topic for topic in wanted if prefix + topic.name in metadata.topics}
    resources = [ConfigResource("topic", name) for name in named]
    asked = admin.describe_configs(resources, request_timeout=ADMIN_S) if resources else {}
    found: list[str] = []
    for resource, answer in asked.items():
        try:
            config = {name: str(entry.value) for name, entry in answer.result().items()}
        except KafkaException as error:
            why = why_refused(access, error, resource.name) or error.args[0].str()
            return [*found, f"{UNCHECKED}: {why.replace('Read, Write or Describe', 'DescribeConfigs')}"]
        replicas = [len(partition.replicas) for partition in metadata.topics[resource.name].partitions.values()]
        found += complaints(resource.name, named[resource.name], Kept(config, min(replicas, default=0)))
    return found


def complaints(name: str, topic: Topic, kept: Kept) -> list[str]:
    """Return one line for each way in which a topic will not keep its records, or not take ours, and what to change."""
    return [
        f"topic {name}: {what}: set {change} on it"
        for what, change in (
            *_of_retention(topic, kept.config),
            *_of_compaction(kept.config),
            *_of_size(topic, kept.config),
            *_of_replicas(kept),
        )
    ]


def _of_retention(topic: Topic, config: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    ours_ms = -1 if topic.kept is None else int(topic.kept.total_seconds() * 1000)
    theirs_ms = int(config.get("retention.ms", -1))
    if theirs_ms >= 0 and (ours_ms < 0 or theirs_ms < ours_ms):
        wanted = "for ever" if topic.kept is None else f"for {topic.kept.days} days"
        deleted = f"records are deleted after {theirs_ms / DAY_MS:.3g} days, and are needed {wanted}"
        found.append((deleted, f"retention.ms={ours_ms}"))
    size = int(config.get("retention.bytes", -1))
    if size >= 0:
        found.append((f"records are deleted beyond {size} bytes a partition, however young", "retention.bytes=-1"))
    return found


def _of_compaction(config: Mapping[str, str]) -> list[tuple[str, str]]:
    policy = config.get("cleanup.policy", "delete")
    if "compact" not in policy:
        return []
    return [(f"cleanup.policy={policy} removes all records of a site but the last", "cleanup.policy=delete")]


def _of_size(topic: Topic, config: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return whether our batches are refused; of raw readings we send none, and a dead letter holds a whole one."""
    needed = BATCH_BYTES + (topics.HEADROOM_BYTES if topic is topics.REJECTED else 0)
    taken = int(config.get("max.message.bytes", needed))
    if topic is topics.RAW or taken >= needed:
        return []
    return [(f"batches of more than {taken} bytes are refused, ours may have {needed}", f"max.message.bytes={needed}")]


def _of_replicas(kept: Kept) -> list[tuple[str, str]]:
    wanted = int(kept.config.get("min.insync.replicas", 1))
    if wanted <= kept.replicas:
        return []
    what = f"min.insync.replicas={wanted} of {kept.replicas} replicas: nothing we send is taken"
    return [(what, f"min.insync.replicas={kept.replicas}, or more replicas,")]
