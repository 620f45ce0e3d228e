"""What the forecasts are worth: on the stream as it is, level by level, after a cold start, and when the meter fails.

``python -m benchmarks.accuracy [--zones 2] [--only window,levels,cold,disturbed] [--json FILE]`` takes the year of the
settings (TETOUAN_DATA). Every reading is answered before the next is seen. No weather is fed: its level stays silent,
and what weather and calendar alone say has a line of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from benchmarks.streaming import answer, empty_model, in_parallel, issued_kw, scored, take
from cli.provision import steps_shown, year_for
from cli.settings import HistorySettings
from shared.forecasting.boosting import Boosting
from shared.forecasting.digits import digits
from shared.forecasting.figures import grouped
from shared.forecasting.ladder import ADAPTED, FROZEN, NAMES
from shared.forecasting.leads import lead_groups, lead_name
from shared.forecasting.method import WEATHER_METHOD
from shared.forecasting.prior import Prior, PriorSource
from shared.runtime.settings import load
from shared.sites.grid import Grid
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.console import RenderableType

    from backtest.tables import ScoreTable
    from benchmarks.streaming import Tell
    from shared.contracts.messages import LeadMinutes
    from shared.forecasting.method import WeatherMethod
    from shared.forecasting.model import ZoneDemand

Floats = NDArray[np.float64]

PARTS = ("window", "levels", "cold", "disturbed")
DAY = 144  # readings, and leads
GROUPS = lead_groups(Grid.of_day(DAY).step_minutes)
LEADS = np.array([group.steps for group in GROUPS])

START_MONTHS = (1, 3, 5, 7, 9)
DAYS_SEEN = (8, 14, 30, 60, 90)
SCORED_DAYS = 10
PRIOR_DAYS = 60

ONSETS, FIRST_ONSET, ONSET_EVERY = 10, 432, 757  # rows from the last fifth on: each at another time of day
FOLLOWED = 7 * DAY
EQUAL_READINGS = 3  # the ingestor flags a meter as stuck from the next one on
_HUNDRED = 100  # readings that come together
HIGHEST_KW = 150_000  # what a zone can be at all: more the ingestor sends on as missing


class Measurement(Protocol):
    """What was measured; both answers go by the names of ``PARTS``."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""

    def shown(self) -> dict[str, tuple[RenderableType, ...]]:
        """Return the figures for people."""


class WeatherEstimate(NamedTuple):
    """What weather and calendar alone say, corrected with labels a day old.

    The error is that of the estimates of now. The CPU time is that of one reading, alone in its batch: estimates of
    now and of a day later, and learning the label.
    """

    rmse_kw: float
    cpu_us: float

    def to_json(self) -> dict[str, float]:
        """Return the figures for machines."""
        return {"rmse_kw": self.rmse_kw, "cpu_us_per_reading": round(self.cpu_us, 1)}

    def __str__(self) -> str:
        return f"weather estimate: RMSE {digits(self.rmse_kw)} kW, {self.cpu_us:.0f} us of CPU a reading"


@dataclass(frozen=True)
class AdaptingStream:
    """The last fifth of the year, answered by weights that go on adapting, with those of its start beside them.

    Attributes
    ----------
    table
        The scores of what was sent.
    levels_kw
        The RMSE of each lead group and fallback level that answered at all, over the pairs for which all of them did.
    cpu_us, cpu_us_by_hundred
        CPU time of taking and answering one reading: alone, and among a hundred that come together.
    state_bytes
        Size of the saved state.
    weather
        None where no reading has weather and load.
    """

    table: ScoreTable
    levels_kw: Mapping[str, Mapping[LeadMinutes, float]]
    cpu_us: float
    cpu_us_by_hundred: float
    state_bytes: int
    weather: WeatherEstimate | None

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        window = {
            **self.table.to_json(),
            "best_naive_rmse_kw": grouped(self.table.per_lead["best_naive_rmse_kw"], self.table.step_minutes),
            "best_naive": {group.key: self.table.best_naive[group.steps - 1] for group in GROUPS},
            "cpu_us_per_reading": round(self.cpu_us_by_hundred, 1),
            "cpu_us_per_reading_one_by_one": round(self.cpu_us, 1),
            "state_bytes": self.state_bytes,
            "weather_estimate": self.weather and self.weather.to_json(),
        }
        return {"window": window, "levels": {"rmse_kw": self.levels_kw, "adapted_beats_frozen": self.adapting()}}

    def shown(self) -> dict[str, tuple[RenderableType, ...]]:
        """Return the figures for people."""
        rules = ", ".join(f"{group.shown}: {self.table.best_naive[group.steps - 1]}" for group in GROUPS)
        cost = (
            f"{self.cpu_us_by_hundred:.0f} us of CPU a reading by the hundred, {self.cpu_us:.0f} one by one, "
            f"{self.state_bytes:,} bytes of state"
        )
        title = f"Zone {self.table.zone}: RMSE kW by level, where all of them answered"
        levels = _table("level", *(group.shown for group in GROUPS), title=title)
        for name, by_lead in self.levels_kw.items():
            levels.add_row(name, *map(digits, by_lead.values()))
        beaten = {True: "beats", False: "does not beat"}
        adapting = (f"{lead_name(lead)}: adapted {beaten[better]} frozen" for lead, better in self.adapting().items())
        return {
            "window": (self.table, f"best naive rule at {rules}", cost, str(self.weather or "no weather")),
            "levels": (levels, ", ".join(adapting)),
        }

    def adapting(self) -> dict[LeadMinutes, bool]:
        """Tell whether the weights that adapt beat those that were frozen, by lead group."""
        adapted, frozen = (self.levels_kw[NAMES[level]] for level in (ADAPTED, FROZEN))
        return {lead: adapted[lead] < frozen[lead] for lead in adapted}


def stream(history: TrainingData, tell: Tell) -> AdaptingStream:
    """Take what has been seen, freeze the weights, and answer the rows that follow."""
    model = empty_model(history.site)
    take(model, history, range(history.seen), tell)
    model.freeze()
    twin = deepcopy(model)
    load_kw, first_step = history.demand_kw[history.seen :], history.first_step + history.seen
    issued = np.empty((len(load_kw), 3, DAY))
    said_kw = np.full((len(load_kw) + 1, len(NAMES), len(LEADS)), np.nan)
    spent_s = 0.0
    for row, demand_kw in enumerate(load_kw.tolist()):
        started_s = process_time()
        forecast = model.partial_fit(first_step + row, demand_kw).predict()
        spent_s += process_time() - started_s
        issued[row] = issued_kw(forecast)
        said_kw[row + 1] = said_of_next_kw(model)
        tell(1)
    early = np.arange(len(said_kw))[:, None, None] < LEADS  # said before the last fifth began
    return AdaptingStream(
        table=scored(history, range(history.seen, len(history.demand_kw)), issued),
        levels_kw=level_errors_kw(np.where(early, np.nan, said_kw)[:-1], load_kw),
        cpu_us=1e6 * spent_s / len(load_kw),
        cpu_us_by_hundred=1e6 * by_hundred_s(twin, first_step, load_kw, issued) / len(load_kw),
        state_bytes=_state_bytes(model),
        weather=weather_estimate(history),
    )


def by_hundred_s(model: ZoneDemand, first_step: int, load_kw: Floats, issued: Floats) -> float:
    """Return the CPU seconds of answering the readings by the hundred.

    Raises ``ValueError`` where an answer is not ``issued``, what was answered one by one in kW, (readings, 3,
    leads).
    """
    spent_s, row = 0.0, 0
    while row < len(load_kw):
        hundred = load_kw[row : row + _HUNDRED - row % _HUNDRED]
        started_s = process_time()
        forecasts = model.answer(first_step + row, hundred)
        spent_s += process_time() - started_s
        for forecast in forecasts:
            if forecast is None or not np.array_equal(issued_kw(forecast), issued[row]):
                raise ValueError(f"row {row}: answered in company it is not what it was alone: report this")
            row += 1
    return spent_s


def weather_estimate(history: TrainingData, method: WeatherMethod = WEATHER_METHOD) -> WeatherEstimate | None:
    """Fit on what has been seen and estimate the rows that follow, as the forecaster does; None without weather."""
    whole = np.isfinite(history.weather).all(axis=1) & np.isfinite(history.demand_kw)
    if not whole[: history.seen].any():
        return None
    seen = slice(history.seen)
    boosting = Boosting(step_minutes=history.site.step_minutes, method=method)
    model = boosting.fit(history.steps[seen], history.weather[seen], history.demand_kw[seen])
    day, estimate_kw, spent_s = history.site.grid.day, np.full(len(whole), np.nan), 0.0
    for row in range(history.seen, len(whole)):
        step, demand_kw = history.first_step + row, float(history.demand_kw[row])
        now_and_tomorrow = np.array((step, step + day)), history.weather[[row, row]]
        started_s = process_time()
        now_kw, tomorrow_kw = model.predict(*now_and_tomorrow).tolist()
        estimate_kw[row] = model.correct(step, now_kw)
        model.correct(step + day, tomorrow_kw)
        model.partial_fit(step, now_kw, demand_kw)
        spent_s += process_time() - started_s
    rmse_kw = float(np.sqrt(np.nanmean((estimate_kw - history.demand_kw) ** 2)))
    return WeatherEstimate(rmse_kw, 1e6 * spent_s / (len(whole) - history.seen))


def said_of_next_kw(model: ZoneDemand) -> Floats:
    """Return what each level has said of the next reading at each of ``LEADS``, (levels, leads), NaN where nothing."""
    fold = model.fold
    assert fold is not None  # noqa: S101 - a model that has read tells the type checker
    said_kw: Floats = fold.levels.said_of_next_kw()[:, np.searchsorted(fold.zone.intervals.leads, LEADS)]
    return said_kw


def level_errors_kw(said_kw: Floats, load_kw: Floats) -> dict[str, dict[LeadMinutes, float]]:
    """Return the RMSE by fallback level and lead group, over the pairs for which all levels answered that ever did.

    Parameters
    ----------
    said_kw
        By target, (targets, levels, leads), NaN where a level did not answer.
    load_kw
        The targets, (targets,).
    """
    answered = np.flatnonzero(~np.isnan(said_kw).all(axis=(0, 2)))
    error_kw = said_kw[:, answered] - load_kw[:, None, None]
    alike = np.where(np.isnan(error_kw).any(axis=1, keepdims=True), np.nan, error_kw)
    rmse_kw = np.sqrt(np.nanmean(alike**2, axis=0)).tolist()
    minutes = [group.lead_minutes for group in GROUPS]
    return {NAMES[level]: dict(zip(minutes, by, strict=True)) for level, by in zip(answered, rmse_kw, strict=True)}


def _state_bytes(model: ZoneDemand) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.npz"
        model.save(path)
        return path.stat().st_size


class ColdWindow(NamedTuple):
    """The ten days after so many, in the mean over all leads: ours, and the rule that is best in hindsight at each.

    ``coverage_ratio`` is the share of the loads in our 90 % interval of a day ahead. ``prior_rmse_kw`` is ours where it
    began with what the other zones had taught; None where there are none.
    """

    start: str
    days_seen: int
    rmse_kw: float
    best_naive_kw: float
    coverage_ratio: float
    prior_rmse_kw: float | None = None


@dataclass(frozen=True)
class ColdStarts:
    """What a forecaster was worth that had seen nothing before each of several dates."""

    zone: int
    windows: tuple[ColdWindow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return {"cold": [window._asdict() for window in self.windows]}

    def shown(self) -> dict[str, tuple[RenderableType, ...]]:
        """Return the figures for people."""
        seen = sorted({window.days_seen for window in self.windows})
        title = f"Zone {self.zone}: {SCORED_DAYS} days after so many seen, mean RMSE kW, ours/with a prior/best naive"
        table = _table("start", *(f"{days} days" for days in seen), title=title)
        starts = dict.fromkeys(window.start for window in self.windows)
        for shown, chosen in {**{start: (start,) for start in starts}, "mean": tuple(starts)}.items():
            table.add_row(shown, *(self._cell(chosen, days) for days in seen))
        title = f"Zone {self.zone}: 90 % intervals a day ahead in these days, mean and lowest coverage of the starts"
        coverage = _table("", *(f"{days} days" for days in seen), title=title)
        covered = [[w.coverage_ratio for w in self.windows if w.days_seen == days] for days in seen]
        coverage.add_row("mean", *(f"{np.mean(ratios):.1%}" for ratios in covered))
        coverage.add_row("lowest", *(f"{min(ratios):.1%}" for ratios in covered))
        return {"cold": (table, coverage)}

    def _cell(self, starts: tuple[str, ...], days_seen: int) -> str:
        chosen = [w for w in self.windows if w.days_seen == days_seen and w.start in starts]
        figures = [
            (w.rmse_kw, math.nan if w.prior_rmse_kw is None else w.prior_rmse_kw, w.best_naive_kw) for w in chosen
        ]
        return "/".join(digits(kw) if math.isfinite(kw) else "-" for kw in np.mean(figures, axis=0)) if chosen else "-"


def cold_runs(history: TrainingData, days_seen: tuple[int, ...] = DAYS_SEEN) -> dict[int, tuple[int, ...]]:
    """Return the rows to start at, and after how many days there are ten to score."""
    year, grid = history.time_of(history.first_step).year, history.site.grid
    firsts = (datetime(year, month, 1, tzinfo=UTC) for month in START_MONTHS)
    rows = (grid.step_of(first) - history.first_step for first in firsts)
    fitting = {
        row: tuple(days for days in days_seen if row + (days + SCORED_DAYS) * DAY <= len(history.demand_kw))
        for row in rows
        if row >= 0
    }
    return {row: days for row, days in fitting.items() if days}


def cold_starts(
    history: TrainingData, runs: Mapping[int, tuple[int, ...]], tell: Tell, others: tuple[TrainingData, ...] = ()
) -> ColdStarts:
    """Begin at each row with a forecaster that has seen nothing, and with one that other zones have taught."""
    windows = (w for row, days in runs.items() for w in _cold_start(history, row, days, others, tell))
    return ColdStarts(history.zone, tuple(windows))


def _cold_start(
    history: TrainingData, row: int, days_seen: tuple[int, ...], others: tuple[TrainingData, ...], tell: Tell
) -> Iterable[ColdWindow]:
    load_kw, first_step = history.demand_kw[row : row + _cold_readings(days_seen)], history.first_step + row
    cold, prior = empty_model(history.site), prior_of(others, row, tell)
    issued = answer(cold, first_step, load_kw, tell)
    borrowed = None if prior is None else answer(cold.anew(prior=prior), first_step, load_kw, tell)
    for days in days_seen:
        chosen = slice(days * DAY, (days + SCORED_DAYS) * DAY)
        rows = range(row + chosen.start, row + chosen.stop)
        table = scored(history, rows, issued[chosen], known_from=row)
        ours_kw, naive_kw = (float(table.per_lead[name].mean()) for name in ("rmse_kw", "best_naive_rmse_kw"))
        with_prior = None if borrowed is None else scored(history, rows, borrowed[chosen], known_from=row)
        prior_kw = None if with_prior is None else float(with_prior.per_lead["rmse_kw"].mean())
        covered = float(table.per_lead["coverage"][-1])
        yield ColdWindow(history.time_of(first_step).date().isoformat(), days, ours_kw, naive_kw, covered, prior_kw)


def prior_rows(rows: int, start: int) -> range:
    """Return the rows that a prior may learn from, of so many: none of the hundred days from the start on.

    Those before the start where there are sixty days of them, else those after the hundred days.
    """
    after = start + _cold_readings(DAYS_SEEN)
    return range(start) if start >= PRIOR_DAYS * DAY else range(min(after, rows), rows)


def prior_of(others: tuple[TrainingData, ...], start: int, tell: Tell) -> Prior | None:
    """Return what the other zones teach for a start at this row; None where they have too few readings for it."""
    if not others or len(chosen := prior_rows(len(others[0].demand_kw), start)) < PRIOR_DAYS * DAY:
        return None
    lessons = []
    for history in others:
        model = empty_model(history.site)
        take(model, history, chosen, tell)
        lessons.append(model.lesson(history.demand_kw[chosen.start : chosen.stop]))
    begin, until = (history.time_of(history.first_step + row) for row in (chosen.start, chosen.stop))
    source = PriorSource("", history.site.name, tuple(other.zone for other in others), begin, until)
    return Prior.pooled(lessons, history.site.step_minutes, DAY, source)


def _cold_readings(days_seen: tuple[int, ...]) -> int:
    return (max(days_seen) + SCORED_DAYS) * DAY


class Disturbance(NamedTuple):
    """What becomes of the readings from an onset on.

    ``meter`` makes of the loads while it lasts, in kW, and of the last one before it, what is fed; NaN for missing.
    What is ``lasting`` is no fault of the meter: the load itself has changed.
    """

    steps: int
    meter: Callable[[Floats, float], Floats]
    lasting: bool = False

    def fed_kw(self, load_kw: Floats, before_kw: float) -> Floats:
        """Return what is fed from the onset on, of the shape of the loads."""
        end = len(load_kw) if self.lasting else self.steps
        return np.concatenate((self.meter(load_kw[:end], before_kw), load_kw[end:]))

    def true_kw(self, load_kw: Floats, before_kw: float) -> Floats:
        """Return what the load is from the onset on."""
        return self.fed_kw(load_kw, before_kw) if self.lasting else load_kw

    @property
    def periods(self) -> dict[str, slice]:
        """Which origins are scored together, counted from the onset."""
        return {
            "during": slice(self.steps),
            "day after": slice(self.steps, self.steps + DAY),
            "days 3-7": slice(2 * DAY, FOLLOWED),
        }


def _missing(load_kw: Floats, _: float) -> Floats:
    return np.full_like(load_kw, np.nan)


def _stuck(load_kw: Floats, before_kw: float) -> Floats:
    """Return the last value, which counts as the first equal one, until the ingestor flags it."""
    return np.where(np.arange(1, len(load_kw) + 1) < EQUAL_READINGS, before_kw, np.nan)


def _tenfold(load_kw: Floats, _: float) -> Floats:
    return 10 * load_kw


def _tenfold_flagged(load_kw: Floats, _: float) -> Floats:
    """Return what the ingestor leaves of ten times the load."""
    return np.where(10 * load_kw > HIGHEST_KW, np.nan, 10 * load_kw)


def during(steps: slice, ratio: float) -> Callable[[Floats, float], Floats]:
    """Return what makes the load so many times as large in these steps from the onset on."""

    def meter(load_kw: Floats, _: float) -> Floats:
        changed_kw = load_kw.copy()
        changed_kw[steps] *= ratio
        return changed_kw

    return meter


DISTURBANCES = {
    "2 h missing": Disturbance(12, _missing),
    "6 h stuck": Disturbance(36, _stuck),
    "24 h missing": Disturbance(DAY, _missing),
    "18 values x10": Disturbance(18, _tenfold),
    "18 x10, flagged": Disturbance(18, _tenfold_flagged),
    "one value x10": Disturbance(1, _tenfold),
    "2 h at half": Disturbance(12, during(slice(12), 0.5), lasting=True),
    "8 h out": Disturbance(48, during(slice(48), 0.0), lasting=True),
    "+20 % for good": Disturbance(DAY, lambda load_kw, _: 1.2 * load_kw, lasting=True),
}


@dataclass(frozen=True)
class Disturbed:
    """The mean RMSE over all leads against the true load, disturbed and not, in the mean over the onsets, in kW."""

    zone: int
    onsets: int
    rmse_kw: Mapping[str, Mapping[str, tuple[float, float]]]  # by disturbance and period

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        names = ("rmse_kw", "undisturbed_rmse_kw")
        cases = {
            name: {period: dict(zip(names, pair, strict=True)) for period, pair in by.items()}
            for name, by in self.rmse_kw.items()
        }
        return {"disturbed": {"onsets": self.onsets, "cases": cases}}

    def shown(self) -> dict[str, tuple[RenderableType, ...]]:
        """Return the figures for people."""
        title = f"Zone {self.zone}: mean RMSE kW, disturbed/not, {self.onsets} onsets"
        table = _table("disturbance", "during", "day after", "days 3-7", title=title)
        for name, by in self.rmse_kw.items():
            table.add_row(name, *(_beside(*pair) for pair in by.values()))
        return {"disturbed": (table,)}


def onsets_in(history: TrainingData) -> tuple[int, ...]:
    """Return the rows at which disturbances begin, those that can be followed for a week and its targets."""
    rows = (history.seen + FIRST_ONSET + ONSET_EVERY * n for n in range(ONSETS))
    return tuple(row for row in rows if row + FOLLOWED + DAY <= len(history.demand_kw))


def disturbed(history: TrainingData, onsets: tuple[int, ...], tell: Tell) -> Disturbed:
    """Disturb a copy of the forecaster in each way at each onset; the forecaster itself sees the year as it is."""
    model = empty_model(history.site)
    take(model, history, range(history.seen), tell)
    model.freeze()
    found = []
    for at, onset in zip((history.seen, *onsets), onsets, strict=False):
        take(model, history, range(at, onset), tell)
        found.append(_disturbed_at(model, history, onset, tell))
    rmse_kw = {
        name: {period: _mean_pair(one[name][period] for one in found) for period in disturbance.periods}
        for name, disturbance in DISTURBANCES.items()
    }
    return Disturbed(history.zone, len(onsets), rmse_kw)


def _disturbed_at(
    model: ZoneDemand, history: TrainingData, onset: int, tell: Tell
) -> dict[str, dict[str, tuple[float, float]]]:
    load_kw = history.demand_kw[onset : onset + FOLLOWED + DAY]
    before_kw, first_step = float(history.demand_kw[onset - 1]), history.first_step + onset

    def errors_kw(fed_kw: Floats, true_kw: Floats) -> Floats:
        """Return the errors of each origin, (origins, leads)."""
        issued = answer(deepcopy(model), first_step, fed_kw[:FOLLOWED], tell)
        targets_kw = np.lib.stride_tricks.sliding_window_view(true_kw[1:], DAY)
        return issued[:, 0] - targets_kw

    clean_kw = errors_kw(load_kw, load_kw)
    found = {}
    for name, disturbance in DISTURBANCES.items():
        wrong_kw = errors_kw(disturbance.fed_kw(load_kw, before_kw), disturbance.true_kw(load_kw, before_kw))
        found[name] = {
            period: (mean_rmse_kw(wrong_kw[origins]), mean_rmse_kw(clean_kw[origins]))
            for period, origins in disturbance.periods.items()
        }
    return found


def mean_rmse_kw(error_kw: Floats) -> float:
    """Return the RMSE over the origins of errors, (origins, leads), in the mean over the leads; NaN is left out."""
    return float(np.nanmean(np.sqrt(np.nanmean(error_kw**2, axis=0))))


def _mean_pair(pairs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    ours, theirs = np.mean(list(pairs), axis=0).tolist()
    return ours, theirs


def _beside(ours_kw: float, theirs_kw: float) -> str:
    return f"{digits(ours_kw)}/{digits(theirs_kw)}"


def _table(first: str, *others: str, title: str) -> Table:
    return Table(
        Column(first, no_wrap=True), *(Column(name, justify="right") for name in others), title=title, box=SIMPLE
    )


def jobs(
    history: TrainingData, only: Iterable[str], others: tuple[TrainingData, ...] = ()
) -> dict[str, tuple[Callable[[Tell], Measurement], int]]:
    """Return what is to be run for the parts, the longest first, and how many readings each takes.

    A part for which the history is too short is left out. ``others`` are the other zones of the site.
    """
    onsets, runs = onsets_in(history), cold_runs(history)
    followed = len(onsets) * (len(DISTURBANCES) + 1) * FOLLOWED
    taught = sum(len(prior_rows(len(history.demand_kw), start)) for start in runs) * len(others)
    cold = sum(map(_cold_readings, runs.values())) * (2 if others else 1) + taught
    known: dict[str, tuple[Callable[[Tell], Measurement], int]] = {
        "disturbed": (partial(disturbed, history, onsets), max(onsets, default=0) + followed),
        "cold": (partial(cold_starts, history, runs, others=others), cold),
        "window": (partial(stream, history), len(history.demand_kw)),
    }
    wanted = {"window" if part == "levels" else part for part in only}
    return {name: (job, readings) for name, (job, readings) in known.items() if name in wanted and readings}


def measured(
    histories: Iterable[TrainingData],
    only: Iterable[str],
    show: Callable[[float], None],
    site: tuple[TrainingData, ...] = (),
) -> dict[int, list[Measurement]]:
    """Measure the parts of each zone; ``show`` takes the share of the work that is done, 0..1.

    ``site`` is all zones of the site, of which the others may teach one that begins cold.
    """
    others = {history.zone: tuple(one for one in site if one.zone != history.zone) for history in histories}
    work = {
        (history.zone, name): job
        for history in histories
        for name, job in jobs(history, only, others[history.zone]).items()
    }
    readings = sum(count for _, count in work.values())
    found = in_parallel({key: job for key, (job, _) in work.items()}, readings, show)
    return {zone: [part for key, part in found.items() if key[0] == zone] for zone, _ in found}


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if odd := sorted(set(parts) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no part {', '.join(odd)}: choose some of {','.join(PARTS)}")
    return parts


def main() -> None:
    """Print the tables, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zones", type=int, nargs="+", default=[2], help="the zones to measure")
    parser.add_argument("--only", type=_parts, default=PARTS, help=f"some of {','.join(PARTS)}")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console, settings = Console(), load(HistorySettings)
    year = year_for(settings.data, settings, console)
    if odd := set(arguments.zones) - set(year.site.load_zones):
        parser.error(
            f"--zones: {year.site.name} has no zone {odd.pop()}, only {', '.join(map(str, year.site.load_zones))}"
        )
    zones = {zone: TrainingData.of(year, zone, year.test_start) for zone in year.site.load_zones}
    histories = [zones[zone] for zone in dict.fromkeys(arguments.zones)]
    with steps_shown(console) as progress:
        found = measured(
            histories,
            arguments.only,
            partial(progress, f"measuring {', '.join(arguments.only)}"),
            tuple(zones.values()),
        )
    for parts in found.values():
        for lines in _chosen(arguments.only, [part.shown() for part in parts]).values():
            console.print(*lines, sep="\n", highlight=False)
    if arguments.json:
        figures = {zone: _chosen(arguments.only, [part.to_json() for part in parts]) for zone, parts in found.items()}
        result = {"data": year.label, "synthetic": year.synthetic, "zones": figures}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _chosen(only: tuple[str, ...], answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was asked for and could be measured, in the order of ``PARTS``."""
    merged = {name: figures for answer in answers for name, figures in answer.items()}
    return {part: merged[part] for part in PARTS if part in only and part in merged}


if __name__ == "__main__":
    main()
