"""Makes the document of a zone of what the history holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from services.gateway.api.documents import DriftEventDocument
from services.gateway.page.alarm import (
    NOMINAL,
    REPLAYED,
    Situation,
    findings,
    is_large,
    is_narrow,
    is_watched,
    lag,
    light_of,
    silence,
)
from services.gateway.page.documents import (
    Band,
    Curve,
    Day,
    Error,
    FleetDocument,
    Point,
    SimilarDay,
    SimilarDays,
)
from services.gateway.page.fleet import Glance, fleet_zone
from services.gateway.page.kept import KeptResult
from services.gateway.page.lately import mean_width_kw, reserve_kw, score_of, streak, worst_of
from services.gateway.page.marks import continuous, marks
from services.gateway.page.naive import naive_rmse_kw
from services.gateway.page.similar import nearest
from services.gateway.page.words import Words, rendered, unit_of
from services.gateway.queries import Span
from shared.contracts.messages import LevelSpan
from shared.sites.grid import grid_of
from shared.sites.site import WEATHER_FIELDS, load_field, zones_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from services.gateway.page.alarm import Judgement
    from services.gateway.queries import History, StoredForecast, StoredReading, StoredScores, StoredSite
    from shared.sites.table import Sites

__all__ = ["Days"]

BEFORE, BEFORE_IN_FLEET = timedelta(hours=48), timedelta(hours=4)
AHEAD, EVENTS = timedelta(hours=24), timedelta(days=28)
LONGEST_WINDOW_DAYS, WEEK_DAYS = 28, 7
ALARM_WINDOW_DAYS, USUAL_WINDOW_DAYS = 7, 28
SEARCHED_DAYS, LEAST_SO_FAR, SIMILAR = 90, timedelta(hours=6), 3
MOST_READINGS = 2 * 1440 + 1  # of 48 hours, both ends included, at the finest step
MOST_EVENTS, SITES_AT_ONCE, MOST_SCORES = 200, 1000, 40
BAD: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "coverage": lambda score: is_narrow(score.get("coverage")),
    "error": lambda score: is_large(score.get("mape")),
}
"""Whether scores are bad, by the kind of the finding."""


@dataclass(frozen=True)
class _Read:
    """The readings of a site until a time, at least one, and how far before it they were looked for."""

    site: StoredSite
    until: datetime
    looked_back: timedelta
    readings: Sequence[StoredReading]


@dataclass(frozen=True)
class _Known:
    """What is read of a zone, as of a time; ``lasting`` are the drift events that have not ended by then."""

    site: StoredSite
    zone: int
    as_of: datetime
    readings: Sequence[StoredReading]
    forecast: StoredForecast | None
    scores: StoredScores | None
    looked_back: timedelta
    lasting: Sequence[dict[str, Any]]

    def load_kw(self, reading: StoredReading) -> float | None:
        return reading.values.get(load_field(self.zone))

    @cached_property
    def points(self) -> Sequence[Point]:
        """What the forecast says of each lead."""
        return [] if self.forecast is None else _points(self.forecast)

    @property
    def peak(self) -> Point | None:
        """The highest of them."""
        return max(self.points, key=_height, default=None)


class Days:
    """Makes documents of zones.

    Parameters
    ----------
    history, sites
        What is kept, and the table of sites.
    clock
        The wall clock.
    silence_s
        Returns how long ago ``readings``, ``forecasts`` or ``scores`` of a site were sent; None where none came since
        the start.
    """

    def __init__(
        self,
        history: History,
        sites: Sites,
        clock: Callable[[], datetime],
        silence_s: Callable[[str, str], float | None],
    ) -> None:
        self._history = history
        self._sites = sites
        self._clock = clock
        self._silence_s = silence_s
        self._glances = KeptResult(self._judged, clock)
        self._naive: dict[tuple[str, int], tuple[datetime, dict[tuple[int, int], tuple[str, float]]]] = {}

    def time_zone(self, site: str) -> str:
        """Return the clock of a site."""
        known = self._sites.get(site)
        return "UTC" if known is None else known.time_zone

    def zones(self, site: str) -> list[int]:
        """Return the zones that there are forecasts of, and those that readings say will have some."""
        known, found = self._sites.get(site), set(self._history.zone_numbers(site))
        if self._history.site(site) is not None:
            found |= set(zones_in(self._history.fields(site)) if known is None else known.zones)
        return sorted(found)

    def day(self, site: str, zone: int, at: datetime | None, words: Words) -> Day | None:
        """Return the document of a zone, as it stood at a time; None where nothing is known of it then."""
        read = self._read(site, at, BEFORE)
        if read is None:
            return None
        known = self._known(read, zone)
        forecast = known.forecast
        own = next((each for each in self._history.zones(site) if each.zone == zone), None)
        age = self._clock() - known.as_of
        since = self._since("readings", site)
        step = timedelta(minutes=known.site.step_minutes)
        loads = continuous([(reading.time, known.load_kw(reading)) for reading in known.readings], step)
        newest = next(((time, kw) for time, kw in reversed(loads) if kw is not None), None)
        earlier = self._history.newest(site, zone, known.as_of - AHEAD)
        if earlier is not None and earlier.origin <= known.as_of - 2 * AHEAD:
            earlier = None
        said = self._said(known, None if at is not None else age)
        ahead, peak, trough = known.points, known.peak, min(known.points, key=_height, default=None)
        edges = (ahead[0], ahead[-1]) if ahead else ()
        shown_kw = [*(kw for _, kw in loads), *(point.kw for point in ahead)]
        words = replace(words, unit=unit_of(max((kw for kw in shown_kw if kw), default=0.0)))
        hour = timedelta(hours=1)
        return Day(
            site=site,
            zone=zone,
            zones=self.zones(site),
            time_zone=words.time_zone,
            step_minutes=known.site.step_minutes,
            as_of=known.as_of,
            is_past=at is not None,
            age_s=None if at is not None else round(age.total_seconds()),
            is_replay=at is None and age >= REPLAYED and since is not None,
            first_origin=own and own.first_origin,
            last_origin=own and own.last_origin,
            origin=forecast and forecast.origin,
            findings=[rendered(finding, words) for finding in said],
            now=None if newest is None else Point(time=newest[0], kw=newest[1], low_kw=None, high_kw=None, level=None),
            ahead=[point for lead in (hour, 24 * hour) if (point := _at(forecast, ahead, lead)) is not None],
            peak=peak,
            is_peak_at_edge=peak in edges,
            trough=trough,
            is_trough_at_edge=trough in edges,
            load=Curve(times=[time for time, _ in loads], kw=[kw for _, kw in loads]),
            forecast=Curve(times=[point.time for point in ahead], kw=[point.kw for point in ahead]),
            bands=[] if forecast is None else _bands(forecast),
            earlier=_curve(earlier, known.as_of),
            earlier_origin=earlier and earlier.origin,
            levels=[] if forecast is None else [LevelSpan(**span) for span in forecast.levels],
            model=forecast and forecast.demand_model,
            errors=self._errors(known, is_watched=is_watched(said)),
            scored_until=known.scores and known.scores.time,
            events=self._events(known),
            marks=marks(loads, said, known.as_of + AHEAD, words),
        )

    def weather(self, site: str, at: datetime | None) -> StoredReading | None:
        """Return the newest reading of the last 48 hours that has all of the weather; None where there is none."""
        read = self._read(site, at, BEFORE)
        known = () if read is None else reversed(read.readings)
        return next((each for each in known if all(each.values.get(name) is not None for name in WEATHER_FIELDS)), None)

    def fleet(self, begin: int, limit: int, search: str, words_of: Callable[[str], Words]) -> FleetDocument:
        """Return zones of the sites whose name has a part, the worst of all first, from so many on."""
        wanted = [glance for glance in self._glances.get() if search.casefold() in glance.site.casefold()]
        shown = wanted[begin : begin + limit]
        return FleetDocument(
            zones=[fleet_zone(glance, words_of(self.time_zone(glance.site))) for glance in shown],
            next=begin + limit if begin + limit < len(wanted) else None,
            zone_count=len(wanted),
            site_count=len({glance.site for glance in wanted}),
            silent_count=sum(glance.is_silent for glance in wanted),
        )

    def similar(self, site: str, zone: int, at: datetime | None) -> SimilarDays | None:
        """Return the past days that are nearest to today; None where nothing is known of the zone."""
        stored = self._history.site(site)
        if stored is None:
            return None
        grid, clock = grid_of(stored.step_minutes), ZoneInfo(self.time_zone(site))
        as_of = stored.last if at is None else min(at, stored.last)
        midnight = _midnight(as_of, clock, 0)
        if as_of - midnight < LEAST_SO_FAR:
            midnight = _midnight(as_of, clock, 1)
        back = [_midnight(midnight, clock, days) for days in range(1, SEARCHED_DAYS + 1)]
        first = grid.step_of(back[-1])
        load_kw = self._loads(site, zone, first, grid.step_of(as_of), stored.step_minutes)
        begin = grid.step_of(midnight) - first
        near = nearest(load_kw, begin, [grid.step_of(each) - first for each in back], SIMILAR)
        so_far, days = load_kw[begin:], []
        for each in near:
            kw = load_kw[each.begin : each.begin + len(so_far) + grid.day][: begin - each.begin]
            both = np.isfinite(so_far) & np.isfinite(kw[: len(so_far)])
            share = so_far[both].mean() / kw[: len(so_far)][both].mean()
            times = [midnight + n * grid.length for n in range(len(kw))]
            date = grid.time_of(first + each.begin).astimezone(clock).date().isoformat()
            days.append(SimilarDay(date=date, off=each.off, load=Curve(times=times, kw=_nullable(share * kw))))
        reason = (
            None if days else "too little is known: a past day is compared that has a load for most of the day so far"
        )
        return SimilarDays(site=site, zone=zone, days=days, reason=reason)

    def _read(self, name: str, at: datetime | None, looked_back: timedelta) -> _Read | None:
        site = self._history.site(name)
        if site is None or (at is not None and at < site.first):
            return None
        until = site.last if at is None else min(at, site.last)
        readings = self._history.readings(name, _span(until - looked_back, until), MOST_READINGS).items
        return _Read(site, until, looked_back, readings) if readings else None

    def _known(self, read: _Read, zone: int) -> _Known:
        name, until, as_of = read.site.site, read.until, read.readings[-1].time
        return _Known(
            read.site,
            zone,
            as_of,
            read.readings,
            self._history.newest(name, zone, until),
            self._history.newest_scores(name, zone, until),
            read.looked_back,
            self._history.drift_events_during(name, zone, _span(as_of, as_of), MOST_EVENTS),
        )

    def _events(self, known: _Known) -> list[DriftEventDocument]:
        span = _span(known.as_of - EVENTS, known.as_of)
        events = self._history.drift_events_during(known.site.site, known.zone, span, MOST_EVENTS)
        return [_event_document(_as_of(event, known.as_of)) for event in events]

    def _first_origin(self, site: str, zone: int) -> datetime | None:
        return next((each.first_origin for each in self._history.zones(site) if each.zone == zone), None)

    def _since(self, kind: str, site: str) -> timedelta | None:
        seconds = self._silence_s(kind, site)
        return None if seconds is None else timedelta(seconds=seconds)

    def _said(self, known: _Known, age: timedelta | None) -> list[Judgement]:
        """Return the findings; ``age`` is that of the newest reading, None where the past is looked at."""
        site, forecast, zone = self._sites.get(known.site.site), known.forecast, known.zone
        mean = score_of(known.scores, None, ALARM_WINDOW_DAYS)
        usual = score_of(known.scores, None, USUAL_WINDOW_DAYS).get("mape")
        with_load = [reading for reading in known.readings if known.load_kw(reading) is not None]
        with_weather = [
            reading
            for reading in known.readings
            if any(reading.values.get(field) is not None for field in WEATHER_FIELDS)
        ]
        hour = {} if forecast is None else forecast.level_of(_hour_of(forecast)) or {}
        is_fallback = hour.get("level") not in (None, "adapted")
        fallback, wider_kw = self._fallback(known, forecast) if is_fallback and forecast else ({}, None)
        name = known.site.site
        behind = timedelta(0) if forecast is None else known.as_of - forecast.origin
        scored = known.scores.time if known.scores else self._first_origin(name, zone)
        unscored = timedelta(0) if scored is None else known.as_of - scored
        return findings(
            Situation(
                silent=None if age is None else silence(age, self._since("readings", name)),
                step=timedelta(minutes=known.site.step_minutes),
                first_reading=known.site.first,
                last_reading=known.as_of,
                looked_back=known.looked_back,
                last_load=with_load[-1].time if with_load else None,
                load_flag=known.readings[-1].flags.get(load_field(zone), {}).get("flag"),
                origin=None if forecast is None else forecast.origin,
                behind=behind if age is None else lag(behind, age, self._since("forecasts", name)),
                level=hour.get("level"),
                reason=hour.get("reason"),
                notes=[] if forecast is None else forecast.notes,
                events=known.lasting,
                scored=scored,
                unscored=unscored if age is None else lag(unscored, age, self._since("scores", name)),
                coverage=mean.get("coverage"),
                mape=mean.get("mape"),
                times=mean["mape"] / usual if usual and mean.get("mape") else None,
                lasting={"fallback": fallback, **self._bad_scores(known, mean)},
                wider_kw=wider_kw,
                reserve_kw=reserve_kw(known.peak, mean.get("coverage"), NOMINAL),
                red=worst_of(known.scores),
                has_weather=bool(site and site.weather),
                last_weather=with_weather[-1].time if with_weather else None,
            )
        )

    def _fallback(self, known: _Known, forecast: StoredForecast) -> tuple[Mapping[str, Any], float | None]:
        """Return since when the best level does not answer, and by how much the band is wider than before, in kW."""
        name, lead, begin = known.site.site, _hour_of(forecast), known.as_of - known.looked_back
        told = self._history.levels(name, known.zone, _span(begin, known.as_of))
        is_best = [(origin, _level_of(levels, lead) == "adapted") for origin, levels in told]
        is_all = bool(told) and told[-1][0] - begin > timedelta(minutes=known.site.step_minutes)
        since = streak(((origin, not best) for origin, best in is_best), known.looked_back, is_all=is_all)
        last_best = next((origin for origin, best in is_best if best), None)
        before = None if last_best is None else self._history.forecast(name, known.zone, last_best)
        now_kw, before_kw = (None if each is None else mean_width_kw(each) for each in (forecast, before))
        wider_kw = None if now_kw is None or before_kw is None or now_kw <= before_kw else now_kw - before_kw
        return since, wider_kw

    def _bad_scores(self, known: _Known, mean: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        """Return since when the scores of a week are bad, by the kind of the finding; it is read for bad ones alone."""
        bad = {kind: is_bad for kind, is_bad in BAD.items() if is_bad(mean)}
        if not bad or known.scores is None:
            return {}
        span = _span(known.as_of - EVENTS, known.as_of)
        told = self._history.scores(known.site.site, known.zone, span, MOST_SCORES, daily=True).items
        is_all = bool(told) and told[0].time - known.as_of + EVENTS > timedelta(days=1)
        return {
            kind: streak(
                ((each.time, is_bad(score_of(each, None, ALARM_WINDOW_DAYS))) for each in reversed(told)),
                EVENTS,
                is_all=is_all,
            )
            for kind, is_bad in bad.items()
        }

    def _judged(self) -> list[Glance]:
        """Return a glance at every zone, the worst first."""
        found = []
        for site in self._all_sites():
            read = self._read(site.site, None, BEFORE_IN_FLEET)
            if read is not None:
                found += [self._glance(read, zone) for zone in self.zones(site.site)]
        return sorted(found, key=lambda each: each.urgency)

    def _all_sites(self) -> Iterator[StoredSite]:
        page = self._history.sites("", SITES_AT_ONCE)
        yield from page.items
        while page.following is not None:
            page = self._history.sites(page.following.site, SITES_AT_ONCE)
            yield from page.items

    def _glance(self, read: _Read, zone: int) -> Glance:
        known = self._known(read, zone)
        hour = _at(known.forecast, known.points, timedelta(hours=1))
        return Glance(
            site=known.site.site,
            zone=zone,
            as_of=known.as_of,
            now_kw=known.load_kw(known.readings[-1]),
            next_hour_kw=None if hour is None else hour.kw,
            peak=known.peak,
            mape=score_of(known.scores, None, ALARM_WINDOW_DAYS).get("mape"),
            said=self._said(known, self._clock() - known.as_of),
        )

    def _errors(self, known: _Known, *, is_watched: bool) -> list[Error]:
        if known.scores is None:
            return []
        naive = self._naive_of(known, known.scores)
        errors = []
        for score in known.scores.scores:
            rmse_kw, skill = score["rmse_kw"], score["skill_vs_same_time_yesterday"]
            rule, best_kw = naive.get((score["window_days"], score["lead_minutes"] or 0), (None, None))
            yesterday_kw = None if rmse_kw is None or skill is None or skill >= 1 else rmse_kw / (1 - skill)
            errors.append(
                Error(
                    window_days=score["window_days"],
                    lead_minutes=score["lead_minutes"],
                    rmse_kw=rmse_kw,
                    mape=score["mape"],
                    light=light_of(score["mape"]) if is_watched else None,
                    same_time_yesterday_rmse_kw=yesterday_kw,
                    best_naive_rmse_kw=best_kw,
                    best_naive_rule=rule,
                    coverage=score["coverage"],
                )
            )
        return errors

    def _naive_of(self, known: _Known, scores: StoredScores) -> dict[tuple[int, int], tuple[str, float]]:
        """Return the best rule by window and lead; scores come once an hour, so it is kept as long."""
        key = known.site.site, known.zone
        kept = self._naive.get(key)
        if kept is not None and kept[0] == scores.time:
            return kept[1]
        grid = grid_of(known.site.step_minutes)
        last = grid.step_of(scores.time)
        first = last - (LONGEST_WINDOW_DAYS + WEEK_DAYS) * grid.day
        load_kw = self._loads(*key, first, last, known.site.step_minutes)
        best = {}
        for score in scores.scores:
            if score["scored_minutes"] is None:
                continue
            days, lead = score["window_days"], grid.covering(score["scored_minutes"])
            rules = naive_rmse_kw(load_kw, lead, days * grid.day, grid.day)
            if rules:
                best[days, score["lead_minutes"]] = min(rules.items(), key=lambda each: each[1])
        self._naive[key] = scores.time, best
        return best

    def _loads(self, site: str, zone: int, first: int, last: int, step_minutes: int) -> NDArray[np.float64]:
        """Return the loads of the steps from the first to the last, both included; NaN where there is none."""
        grid = grid_of(step_minutes)
        found = np.full(last - first + 1, np.nan)
        span = _span(grid.time_of(first), grid.time_of(last))
        for time_s, kw in self._history.loads(site, zone, span):
            found[time_s // (60 * step_minutes) - first] = np.nan if kw is None else kw
        return found


def _span(begin: datetime, until: datetime) -> Span:
    """Return the span of two times, both included."""
    return Span(int(begin.timestamp()), int(until.timestamp()) + 1)


def _as_of(event: dict[str, Any], time: datetime) -> dict[str, Any]:
    """Return an event as it was known at a time: what ended later lasted then."""
    ended = event["ended"]
    return {**event, "ended": None} if ended is not None and datetime.fromisoformat(ended) > time else event


def _event_document(event: dict[str, Any]) -> DriftEventDocument:
    """Return what the interface says of an event."""
    return DriftEventDocument(**{name: event[name] for name in DriftEventDocument.model_fields})


def _hour_of(forecast: StoredForecast) -> int:
    """Return the lead of an hour."""
    return grid_of(forecast.step_minutes).covering(60)


def _level_of(levels: Sequence[dict[str, Any]], lead: int) -> str | None:
    return next((span["level"] for span in levels if span["from_lead"] <= lead <= span["to_lead"]), None)


def _points(forecast: StoredForecast) -> list[Point]:
    """Return each lead with the widest band."""
    widest = int(np.argmax(forecast.coverages)) if forecast.coverages else None
    low, high = (None, None) if widest is None else (1 + 2 * widest, 2 + 2 * widest)
    length = timedelta(minutes=forecast.step_minutes)
    return [
        Point(
            time=forecast.origin + lead * length,
            kw=float(forecast.kw[0, column]),
            low_kw=None if low is None else float(forecast.kw[low, column]),
            high_kw=None if high is None else float(forecast.kw[high, column]),
            level=(span := forecast.level_of(lead)) and span["level"],
        )
        for column, lead in enumerate(forecast.leads)
    ]


def _at(forecast: StoredForecast | None, points: Sequence[Point], lead: timedelta) -> Point | None:
    """Return the first point that is no nearer than the lead."""
    if forecast is None:
        return None
    return next((point for point in points if point.time - forecast.origin >= lead), None)


def _height(point: Point) -> float:
    return point.kw or 0.0


def _bands(forecast: StoredForecast) -> list[Band]:
    rows = forecast.kw[1:].tolist()
    bands = [
        Band(coverage=coverage, low_kw=rows[2 * n], high_kw=rows[2 * n + 1])
        for n, coverage in enumerate(forecast.coverages)
    ]
    return sorted(bands, key=lambda band: band.coverage)


def _curve(forecast: StoredForecast | None, until: datetime) -> Curve:
    points = [] if forecast is None else [point for point in _points(forecast) if point.time <= until]
    return Curve(times=[point.time for point in points], kw=[point.kw for point in points])


def _midnight(time: datetime, clock: ZoneInfo, days_before: int) -> datetime:
    """Return the beginning of a day on a clock, in UTC."""
    date = time.astimezone(clock).date() - timedelta(days=days_before)
    return datetime(date.year, date.month, date.day, tzinfo=clock).astimezone(UTC)


def _nullable(kw: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(each) else round(float(each), 3) for each in kw]
