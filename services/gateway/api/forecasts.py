"""Routes of forecasts: the newest, that of an origin, and all that were made for one time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.gateway.api import documents
from services.gateway.api.answers import Answers, CsvTable, Untagged, documented
from services.gateway.api.parameters import Origin, Range, SiteName, Target, ZoneNumber, is_name
from services.gateway.api.routes import EncodedRoute
from services.gateway.api.sites import ZONE, known_site, known_zone, unknown_zone
from services.gateway.http.problems import Problem
from services.gateway.queries import History, StoredForecast, Viewed
from shared.sites.site import load_field

__all__ = ["forecasts_router"]


def forecasts_router(history: History) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["forecasts"], route_class=EncodedRoute)

    @router.get(
        ZONE + "/forecasts/latest",
        responses=documented(documents.StoredForecastDocument, 404),
        summary="The newest forecast of a zone",
    )
    def latest(answers: Answers, site: SiteName, zone: ZoneNumber) -> Response:
        """Return the newest forecast with its age, the versions of its models, and its fallback levels."""
        found = history.latest(site, zone) if is_name(site) else None
        if found is None:
            known_site(history, site)
            raise unknown_zone(site, zone)
        return answers.document(_document(found), lambda: CsvTable(_heading(found.coverages), _rows(found)))

    @router.get(
        ZONE + "/forecasts/{origin}",
        responses=documented(documents.StoredForecastDocument, 404),
        summary="The forecast of an origin",
    )
    def of_origin(answers: Answers, site: SiteName, zone: ZoneNumber, origin: Origin) -> Response:
        """Return the forecast that was made when the reading of this time was the last one."""
        found = history.forecast(site, zone, origin) if is_name(site) else None
        if found is None:
            known_zone(history, site, zone)
            raise Problem.of(404, "origin", origin.isoformat(), "no forecast of this origin is kept: ask for a range")
        return answers.document(_document(found), lambda: CsvTable(_heading(found.coverages), _rows(found)))

    @router.get(
        ZONE + "/forecasts", responses=documented(documents.ForecastPage, 404), summary="The forecasts of a range"
    )
    def of_range(
        answers: Answers,
        site: SiteName,
        zone: ZoneNumber,
        span: Range,
        limit: Annotated[int, Query(ge=1, le=200, description="Forecasts on a page.", examples=[6])] = 24,
    ) -> Response:
        """Return the forecasts whose origins lie in the range, by rising origin."""
        known_zone(history, site, zone)
        page = history.forecasts(site, zone, span, limit)
        following = None if page.following is None else str(int(page.following.origin.timestamp()))
        return answers.page(
            [_document(forecast) for forecast in page.items],
            lambda: CsvTable(
                _heading(history.coverages(site, zone)), (row for forecast in page.items for row in _rows(forecast))
            ),
            following,
        )

    @router.get(
        ZONE + "/targets/{target}",
        responses=documented(documents.TargetDocument, 404),
        summary="All that was forecast for one time",
    )
    def of_target(answers: Answers, site: SiteName, zone: ZoneNumber, target: Target) -> Response:
        """Return how the forecast of a time changed as it came nearer, and the load that came."""
        known_zone(history, site, zone)
        views = history.views(site, zone, target)
        body = {
            "site": site,
            "zone": zone,
            "target": target,
            "demand_kw": _demand_kw(history, site, zone, target),
            "forecasts": [_view(view) for view in views],
        }
        came = {"demand_kw": body["demand_kw"]}
        return answers.document(
            body,
            lambda: CsvTable(
                (*_heading(history.coverages(site, zone)), *came),
                (_row(view.forecast, view.lead, view.column) | came for view in views),
            ),
        )

    return router


def _heading(coverages: Sequence[float]) -> tuple[str, ...]:
    """Return the names of :func:`_row`."""
    sides = _sides(coverages)
    told = ("level", "reason", "demand_model", "age_s")
    return ("site", "zone", "origin", "time", "lead_minutes", "median_kw", *sides, *told)


def _sides(coverages: Sequence[float]) -> list[str]:
    return [f"{side}_{100 * coverage:g}_kw" for coverage in coverages for side in ("low", "high")]


def _demand_kw(history: History, site: str, zone: int, time: datetime) -> float | None:
    reading = history.reading(site, time)
    return None if reading is None else reading.values.get(load_field(zone))


def _document(forecast: StoredForecast) -> dict[str, Any]:
    median_kw, *bounds_kw = forecast.kw.tolist()
    return {
        "site": forecast.site,
        "zone": forecast.zone,
        "origin": forecast.origin,
        "age_s": Untagged(forecast.age_s),
        "models": {"demand": forecast.demand_model, "weather": forecast.weather_model},
        "product": forecast.product,
        "step_minutes": forecast.step_minutes,
        "leads": None if isinstance(forecast.leads, range) else forecast.leads,
        "median_kw": median_kw,
        "intervals": [
            {"coverage": coverage, "low_kw": low_kw, "high_kw": high_kw}
            for coverage, low_kw, high_kw in zip(forecast.coverages, bounds_kw[::2], bounds_kw[1::2], strict=True)
        ],
        "levels": forecast.levels,
        "weather_estimate_kw": forecast.weather_estimate_kw,
        "weather_model_kw": forecast.weather_model_kw,
        "notes": forecast.notes,
        "moved": forecast.moved,
    }


def _view(view: Viewed) -> dict[str, Any]:
    forecast = view.forecast
    median_kw, *bounds_kw = forecast.kw[:, view.column].tolist()
    span = forecast.level_of(view.lead)
    return {
        "origin": forecast.origin,
        "age_s": Untagged(forecast.age_s),
        "lead_minutes": view.lead * forecast.step_minutes,
        "median_kw": median_kw,
        "intervals": [
            {"coverage": coverage, "low_kw": low_kw, "high_kw": high_kw}
            for coverage, low_kw, high_kw in zip(forecast.coverages, bounds_kw[::2], bounds_kw[1::2], strict=True)
        ],
        "level": span and span["level"],
        "reason": span and span["reason"],
        "models": {"demand": forecast.demand_model, "weather": forecast.weather_model},
    }


def _rows(forecast: StoredForecast) -> Iterator[dict[str, Any]]:
    for column, lead in enumerate(forecast.leads):
        yield _row(forecast, lead, column)


def _row(forecast: StoredForecast, lead: int, column: int) -> dict[str, Any]:
    median_kw, *bounds_kw = forecast.kw[:, column].tolist()
    span = forecast.level_of(lead)
    return {
        "site": forecast.site,
        "zone": forecast.zone,
        "origin": forecast.origin,
        "time": forecast.origin + lead * timedelta(minutes=forecast.step_minutes),
        "lead_minutes": lead * forecast.step_minutes,
        "median_kw": median_kw,
        **dict(zip(_sides(forecast.coverages), bounds_kw, strict=True)),
        "level": span and span["level"],
        "reason": span and span["reason"],
        "demand_model": forecast.demand_model,
        "age_s": Untagged(forecast.age_s),
    }
