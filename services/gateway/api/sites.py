"""Routes of sites: which there are, what was read, and what became of the forecasts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response

from services.gateway.api import documents
from services.gateway.api.answers import Answers, CsvTable, documented
from services.gateway.api.parameters import (
    EventCursor,
    NameCursor,
    Range,
    SiteName,
    WholeRange,
    ZoneNumber,
    begin_of,
    is_name,
)
from services.gateway.api.routes import EncodedRoute
from services.gateway.http.problems import Problem
from services.gateway.queries import History, Page, StoredReading, StoredScores, StoredSite
from services.gateway.registered_metrics import RegisteredMetrics
from shared.contracts.messages import Score

__all__ = ["history_router", "known_site", "known_zone", "sites_router", "unknown_zone"]

SITE = "/api/v1/sites/{site}"
ZONE = SITE + "/zones/{zone}"
DRIFT_HEADING = tuple(documents.DriftEventDocument.model_fields)
SCORE_HEADING = ("site", "zone", "time", *Score.model_fields)
MODEL_HEADING = ("site", "zone", "model", "version", "is_champion", "in_force_since", "last_change", "origin")


@dataclass(frozen=True)
class _ScoresWanted:
    """Which scores are asked for."""

    daily: bool
    lead_minutes: str | None
    window_days: str | None

    def has(self, score: Mapping[str, Any]) -> bool:
        group = "mean" if score["lead_minutes"] is None else str(score["lead_minutes"])
        return self.lead_minutes in (None, group) and self.window_days in (None, str(score["window_days"]))


async def _scores_wanted(
    every: Annotated[
        Literal["day", "hour"],
        Query(description="`day`: the last hour of each, which midnight in UTC ends.", examples=["hour"]),
    ] = "day",
    lead_minutes: Annotated[
        Literal["10", "60", "360", "1440", "mean"] | None,
        Query(description="One lead group alone, by its minutes; `mean`: of all leads.", examples=["60"]),
    ] = None,
    window_days: Annotated[
        Literal["1", "7", "28"] | None, Query(description="One window alone, by its days.", examples=["7"])
    ] = None,
) -> _ScoresWanted:
    return _ScoresWanted(every == "day", lead_minutes, window_days)


ScoresWanted = Annotated[_ScoresWanted, Depends(_scores_wanted)]


def _unknown_site(site: str) -> Problem:
    return Problem.of(404, "site", site, "no reading of such a site has come: /api/v1/sites lists those that have")


def known_site(history: History, site: str) -> None:
    """Raise ``Problem`` where nothing is kept of a site."""
    if not is_name(site) or history.site(site) is None:
        raise _unknown_site(site)


def unknown_zone(site: str, zone: int) -> Problem:
    """Return what is said of a zone, of a known site, of which there is no forecast."""
    detail = f"there is no forecast of it yet: /api/v1/sites/{quote(site, safe='')} lists the zones"
    return Problem.of(404, "zone", str(zone), detail)


def known_zone(history: History, site: str, zone: int) -> None:
    """Raise ``Problem`` where nothing is kept of a site, or there is no forecast of its zone."""
    known_site(history, site)
    if history.last_origin(site, zone) is None:
        raise unknown_zone(site, zone)


def history_router(history: History, metrics: RegisteredMetrics) -> APIRouter:
    """Return the routes of readings, scores, drift, models and dead letters."""
    router = APIRouter(tags=["history"], route_class=EncodedRoute)

    @router.get(SITE + "/readings", responses=documented(documents.ReadingPage, 404), summary="Readings of a site")
    def readings(
        answers: Answers,
        site: SiteName,
        span: Range,
        limit: Annotated[int, Query(ge=1, le=10_000, description="Readings on a page.", examples=[100])] = 1000,
    ) -> Response:
        """Return readings by rising time, each as of its highest revision, with the flags of what was refused."""
        known_site(history, site)
        page = history.readings(site, span, limit)
        following = None if page.following is None else _s(page.following)
        return answers.page(
            [vars(reading) for reading in page.items],
            lambda: CsvTable(_reading_heading(history.fields(site)), _reading_rows(site, page.items)),
            following,
        )

    @router.get(
        ZONE + "/scores", responses=documented(documents.ScoresPage, 404), summary="How good the forecasts were"
    )
    def scores(
        answers: Answers,
        site: SiteName,
        zone: ZoneNumber,
        span: Range,
        wanted: ScoresWanted,
        limit: Annotated[int, Query(ge=1, le=1000, description="Days or hours on a page.", examples=[31])] = 366,
    ) -> Response:
        """Return the rolling scores of each lead group and window, by rising time."""
        known_zone(history, site, zone)
        page = history.scores(site, zone, span, limit, daily=wanted.daily)
        items = [
            {"time": hour.time, "scores": [score for score in hour.scores if wanted.has(score)]} for hour in page.items
        ]
        following = None if page.following is None else _s(page.following)
        return answers.page(items, lambda: CsvTable(SCORE_HEADING, _score_rows(site, zone, items)), following)

    @router.get(SITE + "/drift", responses=documented(documents.DriftEventPage, 404), summary="Drift events of a site")
    def drift(
        answers: Answers,
        site: SiteName,
        span: WholeRange,
        cursor: EventCursor = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="Drift events on a page.", examples=[20])] = 100,
    ) -> Response:
        """Return the drift events that started in the range, each as it was told last, by rising time."""
        known_site(history, site)
        page = history.drift_events(site, span, begin_of(cursor), limit)
        following = None if page.following is None else _event_cursor(page.following)
        items = [{name: event[name] for name in DRIFT_HEADING} for event in page.items]
        return answers.page(items, lambda: CsvTable(DRIFT_HEADING, items), following)

    @router.get(SITE + "/models", responses=documented(documents.ModelPage, 404), summary="Models of a site")
    def models(answers: Answers, site: SiteName) -> Response:
        """Return the versions of the models with their metrics, and what became of each."""
        events = history.model_events(site) if is_name(site) else []
        if not events:  # models may be registered before the first reading comes
            known_site(history, site)
        items = models_of(events, history.champions(site))
        metrics.complete(items)
        return answers.page(items, lambda: CsvTable(MODEL_HEADING, _model_rows(site, items)), None)

    @router.get(
        "/api/v1/dead-letters", responses=documented(documents.DeadLetterPage), summary="Records that were refused"
    )
    def dead_letters(
        answers: Answers,
        span: WholeRange,
        site: Annotated[
            str | None, Query(max_length=1000, description="Those of one site alone.", examples=["tetouan"])
        ] = None,
    ) -> Response:
        """Count the records that were refused, by topic, reason and field; the range is one of the wall clock."""
        counts = [] if site is not None and not is_name(site) else history.dead_letters(site, span)
        items = [vars(count) for count in counts]
        return answers.page(items, lambda: CsvTable(tuple(documents.DeadLetterCountDocument.model_fields), items), None)

    return router


def sites_router(history: History) -> APIRouter:
    """Return the routes of the sites themselves."""
    router = APIRouter(tags=["sites"], route_class=EncodedRoute)

    @router.get("/api/v1/sites", responses=documented(documents.SitePage), summary="Sites")
    def sites(
        answers: Answers,
        cursor: NameCursor = None,
        limit: Annotated[int, Query(ge=1, le=10_000, description="Sites on a page.", examples=[50])] = 1000,
    ) -> Response:
        """Return the sites of which readings have come, by name."""
        page = history.sites(cursor or "", limit) if is_name(cursor or "") else Page[StoredSite]((), None)
        items = [vars(site) for site in page.items]
        table = CsvTable(tuple(documents.SiteDocument.model_fields), items)
        return answers.page(items, lambda: table, None if page.following is None else page.following.site)

    @router.get(SITE, responses=documented(documents.ZonesOfSite, 404), summary="A site and its zones")
    def site(answers: Answers, site: SiteName) -> Response:
        """Return a site, and its zones of which there are forecasts."""
        found = history.site(site) if is_name(site) else None
        if found is None:
            raise _unknown_site(site)
        zones = [vars(zone) for zone in history.zones(site)]
        table = CsvTable(("site", *documents.ZoneDocument.model_fields), [{"site": site, **zone} for zone in zones])
        return answers.document({**vars(found), "zones": zones}, lambda: table)

    return router


def models_of(events: Sequence[Mapping[str, Any]], champions: Mapping[tuple[int, str], str]) -> list[dict[str, Any]]:
    """Return each version of which events tell, with what became of it; its metrics are those that came first.

    Where nobody has promoted a version, the one that answers is the champion: tags of the settings have named it.
    """
    found: dict[tuple[int, str, str | None], dict[str, Any]] = {}
    in_force: dict[tuple[int, str], tuple[dict[str, Any], str]] = {}
    for event in events:
        zone, model, version = event["zone"], event["model"], event["version"]
        item = found.setdefault(
            (zone, model, version),
            {
                "zone": zone,
                "model": model,
                "version": version,
                "is_champion": False,
                "in_force_since": None,
                "metrics": {},
                "changes": [],
            },
        )
        if event["change"] == "in_force":
            in_force[zone, model] = item, event["origin"]
        else:
            item["metrics"] = item["metrics"] or event["evidence"]
        item["changes"].append({name: event[name] for name in ("role", "change", "origin", "reason")})
    for item, origin in in_force.values():
        item["in_force_since"] = origin
    champions = {key: item["version"] for key, (item, _) in in_force.items()} | dict(champions)
    for (zone, model, version), item in found.items():
        item["is_champion"] = version is not None and version == champions.get((zone, model))
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1], _number(key[2])))]


def _number(version: str | None) -> tuple[int, str]:
    """Return what versions are sorted by: as numbers where they are some."""
    return (int(version), "") if version is not None and version.isdecimal() else (-1, version or "")


def _s(item: StoredReading | StoredScores) -> str:
    return str(int(item.time.timestamp()))


def _event_cursor(event: Mapping[str, Any]) -> str:
    started = datetime.fromisoformat(event["started"])
    return f"{int(started.timestamp())}~{event['id']}"


def _reading_heading(fields: Sequence[str]) -> tuple[str, ...]:
    flags = (f"{field}_{what}" for field in fields for what in ("flag", "original"))
    return ("site", "time", "revision", *fields, *flags)


def _reading_rows(site: str, readings: Sequence[StoredReading]) -> Iterator[dict[str, Any]]:
    for reading in readings:
        flags = {f"{field}_{what}": text for field, flag in reading.flags.items() for what, text in flag.items()}
        yield {"site": site, "time": reading.time, "revision": reading.revision, **reading.values, **flags}


def _score_rows(site: str, zone: int, items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        for score in item["scores"]:
            lead = "mean" if score["lead_minutes"] is None else score["lead_minutes"]
            yield {"site": site, "zone": zone, "time": item["time"], **score, "lead_minutes": lead}


def _model_rows(site: str, items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        said = {name: value for name, value in item.items() if name not in ("metrics", "changes")}
        last = item["changes"][-1]
        yield {"site": site, **said, "last_change": last["change"], "origin": last["origin"], **item["metrics"]}
