"""What a setting of the constants is judged by: figures on the part of the year before its last fifth.

Everything runs as a stream, each reading answered before the next is seen, and is scored on rows 20-80 % of the year:
whoever learns as he goes needs no year of training, and a rare thing, like the first week of Ramadan, counts only where
it is seen. What is trained, the trees of the weather estimate, is scored on rows 60-80 %.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import DAY, DISTURBANCES, Disturbance, during, mean_rmse_kw, weather_estimate
from benchmarks.streaming import empty_model, take
from shared.forecasting.boosting import Boosting
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.prior import Prior, PriorSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from benchmarks.constants import Methods
    from benchmarks.streaming import Tell
    from shared.forecasting.method import Method
    from shared.forecasting.model import ZoneDemand
    from shared.training.data import TrainingData

__all__ = [
    "CRITERIA",
    "Criterion",
    "Validation",
    "begun",
    "borrowed",
    "cases",
    "disturbed",
    "estimated",
    "lasting",
    "out",
    "outages",
    "pinball_kw",
    "spells",
    "streamed",
]

Floats = NDArray[np.float64]
Figures = dict[str, float]

HOUR = DAY // 24
ONSETS, FIRST_ONSET, ONSET_EVERY = 12, 432, 2411  # rows: each at another time of day
FOLLOWED, FOLLOWED_SWITCHING = 3 * DAY, 5 * DAY
SPELLS = (1, 3, 6, 12, 18, 36)  # steps
SWITCHED_HOURS = (1, 2, 4, 6, 10, 14)
RATIOS = (1.08, 0.9, 1.15, 0.85, 1.3, 0.6)  # of the load for good to that of before
NIGHT_HOURS, NIGHTS = 10, 3
OUT_HOURS = (2, 30, 4, 60, 8, 1)
LEFT_SHARES = (0.4, 0.55, 0.7)  # of the load, where a part of it is lost
FOLLOWED_OUT, OUT_NIGHTS, DARK_DAYS = 4 * DAY, 5, 5
BEGUN, BEGUN_EVERY, BEGUN_DAYS, FIRST_DAYS = 8, 30, 34, 8
BORROWED, BORROWED_EVERY, BORROWED_DAYS, WITHOUT_DAYS = 8, 28, 14, 7


@dataclass(frozen=True, eq=False)
class Validation:
    """A zone's year without its last fifth, of which nothing is seen, and the last three quarters of what remains.

    ``others`` are the other zones of the site, cut off like it.
    """

    history: TrainingData
    rows: range
    others: tuple[TrainingData, ...] = ()

    @classmethod
    def of(cls, history: TrainingData, others: Iterable[TrainingData] = ()) -> Self:
        """Cut off the rows that have not been seen."""
        return cls(_seen(history), range(history.seen // 4, history.seen), tuple(map(_seen, others)))

    @property
    def first_step(self) -> int:
        """The step of the first row that is judged."""
        return self.history.first_step + self.rows.start

    @property
    def load_kw(self) -> Floats:
        """The loads of the rows that are judged."""
        return self.history.demand_kw[self.rows.start : self.rows.stop]

    @property
    def split(self) -> TrainingData:
        """The history of which three quarters have been seen, to train on."""
        return replace(self.history, seen=self.history.seen * 3 // 4)

    @cached_property
    def ahead_kw(self) -> Floats:
        """What the weather says at each of the rows of the same time tomorrow, (rows,), NaN without weather."""
        seen, steps = slice(self.rows.start), self.history.steps
        ahead_kw = np.full(len(self.rows), np.nan)
        if not (np.isfinite(self.history.weather[seen]).all(axis=1) & np.isfinite(self.history.demand_kw[seen])).any():
            return ahead_kw
        boosting = Boosting(step_minutes=self.history.site.step_minutes)
        model = boosting.fit(steps[seen], self.history.weather[seen], self.history.demand_kw[seen])
        own, weather = steps[self.rows.start :], self.history.weather[self.rows.start :]
        now_kw, tomorrow_kw = model.predict(own, weather).tolist(), model.predict(own + DAY, weather).tolist()
        for row, (step, load_kw) in enumerate(zip(own.tolist(), self.load_kw.tolist(), strict=True)):
            ahead_kw[row] = model.correct(step + DAY, tomorrow_kw[row])
            model.partial_fit(step, now_kw[row], load_kw)
        return ahead_kw

    @property
    def starts(self) -> list[int]:
        """The rows at which a forecaster begins with a prior: spread over those that are judged."""
        last = self.rows.stop - (BORROWED_DAYS + 1) * DAY
        return list(range(self.rows.start, last + 1, BORROWED_EVERY * DAY))[:BORROWED]

    @cached_property
    def priors(self) -> list[Prior]:
        """What the other zones have taught by each of the starts; empty where there are none."""
        models = [empty_model(history.site) for history in self.others]
        priors, begin = [], 0
        for start in self.starts if models else ():
            for model, history in zip(models, self.others, strict=True):
                take(model, history, range(begin, start), lambda _: None)
            begin = start
            lessons = (
                model.lesson(history.demand_kw[:start]) for model, history in zip(models, self.others, strict=True)
            )
            priors.append(Prior.pooled(lessons, self.history.site.step_minutes, DAY, self._source(start)))
        return priors

    def _source(self, start: int) -> PriorSource:
        zones = tuple(other.zone for other in self.others)
        begin, until = (self.history.time_of(self.history.first_step + row) for row in (0, start))
        return PriorSource("", self.history.site.name, zones, begin, until)

    def model(self, method: Method, tell: Tell) -> ZoneDemand:
        """Return a forecaster that has seen what comes before the rows, its weights then frozen beside the others."""
        model = empty_model(self.history.site, method)
        take(model, self.history, range(self.rows.start), tell)
        return model.freeze()


def streamed(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return RMSE, and mean pinball loss at the ends of all intervals, both in kW in the mean over all leads."""
    model, load_kw = validation.model(methods.demand, tell), validation.load_kw
    median_kw = np.full((len(load_kw), DAY), np.nan)
    ends_kw = np.full((len(load_kw), 2, len(COVERAGES), DAY), np.nan, np.float32)
    row = 0
    while row < len(load_kw):
        for forecast in model.answer(validation.first_step + row, load_kw[row:]):
            if forecast is not None:
                median_kw[row], ends_kw[row] = forecast.median_kw, (forecast.low_kw, forecast.high_kw)
            model.foresee(validation.first_step + row, float(validation.ahead_kw[row]))
            row += 1
    tell(len(load_kw))
    targets_kw = _targets(load_kw)
    return {"rmse_kw": mean_rmse_kw(median_kw - targets_kw), "pinball_kw": pinball_kw(ends_kw, targets_kw)}


def begun(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return the RMSE in the mean over all leads, in kW, of what has run for long, and of what has just begun.

    The latter is over the origins of days 9 to 34 after each of some starts without any history, in their mean.
    """
    history, begun_kw = validation.history, []
    for start in range(0, len(history.demand_kw) - BEGUN_DAYS * DAY + 1, BEGUN_EVERY * DAY)[:BEGUN]:
        load_kw = history.demand_kw[start : start + BEGUN_DAYS * DAY]
        model = empty_model(history.site, methods.demand)
        error_kw = _medians(model, history.first_step + start, load_kw, tell) - _targets(load_kw)
        begun_kw.append(mean_rmse_kw(error_kw[FIRST_DAYS * DAY :]))
    return {"long": streamed(validation, methods, tell)["rmse_kw"], "begun": float(np.mean(begun_kw))}


def borrowed(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return the RMSE in the mean over all leads, in kW, of the second week of what has begun with a prior.

    In the first week no prior is asked. It is of the other zones alone, from the time before each start; NaN where
    there are none.
    """
    history, found_kw = validation.history, []
    for start, prior in zip(validation.starts, validation.priors, strict=bool(validation.others)):
        load_kw = history.demand_kw[start : start + (BORROWED_DAYS + 1) * DAY]
        model = empty_model(history.site, methods.demand).anew(prior=prior)
        said_kw = _medians(model, history.first_step + start, load_kw[: BORROWED_DAYS * DAY], tell)
        found_kw.append(mean_rmse_kw((said_kw - _targets(load_kw)[: len(said_kw)])[WITHOUT_DAYS * DAY :]))
    return {"rmse_kw": float(np.mean(found_kw)) if found_kw else np.nan}


def pinball_kw(ends_kw: NDArray[np.floating], targets_kw: Floats) -> float:
    """Return the mean pinball loss at both ends of the intervals of ``COVERAGES``; NaN is left out.

    That is proper for all of them together: each end is a quantile, and the mean is a weighted interval score (J.
    Bracher et al., Evaluating epidemic forecasts in an interval format, PLoS Computational Biology 17, 2021).

    Parameters
    ----------
    ends_kw
        (origins, low and high, coverages, leads).
    targets_kw
        (origins, leads).
    """
    losses = []
    for column, coverage in enumerate(COVERAGES):
        for end, quantile in enumerate(((1 - coverage) / 2, (1 + coverage) / 2)):
            over_kw = targets_kw - ends_kw[:, end, column]
            losses.append(float(np.nanmean(np.maximum(quantile * over_kw, (quantile - 1) * over_kw))))
    return float(np.mean(losses))


def cases(onset: int) -> dict[str, Disturbance]:
    """Return what is done to the readings from the n-th onset on.

    How long a fault of the meter lasts, and how long a change of the load, nobody knows beforehand: both are short and
    long, small and large in turn. To believe the first and to refuse the second is what costs.
    """
    spell, switched, ratio = SPELLS[onset % 6], SWITCHED_HOURS[onset % 6] * HOUR, RATIOS[onset % 6]
    known = ("6 h stuck", "24 h missing", "18 values x10", "+20 % for good")
    return {
        **{name: DISTURBANCES[name] for name in known},
        "a spell x2": Disturbance(spell, lambda load_kw, _: 2.0 * load_kw),
        "a spell at 60 %, true": Disturbance(spell, during(slice(spell), 0.6), lasting=True),
        "+20 % for hours": Disturbance(switched, during(slice(switched), 1.2), lasting=True),
        "8 to 40 % for good": Disturbance(DAY, lambda load_kw, _: ratio * load_kw, lasting=True),
        "+20 % to and fro": Disturbance(NIGHTS * DAY, _switched, lasting=True),
    }


def outages(onset: int) -> dict[str, Disturbance]:
    """Return what becomes of the load from the n-th onset on where it is lost: for hours, every night, or for good."""
    hours, left = OUT_HOURS[onset % 6] * HOUR, LEFT_SHARES[onset // 2 % 3]
    return {
        "a blackout": Disturbance(hours, during(slice(hours), 0.0), lasting=True),
        "a part is out": Disturbance(hours, during(slice(hours), left), lasting=True),
        "a part is out every night": Disturbance(DAY, _every_night, lasting=True),
        "to a fifth for good": Disturbance(1, lambda load_kw, _: 0.2 * load_kw, lasting=True),
    }


def spells(onset: int) -> dict[str, Disturbance]:
    """Return those of the `outages` that come to an end, and one of days."""
    dark = slice(DARK_DAYS * DAY)
    return {
        **{name: outages(onset)[name] for name in ("a blackout", "a part is out")},
        "a blackout of days": Disturbance(dark.stop, during(dark, 0.0), lasting=True),
    }


def disturbed(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return the RMSE in the mean over all leads, in kW, undisturbed and in each of the `cases`.

    The former is over all rows, the latter over the origins of the three days from each onset on, and of five where
    the load is switched to and fro, in the mean over the onsets; a copy of the forecaster is disturbed at each.
    """
    return _disturbed(validation, methods, tell, cases, _from_onset)


def out(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return the same of `outages`, over the origins of the four days after each."""
    return _disturbed(validation, methods, tell, outages, _from_end)


def lasting(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return the same of outages of hours and of days, over the origins while they last: some targets lie after it."""
    return _disturbed(validation, methods, tell, spells, _while_it_lasts)


def _from_onset(case: Disturbance) -> range:
    return range(FOLLOWED if case.steps <= DAY else FOLLOWED_SWITCHING)


def _while_it_lasts(case: Disturbance) -> range:
    return range(case.steps)


def _from_end(case: Disturbance) -> range:
    return range(case.steps, case.steps + FOLLOWED_OUT)


def _disturbed(
    validation: Validation,
    methods: Methods,
    tell: Tell,
    cases_of: Callable[[int], dict[str, Disturbance]],
    scored_of: Callable[[Disturbance], range],
) -> Figures:
    """Return the RMSE undisturbed, and in each case over these origins, counted from its onset."""
    model, load_kw, first_step = validation.model(methods.demand, tell), validation.load_kw, validation.first_step
    longest = max(scored_of(case).stop for n in range(ONSETS) for case in cases_of(n).values()) + DAY
    onsets = [at for n in range(ONSETS) if (at := FIRST_ONSET + n * ONSET_EVERY) + longest <= len(load_kw)]
    clean_kw, found = [], []
    for n, (start, stop) in enumerate(zip((0, *onsets), (*onsets, len(load_kw)), strict=True)):
        clean_kw.append(_medians(model, first_step + start, load_kw[start:stop], tell))
        if n < len(onsets):
            before_kw, after_kw = float(load_kw[stop - 1]), load_kw[stop : stop + longest]
            found.append(
                {
                    name: _disturbed_rmse_kw(
                        model, first_step + stop, case, scored_of(case), (after_kw, before_kw), tell
                    )
                    for name, case in cases_of(n).items()
                }
            )
    undisturbed_kw = mean_rmse_kw(np.concatenate(clean_kw) - _targets(load_kw))
    return {
        "undisturbed": undisturbed_kw,
        **{name: float(np.mean([one[name] for one in found])) for name in cases_of(0)},
    }


def estimated(validation: Validation, methods: Methods, tell: Tell) -> Figures:
    """Return the RMSE in kW of what weather and calendar alone say of the moment, corrected with labels a day old."""
    estimate = weather_estimate(validation.split, methods.weather)
    tell(len(validation.history.demand_kw))
    return {"rmse_kw": np.nan if estimate is None else estimate.rmse_kw}


def everyday_and_rare(figures: Mapping[str, float]) -> float:
    """Return the geometric mean of the everyday error, which comes first, and of the geometric mean of the others."""
    everyday, *others = np.log(list(figures.values()))
    return float(np.exp((everyday + np.mean(others)) / 2))


class Criterion(NamedTuple):
    """How figures are found for a zone, how many readings that takes, and the one number, lower is better, they make.

    Zones are put together by the geometric mean, so that a percent of one counts as much as a percent of another.
    """

    measure: Callable[[Validation, Methods, Tell], Figures]
    readings: Callable[[Validation], int]
    score: Callable[[Mapping[str, float]], float]
    title: str


def _all_rows(validation: Validation) -> int:
    return len(validation.history.demand_kw)


def _with_cases(validation: Validation) -> int:
    return _all_rows(validation) + sum(_from_onset(case).stop for n in range(ONSETS) for case in cases(n).values())


def _with_outages(validation: Validation) -> int:
    return _all_rows(validation) + sum(_from_end(case).stop for n in range(ONSETS) for case in outages(n).values())


def _with_spells(validation: Validation) -> int:
    return _all_rows(validation) + sum(case.steps for n in range(ONSETS) for case in spells(n).values())


def _with_starts(validation: Validation) -> int:
    return _all_rows(validation) + BEGUN * BEGUN_DAYS * DAY


def _with_priors(_: Validation) -> int:
    return BORROWED * BORROWED_DAYS * DAY


_RMSE = Criterion(streamed, _all_rows, lambda figures: figures["rmse_kw"], "mean RMSE of all leads, rows 20-80 %, kW")
_PINBALL = _RMSE._replace(
    score=lambda figures: figures["pinball_kw"], title="mean pinball loss of all intervals, rows 20-80 %, kW"
)
_BEGUN = Criterion(
    begun, _with_starts, everyday_and_rare, "mean RMSE of all leads, rows 20-80 % and after eight starts, kW"
)
_BORROWED = Criterion(
    borrowed,
    _with_priors,
    lambda figures: figures["rmse_kw"],
    "mean RMSE of all leads, second week after eight starts with a prior of the other zones, rows 20-80 %, kW",
)
_DISTURBED = Criterion(
    disturbed, _with_cases, everyday_and_rare, "mean RMSE, undisturbed and disturbed, rows 20-80 %, kW"
)
_OUT = Criterion(out, _with_outages, everyday_and_rare, "mean RMSE, undisturbed and after outages, rows 20-80 %, kW")
_LASTING = Criterion(
    lasting, _with_spells, everyday_and_rare, "mean RMSE, undisturbed and during outages, rows 20-80 %, kW"
)
_WEATHER = Criterion(
    estimated, _all_rows, lambda figures: figures["rmse_kw"], "RMSE of the weather estimate, rows 60-80 %, kW"
)

CRITERIA: dict[str, Criterion] = {
    "regression": _BEGUN,
    "prior": _BORROWED,
    "blend": _BEGUN,
    "combination": _RMSE,
    "intervals": _PINBALL,
    "ladder": _RMSE,
    "shift": _DISTURBED,
    "guard": _DISTURBED,
    "outage": _OUT,
    "duration": _LASTING,
    "weather": _WEATHER,
}
"""By the groups of constants."""


def _switched(load_kw: Floats, _: float) -> Floats:
    """Return a load that is larger for ten hours of each of three days, and from the fourth on for good."""
    step = np.arange(len(load_kw))
    return np.where((step % DAY < NIGHT_HOURS * HOUR) | (step >= NIGHTS * DAY), 1.2 * load_kw, load_kw)


def _every_night(load_kw: Floats, _: float) -> Floats:
    """Return a load of which half is lost for ten hours of each of five days."""
    step = np.arange(len(load_kw))
    return np.where((step % DAY < NIGHT_HOURS * HOUR) & (step < OUT_NIGHTS * DAY), 0.5 * load_kw, load_kw)


def _disturbed_rmse_kw(
    model: ZoneDemand, first_step: int, case: Disturbance, scored: range, loads_kw: tuple[Floats, float], tell: Tell
) -> float:
    """Return the error from these origins on, of the loads from the onset of a disturbance on and the one before it."""
    followed = scored.stop
    fed_kw, true_kw = (of(*loads_kw)[: followed + DAY] for of in (case.fed_kw, case.true_kw))
    medians_kw = _medians(deepcopy(model), first_step, fed_kw[:followed], tell)
    return mean_rmse_kw((medians_kw - _targets(true_kw)[:followed])[scored.start :])


def _seen(history: TrainingData) -> TrainingData:
    """Return the history without what has not been seen."""
    seen = slice(history.seen)
    return replace(history, demand_kw=history.demand_kw[seen], weather=history.weather[seen])


def _medians(model: ZoneDemand, first_step: int, load_kw: Floats, tell: Tell) -> Floats:
    """Let the model take the readings; returns what it forecasts from each, (readings, leads)."""
    medians_kw = np.empty((len(load_kw), DAY))
    for row, own_kw in enumerate(load_kw.tolist()):
        medians_kw[row] = model.partial_fit(first_step + row, own_kw).predict(()).median_kw
    tell(len(load_kw))
    return medians_kw


def _targets(load_kw: Floats) -> Floats:
    """Return the loads that the forecasts from each of them are about, (origins, leads), NaN beyond the last."""
    ahead_kw = np.concatenate((load_kw[1:], np.full(DAY, np.nan)))
    targets_kw: Floats = np.lib.stride_tricks.sliding_window_view(ahead_kw, DAY)
    return targets_kw
