"""A record of a topic as an event of the stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec
import orjson
from fastapi.sse import format_sse_event

from shared.contracts import topics
from shared.contracts.decoding import UNREADABLE

if TYPE_CHECKING:
    from shared.runtime.records import Record

__all__ = ["KINDS", "Event", "EventId", "Wanted", "ending", "event_of", "gap", "left_out"]

KINDS = {
    "readings": topics.CLEAN.name,
    "forecasts": topics.FORECASTS.name,
    "scores": topics.SCORES.name,
    "drift": topics.DRIFT.name,
}
"""The names of events, each with its topic."""
_KIND_OF = {topic: kind for kind, topic in KINDS.items()}


class _Named(msgspec.Struct):
    site: str


_DECODER = msgspec.json.Decoder(_Named)


class EventId(NamedTuple):
    """Where a record stands: the name of the topic without our prefix, partition and offset."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that an event id names; raises ``ValueError`` where it is none of ours."""
        topic, partition, offset = text.rsplit(":", 2)
        if topic not in _KIND_OF or not (partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text!r} is no event id")
        return cls(topic, int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Event:
    """One message as it is on its topic, framed once for all who subscribe."""

    place: EventId
    kind: str
    site: str | None
    """None of one that all sites are told."""
    frame: bytes
    arrived_s: float
    """Of the clock of the process."""
    sent_s: float
    """Of the same clock: when its record was sent, as the timestamp says, which is no later."""

    @property
    def message(self) -> bytes:
        """The message as it is on its topic."""
        lines = self.frame.split(b"\n")
        return b"\n".join(line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: "))


@dataclass(frozen=True)
class Wanted:
    """What somebody subscribes to; ``sites`` is None for all of them."""

    kinds: frozenset[str]
    sites: frozenset[str] | None = None

    def takes(self, event: Event) -> bool:
        """Tell whether the event is one of these."""
        return event.kind in self.kinds and (self.sites is None or event.site is None or event.site in self.sites)


def event_of(record: Record, prefix: str, arrived_s: float, sent_s: float | None = None) -> Event | None:
    """Return the event of a record, None where it holds no message of ours.

    ``prefix`` begins the topic's name; without ``sent_s`` it was sent as it arrived.
    """
    place = EventId(record.topic.removeprefix(prefix), record.partition, record.offset)
    kind = _KIND_OF[place.topic]
    try:
        value = record.value or b""
        site = _DECODER.decode(value).site
        frame = format_sse_event(data_str=value.decode(), event=kind, id=str(place))
    except UNREADABLE:
        return None
    return Event(place, kind, site, frame, arrived_s, arrived_s if sent_s is None else sent_s)


def left_out(topic: str, partition: int, offset: int, arrived_s: float) -> Event:
    """Return the event that says that a record cannot be fetched; ``topic`` is without our prefix."""
    frame = gap(
        EventId(topic, partition, offset - 1), "the next record of this partition cannot be read: it is left out"
    )
    return Event(EventId(topic, partition, offset), _KIND_OF[topic], None, frame, arrived_s, arrived_s)


def ending(reason: str, detail: str) -> bytes:
    """Return the last event of a stream that the gateway ends; without an id, so that the last one holds."""
    return format_sse_event(event="end", data_str=orjson.dumps({"reason": reason, "detail": detail}).decode())


def gap(place: EventId, detail: str) -> bytes:
    """Return an event that says that something behind this place cannot be had any more."""
    return format_sse_event(event="gap", data_str=orjson.dumps({"after": str(place), "detail": detail}).decode())
