"""``zone-demand``: the next 24 hours of one zone's load, learned from its own load and the calendar as it comes in.

The forecast for lead h at origin t is a shape that the last days foretell, plus a correction that is learned:

    y(t) + [s(t + h) - s(t)] + x(t)' beta_h + z(t, h)' gamma_h,

where s blends the same time yesterday, a week ago, and the mean of the last seven days. Forecasting a difference makes
the level of the load drop out, so that it may move for good without harm. All weights come from one recursion
(:mod:`shared.forecasting.regression`), the intervals from the forecaster's own past errors
(:mod:`shared.forecasting.intervals`). That is the best level of a ladder (:mod:`shared.forecasting.ladder`); where it
cannot answer, or has been worse lately, a lower one does, so that there is a forecast from the first reading on.
:mod:`shared.forecasting.fold` says in which order all of it happens.

References
----------
R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 2021: naive methods (5.2), harmonics
and the calendar in regression (7.4), intervals (5.5).
S. Ben Taieb et al., A review and comparison of strategies for multi-step ahead time series forecasting, Expert Systems
with Applications 39, 2012 (the direct strategy: weights of their own for every lead).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from shared.forecasting import artefact, reasons
from shared.forecasting.fold import DemandFold
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.ladder import NAMES
from shared.forecasting.method import METHOD, Method
from shared.forecasting.prior import Lesson, Prior
from shared.forecasting.size import median_size_kw
from shared.forecasting.state import below, copied, fields_of, give, joined, refuse_misfit
from shared.forecasting.versions import ZONE_DEMAND as VERSION
from shared.forecasting.zone import Zone
from shared.sites.calendar import Calendar  # noqa: TC001 - pydantic reads the annotation at run time
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from shared.forecasting.reasons import Out, Told
    from shared.forecasting.resolution import Resolution

__all__ = ["VERSION", "Answer", "NotFittedError", "ZoneDemand", "ZoneForecast"]

Floats = NDArray[np.float64]

_KIND = "zone-demand"
_PRIOR = "prior"  # what the names of its arrays begin with
_TODAY = "today"  # the same of what readings of today have changed of what is large
_LARGE = ("regression.", "history.series", "history.filled", "intervals.issued_kw", "intervals.scores")


@dataclass(frozen=True)
class _Parameters:
    """What stands in the header of a state."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    calendar: Calendar
    step_minutes: int
    horizon_steps: int
    method: dict[str, Any]
    floor_kw: float | None


class NotFittedError(ValueError):
    """A model is asked for what it has not seen the readings for; the message says what to feed it."""


class Answer(NamedTuple):
    """Which level answers ``from_lead`` to ``to_lead`` (both included), and why it is not the best or is disturbed."""

    from_lead: int
    to_lead: int
    level: str
    reason: str | None


@dataclass(frozen=True)
class ZoneForecast:
    """One answer: the demand at ``origin_step + h`` stands at index ``h - 1`` of the arrays, (leads,), in kW.

    ``low_kw`` and ``high_kw``, (coverages, leads), bound an interval for each of ``coverages``, the wider ones around
    the narrower: ``low_kw <= median_kw <= high_kw``. ``reason`` says why the load at the origin is not the meter's,
    None where it is; ``notes`` say what an operator should know of the load; ``outage`` is the outage that lasts, or
    one of the last day. ``resolution`` is that of the zone: what is sent is rounded to multiples of it.
    """

    origin_step: int
    median_kw: Floats
    coverages: tuple[float, ...]
    low_kw: Floats
    high_kw: Floats
    answers: tuple[Answer, ...]
    reason: str | None
    notes: tuple[Told, ...]
    outage: Out | None
    resolution: Resolution

    @property
    def teaches(self) -> bool:
        """Whether the load at the origin is one to learn from: read, believed, and of no outage."""
        return self.reason is None and (self.outage is None or self.outage.until_step is not None)

    def bounds_kw(self, coverage: float) -> tuple[Floats, Floats]:
        """Return low and high ends of one interval, (leads,); raises ``ValueError`` where there is no such one."""
        row = _row(coverage, self.coverages)
        return self.low_kw[row], self.high_kw[row]


class ZoneDemand:
    """Forecasts the load of one zone for all leads from its last reading, and learns from every one.

    Time is an integer step index: ``step = epoch_seconds // (60 * step_minutes)``. The state is of fixed size (below
    3 MB at ten minutes) and a deterministic function of the readings: fed one by one, in blocks or across a saved
    state, it is the same to the bit.

    Parameters
    ----------
    calendar
        The calendar of the site.
    step_minutes
        Minutes between readings: a divisor of 60.
    horizon_steps
        Number of leads, at most a day.
    method
        The tunable constants.
    floor_kw
        What no load of the zone can be below. None: no forecast is below zero as long as no reading was.
    prior
        What other zones have taught, to begin with; kept in the state. None: the zone begins with nothing.

    Raises
    ------
    ValueError
        If the prior does not fit the other parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from shared.sites.calendar import Calendar
    >>> hours = np.arange(21 * 24)
    >>> noise = np.random.default_rng(0).normal(size=hours.size).cumsum()
    >>> load_kw = 20_000 + 4_000 * np.sin(2 * np.pi * hours / 24) + 20 * noise
    >>> model = ZoneDemand(calendar=Calendar("MA"), step_minutes=60, horizon_steps=24).fit(412_008, load_kw)
    >>> forecast = model.predict()
    >>> forecast.answers
    (Answer(from_lead=1, to_lead=24, level='adapted', reason=None),)
    >>> low_kw, high_kw = forecast.bounds_kw(0.9)
    >>> bool((low_kw < forecast.median_kw).all() and (forecast.median_kw < high_kw).all())
    True
    """

    def __init__(
        self,
        *,
        calendar: Calendar,
        step_minutes: int = 10,
        horizon_steps: int = 144,
        method: Method = METHOD,
        floor_kw: float | None = None,
        prior: Prior | None = None,
    ) -> None:
        self.calendar = calendar
        self.step_minutes = step_minutes
        self.horizon_steps = horizon_steps
        self.method = method
        self.floor_kw = floor_kw
        self.prior = prior
        self.fold: DemandFold | None = None
        if prior is not None:
            self._empty_fold(0)  # refuses a prior that does not fit before there is a reading

    def fit(self, first_step: int, demand_kw: Floats) -> Self:
        """Start anew and take equally spaced readings, in kW, NaN where missing; the same as taking them one by one."""
        fold = self.fold = self._empty_fold(first_step)
        loads_kw, taken = np.asarray(demand_kw, dtype=np.float64), 0
        while taken < len(loads_kw):
            taken += len(fold.take(first_step + taken, loads_kw[taken:]))
        return self

    def partial_fit(self, step: int, demand_kw: float) -> Self:
        """Take one reading, in kW, NaN where missing; steps left out since the last one are filled like missing ones.

        Raises ``ValueError`` where the step is not after the last one.
        """
        self._take(step, np.array((demand_kw,), dtype=np.float64))
        return self

    def answer(
        self, step: int, demand_kw: Floats, coverages: tuple[float, ...] = COVERAGES
    ) -> list[ZoneForecast | None]:
        """Take the reading of a step and, where they can be answered together, some of those that follow it.

        It is the same as :meth:`partial_fit` and :meth:`predict` of one after the other, for a part of the price.

        Parameters
        ----------
        demand_kw
            The readings of consecutive steps in kW, (n,), NaN where missing.

        Returns
        -------
        The forecasts from the readings that were taken, at least from one; None before the first good reading.

        Raises
        ------
        ValueError
            If the step is not after the last one, or a coverage is none of ``COVERAGES``.
        """
        rows = [_row(coverage, COVERAGES) for coverage in coverages]
        fold, median_kw = self._take(step, demand_kw)
        return list(_forecasts(fold, median_kw, coverages, rows)) if fold.zone.ready else [None]

    def _take(self, step: int, demand_kw: Floats) -> tuple[DemandFold, Floats]:
        fold = self.fold
        if fold is None:
            fold = self.fold = self._empty_fold(step)
        last_step = fold.zone.outlook.last_step
        if step <= last_step:
            raise ValueError(
                f"step {step} is not after the last one, {last_step}: feed the readings in order, each once"
            )
        for missing in range(last_step + 1, step):
            fold.take(missing, np.array((np.nan,)))
        return fold, fold.take(step, demand_kw)

    def foresee(self, step: int, weather_kw: float) -> Self:
        """Note what weather and calendar alone say of the time a day after a step that was taken, for the next ones.

        That is the level ``weather``. In kW; NaN says nothing. Raises ``NotFittedError`` before the first reading.
        """
        if self.fold is None:
            raise NotFittedError("zone-demand has taken no reading yet: feed it one")
        self.fold.weather.foresee(step, weather_kw)
        return self

    @property
    def last_step(self) -> int | None:
        """Step of the last reading taken, the state's ``as_of``; None before the first."""
        return None if self.fold is None else self.fold.zone.outlook.last_step

    @property
    def first_step(self) -> int | None:
        """Step of the first good reading; None before it."""
        return self.fold.zone.history.first_step if self.fold is not None and self.fold.zone.ready else None

    @property
    def ready(self) -> bool:
        """Whether there was a good reading, from which on there is a forecast."""
        return self.fold is not None and self.fold.zone.ready

    @property
    def lowest_kw(self) -> float:
        """What no forecast is below at present."""
        return 0.0 if self.fold is None else self.fold.zone.floor_kw

    @property
    def resolution(self) -> Resolution:
        """The smallest difference of the load that counts.

        Raises ``NotFittedError`` before the first reading.
        """
        if self.fold is None:
            raise NotFittedError("zone-demand has taken no reading yet: feed it one")
        return self.fold.zone.resolution

    @property
    def adapted(self) -> bool:
        """Whether the best level answers, after about two weeks."""
        return self.fold is not None and self.fold.zone.adapted

    def freeze(self) -> Self:
        """Keep what was learned so far as the level ``frozen``, beside what goes on adapting; a batch fit ends with it.

        Raises ``NotFittedError`` before anything was learned.
        """
        if self.fold is None or not self.fold.zone.regression.learned:
            raise NotFittedError("zone-demand has learned nothing yet: feed it about two weeks of readings")
        self.fold.freeze()
        return self

    def lesson(self, demand_kw: Floats) -> Lesson:
        """Return what these readings, in kW, have taught, for a prior; raises ``NotFittedError`` before a day of it."""
        if self.fold is None or not self.fold.zone.regression.learned:
            raise NotFittedError("zone-demand has learned nothing yet: feed it about two weeks of readings")
        return Lesson(self.fold.zone.regression, median_size_kw(demand_kw))

    def predict(self, coverages: tuple[float, ...] = COVERAGES) -> ZoneForecast:
        """Return the forecast from the last reading, with these intervals.

        Raises
        ------
        NotFittedError
            Before the first good reading.
        ValueError
            If a coverage is none of ``COVERAGES``.
        """
        if self.fold is None or not self.fold.zone.ready:
            raise NotFittedError("zone-demand answers from its first good reading on: feed it one")
        rows = [_row(coverage, COVERAGES) for coverage in coverages]
        (forecast,) = _forecasts(self.fold, self.fold.zone.outlook.median_kw[None].copy(), coverages, rows)
        return forecast

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by name."""
        names = ("calendar", "step_minutes", "horizon_steps", "method", "floor_kw", "prior")
        return {name: getattr(self, name) for name in names}

    def anew(self, **changes: Any) -> Self:
        """Return one with the same parameters, but for the changes, that has seen nothing."""
        return type(self)(**{**self.parameters, **changes})

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that it is as arrays by name, a copy: parameters and, from the first reading on, the fold."""
        return copied({**self._begun(), **({} if self.fold is None else _gathered(self.fold))})

    def _begun(self) -> dict[str, NDArray[Any]]:
        dates = {name: _iso(getattr(self.calendar, name)) for name in ("add", "remove")}
        calendar = {**asdict(self.calendar), **dates, "ramadan": [_iso(spell) for spell in self.calendar.ramadan]}
        parameters = {**self.parameters, "calendar": calendar, "method": self.method.named()}
        del parameters["prior"]
        state = artefact.headed(_KIND, VERSION, parameters)
        return state if self.prior is None else {**state, **joined({_PRIOR: self.prior.state()})}

    def large_state(self) -> dict[str, NDArray[Any]]:
        """Return the part of `state` that hardly changes but at a day's end, 2.5 MB of it: as it is, no copies.

        It may be older than `moving_state`, as long as `days` was the same.
        """
        arrays = {} if self.fold is None else _gathered(self.fold)
        return {**self._begun(), **{name: array for name, array in arrays.items() if name.startswith(_LARGE)}}

    @property
    def days(self) -> int:
        """How often what `large_state` returns has changed, but for what `moving_state` returns too."""
        return 0 if self.fold is None else 1 + self.fold.zone.days

    def moving_state(self) -> dict[str, NDArray[Any]]:
        """Return what changes with every reading: all of `state` that is not large, and of that what today changes.

        As it is, no copies.
        """
        if self.fold is None:
            return {}
        arrays = _gathered(self.fold)
        moving = {name: array for name, array in arrays.items() if not name.startswith(_LARGE)}
        return {**moving, **joined({_TODAY: self.fold.zone.since_midnight()})}

    @classmethod
    def of_parts(cls, large: Mapping[str, NDArray[Any]], moving: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model whose `large_state` and `moving_state` these are.

        Raises ``ValueError`` that names what does not fit.
        """
        rest = {name: array for name, array in moving.items() if not name.startswith(f"{_TODAY}.")}
        model = cls.of_state({**large, **rest})
        if model.fold is not None:
            model.fold.zone.resume_since_midnight(below(moving, _TODAY))
        return model

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that :meth:`state` was asked of; raises ``ValueError`` that names what does not fit."""
        arrays = dict(state)
        parameters = artefact.parameters_of(arrays, _KIND, VERSION)
        arrays.pop(artefact.HEADER)
        borrowed = below(arrays, _PRIOR)
        arrays = {name: array for name, array in arrays.items() if not name.startswith(f"{_PRIOR}.")}
        given = artefact.checked(_Parameters, parameters)
        try:
            model = cls(
                calendar=given.calendar,
                step_minutes=given.step_minutes,
                horizon_steps=given.horizon_steps,
                method=Method.of_named(given.method),
                floor_kw=given.floor_kw,
                prior=Prior.of_state(borrowed) if borrowed else None,
            )
            blank = model._empty_fold(0)
        except ValueError as error:
            raise ValueError(f"header has parameters that this program cannot use: {error}") from error
        if arrays:
            refuse_misfit(arrays, _gathered(blank))
            fold = model.fold = model._empty_fold(int(arrays["outlook.last_step"]))
            for name, part in fold.zone.parts.items():
                give(part, below(arrays, name))
            fold.zone.resume()
        return model

    def save(self, path: Path) -> None:
        """Write the state to one file (``.npz``); raises ``NotFittedError`` where it has seen nothing."""
        if self.fold is None:
            raise NotFittedError("zone-demand has taken no reading yet: fit it before saving it")
        artefact.write(path, self.state())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote; raises ``ValueError`` that names the file where it is anything else."""
        return artefact.read(path, _KIND, cls.of_state)

    def _empty_fold(self, first_step: int) -> DemandFold:
        grid, floor_kw, prior = Grid(self.step_minutes), self.floor_kw, self.prior
        zone = Zone(self.calendar, grid, self.horizon_steps, self.method, first_step, floor_kw, prior)
        return DemandFold(zone, self.method.ladder)


def _gathered(fold: DemandFold) -> dict[str, NDArray[Any]]:
    """Return the state of each part of a fold, its dataclass fields with ``init=False``, as ``part.field``."""
    return joined({name: fields_of(part) for name, part in fold.zone.parts.items()})


def _forecasts(
    fold: DemandFold, median_kw: Floats, coverages: tuple[float, ...], rows: list[int]
) -> Iterator[ZoneForecast]:
    """Yield the forecasts from the origins that the fold has taken last, (origins, horizon)."""
    zone, outlook = fold.zone, fold.zone.outlook
    half_kw = fold.levels.half_width_kw(median_kw, rows)
    low_kw, high_kw = median_kw[:, None] - half_kw, median_kw[:, None] + half_kw
    if zone.outage.belief:
        left = zone.outage.left(outlook.last_step, median_kw.shape[1])
        median_kw = np.maximum(left.likely * median_kw, zone.floor_kw)
        low_kw, high_kw = (
            np.minimum(left.least * low_kw, left.most * low_kw),
            np.maximum(left.least * high_kw, left.most * high_kw),
        )
    low_kw = np.maximum(low_kw, zone.floor_kw)
    spans, reason = zone.ladder.spans(), outlook.reason or None
    for row, step in enumerate(range(outlook.last_step + 1 - len(median_kw), outlook.last_step + 1)):
        answers = tuple(
            Answer(span.first, span.last, NAMES[span.level], reasons.why(zone, span, step)) for span in spans
        )
        yield ZoneForecast(
            origin_step=step,
            median_kw=median_kw[row],
            coverages=coverages,
            low_kw=low_kw[row],
            high_kw=high_kw[row],
            answers=answers,
            reason=reason,
            notes=reasons.told(zone, step),
            outage=reasons.out(zone, step),
            resolution=zone.resolution,
        )


def _row(coverage: float, among: tuple[float, ...]) -> int:
    if coverage not in among:
        raise ValueError(f"coverage {coverage} is none of {', '.join(map(str, among))}")
    return among.index(coverage)


def _iso(days: tuple[date, ...]) -> list[str]:
    return [day.isoformat() for day in days]
