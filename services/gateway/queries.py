"""What is asked of the history: everything that reads its tables.

Times are aware and in UTC here. A method blocks; it raises ``AwayError`` where the database is away.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import orjson
from psycopg.errors import UndefinedTable
from sqlalchemy import func, select, tuple_
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.gateway.database import why_away
from services.gateway.packing import all_unpacked
from services.gateway.tables import (
    DEAD_LETTERS,
    DRIFT_EVENTS,
    FORECASTS,
    MODEL_EVENTS,
    READINGS,
    ROLLING,
    SCORES,
    SITES,
)
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection, Engine, Row, Select

__all__ = [
    "AwayError",
    "DeadLetterCount",
    "Estimates",
    "History",
    "Page",
    "Span",
    "StoredForecast",
    "StoredReading",
    "StoredScores",
    "StoredSite",
    "StoredZone",
    "Viewed",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S = 86_400
IDS_AT_ONCE = 500  # SQLite takes 32,766 parameters, and older ones 999
HORIZON_S = DAY_S  # no forecast looks further ahead
EARLIEST_S, LATEST_S = -(2**40), 2**40  # before and after all that a calendar holds

T = TypeVar("T")


class AwayError(Exception):
    """The history cannot be read just now; the text says why."""


@dataclass(frozen=True)
class Span:
    """Times from the first on to before the end, in whole seconds since 1970."""

    from_s: int = EARLIEST_S
    until_s: int = LATEST_S

    def of(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a column of times lies in it."""
        return (column >= self.from_s) & (column < self.until_s)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of what was asked for, and where to go on; None at the end."""

    items: Sequence[T]
    following: T | None


@dataclass(frozen=True)
class StoredSite:
    """A site of which readings have come."""

    site: str
    step_minutes: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class StoredZone:
    """A zone of which there are forecasts."""

    zone: int
    first_origin: datetime
    last_origin: datetime


@dataclass(frozen=True)
class StoredReading:
    """A clean reading: values and flags as on the topic."""

    time: datetime
    step_minutes: int
    revision: int
    values: dict[str, float | None]
    flags: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StoredForecast:
    """A forecast; ``kw`` holds the median, then low and high of each interval, (1 + 2 * intervals, leads).

    ``leads`` are the leads of its columns, ``age_s`` how much later the newest reading of the site is, None where there
    is none.
    """

    site: str
    zone: int
    origin: datetime
    product: str
    step_minutes: int
    leads: Sequence[int]
    kw: NDArray[np.float64]
    coverages: Sequence[float]
    levels: Sequence[dict[str, Any]]
    notes: Sequence[dict[str, Any]]
    moved: dict[str, Any] | None
    weather_estimate_kw: float | None
    weather_model_kw: float | None
    demand_model: str | None
    weather_model: str | None
    age_s: int | None

    def level_of(self, lead: int) -> dict[str, Any] | None:
        """Return the level that answered a lead, and why; None where the forecast does not say."""
        return next((span for span in self.levels if span["from_lead"] <= lead <= span["to_lead"]), None)


@dataclass(frozen=True)
class Viewed:
    """What one forecast said of a time: its column ``column``, of the lead ``lead``."""

    forecast: StoredForecast
    lead: int
    column: int


@dataclass(frozen=True)
class StoredScores:
    """The scores of an hour, as on the topic."""

    time: datetime
    scores: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class DeadLetterCount:
    """How many records were refused for one reason, and when the last one was, by the wall clock."""

    topic: str
    reason: str
    field: str | None
    count: int
    last_received: datetime


@dataclass(frozen=True)
class Estimates:
    """What weather and calendar alone said at the origins of forecasts, corrected and not, and the loads that came.

    All of shape (n,), by rising time; NaN where there is none.
    """

    time_s: NDArray[np.int64]
    estimate_kw: NDArray[np.float64]
    model_kw: NDArray[np.float64]
    load_kw: NDArray[np.float64]


class History:
    """Reads the history.

    Parameters
    ----------
    engine
        For reading.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError) as error:
            if _is_unprepared(error):
                raise AwayError("its tables are being prepared") from error
            if (why := why_away(error)) is None:
                raise
            raise AwayError(why) from error

    # --- sites

    def sites(self, begin: str, limit: int) -> Page[StoredSite]:
        """Return sites by name, from a name on."""
        wanted = select(SITES).where(SITES.c.site >= begin).order_by(SITES.c.site).limit(limit + 1)
        with self._connected() as connection:
            return _page([_site_of(row) for row in connection.execute(wanted)], limit)

    def site(self, name: str) -> StoredSite | None:
        """Return a site, None where no reading of it has come."""
        with self._connected() as connection:
            row = connection.execute(select(SITES).where(SITES.c.site == name)).first()
        return None if row is None else _site_of(row)

    def zones(self, site: str) -> list[StoredZone]:
        """Return the zones of a site of which there are forecasts.

        Each is looked up for itself: to read all rows of a site would take a second.
        """
        found: list[StoredZone] = []
        of_site, origin_s = FORECASTS.c.site == site, FORECASTS.c.origin_s
        with self._connected() as connection:
            for zone in _zone_numbers(connection, site):
                of_zone = of_site & (FORECASTS.c.zone == zone)
                first, last = (
                    connection.scalar(select(extreme(origin_s)).where(of_zone)) for extreme in (func.min, func.max)
                )
                found.append(StoredZone(zone, _time(first), _time(last)))
        return found

    def zone_numbers(self, site: str) -> list[int]:
        """Return the zones of a site of which there are forecasts, by number alone, which is found sooner."""
        with self._connected() as connection:
            return list(_zone_numbers(connection, site))

    # --- readings

    def readings(self, site: str, span: Span, limit: int) -> Page[StoredReading]:
        """Return the readings of a site by rising time, each as of its highest revision."""
        wanted = (
            select(READINGS)
            .where(READINGS.c.site == site, span.of(READINGS.c.time_s))
            .order_by(READINGS.c.time_s)
            .limit(limit + 1)
        )
        with self._connected() as connection:
            return _page([_reading_of(row) for row in connection.execute(wanted)], limit)

    def reading(self, site: str, time: datetime) -> StoredReading | None:
        """Return the reading of a time."""
        time_s = _s(time)
        page = self.readings(site, Span(time_s, time_s + 1), 1)
        return next((reading for reading in page.items if reading.time == time), None)

    def fields(self, site: str) -> list[str]:
        """Return the names of the values of a site: those of its first and of its newest reading."""
        wanted = (
            select(READINGS.c.values_json)
            .join(SITES, (SITES.c.site == READINGS.c.site) & READINGS.c.time_s.in_((SITES.c.first_s, SITES.c.last_s)))
            .where(READINGS.c.site == site)
            .order_by(READINGS.c.time_s)
        )
        with self._connected() as connection:
            return list(dict.fromkeys(name for text in connection.scalars(wanted) for name in orjson.loads(text)))

    def loads(self, site: str, zone: int, span: Span) -> list[tuple[int, float | None]]:
        """Return the loads of a zone by rising time, each with its seconds since 1970."""
        wanted = (
            select(READINGS.c.time_s, READINGS.c.values_json)
            .where(READINGS.c.site == site, span.of(READINGS.c.time_s))
            .order_by(READINGS.c.time_s)
        )
        with self._connected() as connection:
            return [
                (time_s, orjson.loads(values).get(load_field(zone))) for time_s, values in connection.execute(wanted)
            ]

    # --- forecasts

    def latest(self, site: str, zone: int) -> StoredForecast | None:
        """Return the newest forecast of a zone."""
        wanted = _forecasts_of(site, zone).order_by(FORECASTS.c.origin_s.desc()).limit(1)
        return next(iter(self._forecasts(site, wanted)), None)

    def forecast(self, site: str, zone: int, origin: datetime) -> StoredForecast | None:
        """Return the forecast of an origin."""
        origin_s = _whole_s(origin)
        if origin_s is None:
            return None
        return next(
            iter(self._forecasts(site, _forecasts_of(site, zone).where(FORECASTS.c.origin_s == origin_s))), None
        )

    def newest(self, site: str, zone: int, until: datetime) -> StoredForecast | None:
        """Return the newest forecast of a zone whose origin is not after a time."""
        wanted = _forecasts_of(site, zone).where(FORECASTS.c.origin_s <= _s(until))
        return next(iter(self._forecasts(site, wanted.order_by(FORECASTS.c.origin_s.desc()).limit(1))), None)

    def forecasts(self, site: str, zone: int, span: Span, limit: int) -> Page[StoredForecast]:
        """Return the forecasts of a zone by rising origin."""
        wanted = _forecasts_of(site, zone).where(span.of(FORECASTS.c.origin_s)).order_by(FORECASTS.c.origin_s)
        return _page(self._forecasts(site, wanted.limit(limit + 1)), limit)

    def coverages(self, site: str, zone: int) -> list[float]:
        """Return the coverages of the intervals of the newest forecast of a zone; none where there is none."""
        of = FORECASTS.c
        wanted = (
            select(of.coverages_json)
            .where(of.site == site, of.zone == zone, of.product == ROLLING)
            .order_by(of.origin_s.desc())
            .limit(1)
        )
        with self._connected() as connection:
            text = connection.scalar(wanted)
        return [] if text is None else list(orjson.loads(text))

    def levels(self, site: str, zone: int, span: Span) -> list[tuple[datetime, list[dict[str, Any]]]]:
        """Return who answered the leads of the forecasts of a zone, by falling origin."""
        of = FORECASTS.c
        wanted = (
            select(of.origin_s, of.levels_json)
            .where(of.site == site, of.zone == zone, of.product == ROLLING, span.of(of.origin_s))
            .order_by(of.origin_s.desc())
        )
        with self._connected() as connection:
            return [(_time(origin_s), orjson.loads(levels)) for origin_s, levels in connection.execute(wanted)]

    def views(self, site: str, zone: int, target: datetime) -> list[Viewed]:
        """Return what each forecast of a zone said of a time, by rising origin."""
        target_s = _whole_s(target)
        if target_s is None:
            return []
        before = Span(target_s - HORIZON_S, target_s).of(FORECASTS.c.origin_s)
        found = self._forecasts(site, _forecasts_of(site, zone).where(before).order_by(FORECASTS.c.origin_s))
        views = []
        for forecast in found:
            lead, rest_s = divmod(target_s - _s(forecast.origin), 60 * forecast.step_minutes)
            if not rest_s and lead in forecast.leads:
                views.append(Viewed(forecast, lead, forecast.leads.index(lead)))
        return views

    def _forecasts(self, site: str, wanted: Select[Any]) -> list[StoredForecast]:
        with self._connected() as connection:
            rows = connection.execute(wanted).all()
            last_s = connection.scalar(select(SITES.c.last_s).where(SITES.c.site == site)) if rows else None
        all_kw = all_unpacked([row.arrays for row in rows])
        return [_forecast_of(row, kw, last_s) for row, kw in zip(rows, all_kw, strict=True)]

    # --- what became of them

    def scores(self, site: str, zone: int, span: Span, limit: int, *, daily: bool) -> Page[StoredScores]:
        """Return the scores of the hours of a zone by rising time, or those of the last hour of each day in UTC.

        The hour of midnight ends a day.
        """
        time_s = SCORES.c.time_s
        of_zone = (SCORES.c.site == site) & (SCORES.c.zone == zone) & span.of(time_s)
        wanted = select(time_s, SCORES.c.payload).where(of_zone).order_by(time_s).limit(limit + 1)
        if daily:
            last_hours = select(func.max(time_s)).where(of_zone).group_by((time_s - 1) // DAY_S)
            wanted = wanted.where(time_s.in_(last_hours))
        with self._connected() as connection:
            rows = connection.execute(wanted).all()
        return _page(
            [StoredScores(_time(row.time_s), orjson.loads(zlib.decompress(row.payload))) for row in rows], limit
        )

    def newest_scores(self, site: str, zone: int, until: datetime) -> StoredScores | None:
        """Return the scores of the last hour of a zone that is not after a time."""
        of = SCORES.c
        wanted = (
            select(of.time_s, of.payload)
            .where(of.site == site, of.zone == zone, of.time_s <= _s(until))
            .order_by(of.time_s.desc())
            .limit(1)
        )
        with self._connected() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else StoredScores(_time(row.time_s), orjson.loads(zlib.decompress(row.payload)))

    def drift_events(self, site: str, span: Span, begin: tuple[int, str], limit: int) -> Page[dict[str, Any]]:
        """Return the drift events of a site that started in a span, by time and id, from a time and an id on."""
        order = DRIFT_EVENTS.c.started_s, DRIFT_EVENTS.c.id
        wanted = (
            select(DRIFT_EVENTS.c.payload_json)
            .where(DRIFT_EVENTS.c.site == site, span.of(order[0]), tuple_(*order) >= tuple_(*begin))
            .order_by(*order)
            .limit(limit + 1)
        )
        with self._connected() as connection:
            return _page([orjson.loads(payload) for payload in connection.scalars(wanted)], limit)

    def drift_events_during(self, site: str, zone: int, span: Span, limit: int) -> list[dict[str, Any]]:
        """Return the newest drift events of a zone, or of its whole site, that lasted in a span, the newest first."""
        of = DRIFT_EVENTS.c
        wanted = (
            select(of.payload_json)
            .where(of.site == site, of.zone.is_(None) | (of.zone == zone))
            .where(of.started_s < span.until_s, of.ended_s.is_(None) | (of.ended_s > span.from_s))
            .order_by(of.started_s.desc(), of.id.desc())
            .limit(limit)
        )
        with self._connected() as connection:
            return [orjson.loads(payload) for payload in connection.scalars(wanted)]

    def lasting_drift_events(self, site: str) -> list[dict[str, Any]]:
        """Return the drift events of a site that have not ended."""
        of = DRIFT_EVENTS.c
        wanted = select(of.payload_json).where(of.site == site, of.ended_s.is_(None)).order_by(of.started_s, of.id)
        with self._connected() as connection:
            return [orjson.loads(payload) for payload in connection.scalars(wanted)]

    def drift_now(self, known: Sequence[str]) -> list[dict[str, Any]]:
        """Return the drift events of all sites that last, and those of the known ones, by id, that have ended."""
        of = DRIFT_EVENTS.c
        with self._connected() as connection:
            wanted = [select(of.payload_json).where(of.ended_s.is_(None))]
            for first in range(0, len(known), IDS_AT_ONCE):
                ended = of.id.in_(known[first : first + IDS_AT_ONCE]) & of.ended_s.is_not(None)
                wanted.append(select(of.payload_json).where(ended))
            return [orjson.loads(payload) for each in wanted for payload in connection.scalars(each)]

    def model_events(self, site: str) -> list[dict[str, Any]]:
        """Return the changes of the models of a site, in the order in which they hold and were told."""
        order = MODEL_EVENTS.c.origin_s, MODEL_EVENTS.c.sent_ms, MODEL_EVENTS.c.topic_offset
        wanted = select(MODEL_EVENTS.c.payload_json).where(MODEL_EVENTS.c.site == site).order_by(*order)
        with self._connected() as connection:
            return [orjson.loads(payload) for payload in connection.scalars(wanted)]

    def champions(self, site: str) -> dict[tuple[int, str], str]:
        """Return the version that was promoted last, or rolled back to, by zone and model, as far as that was told."""
        told = MODEL_EVENTS.c
        wanted = (
            select(told.zone, told.model, told.version)
            .where(told.site == site, told.role == "champion", told.change.in_(("promoted", "rolled_back")))
            .where(told.version != "")
            .order_by(told.sent_ms, told.topic_offset)
        )
        with self._connected() as connection:
            return {(zone, model): version for zone, model, version in connection.execute(wanted)}

    def dead_letters(self, site: str | None, span: Span) -> list[DeadLetterCount]:
        """Count the records that were refused in a span of the wall clock, by topic, reason and field."""
        of = DEAD_LETTERS.c
        kinds = (of.topic, of.reason, of.field)
        wanted = (
            select(*kinds, func.count().label("count"), func.max(of.received_s).label("last_s"))
            .where(span.of(of.received_s))
            .group_by(*kinds)
            .order_by(*kinds)
        )
        if site is not None:
            wanted = wanted.where(of.site == site)
        with self._connected() as connection:
            rows = connection.execute(wanted).all()
        return [DeadLetterCount(row.topic, row.reason, row.field, row[3], _time(row.last_s)) for row in rows]

    # --- what weather and calendar alone said

    def last_origin(self, site: str, zone: int) -> datetime | None:
        """Return the origin of the newest forecast of a zone."""
        with self._connected() as connection:
            last_s = connection.scalar(
                select(func.max(FORECASTS.c.origin_s)).where(FORECASTS.c.site == site, FORECASTS.c.zone == zone)
            )
        return None if last_s is None else _time(last_s)

    def estimates(self, site: str, zone: int, after: datetime) -> Estimates:
        """Return what was estimated at the origins after a time."""
        after_s = _s(after)
        of_forecast = FORECASTS.c
        said = (
            select(of_forecast.origin_s, of_forecast.weather_estimate_kw, of_forecast.weather_model_kw)
            .where(of_forecast.site == site, of_forecast.zone == zone, of_forecast.product == ROLLING)
            .where(of_forecast.origin_s > after_s)
            .order_by(of_forecast.origin_s)
        )
        came = select(READINGS.c.time_s, READINGS.c.values_json).where(
            READINGS.c.site == site, READINGS.c.time_s > after_s
        )
        with self._connected() as connection:
            rows = connection.execute(said).all()
            loads = {time_s: orjson.loads(values).get(load_field(zone)) for time_s, values in connection.execute(came)}
        kw = np.array(
            [(estimate, model, loads.get(origin_s)) for origin_s, estimate, model in rows], np.float64
        ).reshape(-1, 3)
        return Estimates(np.array([row.origin_s for row in rows], np.int64), *kw.T)


def _zone_numbers(connection: Connection, site: str) -> Iterator[int]:
    of, zone = FORECASTS.c, 0  # numbers begin with 1
    while (found := connection.scalar(select(func.min(of.zone)).where(of.site == site, of.zone > zone))) is not None:
        yield (zone := found)


def _forecasts_of(site: str, zone: int) -> Select[Any]:
    of = FORECASTS.c
    return select(FORECASTS).where(of.site == site, of.zone == zone, of.product == ROLLING)


def _page(found: Sequence[T], limit: int) -> Page[T]:
    """Return the first of what was found, one more of which was asked for."""
    return Page(found[:limit], found[limit] if len(found) > limit else None)


def _site_of(row: Row[Any]) -> StoredSite:
    return StoredSite(row.site, row.step_minutes, _time(row.first_s), _time(row.last_s))


def _reading_of(row: Row[Any]) -> StoredReading:
    flags = {} if row.flags_json is None else orjson.loads(row.flags_json)
    return StoredReading(_time(row.time_s), row.step_minutes, row.revision, orjson.loads(row.values_json), flags)


def _forecast_of(row: Row[Any], kw: NDArray[np.float64], last_s: int | None) -> StoredForecast:
    return StoredForecast(
        site=row.site,
        zone=row.zone,
        origin=_time(row.origin_s),
        product=row.product,
        step_minutes=row.step_minutes,
        leads=range(1, kw.shape[1] + 1) if row.leads_json is None else orjson.loads(row.leads_json),
        kw=kw,
        coverages=orjson.loads(row.coverages_json),
        levels=orjson.loads(row.levels_json),
        notes=[] if row.notes_json is None else orjson.loads(row.notes_json),
        moved=None if row.moved_json is None else orjson.loads(row.moved_json),
        weather_estimate_kw=row.weather_estimate_kw,
        weather_model_kw=row.weather_model_kw,
        demand_model=row.demand_model,
        weather_model=row.weather_model,
        age_s=None if last_s is None else max(0, last_s - row.origin_s),
    )


def _is_unprepared(error: SQLAlchemyError) -> bool:
    """Tell whether a table is not there yet: whoever writes the history is about to make it."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return isinstance(cause, UndefinedTable) or (
        isinstance(cause, sqlite3.OperationalError) and str(cause).startswith("no such table")
    )


def _time(time_s: int) -> datetime:
    return EPOCH + timedelta(seconds=time_s)


def _s(time: datetime) -> int:
    return (time - EPOCH) // timedelta(seconds=1)


def _whole_s(time: datetime) -> int | None:
    """Return the seconds since 1970, None where they are not whole: nothing stands there."""
    time_s = _s(time)
    return None if (time - EPOCH) % timedelta(seconds=1) else time_s
