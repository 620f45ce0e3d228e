"""History through the very code that serves the stream: raw rows in, the messages that would have gone out scored."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import TYPE_CHECKING, Any

from backtest.naive import naive_mae_kw
from backtest.record import Record
from backtest.tables import ScoreTable
from services.forecaster.issuing import Issuer, ZoneModels
from services.ingestor.judging import Accepted, Ingestor
from services.trainer.candidates import WeatherCandidate, ZoneCandidate
from services.trainer.history import History
from shared.contracts.messages import ModelNames
from shared.forecasting.scores import step_of, to_kw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.contracts.messages import CleanReading, Forecast
    from shared.data.year import Year
    from shared.forecasting.model import ZoneDemand

    Progress = Callable[[str, float], None]

__all__ = ["Backtest", "backtest", "fitted", "issued", "judged", "seconds_per_forecast"]

BATCH = 144
TIMED_READINGS = 2016
MAX_GAP = timedelta(days=30)
END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)
NAMES = ModelNames(demand="zone-demand/backtest", weather="weather-demand/backtest")


@dataclass(frozen=True)
class Backtest:
    """The scores of one zone over [start, until), and the CPU seconds of the pure step for one origin."""

    table: ScoreTable
    seconds_per_forecast: float

    def to_json(self) -> dict[str, Any]:
        """Return the result for machines."""
        return {**self.table.to_json(), "seconds_per_forecast": self.seconds_per_forecast}


def backtest(year: Year, zone: int, start: datetime, until: datetime, progress: Progress) -> Backtest:
    """Fit on the readings before ``start``, then answer and learn from each one up to ``until``.

    Parameters
    ----------
    progress
        Told what is being done and the share of it that is, 0..1.

    Raises
    ------
    DataError
        If the readings before ``start`` do not suffice.
    """
    models = fitted(year, zone, start, progress)
    first = year.times.min().to_pydatetime()
    record = Record(zone, start, until, year.site.step_minutes, history_from=first)
    readings = judged(year, first, until)
    for reading in readings:
        record.add_reading(reading)
    answered = [reading for reading in readings if reading.time >= start]
    cost_s = seconds_per_forecast(deepcopy(models.demand), zone, answered[:TIMED_READINGS])
    for n, forecast in enumerate(issued(year, models, answered)):
        record.add_forecast(forecast)
        if n % BATCH == 0:
            progress(f"zone {zone}: answering", n / len(answered))
    history_kw = to_kw(record.demand[: record.demand.size - record.rows])
    return Backtest(ScoreTable.of(record, naive_mae_kw(history_kw, record.steps_per_day)), cost_s)


def fitted(year: Year, zone: int, until: datetime, progress: Progress) -> ZoneModels:
    """Return the models of a zone fitted on the readings before ``until``."""
    history = History.of(year, zone, until)
    demand = ZoneCandidate.fit(history, lambda share: progress(f"zone {zone}: fitting zone-demand", share))
    weather = WeatherCandidate.fit(history, lambda share: progress(f"zone {zone}: fitting weather-demand", share))
    return ZoneModels(zone, demand.model, weather.model, NAMES)


def judged(year: Year, start: datetime, until: datetime) -> list[CleanReading]:
    """Return the clean readings that an ingestor makes of the rows in [start, until)."""
    # whatever the clock of this machine says, the rows are history
    ingestor = Ingestor([year.site], MAX_GAP, lambda: END_OF_TIME)
    outcomes = (ingestor.judge(raw) for _, raw in year.raw_messages(start, until))
    return [outcome.reading for outcome in outcomes if isinstance(outcome, Accepted)]


def issued(year: Year, models: ZoneModels, readings: Sequence[CleanReading]) -> Iterator[Forecast]:
    """Yield the forecasts that answer the readings."""
    issuer = Issuer(year.site, (models,))
    for begin in range(0, len(readings), BATCH):
        yield from issuer.answer(readings[begin : begin + BATCH])


def seconds_per_forecast(demand: ZoneDemand, zone: int, readings: Sequence[CleanReading]) -> float:
    """Return the CPU seconds of the pure step (fold, forecast, intervals, guard) for one origin; moves the state on."""
    loads = [(step_of(r.time, r.step_minutes), r.values.get(f"zone_{zone}_kw")) for r in readings]
    started_s = process_time()
    for step, demand_kw in loads:
        demand.partial_fit(step, float("nan") if demand_kw is None else demand_kw).predict()
    return (process_time() - started_s) / max(len(loads), 1)
