"""A history that was told some messages, as the gateway writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from services.gateway.decoding import row_of, site_rows
from services.gateway.writing import write
from shared.contracts import topics
from shared.contracts.messages import (
    CleanReading,
    DeadLetter,
    DriftEvent,
    Flagged,
    Forecast,
    Interval,
    LevelSpan,
    ModelEvent,
    ModelNames,
    Note,
    Score,
    Scores,
)
from tests.unit.consumed import Consumed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.gateway.database import Database
    from shared.contracts.messages import Message

START = datetime(2017, 10, 19, tzinfo=UTC)
STEP = timedelta(minutes=10)
SITE, ZONE = "tetouan", 2
LEADS = 144
TOPICS = {
    CleanReading: topics.CLEAN,
    Forecast: topics.FORECASTS,
    Scores: topics.SCORES,
    DriftEvent: topics.DRIFT,
    ModelEvent: topics.MODELS,
}


def tell(database: Database, messages: Iterable[Message], first_offset: int = 0) -> None:
    """Write the messages, which stand on their topics in this order."""
    rows = [row_of(_record(message, first_offset + offset)) for offset, message in enumerate(messages)]
    with database.writer.begin() as connection:
        write(connection, [*rows, *site_rows(rows)])


def _record(message: Message, offset: int) -> Consumed:
    if isinstance(message, DeadLetter):
        return Consumed(
            b"?", topic=topics.REJECTED.name, key=SITE.encode(), headers=message.to_headers(), offset=offset
        )
    return Consumed(message.to_bytes(), topic=TOPICS[type(message)].name, key=SITE.encode(), offset=offset)


def reading(step: int, load_kw: float | None = 20_000.0, revision: int = 0, site: str = SITE) -> CleanReading:
    """Return the reading so many steps after the start."""
    flags = {} if load_kw is not None else {"zone_2_kw": Flagged(flag="outlier", original="1e9")}
    values = {"temperature_c": 20.0, "zone_2_kw": load_kw}
    return CleanReading(
        site=site, time=START + step * STEP, step_minutes=10, revision=revision, values=values, flags=flags
    )


def forecast(step: int, median_kw: float = 20_000.0, zone: int = ZONE, **changed: Any) -> Forecast:
    """Return the forecast of an origin so many steps after the start: each lead says one kW more."""
    median = tuple(median_kw + lead for lead in range(LEADS))
    low, high = tuple(kw - 500.0 for kw in median), tuple(kw + 500.0 for kw in median)
    said: dict[str, Any] = {
        "site": SITE,
        "zone": zone,
        "origin": START + step * STEP,
        "step_minutes": 10,
        "median_kw": median,
        "intervals": (Interval(coverage=0.9, low_kw=low, high_kw=high),),
        "levels": (
            LevelSpan(from_lead=1, to_lead=6, level="adapted"),
            LevelSpan(from_lead=7, to_lead=LEADS, level="frozen", reason="the last day was odd"),
        ),
        "weather_estimate_kw": 20_100.0,
        "weather_model_kw": 19_000.0,
        "notes": (Note(kind="shift", text="the load has risen", since=START),),
        "models": ModelNames(demand="zone-demand-tetouan-2/1", weather="weather-demand-tetouan-2/1"),
    }
    return Forecast(**{**said, **changed})


def scores(hour: int) -> Scores:
    """Return the scores of an hour after the start."""
    figures = {
        "rmse_kw": 400.0 + hour,
        "mae_kw": 300.0,
        "mape": 0.02,
        "bias_kw": -1.0,
        "coverage": 0.9,
        "pinball_kw": 50.0,
        "skill_vs_same_time_yesterday": None,
    }
    both = (
        Score(lead_minutes=60, scored_minutes=60, window_days=7, **figures),
        Score(lead_minutes=None, scored_minutes=None, window_days=7, **figures),
    )
    return Scores(site=SITE, zone=ZONE, time=START + timedelta(hours=hour), scores=both)


def drift_event(name: str, hour: int, ended_hour: int | None = None) -> DriftEvent:
    """Return a drift event that started so many hours after the start."""
    return DriftEvent(
        id=name,
        site=SITE,
        zone=ZONE,
        kind="sensor",
        feature="zone_2_kw",
        detector="residual_6h",
        score=3.1,
        threshold=2.6,
        severity="warning",
        started=START + timedelta(hours=hour),
        ended=None if ended_hour is None else START + timedelta(hours=ended_hour),
        report=None,
        text="look at the meter",
    )


def model_event(
    version: str,
    change: Literal["registered", "promoted", "rolled_back", "in_force"],
    model: str = "weather-demand-tetouan-2",
    step: int = 0,
) -> ModelEvent:
    """Return what became of a version."""
    return ModelEvent(
        site=SITE,
        zone=ZONE,
        model=model,
        version=version,
        role="champion",
        change=change,
        origin=START + step * STEP,
        reason="it is better",
        evidence={"rmse_kw/corrected": 1000.0 + int(version)},
    )


def dead_letter(offset: int, reason: str = "not_json") -> DeadLetter:
    """Return a record that was refused."""
    return DeadLetter(
        reason=reason, field="Temperature", value="x", topic=topics.RAW.name, partition=0, offset=offset, received=START
    )
