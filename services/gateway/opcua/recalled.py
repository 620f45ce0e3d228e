"""What the history tells of sites and zones as the server begins: the newest of each, so that no tag is missing."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from services.gateway.opcua.told import COVERAGE, WINDOW_DAYS, DriftTold, ForecastTold, ReadingTold, ScoresTold
from services.gateway.queries import Span
from shared.contracts.messages import DriftEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.gateway.opcua.told import Told
    from services.gateway.queries import History, StoredForecast, StoredSite

__all__ = ["all_sites", "drift_now", "told_of"]

MANY = 10_000  # sites that are asked for at once
RECENT = timedelta(days=2)  # older scores say nothing of now
HOURS = 49  # that many there are in it


def all_sites(history: History) -> list[StoredSite]:
    """Return all sites; blocks, and raises ``AwayError`` where the history cannot be read."""
    found: list[StoredSite] = []
    begin: str | None = ""
    while begin is not None:
        page = history.sites(begin, MANY)
        found += page.items
        begin = None if page.following is None else page.following.site
    return found


def told_of(history: History, sites: Iterable[StoredSite]) -> list[Told]:
    """Return the newest that was told of each site; blocks, and raises ``AwayError``."""
    return [told for site in sites for told in _told_of(history, site)]


def drift_now(history: History, known: Sequence[str]) -> list[Told]:
    """Return what the history tells of the drift events that last, and of the end of the known ones, by id; blocks.

    Raises ``AwayError``; what is no drift event is passed over.
    """
    told: list[Told] = []
    for payload in history.drift_now(known):
        with suppress(ValidationError):
            event = DriftEvent.model_validate(payload)
            told.append(
                DriftTold(event.id, event.site, event.zone, event.severity, event.text, event.started, event.ended)
            )
    return told


def _told_of(history: History, site: StoredSite) -> Iterator[Told]:
    reading = history.reading(site.site, site.last)
    if reading is not None:
        flags = {field: flagged["flag"] for field, flagged in reading.flags.items()}
        yield ReadingTold(site.site, reading.time, reading.step_minutes, reading.revision, reading.values, flags)
    since_s = int((site.last - RECENT).timestamp())
    for zone in history.zones(site.site):
        forecast = history.latest(site.site, zone.zone)
        if forecast is not None:
            yield _forecast(forecast)
        hours = history.scores(site.site, zone.zone, Span(from_s=since_s), HOURS, daily=False).items
        if hours:
            means = (
                one for one in hours[-1].scores if (one["lead_minutes"], one["window_days"]) == (None, WINDOW_DAYS)
            )
            mean = next(means, {"rmse_kw": None, "coverage": None})
            yield ScoresTold(site.site, zone.zone, hours[-1].time, mean["rmse_kw"], mean["coverage"])


def _forecast(forecast: StoredForecast) -> ForecastTold:
    rows = [dict(zip(forecast.leads, row, strict=True)) for row in forecast.kw.tolist()]
    bounds: tuple[dict[int, float], dict[int, float]] = ({}, {})
    if COVERAGE in forecast.coverages:
        place = 1 + 2 * list(forecast.coverages).index(COVERAGE)
        bounds = rows[place], rows[place + 1]
    levels = [(span["from_lead"], span["to_lead"], span["level"]) for span in forecast.levels]
    origin, step_minutes = forecast.origin, forecast.step_minutes
    return ForecastTold(forecast.site, forecast.zone, origin, step_minutes, rows[0], *bounds, levels)
