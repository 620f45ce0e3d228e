"""What the page shows of a zone: one document, which it draws and the interface answers with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.gateway.api.documents import Document, DriftEventDocument
from shared.contracts.messages import LeadMinutes, LevelSpan, UtcTime

__all__ = [
    "Band",
    "Curve",
    "Day",
    "Error",
    "FindingDocument",
    "FleetDocument",
    "FleetZone",
    "Mark",
    "MarkKind",
    "Point",
    "SimilarDay",
    "SimilarDays",
]

Severity = Literal["ok", "info", "warning", "critical"]
Light = Literal["green", "yellow", "red"]
MarkKind = Literal["gap", "shift", "outage", "transfer", "clock"]
Kw = Annotated[float | None, Field(description="kW; null where there is none.")]


class FindingDocument(Document):
    """One thing to know, and what to do about it, in the language that was asked for."""

    kind: str
    """What it is, for programs."""
    severity: Severity
    text: str
    advice: str
    """What to do; empty where nothing is to be done."""
    detail: str
    """What a service has written about it, in English; empty where none has."""
    since: UtcTime | None
    """Since when it holds; null where that is not known."""


class Point(Document):
    """A load at a time, with its band where it is forecast."""

    time: UtcTime
    kw: Kw
    low_kw: Kw
    high_kw: Kw
    level: str | None
    """Who answered; null for a reading."""


class Curve(Document):
    """Loads by rising time."""

    times: list[UtcTime]
    kw: list[Kw]


class Band(Document):
    """An interval by the times of the forecast."""

    coverage: float
    low_kw: list[float]
    high_kw: list[float]


class Mark(Document):
    """Something at a time, or from a time on, that the chart shows beside the curves."""

    kind: MarkKind
    """A gap of the load, a change of its level, or one of the clock of the site."""
    begin: UtcTime
    end: UtcTime | None
    """Null where it lasts; the begin where it is of one moment."""
    text: str


class Error(Document):
    """How good the forecasts of a lead group were over some days, beside simple rules."""

    window_days: int
    lead_minutes: LeadMinutes | None
    """Name of the lead group; null: the mean of all leads."""
    rmse_kw: Kw
    mape: float | None
    """A ratio."""
    light: Light | None
    """Green up to a MAPE of 12 %, yellow up to 15 %, else red; null where the scores are out of date."""
    same_time_yesterday_rmse_kw: Kw
    best_naive_rmse_kw: Kw
    best_naive_rule: str | None
    """Which of persistence, yesterday and last_week was best over these days; null for the mean of all leads."""
    coverage: float | None
    """Share of the loads within the interval of 90 %."""


class Day(Document):
    """The last 48 hours of a zone and the next 24, as of a time."""

    site: str
    zone: int
    zones: list[int]
    """Those of the site that have forecasts, or will have."""
    time_zone: str
    """The clock of the site; UTC where the table of sites does not have it."""
    step_minutes: int
    as_of: UtcTime
    """The newest record: the newest reading of the site, whatever it holds."""
    is_past: bool
    """Whether a past time was asked for: nothing later is in the document."""
    age_s: int | None
    """Seconds since the newest record, by the wall clock; below 0 where it is stamped ahead of that; null where the
    past is looked at."""
    is_replay: bool
    """Whether readings of long ago arrive now."""
    first_origin: UtcTime | None
    """The earliest time that can be looked back at."""
    last_origin: UtcTime | None
    origin: UtcTime | None
    """Of the forecast."""
    findings: list[FindingDocument]
    """The worst first; one of the severity ok where nothing is wrong."""
    now: Point | None
    """The newest load reading: the newest reading with a load of the zone."""
    ahead: list[Point]
    """The forecast one hour and 24 hours ahead."""
    peak: Point | None
    """The highest load of the next 24 hours; its band is that of its time."""
    is_peak_at_edge: bool
    """Whether that is the first or the last of these hours: the peak may lie beyond them."""
    trough: Point | None
    is_trough_at_edge: bool
    load: Curve
    """Null where a reading is missing or has no load."""
    forecast: Curve
    bands: list[Band]
    """The narrowest first."""
    earlier: Curve
    """What the forecast of a day before said of the times until now."""
    earlier_origin: UtcTime | None
    levels: list[LevelSpan]
    model: str | None
    errors: list[Error]
    scored_until: UtcTime | None
    events: list[DriftEventDocument]
    """The drift events that lasted within the last 28 days, the newest first."""
    marks: list[Mark]
    """By rising time."""


class SimilarDay(Document):
    """A past day whose load has run like that of today so far."""

    date: str
    """On the clock of the site."""
    off: float
    """How far its shape is off, root mean square as a share of the mean load."""
    load: Curve
    """Its load from its midnight on, at the times of today and as a share of today's mean: what came after is not known
    of today."""


class SimilarDays(Document):
    """The past days that are nearest to today, nearest first."""

    site: str
    zone: int
    days: list[SimilarDay]
    reason: str | None
    """Why there is none; null where there are some."""


class FleetZone(Document):
    """A zone at a glance."""

    site: str
    zone: int
    time_zone: str
    as_of: UtcTime
    """Of the newest record of the site."""
    is_silent: bool
    """Whether that is more than seven days ago."""
    now_kw: Kw
    """Null where readings have stopped."""
    next_hour_kw: Kw
    """Null where readings or forecasts have stopped; so is ``peak``."""
    peak: Point | None
    mape: float | None
    """Over seven days, the mean of all leads; a ratio."""
    light: Light | None
    finding: FindingDocument
    """The worst."""
    more: int
    """How many findings there are beside it."""


class FleetDocument(Document):
    """Many zones, the worst first, of equal ones that of the newest finding; after all others those silent for long."""

    zones: list[FleetZone]
    next: int | None
    """Where to go on: how many zones come before; null at the end."""
    zone_count: int
    """How many zones there are in all, of the sites that were searched for."""
    site_count: int
    silent_count: int
    """How many of these zones have been silent for more than seven days."""
