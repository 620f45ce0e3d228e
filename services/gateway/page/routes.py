"""Routes of the page, and of the documents that it draws."""

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.gateway.api.answers import Answers, CsvTable, Untagged, documented
from services.gateway.api.documents import Document
from services.gateway.api.parameters import LARGEST_ZONE, At, SiteName, ZoneNumber, instant, is_name
from services.gateway.api.routes import EncodedRoute
from services.gateway.api.sites import ZONE, known_site, known_zone, unknown_zone
from services.gateway.http.problems import Problem
from services.gateway.page import examples
from services.gateway.page.assets import Assets
from services.gateway.page.control import control_router
from services.gateway.page.day import Days
from services.gateway.page.documents import Day, Error, FleetDocument, SimilarDays
from services.gateway.page.fleet import LONG_SILENT
from services.gateway.page.texts import LANGUAGES, Language, texts
from services.gateway.page.tiles import freshness, tiles
from services.gateway.page.words import Words, unit_of, unit_of_all
from services.gateway.queries import History
from shared.forecasting.leads import lead_name
from shared.sites.table import Sites

__all__ = ["page_routers"]

YEAR_S = 31_536_000
SITES_LISTED, ZONES_A_PAGE, MOST_ZONES = 1000, 200, 10**9
COMPRESSED_FROM = 1000
HOURS = timedelta(hours=1)
OFTEN = (
    "weekdays",
    "months",
    "lost",
    "refused",
    "restarted",
    "control.",
    "chart.",
    "hour.",
    "if.",
    "mark.",
    "similar.",
    "table.",
    "time.",
)  # what scripts say
LASTING = ("critical", "warning")
FLEET_HEADING = ("site", "zone", "severity", "text")
THEMES = ("auto", "light", "dark")

Search = Annotated[str, Query(max_length=1000, description="Part of the name of a site.", examples=["tet"])]
FleetCursor = Annotated[int, Query(ge=0, le=MOST_ZONES, description="`next` of the answer before.", examples=[200])]
ZoneAsked = Annotated[int | None, Query(ge=1, le=LARGEST_ZONE)]
LanguageAsked = Annotated[Language, Query(description="Language of the texts.", examples=["es"])]


def page_routers(
    history: History, days: Days, sites: Sites, begun: datetime, control: str | None = None
) -> tuple[APIRouter, ...]:
    """Return the routes.

    ``begun`` is when this gateway was started, ``control`` where the replay of a demo is changed, if there is one.
    """
    pages = _Pages(history, days, sites, begun, has_control=control is not None)
    return _documents(history, days), control_router(control), pages.router()


# --- documents


def _documents(history: History, days: Days) -> APIRouter:
    router = APIRouter(tags=["page"], route_class=EncodedRoute)

    @router.get(
        ZONE + "/day",
        responses=documented(Day, 404, example=examples.DAY),
        summary="The last 48 hours of a zone and the next 24, judged",
    )
    def day(answers: Answers, site: SiteName, zone: ZoneNumber, at: At = None, lang: LanguageAsked = "en") -> Response:
        """Return what the page draws of a zone, now or as it stood at a past time.

        As CSV: the curves alone, one row a time.
        """
        found = days.day(site, zone, at, Words(lang, days.time_zone(site))) if is_name(site) else None
        if found is None or zone not in found.zones:
            known_zone(history, site, zone)
            raise _nothing_then(at)
        return answers.document({**_plain(found), "age_s": Untagged(found.age_s)}, lambda: _table(found))

    @router.get(
        ZONE + "/similar",
        responses=documented(SimilarDays, 404, example=examples.SIMILAR_DAYS),
        summary="Past days whose load ran like today's",
    )
    def similar(answers: Answers, site: SiteName, zone: ZoneNumber, at: At = None) -> Response:
        """Return the three past days of the last 90 whose shape is nearest to that of today so far.

        Before six in the morning, today and yesterday are compared. Where there is none, `reason` says why.
        """
        known_site(history, site)
        if zone not in days.zones(site):
            raise unknown_zone(site, zone)
        found = days.similar(site, zone, at)
        if found is None:
            raise _nothing_then(at)
        return answers.document(_plain(found), lambda: CsvTable(("date", "off", "time", "kw"), _similar_rows(found)))

    @router.get(
        "/api/v1/fleet",
        responses=documented(FleetDocument, example=examples.FLEET),
        summary="Many zones at a glance, the worst first",
    )
    def fleet(
        answers: Answers,
        search: Search = "",
        cursor: FleetCursor = 0,
        lang: LanguageAsked = "en",
    ) -> Response:
        """Return 200 zones, with what is wrong, the worst of all first, and those silent for a week after all others.

        They are judged anew every 10 seconds or so.
        """
        found = days.fleet(cursor, ZONES_A_PAGE, search, lambda clock: Words(lang, clock))
        return answers.document(_plain(found), lambda: CsvTable(FLEET_HEADING, _fleet_rows(found)))

    return router


def _plain(document: Document) -> dict[str, Any]:
    dumped: dict[str, Any] = document.model_dump()
    return dumped


def _nothing_then(at: datetime | None) -> Problem:
    detail = "nothing is kept of the zone from then: ask for a later time"
    return Problem.of(404, "at", "" if at is None else at.isoformat(), detail)


def _table(day: Day) -> CsvTable:
    rows: dict[datetime, dict[str, Any]] = defaultdict(dict)
    for name, curve in (("load_kw", day.load), ("forecast_kw", day.forecast), ("earlier_kw", day.earlier)):
        for time, kw in zip(curve.times, curve.kw, strict=True):
            rows[time][name] = kw
    for band in day.bands:
        for time, low_kw, high_kw in zip(day.forecast.times, band.low_kw, band.high_kw, strict=True):
            rows[time] |= {f"low_{100 * band.coverage:g}_kw": low_kw, f"high_{100 * band.coverage:g}_kw": high_kw}
    heading = ("time", "load_kw", "forecast_kw", "earlier_kw")
    return CsvTable(heading, ({"time": time, **rows[time]} for time in sorted(rows)))


def _similar_rows(found: SimilarDays) -> Iterator[Mapping[str, Any]]:
    for day in found.days:
        for time, kw in zip(day.load.times, day.load.kw, strict=True):
            yield {"date": day.date, "off": day.off, "time": time, "kw": kw}


def _fleet_rows(found: FleetDocument) -> Iterator[Mapping[str, Any]]:
    for zone in found.zones:
        yield {"site": zone.site, "zone": zone.zone, "severity": zone.finding.severity, "text": zone.finding.text}


# --- pages


@dataclass(frozen=True)
class _Look:
    """How somebody looks at the page: language, theme, and what the address says beside these."""

    language: Language
    theme: str
    path: str
    asked: Mapping[str, str]

    def here(self, **changes: Any) -> str:
        """Return the address of this page with other parameters; those that are None are left out."""
        return self.link(self.path, **{**self.asked, **changes})

    def link(self, path: str, **parameters: Any) -> str:
        """Return an address."""
        given = {name: value for name, value in parameters.items() if value not in (None, "")}
        return f"{path}?{urlencode(given)}" if given else path


async def _look(request: Request, lang: str | None = None, theme: str | None = None) -> _Look:
    asked, cookies = request.query_params, request.cookies
    accepted = request.headers.get("accept-language", "").lower()
    preferred = "es" if re.match(r"es\b", accepted) else "en"
    wanted = (lang, cookies.get("lang"), preferred, "en")
    language = next(known for name in wanted for known in LANGUAGES if known == name)
    chosen = next((name for name in (theme, cookies.get("theme")) if name in THEMES), "auto")
    kept = {name: value for name, value in asked.items() if name not in ("lang", "theme")}
    return _Look(language, chosen, request.url.path, kept)


Look = Annotated[_Look, Depends(_look)]


class _Pages:
    """Renders documents as pages."""

    def __init__(self, history: History, days: Days, sites: Sites, begun: datetime, *, has_control: bool) -> None:
        self._has_control = has_control
        self._history = history
        self._days = days
        self._sites = sites
        self._begun = begun.isoformat()
        self._assets = Assets()
        folder = Path(__file__).parent / "templates"
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"assets": self._assets, "lead": lead_name}

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(include_in_schema=False, route_class=EncodedRoute)

        @router.get("/")
        def day(
            request: Request, look: Look, site: str | None = None, zone: ZoneAsked = None, at: str | None = None
        ) -> Response:
            return self._day(request, look, site, zone, at)

        @router.get("/fleet")
        def fleet(request: Request, look: Look, search: str = "", begin: FleetCursor = 0) -> Response:
            return self._fleet(request, look, search, begin)

        @router.get("/page/{version}/{name}")
        def asset(request: Request, version: str, name: str) -> Response:
            return self._assets.answer(request, version, name)

        return router

    def _day(self, request: Request, look: _Look, site: str | None, zone: int | None, at: str | None) -> Response:
        sites = [each.site for each in self._history.sites("", SITES_LISTED).items]
        name = site or next((each for each in sites if self._days.zones(each)), "")
        zones = self._days.zones(name) if is_name(name) else []
        words = Words(look.language, self._days.time_zone(name))
        number = zones[0] if zone is None and zones else zone
        past = _at(at, words.time_zone)
        found = self._days.day(name, number, past, words) if number in zones else None
        if found is None:
            return self._missing(request, look, words, sites, name, number, past)
        largest_kw = max((kw for kw in (*found.load.kw, *found.forecast.kw) if kw is not None), default=0.0)
        words = replace(words, unit=unit_of(largest_kw))
        known = self._sites.get(name)
        return self._answer(
            request,
            look,
            words,
            "day.html",
            view="day",
            day=found,
            later=past if past is not None and self._is_later(name, past) else None,
            document=_embedded(found.model_dump_json()),
            sites=sites if name in sites else [*sites, name],  # the list is bounded, the sites are not
            tiles=tiles(found, words),
            freshness=freshness(found, words),
            lasting=[each for each in found.findings if each.severity in LASTING and not each.kind.startswith("drift")],
            hours=_hourly(found),
            errors=_by_window(found.errors),
            has_control=self._has_control,
            has_weather=known is not None and bool(known.weather),
            weather=self._days.weather(name, past),
            past=lambda hours: look.here(at=f"{found.as_of + hours * HOURS:%Y-%m-%dT%H:%M:%SZ}"),
        )

    def _is_later(self, site: str, past: datetime) -> bool:
        known = self._history.site(site)
        return known is not None and past > known.last

    def _missing(
        self,
        request: Request,
        look: _Look,
        words: Words,
        sites: list[str],
        name: str,
        number: int | None,
        past: datetime | None,
    ) -> Response:
        """Answer for a site, a zone or a time that the history does not hold: with what it holds."""
        zones = self._days.zones(name) if is_name(name) else []
        first = known.first if zones and (known := self._history.site(name)) is not None else None
        if sites and name and not zones:
            said = words("missing.site", site=name)
            choices = [(each, look.link("/", site=each)) for each in sites]
        elif zones and number not in zones:
            said = words("missing.zone", site=name, number=number)
            choices = [(words("zone_n", zone=each), look.here(site=name, zone=each)) for each in zones]
        elif past is not None and first is not None and past < first:
            said = words("missing.before", site=name, first=first)
            choices = [
                (words("missing.first"), look.here(at=f"{first:%Y-%m-%dT%H:%M:%SZ}")),
                (words("past.live"), look.here(at=None)),
            ]
        else:
            return self._answer(request, look, words, "empty.html", view="day", sites=sites)
        page = self._answer(request, look, words, "missing.html", view="missing", said=said, choices=choices)
        page.status_code = 404
        return page

    def _fleet(self, request: Request, look: _Look, search: str, begin: int) -> Response:
        def words_of(time_zone: str) -> Words:
            return Words(look.language, time_zone)

        found = self._days.fleet(begin, ZONES_A_PAGE, search, words_of)
        peaks = (each.peak.kw for each in found.zones if each.peak is not None)
        loads = (*(kw for each in found.zones for kw in (each.now_kw, each.next_hour_kw)), *peaks)
        words = replace(words_of("UTC"), unit=unit_of_all(loads))
        return self._answer(
            request,
            look,
            words,
            "fleet.html",
            view="fleet",
            fleet=found,
            first=begin + 1,
            silent_days=LONG_SILENT.days,
            search=search,
            words_of=words_of,
        )

    def _answer(self, request: Request, look: _Look, words: Words, template: str, **shown: Any) -> Response:
        said = {key: words.unfilled(key) for key in texts() if key.startswith(OFTEN)}
        page = self._templates.get_template(template).render(
            t=words, look=look, texts=_embedded(orjson.dumps(said).decode()), **shown
        )
        raw = page.encode()
        headers = {"X-Tetouan-Begun": self._begun, "Vary": "Accept-Encoding, Accept-Language, Cookie"}
        if len(raw) >= COMPRESSED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            raw = gzip.compress(raw, 4, mtime=0)
            headers["Content-Encoding"] = "gzip"
        response = Response(raw, headers=headers, media_type="text/html; charset=utf-8")
        for name in ("lang", "theme"):
            if name in request.query_params:
                chosen = look.language if name == "lang" else look.theme
                response.set_cookie(name, chosen, max_age=YEAR_S, httponly=True, samesite="strict")
        return response


def _embedded(json: str) -> Markup:
    """Return JSON that may stand in a script element."""
    return Markup(json.replace("<", "\\u003c"))  # noqa: S704 - nothing of it can end the element


def _at(text: str | None, time_zone: str) -> datetime | None:
    """Return the time that an address tells: without an offset on the clock of the site."""
    if not text:
        return None
    try:
        read = instant(text, naive_is_utc=True)
    except ValueError as error:
        raise Problem.of(422, "at", text, str(error)) from None
    is_local = re.fullmatch(r"[-\d]+[T ][:\d.]+", text) is not None
    return read.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC) if is_local else read


def _hourly(day: Day) -> list[Any]:
    points = zip(day.forecast.times, range(len(day.forecast.times)), strict=True)
    widest = day.bands[-1] if day.bands else None
    return [
        {
            "time": time,
            "kw": day.forecast.kw[n],
            "low_kw": None if widest is None else widest.low_kw[n],
            "high_kw": None if widest is None else widest.high_kw[n],
            "level": next((span.level for span in day.levels if span.from_lead <= n + 1 <= span.to_lead), None),
        }
        for time, n in points
        if time.minute == 0
    ]


def _by_window(errors: list[Error]) -> dict[int, list[Error]]:
    found: dict[int, list[Error]] = defaultdict(list)
    for error in errors:
        found[error.window_days].append(error)
    return dict(sorted(found.items()))
