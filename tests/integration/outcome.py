"""What the services have left behind, on the topics and in their snapshots, and how two runs of them differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from confluent_kafka import Consumer, KafkaError, TopicPartition

from harness.brokers import PATIENCE_S, span_of, until
from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.runtime.administration import partitions_of
from shared.runtime.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from confluent_kafka import Message
    from numpy.typing import NDArray

    from harness.brokers import Broker

__all__ = [
    "OUTPUTS",
    "Difference",
    "Fact",
    "Follower",
    "Kept",
    "Outcome",
    "Share",
    "States",
    "compare",
    "compare_states",
    "fact",
    "flat",
    "joined",
    "last_states",
    "of_sites",
]

OUTPUTS = (topics.CLEAN, topics.REJECTED, topics.FORECASTS, topics.SCORES, topics.DRIFT)
EXACTLY_ONCE = {topics.CLEAN.name, topics.REJECTED.name, topics.FORECASTS.name}
NAMED_BY = {
    topics.CLEAN.name: "time",
    topics.FORECASTS.name: "origin",
    topics.SCORES.name: "time",
    topics.DRIFT.name: "id",
}
POLL_S = 0.02
FETCH_WAIT_MS = 20

READ = tuple(topic.name for topic in topics.ALL if {"ingestor", "forecaster", "monitor"} & set(topic.read_by))


class Share(NamedTuple):
    """The partitions of a service whose state is kept as one."""

    service: str
    partitions: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.service} {','.join(map(str, self.partitions))}"


Parts = dict[str, dict[str, "NDArray[Any]"]]  # the arrays of each part of a state, by name
Kept = dict[Share, Parts]  # as they stand in the last snapshots: a part may be older than another
States = dict[Share, dict[str, "NDArray[Any]"]]  # the arrays of each share, by name


class Fact(NamedTuple):
    """What one record says: the name by which a person knows it, and every byte of it that a second run must repeat."""

    name: str
    body: bytes
    site: str = ""


Outcome = dict[str, list[Fact]]  # by topic, in the order of publication


def fact(topic: str, key: bytes | None, value: bytes, headers: Iterable[tuple[str, Any]]) -> Fact:
    """Return what a record of the topic, named without a prefix, says."""
    site = (key or b"").decode(errors="replace")
    if topic == topics.REJECTED.name:  # all but when it was refused, and where brokers put and tests call its topic
        letter = DeadLetter.from_headers(headers).model_dump(mode="json", exclude={"received", "topic", "partition"})
        return Fact(f"record {letter['offset']}", json.dumps(letter).encode() + b"\n" + value, site)
    said = json.loads(value)
    name = said[NAMED_BY[topic]]
    return Fact(f"{name} zone {said['zone']}" if "zone" in said else name, value, site)


class Follower:
    """Reads all that the services publish as it comes, committed transactions only, and how far each group has come."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._clients: dict[str, Consumer] = {}
        self._reader = self._client("test-follower")
        self._names = {broker.prefix + topic.name: topic for topic in OUTPUTS}
        self._reader.assign([part for topic in OUTPUTS for part in self._partitions(topic)])
        self._reached: dict[tuple[str, int], int] = {}
        self._last: dict[tuple[str, int], int] = {}
        self._new: Outcome = {topic.name: [] for topic in OUTPUTS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def settle(self) -> Outcome:
        """Wait until every service has committed all that there is; return what was published since last time."""
        until(self._has_committed("ingestor", topics.RAW), "the ingestor to commit every raw record")
        until(self._has_committed("forecaster", topics.CLEAN), "the forecaster to commit every clean reading")
        until(self._has_committed("monitor", topics.CLEAN, topics.FORECASTS), "the monitor to commit every forecast")
        until(self._is_drained, "the end of all topics")
        new, self._new = self._new, {topic.name: [] for topic in OUTPUTS}
        return new

    def hears(self, topic: topics.Topic) -> bool:
        """Tell whether anything was published on the topic since last time."""
        self._is_drained()
        return bool(self._new[topic.name])

    def _has_committed(self, group: str, *read: topics.Topic) -> Callable[[], bool]:
        def done() -> bool:
            if not self._is_drained():
                return False
            parts = [part for topic in read for part in self._partitions(topic)]
            committed = self._client(self._broker.prefix + group).committed(parts, timeout=PATIENCE_S)
            return all(part.offset >= self._end(part) for part in committed if self._end(part))

        return done

    def _end(self, part: TopicPartition) -> int:
        """Return where a group stands that has read everything: behind the last record, not behind its transaction."""
        if part.topic in self._names:
            return self._last.get((part.topic, part.partition), -1) + 1
        return self._high(part)

    def _is_drained(self) -> bool:
        """Read what has come; tell whether all partitions were read to their ends."""
        while messages := self._reader.consume(500, POLL_S):
            for message in messages:
                self._take(message)
        ends = ((part, self._high(part)) for topic in OUTPUTS for part in self._partitions(topic))
        return all(self._reached.get((part.topic, part.partition), -1) >= end for part, end in ends)

    def _take(self, message: Message) -> None:
        name, number, offset = message.topic(), message.partition(), message.offset()
        assert name is not None
        assert number is not None
        assert offset is not None
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error  # noqa: SLF001 - the client's own constant
            self._reached[name, number] = offset
            return
        self._last[name, number] = offset
        topic = self._names[name].name
        self._new[topic].append(
            fact(topic, message.key(), message.value() or b"", dict(message.headers() or ()).items())
        )

    def _partitions(self, topic: topics.Topic) -> list[TopicPartition]:
        return partitions_of(self._client("test-asker"), self._broker.prefix + topic.name, 0)

    def _high(self, part: TopicPartition) -> int:
        # asked of a client that does not fetch: an answer would stand in line behind an empty fetch
        return span_of(self._client("test-asker"), part)[1]

    def _client(self, group: str) -> Consumer:
        if group not in self._clients:
            config = {
                "group.id": group,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": FETCH_WAIT_MS,
            }
            self._clients[group] = Consumer(self._broker.access.confluent(config))
        return self._clients[group]


@dataclass(frozen=True)
class Difference:
    """How a site's records on a topic differ from those of the undisturbed run; ``doubled`` are identical repeats."""

    topic: str
    site: str
    lost: int
    different: int
    added: int
    doubled: int
    disordered: bool
    first: str

    @property
    def once(self) -> bool:
        """Whether a record may not even be repeated where transactions are on; scores and drift events may."""
        return self.topic in EXACTLY_ONCE

    @property
    def wrong(self) -> bool:
        """Whether anything differs but identical repeats."""
        return bool(self.lost or self.different or self.added or self.disordered)

    def __str__(self) -> str:
        order = ", in another order" if self.disordered else ""
        counts = f"{self.lost} lost, {self.different} different, {self.added} added, {self.doubled} doubled"
        where = f"{self.topic} {self.site}".strip()
        return f"{where}: {counts}{order}; {self.first}" if self.wrong else f"{where}: {counts}"


def compare(expected: Outcome, found: Outcome, before: AbstractSet[Fact] = frozenset()) -> list[Difference]:
    """Return how each topic differs for each site; what was published ``before`` and comes again counts as doubled.

    Of one site the records have an order; those of different sites may come in any.
    """
    return [
        _compare(topic, site, facts, others, before)
        for topic in expected
        for site, (facts, others) in _by_site(expected[topic], found[topic]).items()
    ]


def joined(outcomes: Iterable[Outcome]) -> Outcome:
    """Return all that was published, one outcome after the other."""
    every: Outcome = {topic.name: [] for topic in OUTPUTS}
    for outcome in outcomes:
        for topic, facts in outcome.items():
            every[topic] += facts
    return every


def of_sites(outcome: Outcome) -> dict[str, Outcome]:
    """Return what was published for each site."""
    found: dict[str, Outcome] = {}
    for topic, facts in outcome.items():
        for said in facts:
            found.setdefault(said.site, {topic: [] for topic in outcome})[topic].append(said)
    return found


def _by_site(*runs: Sequence[Fact]) -> dict[str, list[list[Fact]]]:
    """Return the facts of each site, run by run."""
    sites = dict.fromkeys(fact.site for facts in runs for fact in facts)
    by_site: dict[str, list[list[Fact]]] = {site: [[] for _ in runs] for site in sites}
    for n, facts in enumerate(runs):
        for fact in facts:
            by_site[fact.site][n].append(fact)
    return by_site


def _compare(
    topic: str, site: str, expected: Sequence[Fact], found: Sequence[Fact], before: AbstractSet[Fact]
) -> Difference:
    new = dict.fromkeys(fact for fact in found if fact not in before)
    missing = [fact for fact in expected if fact not in new]
    known = set(expected)
    surplus = {fact.name: fact for fact in new if fact not in known}
    different = [(fact, surplus[fact.name]) for fact in missing if fact.name in surplus]
    lost = [fact for fact in missing if fact.name not in surplus]
    added = [name for name in surplus if name not in {fact.name for fact, _ in different}]
    first = [f"{wanted.name}: {_first_difference(wanted.body, other.body)}" for wanted, other in different]
    first += [f"{fact.name} is lost" for fact in lost] + [f"{name} was never said undisturbed" for name in added]
    disordered = not missing and not surplus and list(new) != list(expected)
    doubled = len(found) - len(new)
    counts = (len(lost), len(different), len(added), doubled)
    return Difference(topic, site, *counts, disordered=disordered, first="".join(first[:1]) or "none is missing")


def _first_difference(wanted: bytes, found: bytes) -> str:
    """Return the first field in which two messages differ."""
    one, other = (dict(_leaves("", _read(body))) for body in (wanted, found))
    for path in [*one, *other]:
        if one.get(path) != other.get(path):
            return f"{path} is {other.get(path)}, undisturbed {one.get(path)}"
    return "the same values in other bytes"


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:  # a dead letter: what it says of the record, and the record
        return body.decode(errors="replace").splitlines()


def _leaves(path: str, value: Any) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [leaf for name, below in value.items() for leaf in _leaves(f"{path}.{name}".lstrip("."), below)]
    if isinstance(value, list):
        return [leaf for number, below in enumerate(value) for leaf in _leaves(f"{path}[{number}]", below)]
    return [(path, value)]


def last_states(*state_dirs: Path) -> dict[tuple[int, ...], Parts]:
    """Return the parts of the snapshots that have come farthest in their topics, by the partitions that each is of."""
    folders = {file.parent for state in state_dirs for file in (state / "snapshots").rglob("*.snapshot")}
    stores = [Snapshots(str(folder.parent), folder.name) for folder in sorted(folders)]
    snapshots = [(store, store.read(name)) for store in stores for name in store.names()]
    found: dict[tuple[int, ...], Parts] = {}
    for store, snapshot in sorted(snapshots, key=lambda one: -sum(one[1].offsets.values())):
        partitions = {number for topic, number in snapshot.offsets if topic.endswith(READ)}
        if not any(partitions & set(others) for others in found):
            found[tuple(sorted(partitions))] = store.parts(snapshot)
    return found


def flat(parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of all parts of a state, each by the name of its part, a slash and its own."""
    return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def compare_states(expected: States, found: States) -> list[str]:
    """Return a line for each array that is not the same to the bit."""
    return [f"{share}: {line}" for share, arrays in expected.items() for line in _unlike(arrays, found.get(share, {}))]


def _unlike(expected: dict[str, NDArray[Any]], found: dict[str, NDArray[Any]]) -> list[str]:
    names = sorted(expected.keys() | found.keys())
    lines = [_unlike_array(name, expected.get(name), found.get(name)) for name in names]
    return [line for line in lines if line is not None]


def _unlike_array(name: str, expected: NDArray[Any] | None, found: NDArray[Any] | None) -> str | None:
    if expected is None or found is None:
        return f"{name} is there only {'undisturbed' if found is None else 'disturbed'}"
    if (expected.dtype, expected.shape) != (found.dtype, found.shape):
        return f"{name} is {found.dtype}{found.shape}, undisturbed {expected.dtype}{expected.shape}"
    if expected.tobytes() == found.tobytes():
        return None
    flat, other = expected.ravel(), found.ravel()
    unlike = np.flatnonzero([a.tobytes() != b.tobytes() for a, b in zip(flat, other, strict=True)])
    where = [int(index) for index in np.unravel_index(unlike[0], expected.shape)]
    values = f"{other[unlike[0]]} is {flat[unlike[0]]} undisturbed"
    return f"{name}: {unlike.size} of {flat.size} differ, first at {where}: {values}"
