"""What requests give: names of sites, numbers of zones, times, and how much of the answer they want."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from services.gateway.queries import EARLIEST_S, LATEST_S, Span
from services.gateway.tables import LONGEST_SITE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LARGEST_ZONE",
    "At",
    "Cursor",
    "EventCursor",
    "Format",
    "NameCursor",
    "Origin",
    "Range",
    "SiteName",
    "Target",
    "WholeRange",
    "ZoneNumber",
    "begin_of",
    "instant",
    "is_name",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(microsecond=0, tzinfo=UTC)
EXAMPLE = "2017-10-19T04:40:00Z"
LATER_EXAMPLE = "2017-10-19T18:00:00Z"
LARGEST_ZONE = 2**31 - 1

# a plus sign of a query that is not percent-encoded comes as a blank
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:(Z)|([-+ ]\d\d:\d\d))?", re.IGNORECASE)


def instant(text: object, *, naive_is_utc: bool = False) -> datetime:
    """Return the time that an ISO 8601 text tells, in UTC; raises ``ValueError`` that says what to write.

    Parameters
    ----------
    text
        Such as ``2017-10-19T04:40:00Z``.
    naive_is_utc
        Whether a time without an offset is one in UTC; else it is refused.
    """
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"it is no time: write one like {EXAMPLE}")
    local, utc, offset = found.groups()
    if not (utc or offset or naive_is_utc):
        raise ValueError(f"it has no offset from UTC, so it could be any of several times: write one like {EXAMPLE}")
    try:
        time = datetime.fromisoformat(local.upper() + (offset or "+00:00").replace(" ", "+"))
    except ValueError as error:
        raise ValueError(f"it is no time ({error}): write one like {EXAMPLE}") from None
    try:
        return time.astimezone(UTC)
    except OverflowError:  # within a day of the first or the last time of the calendar: nothing stands beyond it
        return FIRST if time.year == 1 else LAST


def _seconds_of(time: datetime) -> int:
    """Return the first whole second since 1970 that is not before an aware time."""
    return -((EPOCH - time) // timedelta(seconds=1))


_Instant = Annotated[
    datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE]})
]
_LaterInstant = Annotated[
    datetime,
    BeforeValidator(instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [LATER_EXAMPLE]}),
]

SiteName = Annotated[str, Path(description="Name of the site, percent-encoded: a slash is %2F.", examples=["tetouan"])]
ZoneNumber = Annotated[int, Path(ge=1, le=LARGEST_ZONE, description="Number of the zone at its site.", examples=[2])]
Origin = Annotated[_Instant, Path(description="Time of the last reading that the forecast knew.")]
Target = Annotated[_LaterInstant, Path(description="The time that was forecast.")]
At = Annotated[_Instant | None, Query(description="As it stood then; default: now.", examples=[LATER_EXAMPLE])]
From = Annotated[
    _Instant | None,
    Query(alias="from", description="The first time, included; default: the earliest.", examples=[EXAMPLE]),
]
Until = Annotated[
    _Instant | None,
    Query(description="The end, not included; default: the latest, included.", examples=[LATER_EXAMPLE]),
]
Format = Annotated[
    Literal["json", "csv"] | None,
    Query(alias="format", description="`csv` as with `Accept: text/csv`; default: JSON.", examples=["json"]),
]

GO_ON = "Where to go on: `next` of the page before."
TIME_CURSOR, EVENT_CURSOR = r"^-?[0-9]{1,12}$", r"^-?[0-9]{1,12}~[^\x00]{1,1000}$"


def _cursor(form: str) -> Callable[[str], str]:
    """Return a check of cursors; pydantic's own shows the regular expression to whoever asks."""

    def checked(text: str) -> str:
        if re.fullmatch(form, text) is None:
            raise ValueError("it is no cursor of this list: give what `next` of the page before says")
        return text

    return checked


_TimeCursor = Annotated[
    str, AfterValidator(_cursor(TIME_CURSOR)), WithJsonSchema({"type": "string", "pattern": TIME_CURSOR})
]
_EventCursor = Annotated[
    str, AfterValidator(_cursor(EVENT_CURSOR)), WithJsonSchema({"type": "string", "pattern": EVENT_CURSOR})
]
Cursor = Annotated[_TimeCursor | None, Query(description=GO_ON, examples=["1508388000"])]
NameCursor = Annotated[str | None, Query(max_length=1000, description=GO_ON, examples=["tetouan"])]
EventCursor = Annotated[
    _EventCursor | None, Query(description=GO_ON, examples=["1508375400~tetouan-2-residual-2017-10-19T01:10:00Z"])
]


async def _range(first: From = None, until: Until = None, cursor: Cursor = None) -> Span:
    begins = [EARLIEST_S if first is None else _seconds_of(first), EARLIEST_S if cursor is None else int(cursor)]
    return Span(max(begins), LATEST_S if until is None else _seconds_of(until))


Range = Annotated[Span, Depends(_range)]
"""The times that are asked for, from the cursor on where there is one."""


async def _whole_range(first: From = None, until: Until = None) -> Span:
    return await _range(first, until)


WholeRange = Annotated[Span, Depends(_whole_range)]
"""The same without a cursor."""


def begin_of(cursor: str | None) -> tuple[int, str]:
    """Return the time and the id of a drift event at which to go on."""
    if cursor is None:
        return EARLIEST_S, ""
    time_s, _, event = cursor.partition("~")
    return int(time_s), event


def is_name(site: str) -> bool:
    """Tell whether a text can be the name of a site; no database is asked for another."""
    return "\0" not in site and len(site.encode(errors="replace")) <= LONGEST_SITE_BYTES
