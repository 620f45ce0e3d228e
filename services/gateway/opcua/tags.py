"""The tags of a zone: what an OPC UA client can read of it, and what each is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    Held = float | int | str | datetime | None

__all__ = [
    "LEVELS",
    "NOTHING",
    "SEVERITIES",
    "Kind",
    "Quality",
    "Source",
    "Tag",
    "TagValue",
    "forecast_tags",
    "tags_of",
]

LEVELS = ("adapted", "frozen", "weather", "analogue", "climatology")
"""The fallback levels, best first: the place of a level is its number."""
SEVERITIES = ("none", "info", "warning", "critical")
"""The severities of drift events, the least first: the place of a severity is its number."""


class Kind(Enum):
    """What a tag holds: numbers with their unit, and others."""

    KW = "kW"
    PER_CENT = "%"
    NUMBER = "number"
    TEXT = "text"
    TIME = "time"


class Source(Enum):
    """Which messages tell a tag; drift events come seldom, so that the readings say whether they are current."""

    READING = "readings"
    FORECAST = "forecasts"
    SCORES = "scores"
    DRIFT = "drift"


class Quality(Enum):
    """How far a value can be believed; `server` says it in OPC UA's words."""

    GOOD = "current"
    INITIAL = "from the history, read as the server began"
    STALE = "the last one, and the next is overdue"
    WAITING = "none yet"
    MISSING = "the message has none"
    OUTLIER = "the reading was refused: beyond what the load can be"
    FAILED = "the reading was refused: the meter repeats itself, or came in another unit"
    SUBSTITUTE = "the reading was filled in"


class TagValue(NamedTuple):
    """The value of a tag, when it holds (event time), and how far it can be believed."""

    value: Held
    time: datetime | None
    quality: Quality


NOTHING = TagValue(None, None, Quality.WAITING)


@dataclass(frozen=True)
class Tag:
    """A tag; ``name`` is the last part of its node's name."""

    name: str
    kind: Kind
    source: Source
    meaning: str


def forecast_tags(lead_minutes: int) -> tuple[str, str, str]:
    """Return the names of median, lower and upper bound of the forecast for a lead."""
    name = f"Forecast{lead_minutes}min"
    return name, f"{name}Low", f"{name}High"


def tags_of(leads_minutes: Sequence[int]) -> tuple[Tag, ...]:
    """Return the tags of a zone, with the forecasts for these leads."""
    forecasts = (
        Tag(name, Kind.KW, Source.FORECAST, f"{what} of the demand {lead} minutes after the origin")
        for lead in leads_minutes
        for name, what in zip(
            forecast_tags(lead), ("median", "lower bound of 90 %", "upper bound of 90 %"), strict=True
        )
    )
    return (
        Tag("Load", Kind.KW, Source.READING, "the load of the newest reading"),
        *forecasts,
        Tag("Origin", Kind.TIME, Source.FORECAST, "time of the last reading that the forecast knows"),
        Tag("Level", Kind.TEXT, Source.FORECAST, "the worst fallback level of these leads"),
        Tag("LevelNumber", Kind.NUMBER, Source.FORECAST, f"the same as a number: {_numbered(LEVELS)}"),
        Tag("Rmse", Kind.KW, Source.SCORES, "root mean square error of the last seven days, mean over all leads"),
        Tag("Coverage", Kind.PER_CENT, Source.SCORES, "loads of the last seven days within the 90 % interval"),
        Tag("DriftSeverity", Kind.NUMBER, Source.DRIFT, f"the worst drift event that lasts: {_numbered(SEVERITIES)}"),
        Tag("DriftText", Kind.TEXT, Source.DRIFT, "what it found and what to check; empty where there is none"),
    )


def _numbered(names: Sequence[str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(names))
