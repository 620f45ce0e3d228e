"""What the cores of the services take and give: consumed records in, records to publish out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from aiokafka import TopicPartition
from typing_extensions import TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Answer", "Outgoing", "Record", "by_partition"]

_place_of = attrgetter("topic", "partition")


class Record(Protocol):
    """A consumed record, as much of it as a core may see."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int
    """When it was sent or appended, in ms since 1970; -1 where nobody says."""


@dataclass(frozen=True)
class Outgoing:
    """A record to publish."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


Answer = TypeVar("Answer", default=Outgoing)
"""What a core answers a batch with, and a sender takes: records to publish, where nothing else is said."""


def by_partition(records: Iterable[Record]) -> Iterator[tuple[TopicPartition, list[Record]]]:
    """Yield the records that stand together, and their partition; one that comes again later is yielded again."""
    for place, of_it in groupby(records, _place_of):
        yield TopicPartition(*place), list(of_it)
