"""The newest value of each tag of each zone, and how far it can be believed. Pure: it is told the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.opcua.tags import (
    LEVELS,
    NOTHING,
    SEVERITIES,
    Quality,
    Source,
    Tag,
    TagValue,
    forecast_tags,
    tags_of,
)
from services.gateway.opcua.told import DriftTold, ForecastTold, ReadingTold, ScoresTold
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from services.gateway.opcua.tags import Held
    from services.gateway.opcua.told import Told

__all__ = ["Board", "Change", "ZoneName"]

OVERDUE_STEPS = 2.5  # so long after the last message the next one is overdue
HOUR_S = 3600.0
OF_FLAG = {
    "missing": Quality.MISSING,
    "outlier": Quality.OUTLIER,
    "stuck": Quality.FAILED,
    "unit": Quality.FAILED,
    "repaired": Quality.SUBSTITUTE,
}


class ZoneName(NamedTuple):
    """A zone of a site."""

    site: str
    zone: int


class Change(NamedTuple):
    """A tag of a zone has a new value, or its quality is another."""

    zone: ZoneName
    tag: str
    value: TagValue


@dataclass
class _Zone:
    """The values of a zone, and by source the time from which on the next message is overdue.

    Drift is overdue where scores are: one service finds both, and it is silent as long as nothing drifts.
    """

    values: dict[str, TagValue]
    drift_quality: Quality = Quality.INITIAL
    overdue_s: dict[Source, float] = field(default_factory=dict)
    newest: dict[Source, datetime] = field(default_factory=dict)


@dataclass
class _Site:
    """What is known of a site: its zones, its last reading, and the drift events that last."""

    zones: list[ZoneName] = field(default_factory=list)
    reading: ReadingTold | None = None
    overdue_s: float | None = None
    lasting: dict[str, DriftTold] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)  # of drift events that a message has ended, but the history not yet


class Board:
    """The tags of all zones of which there are forecasts.

    Parameters
    ----------
    leads_minutes
        The leads of the forecasts; one that the step of a site does not meet is the next one.
    most_zones
        Zones beyond are left out.

    Attributes
    ----------
    tags
        Those of each zone.
    left_out
        How many zones are beyond ``most_zones``.
    """

    def __init__(self, leads_minutes: Sequence[int], most_zones: int) -> None:
        self.tags: tuple[Tag, ...] = tags_of(leads_minutes)
        self._leads_minutes = leads_minutes
        self._most_zones = most_zones
        self._sources = {tag.name: tag.source for tag in self.tags}
        self._sites: dict[str, _Site] = {}
        self._zones: dict[ZoneName, _Zone] = {}
        self._left_out: set[ZoneName] = set()

    @property
    def zones(self) -> int:
        """How many zones there are."""
        return len(self._zones)

    @property
    def left_out(self) -> int:
        """How many zones are beyond the most that there may be."""
        return len(self._left_out)

    @property
    def drift_events(self) -> list[str]:
        """The drift events of which the history has to say whether they have ended, by id."""
        return [event for site in self._sites.values() for event in (*site.lasting, *site.ended)]

    def take(self, told: Told, now_s: float) -> list[Change]:
        """Take what a message tells, and return what has changed; what is older than what is known changes nothing."""
        return self._take(told, now_s)

    def recall(self, told: Told) -> list[Change]:
        """Take what the history tells, and return what has changed."""
        return self._take(told, None)

    def overdue(self, now_s: float) -> list[Change]:
        """Return the changes of tags whose next message is overdue."""
        return [change for name in self._zones for change in self._overdue(name, now_s)]

    def _take(self, told: Told, now_s: float | None) -> list[Change]:
        match told:
            case ReadingTold():
                return self._read(told, now_s)
            case ForecastTold():
                return self._forecast(told, now_s)
            case ScoresTold():
                return self._score(told, now_s)
            case DriftTold():
                return self._drift(told, now_s)

    def _read(self, told: ReadingTold, now_s: float | None) -> list[Change]:
        site = self._sites.setdefault(told.site, _Site())
        known = site.reading
        if known is not None and (told.time, told.revision) < (known.time, known.revision):
            return []
        site.reading = told
        site.overdue_s = _overdue_s(now_s, 60.0 * told.step_minutes)
        return [change for name in site.zones for change in self._of_reading(name, site)]

    def _forecast(self, told: ForecastTold, now_s: float | None) -> list[Change]:
        name = ZoneName(told.site, told.zone)
        is_new = name not in self._zones
        if is_new and not self._admitted(name):
            return []
        if not self._is_newest(name, Source.FORECAST, told.origin, now_s, 60.0 * told.step_minutes):
            return []
        quality = Quality.INITIAL if now_s is None else Quality.GOOD
        changes = self._set(name, Source.FORECAST, self._forecast_values(told), told.origin, quality)
        site = self._sites[told.site]
        return [*changes, *self._of_reading(name, site), *self._of_drift(name, site)] if is_new else changes

    def _score(self, told: ScoresTold, now_s: float | None) -> list[Change]:
        name = ZoneName(told.site, told.zone)
        if name not in self._zones or not self._is_newest(name, Source.SCORES, told.time, now_s, HOUR_S):
            return []
        coverage = None if told.coverage is None else round(100.0 * told.coverage, 2)
        quality = Quality.INITIAL if now_s is None else Quality.GOOD
        zone = self._zones[name]
        zone.drift_quality = quality
        if Source.SCORES in zone.overdue_s:
            zone.overdue_s[Source.DRIFT] = zone.overdue_s[Source.SCORES]
        changes = self._set(name, Source.SCORES, {"Rmse": told.rmse_kw, "Coverage": coverage}, told.time, quality)
        return [*changes, *self._of_drift(name, self._sites[told.site])]

    def _drift(self, told: DriftTold, now_s: float | None) -> list[Change]:
        site = self._sites.setdefault(told.site, _Site())
        if told.ended is not None:
            site.lasting.pop(told.id, None)
            (site.ended.discard if now_s is None else site.ended.add)(told.id)
        elif told.id not in site.ended:  # else the history has not heard of its end
            site.lasting[told.id] = told
        return [
            change
            for name in site.zones
            if told.zone in {None, name.zone}
            for change in self._of_drift(name, site, told.ended)
        ]

    def _admitted(self, name: ZoneName) -> bool:
        if len(self._zones) >= self._most_zones:
            self._left_out.add(name)
            return False
        self._zones[name] = _Zone({tag.name: NOTHING for tag in self.tags})
        self._sites.setdefault(name.site, _Site()).zones.append(name)
        return True

    def _is_newest(self, name: ZoneName, source: Source, time: datetime, now_s: float | None, step_s: float) -> bool:
        """Note a message of a zone, and tell whether none that is newer has come."""
        zone = self._zones[name]
        if source in zone.newest and time < zone.newest[source]:
            return False
        zone.newest[source] = time
        if (overdue_s := _overdue_s(now_s, step_s)) is not None:
            zone.overdue_s[source] = overdue_s
        return True

    def _of_reading(self, name: ZoneName, site: _Site) -> list[Change]:
        reading = site.reading
        if reading is None:
            return []
        zone = self._zones[name]
        if site.overdue_s is not None:
            zone.overdue_s[Source.READING] = site.overdue_s
        load = load_field(name.zone)
        quality = OF_FLAG.get(reading.flags.get(load, ""), Quality.GOOD)
        if quality is Quality.GOOD and load not in reading.values:
            quality = Quality.MISSING
        if quality is Quality.GOOD and site.overdue_s is None:
            quality = Quality.INITIAL
        changes = self._set(name, Source.READING, {"Load": reading.values.get(load)}, reading.time, quality)
        has_drift = zone.values["DriftSeverity"].time is not None
        return changes if has_drift else [*changes, *self._of_drift(name, site)]

    def _of_drift(self, name: ZoneName, site: _Site, ended: datetime | None = None) -> list[Change]:
        lasting = [event for event in site.lasting.values() if event.zone in {None, name.zone}]
        worst = max(lasting, key=lambda event: (SEVERITIES.index(event.severity), event.started), default=None)
        zone = self._zones[name]
        known = zone.values["DriftSeverity"].time
        time = worst.started if worst else ended or known or (site.reading.time if site.reading else None)
        said: dict[str, Held] = {
            "DriftSeverity": SEVERITIES.index(worst.severity) if worst else 0,
            "DriftText": worst.text if worst else "",
        }
        return self._set(name, Source.DRIFT, said, time, zone.drift_quality)

    def _forecast_values(self, told: ForecastTold) -> dict[str, Held]:
        values: dict[str, Held] = {"Origin": told.origin}
        leads = [-(-minutes // told.step_minutes) for minutes in self._leads_minutes]
        for minutes, lead in zip(self._leads_minutes, leads, strict=True):
            of_lead = (told.median_kw.get(lead), told.low_kw.get(lead), told.high_kw.get(lead))
            values |= dict(zip(forecast_tags(minutes), of_lead, strict=True))
        answered = (level for first, last, level in told.levels if any(first <= lead <= last for lead in leads))
        level = max(answered, key=LEVELS.index, default=None)
        return {**values, "Level": level, "LevelNumber": None if level is None else LEVELS.index(level)}

    def _set(
        self,
        name: ZoneName,
        source: Source,
        values: Mapping[str, Held],
        time: datetime | None,
        quality: Quality,
    ) -> list[Change]:
        zone = self._zones[name]
        absent = {Source.READING: quality, Source.FORECAST: Quality.MISSING}.get(source, Quality.WAITING)
        changes = []
        for tag, value in values.items():
            new = TagValue(value, time, absent if value is None else quality)
            if zone.values[tag] != new:
                zone.values[tag] = new
                changes.append(Change(name, tag, new))
        return changes

    def _overdue(self, name: ZoneName, now_s: float) -> Iterator[Change]:
        zone = self._zones[name]
        late = [source for source, overdue_s in zone.overdue_s.items() if now_s >= overdue_s]
        if not late:
            return
        for source in late:
            del zone.overdue_s[source]  # it is said once
        if Source.DRIFT in late:
            zone.drift_quality = Quality.STALE
        for tag, (value, time, quality) in zone.values.items():
            if self._sources[tag] in late and value is not None and quality is not Quality.STALE:
                zone.values[tag] = TagValue(value, time, Quality.STALE)
                yield Change(name, tag, zone.values[tag])


def _overdue_s(now_s: float | None, step_s: float) -> float | None:
    return None if now_s is None else now_s + OVERDUE_STEPS * step_s
