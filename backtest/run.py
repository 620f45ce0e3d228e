"""History through the very code that serves the stream: raw rows in, the messages that would have gone out scored."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from backtest.accounting import Accounting
from backtest.outcomes import JUDGED, numbered_outcomes
from backtest.result import Backtest
from backtest.transcript import Transcript
from backtest.unbelieved import Seen
from services.forecaster.issuing import Issuer, ZoneModels, end_of_run
from services.ingestor.judging import Accepted
from shared.contracts.messages import ModelNames
from shared.data.errors import DataError
from shared.forecasting.weather import COLUMNS
from shared.sites.grid import Grid
from shared.sites.site import load_field
from shared.training.candidates import WeatherCandidate, ZoneCandidate
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from services.forecaster.issue import Issue
    from services.ingestor.judging import Outcome
    from shared.contracts.messages import CleanReading, Forecast
    from shared.data.year import Year
    from shared.forecasting.model import ZoneDemand, ZoneForecast
    from shared.forecasting.prior import Prior
    from shared.forecasting.weather import WeatherDemand

    Progress = Callable[[str, float], None]

__all__ = [
    "account_for",
    "answer",
    "backtest",
    "fitted",
    "issued",
    "judged",
    "seconds_per_forecast",
    "uncorrected_estimate",
]

BATCH = 144
TIMED_READINGS = 2016
UNTRAINED = (
    "the readings up to {:%Y-%m-%d %H:%M} are too few to fit a model on: what is scored learned from the first on, "
    "with the prior of {}, which is asked from the eighth day on"
)
NAMES = ModelNames(demand="zone-demand/backtest", weather="weather-demand/backtest")


def backtest(
    year: Year,
    zone: int,
    start: datetime,
    until: datetime,
    progress: Progress,
    *,
    accept_refused: bool = False,
    prior: Prior | None = None,
) -> Backtest:
    """Fit on the readings before ``start``, then answer and learn from each one up to ``until``.

    Parameters
    ----------
    prior
        What other zones have taught, to begin with. Then the readings before ``start`` may be too few to fit on: the
        models have begun with the first of them, as those of a new site do on the stream.
    progress
        Told what is being done and the share of it that is, 0..1.
    accept_refused
        Whether to go on where many rows are no readings.

    Raises
    ------
    DataError
        If there is no reading before ``start``, or without a prior too few, or many rows are none.
    """
    year = year.only(zone).before(until)
    first, _ = year.span
    calendar = year.site.calendar
    transcript = Transcript(zone, start, until, year.site.step_minutes, history_from=first, calendar=calendar)
    answered: list[CleanReading] = []
    accounting = account_for(year, zone, until, progress, lambda reading: _keep(reading, transcript, answered))
    if not accept_refused:
        accounting.require_few_refused(year.label)
    history = TrainingData.of(year, zone, start)
    models, untrained = _begun(history, progress, prior)
    cost_s = seconds_per_forecast(deepcopy(models.demand), zone, answered[:TIMED_READINGS])
    seen = Seen(year.site.grid)
    answer(year, models, answered, transcript, progress, seen.add)
    progress(f"zone {zone}: scoring", 0.0)
    estimate = uncorrected_estimate(models.weather, transcript, answered)
    no_weather = None if models.weather else WeatherCandidate.lacking(history) or untrained
    scored = Backtest.of(transcript, year, estimate, cost_s, accounting, no_weather)
    return replace(scored, outages=seen.outages, unbelieved=seen.unbelieved(transcript), untrained=untrained)


def _begun(history: TrainingData, progress: Progress, prior: Prior | None) -> tuple[ZoneModels, str | None]:
    """Return the models that have seen a history, and why they are not fitted on it; None where they are."""
    try:
        return _fitted(history, progress, prior), None
    except DataError:
        if prior is None:
            raise
    cold = ZoneModels.begun_cold(history.site, history.zone, prior)
    cold.demand.fit(history.first_step, history.demand_kw[: history.seen])
    return cold, UNTRAINED.format(history.as_of, prior.source)


def _keep(reading: CleanReading, transcript: Transcript, answered: list[CleanReading]) -> None:
    transcript.add_reading(reading)
    if reading.time >= transcript.test_from:
        answered.append(reading)


def account_for(
    year: Year, zone: int, until: datetime, progress: Progress, take: Callable[[CleanReading], None] | None = None
) -> Accounting:
    """Judge the rows before ``until``, hand the readings on, and return what became of all of them.

    No more than one reading is held: a file may have more rows than fit into the memory as readings.
    """
    first, total = year.times.min().to_pydatetime(), len(year.rows)

    def told() -> Iterator[tuple[int, Outcome]]:
        for n, (line, outcome) in enumerate(numbered_outcomes(year, first, until)):
            if isinstance(outcome, Accepted) and take:
                take(outcome.reading)
            if n % JUDGED == 0:
                progress("judging the readings", n / total)
            yield line, outcome

    return Accounting.of(told(), zone, year.site.grid.length)


def fitted(year: Year, zone: int, until: datetime, progress: Progress, prior: Prior | None = None) -> ZoneModels:
    """Return the models of a zone fitted on the readings before ``until``; no weather model where it lacks weather."""
    return _fitted(TrainingData.of(year, zone, until), progress, prior)


def _fitted(history: TrainingData, progress: Progress, prior: Prior | None) -> ZoneModels:
    zone = history.zone
    demand = ZoneCandidate.fit(history, lambda share: progress(f"zone {zone}: fitting zone-demand", share), prior).model
    if WeatherCandidate.lacking(history):
        return ZoneModels(zone, demand, None, NAMES.model_copy(update={"weather": None}))
    weather = WeatherCandidate.fit(history, lambda share: progress(f"zone {zone}: fitting weather-demand", share)).model
    return ZoneModels(zone, demand, weather, NAMES)


def judged(year: Year, start: datetime, until: datetime) -> list[CleanReading]:
    """Return the clean readings that an ingestor makes of the rows in [start, until)."""
    outcomes = (outcome for _, outcome in numbered_outcomes(year, start, until))
    return [outcome.reading for outcome in outcomes if isinstance(outcome, Accepted)]


def issued(year: Year, models: ZoneModels, readings: Sequence[CleanReading]) -> Iterator[Forecast]:
    """Yield the forecasts that answer the readings."""
    return (issue.message() for issue in _issues(year, models, readings))


def _issues(year: Year, models: ZoneModels, readings: Sequence[CleanReading]) -> Iterator[Issue]:
    issuer = Issuer(year.site, (models,))
    for begin in range(0, len(readings), BATCH):
        yield from issuer.answer(readings[begin : begin + BATCH])


def answer(
    year: Year,
    models: ZoneModels,
    readings: Sequence[CleanReading],
    transcript: Transcript,
    progress: Progress,
    note: Callable[[ZoneForecast], None] = lambda _forecast: None,
) -> Forecast | None:
    """Add the forecasts that answer the readings to the transcript; ``note`` is given each of them.

    Returns the last forecast, None where there is none.
    """
    last = None
    for n, issue in enumerate(_issues(year, models, readings)):
        last = issue.message()
        transcript.add_forecast(last)
        note(issue.forecast)
        if n % BATCH == 0:
            progress(f"zone {transcript.zone}: answering", n / len(readings))
    return last


def uncorrected_estimate(
    weather: WeatherDemand | None, transcript: Transcript, readings: Sequence[CleanReading]
) -> NDArray[np.float64]:
    """Return what the weather model alone says at each origin in kW, shape (rows,).

    NaN where the weather is not known, or there is no model.
    """
    steps = np.array([Grid(reading.step_minutes).step_of(reading.time) for reading in readings], np.int64)
    values = np.array([[reading.values.get(field) for field in COLUMNS] for reading in readings], np.float64)
    estimate_kw = np.full(transcript.rows, np.nan)
    if weather is None:
        return estimate_kw
    estimate_kw[steps - transcript.start_step] = weather.predict(steps, values.reshape(-1, len(COLUMNS)))
    return estimate_kw


def seconds_per_forecast(demand: ZoneDemand, zone: int, readings: Sequence[CleanReading]) -> float:
    """Return the CPU seconds of the pure step (fold, forecast, intervals, guard) for one origin; moves the state on.

    Readings that come together are answered together, as the forecaster does.
    """
    steps = np.array([Grid(reading.step_minutes).step_of(reading.time) for reading in readings], np.int64)
    demand_kw = np.array([reading.values.get(load_field(zone)) for reading in readings], np.float64)
    started_s, answered = process_time(), 0
    while answered < len(steps):
        run = demand_kw[answered : end_of_run(steps, answered)]
        answered += len(demand.answer(int(steps[answered]), run))
    return (process_time() - started_s) / max(len(steps), 1)
