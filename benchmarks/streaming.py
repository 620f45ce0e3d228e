"""A zone's readings through ``ZoneDemand`` with nothing around it, and the scores of what it answers."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from backtest.tables import ScoreTable
from backtest.transcript import Transcript
from services.forecaster.issuing import ZoneModels
from shared.forecasting.method import METHOD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.sharedctypes import Synchronized

    from numpy.typing import NDArray

    from shared.forecasting.method import Method
    from shared.forecasting.model import ZoneDemand, ZoneForecast
    from shared.sites.site import Site
    from shared.training.data import TrainingData

    Tell = Callable[[int], None]

__all__ = ["COVERAGE", "answer", "empty_model", "in_parallel", "issued_kw", "scored", "take"]

COVERAGE = 0.9
PROCESSES = 2
REFRESH_S = 0.2
_TOLD_EVERY = 144  # readings

K = TypeVar("K")
T = TypeVar("T")


def empty_model(site: Site, method: Method = METHOD) -> ZoneDemand:
    """Return a forecaster of the site's next day that has seen nothing."""
    return ZoneModels.begun_cold(site, site.load_zones[0]).demand.anew(method=method)


def take(model: ZoneDemand, history: TrainingData, rows: range, tell: Tell) -> None:
    """Let the model take the rows; ``tell`` hears how many it has taken since it last heard."""
    for part in _parts(rows):
        row = part.start
        while row < part.stop:
            row += len(model.answer(history.first_step + row, history.demand_kw[row : part.stop]))
        tell(len(part))


def answer(model: ZoneDemand, first_step: int, demand_kw: NDArray[np.float64], tell: Tell) -> NDArray[np.float64]:
    """Let the model take the readings, NaN where missing, and answer each one before it sees the next.

    Returns median, low and high end of the 90 % interval in kW, shape (readings, 3, leads), NaN before the first good
    reading.
    """
    issued = np.full((len(demand_kw), 3, model.horizon_steps), np.nan)
    for part in _parts(range(len(demand_kw))):
        row = part.start
        while row < part.stop:
            for forecast in model.answer(first_step + row, demand_kw[row : part.stop]):
                if forecast is not None:
                    issued[row] = issued_kw(forecast)
                row += 1
        tell(len(part))
    return issued


def _parts(rows: range) -> Iterator[range]:
    """Yield the rows in parts after which to tell."""
    for first in range(rows.start, rows.stop, _TOLD_EVERY):
        yield range(first, min(first + _TOLD_EVERY, rows.stop))


def issued_kw(forecast: ZoneForecast) -> NDArray[np.float64]:
    """Return median, low and high end of the 90 % interval, shape (3, leads)."""
    return np.stack((forecast.median_kw, *forecast.bounds_kw(COVERAGE)))


def scored(history: TrainingData, rows: range, issued_kw: NDArray[np.float64], known_from: int = 0) -> ScoreTable:
    """Return the scores of the pairs whose origin and target both lie in the rows.

    Parameters
    ----------
    issued_kw
        What was answered to each of the rows, shape (rows, 3, leads).
    known_from
        The first row that the naive rules know.
    """
    begin, end, known = (history.time_of(history.first_step + row) for row in (rows.start, rows.stop, known_from))
    site = history.site
    transcript = Transcript(history.zone, begin, end, site.step_minutes, known, site.calendar)
    transcript.demand_kw[:] = history.demand_kw[known_from : rows.stop]
    transcript.issued_kw[:] = issued_kw
    return ScoreTable.of(transcript)


def in_parallel(jobs: Mapping[K, Callable[[Tell], T]], readings: int, show: Callable[[float], None]) -> dict[K, T]:
    """Run the jobs in processes of one thread each; returns what they return, by the same keys.

    Parameters
    ----------
    jobs
        Told what to call with the number of readings taken since; they and their results must be fit to be sent to
        another process.
    readings
        How many readings all the jobs take.
    show
        Told again and again the share of them that is taken, 0..1.
    """
    context = get_context("spawn")  # a fork would copy the thread that draws the progress
    taken = context.Value("q", 0)
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=_begin, initargs=(taken,)) as pool:
        running = {name: pool.submit(_work, job) for name, job in jobs.items()}
        while wait(running.values(), timeout=REFRESH_S).not_done:
            show(min(1.0, taken.value / readings))
        return {name: future.result() for name, future in running.items()}


class _Process:
    """What a process of the pool is given when it begins."""

    taken: Synchronized[int]


def _begin(taken: Synchronized[int]) -> None:
    threadpool_limits(1)
    _Process.taken = taken


def _work(job: Callable[[Tell], T]) -> T:
    return job(_tell)


def _tell(readings: int) -> None:
    with _Process.taken.get_lock():
        _Process.taken.value += readings
