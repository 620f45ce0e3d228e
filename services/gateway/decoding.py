"""What stands on the topics, as rows of the history.

What is no message, and what the history cannot take, is refused with field and value.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import orjson

from services.gateway import tables
from services.gateway.packing import packed
from services.gateway.writing import Row
from shared.contracts import topics
from shared.contracts.decoding import Aware, ForecastFields, MessageReader, ReadingFields
from shared.contracts.messages import (
    CleanReading,
    DeadLetter,
    DriftEvent,
    Forecast,
    LeadMinutes,
    Level,
    ModelEvent,
    Scores,
    in_utc,
    printable,
)
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from shared.runtime.records import Record

__all__ = ["CONSUMES", "UndecodableError", "row_of", "site_rows"]

CONSUMES = (topics.CLEAN, topics.FORECASTS, topics.SCORES, topics.DRIFT, topics.MODELS, topics.REJECTED)

LARGEST_INTEGER = 2**31 - 1
SHOWN = 200  # characters of what was refused

Whole = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_INTEGER)]


class UndecodableError(ValueError):
    """A record that is no message of its topic, or none that the history can take.

    Parameters
    ----------
    reason
        In one word, for the dead letter.
    why
        Field and value.
    """

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why


class _LevelSpan(msgspec.Struct):
    from_lead: Whole
    to_lead: Whole
    level: Level
    reason: str | None = None


class _Note(msgspec.Struct):
    kind: Literal["transfer", "shift", "outage", "model"]
    text: str
    since: Aware

    def __post_init__(self) -> None:
        """Refuse a time that is none in UTC."""
        self.since = in_utc(self.since)


class _MovedGroup(msgspec.Struct):
    lead_minutes: LeadMinutes | None
    change_kw: float
    parts_kw: dict[str, float]


class _Moved(msgspec.Struct):
    against: Aware
    groups: list[_MovedGroup]

    def __post_init__(self) -> None:
        """Refuse a time that is none in UTC."""
        self.against = in_utc(self.against)


class _ModelNames(msgspec.Struct):
    demand: str | None
    weather: str | None


class _Forecast(ForecastFields):
    levels: list[_LevelSpan]
    weather_estimate_kw: float | None
    weather_model_kw: float | None
    models: _ModelNames
    notes: list[_Note] = msgspec.field(default_factory=list)
    moved: _Moved | None = None


_READINGS = MessageReader(ReadingFields, CleanReading)
_FORECASTS = MessageReader(_Forecast, Forecast)


def row_of(record: Record) -> Row:
    """Return the row that a record of one of ``CONSUMES`` is; raises ``UndecodableError``."""
    reason, read = _reader_of(record.topic)
    try:
        return replace(read(record), record=record)
    except ValueError as error:
        raise UndecodableError(reason, str(error)[:SHOWN]) from None


def site_rows(rows: Iterable[Row]) -> list[Row]:
    """Return a row for each site of which there are readings among the rows: their span, and the step of the last."""
    spans: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.table is not tables.READINGS:
            continue
        new = row.values
        span = spans.setdefault(
            new["site"], {"site": new["site"], "step_minutes": 0, "first_s": new["time_s"], "last_s": new["time_s"]}
        )
        span["first_s"] = min(span["first_s"], new["time_s"])
        if new["time_s"] >= span["last_s"]:
            span |= {"last_s": new["time_s"], "step_minutes": new["step_minutes"]}
    return [Row(tables.SITES, span) for span in spans.values()]


@cache
def _reader_of(topic: str) -> tuple[str, Callable[[Record], Row]]:
    """Return why a record of a topic is refused, in one word, and what reads it."""
    readers: dict[topics.Topic, tuple[str, Callable[[Record], Row]]] = {
        topics.CLEAN: ("invalid_clean_reading", _reading),
        topics.FORECASTS: ("invalid_forecast", _forecast),
        topics.SCORES: ("invalid_scores", _scores),
        topics.DRIFT: ("invalid_drift_event", _drift_event),
        topics.MODELS: ("invalid_model_event", _model_event),
        topics.REJECTED: ("invalid_dead_letter", _dead_letter),
    }
    return next(reader for known, reader in readers.items() if topic.endswith(known.name))


def _reading(record: Record) -> Row:
    reading = _READINGS.read(record.value or b"")
    return Row(
        tables.READINGS,
        {
            "site": _site(reading.site),
            "time_s": _whole_s("time", reading.time),
            "step_minutes": _step_minutes(reading.step_minutes),
            "revision": _whole("revision", reading.revision, least=0),
            "values_json": _json(reading.values),
            "flags_json": _json(reading.flags) if reading.flags else None,
        },
    )


def _forecast(record: Record) -> Row:
    forecast = _FORECASTS.read(record.value or b"")
    bounds = [bound for one in forecast.intervals for bound in (one.low_kw, one.high_kw)]
    return Row(
        tables.FORECASTS,
        {
            "site": _site(forecast.site),
            "zone": _whole("zone", forecast.zone),
            "origin_s": _whole_s("origin", forecast.origin),
            "product": tables.ROLLING,
            "step_minutes": _step_minutes(forecast.step_minutes),
            "leads_json": None,
            "arrays": packed(np.array([forecast.median_kw, *bounds], dtype=np.float64)),
            "coverages_json": _json([one.coverage for one in forecast.intervals]),
            "levels_json": _json(forecast.levels),
            "notes_json": _json(forecast.notes) if forecast.notes else None,
            "moved_json": _json(forecast.moved) if forecast.moved else None,
            "weather_estimate_kw": forecast.weather_estimate_kw,
            "weather_model_kw": forecast.weather_model_kw,
            "demand_model": _text("models.demand", forecast.models.demand),
            "weather_model": _text("models.weather", forecast.models.weather),
        },
    )


def _scores(record: Record) -> Row:
    scores = Scores.from_bytes(record.value or b"")
    payload = _readable(json.dumps(scores.model_dump(mode="json")["scores"], separators=(",", ":")))
    return Row(
        tables.SCORES,
        {
            "site": _site(scores.site),
            "zone": _whole("zone", scores.zone),
            "time_s": _whole_s("time", scores.time),
            "payload": zlib.compress(payload.encode()),
        },
    )


def _drift_event(record: Record) -> Row:
    event = DriftEvent.from_bytes(record.value or b"")
    return Row(
        tables.DRIFT_EVENTS,
        {
            "id": _key("id", event.id),
            "site": _site(event.site),
            "zone": None if event.zone is None else _whole("zone", event.zone),
            "kind": event.kind,
            "severity": event.severity,
            "started_s": int(event.started.timestamp()),
            "ended_s": None if event.ended is None else int(event.ended.timestamp()),
            "payload_json": _readable(event.to_bytes().decode()),
            "sent_ms": record.timestamp,
            "topic_offset": record.offset,
        },
    )


def _model_event(record: Record) -> Row:
    event = ModelEvent.from_bytes(record.value or b"")
    return Row(
        tables.MODEL_EVENTS,
        {
            "site": _site(event.site),
            "zone": _whole("zone", event.zone),
            "model": _key("model", event.model),
            "version": _key("version", event.version or ""),
            "role": event.role,
            "change": event.change,
            "origin_s": _whole_s("origin", event.origin),
            "payload_json": _readable(event.to_bytes().decode()),
            "sent_ms": record.timestamp,
            "topic_offset": record.offset,
        },
    )


def _dead_letter(record: Record) -> Row:
    letter = DeadLetter.from_headers(record.headers)
    site = None if record.key is None else printable(record.key.decode(errors="backslashreplace"))[:SHOWN]
    return Row(
        tables.DEAD_LETTERS,
        {
            "topic": _key("topic", letter.topic),
            "partition": _whole("partition", letter.partition, least=0),
            "offset": _whole("offset", letter.offset, least=0, most=2**63 - 1),
            "site": site,
            "reason": _key("reason", letter.reason),
            "field": None if letter.field is None else printable(letter.field)[:SHOWN],
            "received_s": int(letter.received.timestamp()),
        },
    )


def _json(part: object) -> str:
    return msgspec.json.encode(part).decode()


def _readable(payload: str) -> str:
    """Return JSON that those who answer requests can read; raises ``ValueError`` where they cannot."""
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        shown = payload[max(0, error.pos - 40) : error.pos + 40]
        raise ValueError(f"no JSON that can be answered with ({error.msg}), near {shown!r}") from None
    return payload


def _whole(field: str, number: int, *, least: int = 1, most: int = LARGEST_INTEGER) -> int:
    if not least <= number <= most:
        raise ValueError(f"{field}: {number}: the history takes {least} to {most}")
    return number


def _step_minutes(number: int) -> int:
    """Return the step of a site; raises ``ValueError`` where it is none, as nobody can tell what its leads are."""
    return Grid(number).step_minutes


def _whole_s(field: str, time: datetime) -> int:
    if time.microsecond:
        raise ValueError(f"{field}: {time.isoformat()}: the history takes whole seconds")
    return int(time.timestamp())


def _site(name: str) -> str:
    return _key("site", name, tables.LONGEST_SITE_BYTES)


def _key(field: str, text: str, most_bytes: int = tables.LONGEST_KEY_BYTES) -> str:
    if len(text.encode()) > most_bytes:
        raise ValueError(f"{field}: {text[:40]!r}…: {len(text)} characters are more than the history takes")
    return _known_text(field, text)


def _text(field: str, text: str | None) -> str | None:
    return None if text is None else _known_text(field, text)


def _known_text(field: str, text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{field}: {text[:40]!r}: no database takes a character 0")
    return text
