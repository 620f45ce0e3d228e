"""Every fold whose state goes into a snapshot or an artefact: how one begins, and what it is fed.

A new one is covered by an entry of `FOLDS`; a test finds those that have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from services.ingestor.judging import SiteReadings, Valid
from services.ingestor.ordering import Timeline
from services.ingestor.validation import validate
from services.monitor.forecast_error import ErrorWatch
from services.monitor.recent import Recent
from services.monitor.verification import SiteScores, ZoneScores, messages_of
from services.monitor.waiting import Waiting
from shared.data.limit_watch import LimitWatch
from shared.data.load_watch import LoadWatch
from shared.drift.detectors import Detector, forecast_error_detectors
from shared.drift.episodes import Episodes, Subject
from shared.forecasting.issued import IssuedByTarget
from shared.forecasting.model import ZoneDemand
from shared.forecasting.scores import RollingScores
from shared.forecasting.weather import Correction
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid
from shared.sites.table import site
from shared.sites.unserved import UNSERVED, Unserved
from tests.unit.ingestor.readings import SITES, raw
from tests.unit.monitor.places import place
from tests.unit.monitor.test_forecast_error import errors, forecast, loads, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["FOLDS", "INSIDE", "Fold"]

State = dict[str, "NDArray[Any]"]
START = datetime(2017, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Fold:
    """How a fold begins, what it takes one after the other, and how it goes on from its state.

    Attributes
    ----------
    begin
        Returns one that has seen nothing.
    inputs
        What it takes, missing and odd values among them.
    take
        Lets one take an input; returns what it says then.
    resumed
        Returns one that goes on from a state; by default a fresh one whose ``resume`` takes it.
    block
        Lets one take several inputs in one go, where it can.
    begins_empty
        Whether one that has seen nothing has a state.
    """

    kind: type
    begin: Callable[[], Any]
    inputs: Sequence[Any]
    take: Callable[[Any, Any], object]
    resumed: Callable[[Mapping[str, NDArray[Any]]], Any] | None = None
    block: Callable[[Any, Sequence[Any]], object] | None = None
    begins_empty: bool = True

    def goes_on(self, state: Mapping[str, NDArray[Any]]) -> Any:
        """Return one that goes on from what `state_of_fold` returned."""
        if self.resumed is not None:
            return self.resumed(state)
        fold = self.begin()
        fold.resume(state)
        return fold


def _detector(name: str) -> Detector:
    return forecast_error_detectors()[name]


def _detected(one: Detector, value: float) -> tuple[bool, float]:
    return one.update(value), one.score


def _errors() -> list[float]:
    """Return quiet hours, a shift up, and one back, with what is no number among them."""
    noise = np.random.default_rng(3).normal(size=120)
    noise[60:90] += 5.0
    values = noise.tolist()
    return [*values[:20], nan, *values[20:70], inf, *values[70:], -inf, 4.0]


def _found(one: Episodes, hours: tuple[int, float | None]) -> object:
    time, score = START + timedelta(hours=hours[0]), hours[1]
    return one.pass_to(time) if score is None else one.found(time, score, 12.0)


def _placed(one: Timeline, step: int) -> object:
    found = one.place(step)
    if found == "next":
        one.publish(step, (float(step), None))
    return found, one.last, one.standing(step)


def _issued(one: IssuedByTarget, origin: int) -> object:
    if origin % 13:
        one.place(origin, 0, np.arange(origin, origin + 3 * 24, dtype=np.int32).reshape(3, 24))
    one.settle(origin, origin - 60)
    return one.of(origin).copy(), one.has(origin), one.oldest


def _cleared() -> IssuedByTarget:
    one = IssuedByTarget(24, 24, 1)
    one.clear(480)
    return one


def _scored(one: RollingScores, step: int) -> object:
    load_kw = nan if step % 17 == 0 else 20_000.0 + 500.0 * (step % 24)
    one.on_reading(step, load_kw)
    one.on_forecast(step + step % 3, np.full((3, 24), 20_000.0) + np.array([[0.0], [-900.0], [900.0]]))
    return one.sums.copy(), one.actual


def _corrected(one: Correction, step: int) -> object:
    said = one.bias_kw(step, 20_000.0 + step % 48)
    one.remember(step, 20_000.0 + step % 48, nan if step % 29 == 0 else 20_500.0 + 100.0 * (step % 7))
    one.learn(step - 48)
    return said


def _watched(one: ErrorWatch, step: int) -> object:
    said = one.complete(step)
    one.take(step, nan if step % 11 == 0 else (9.0 if step > 60 else 0.1 * (step % 7 - 3)))
    return said, one.error


LOADS_KW = loads(errors(5), 1.3, 100)


def _monitored(one: SiteScores, step: int) -> object:
    message = reading(step, None if step % 17 == 1 else LOADS_KW[step])
    found = [*one.on_reading(message), *one.on_forecast(forecast(step))]
    return [said.to_bytes() for said in messages_of(found)]


def _judged(one: SiteReadings, valid: Valid) -> object:
    return one.place(valid, datetime(2026, 1, 1, tzinfo=UTC))


def _valid() -> list[Valid]:
    times = [*range(40), 38, 45, 44, *range(46, 80), 10_000, 79, 81]
    stamps = [(START + timedelta(minutes=10 * n)).isoformat() for n in times]
    found = [
        validate(raw(stamp, zone_2_kw=None if n % 5 == 0 else str(15_000 + n)), SITES) for n, stamp in enumerate(stamps)
    ]
    return [valid for valid in found if isinstance(valid, Valid)]


def _row(one: Recent, step: int) -> object:
    one.model = f"zone-demand/{step // 100}"
    one.append(step, (float(step), nan if step % 5 == 0 else 1.0))
    return one.window(step, 2)


def _queued(one: Waiting, step: int) -> object:
    one.put(step, (nan, float(step)))
    return one.take() if step % 3 == 0 else len(one)


def _named(one: Unserved, name: str) -> object:
    one.add(name)
    return one.first_in(("north", "elsewhere"))


def _meter() -> list[tuple[int, float]]:
    """Return loads, then a register, then another unit than before."""
    values = [20_000.0 + 100.0 * (step % 24) for step in range(60)]
    values += [20_000.0 + 10.0 * step for step in range(60)]
    values += [20_000_000.0 + 1000.0 * (step % 24) for step in range(40)]
    return list(enumerate(values))


def _load_kw(step: int) -> float:
    shape = 4_000 * np.sin(2 * np.pi * step / 24) - 1_500 * (step // 24 % 7 in (0, 6))
    return nan if step % 41 == 0 else float(20_000 + shape)


def _forecast(one: ZoneDemand, step: int) -> object:
    said = one.partial_fit(step, _load_kw(step)).predict()
    return said.median_kw, said.low_kw, said.high_kw, said.answers


def _fit(one: ZoneDemand, steps: Sequence[int]) -> object:
    for _, run in groupby(enumerate(steps), lambda at: at[1] - at[0]):
        together = [step for _, step in run]
        while together:  # it takes as many as it can answer in one go
            said = one.answer(together[0], np.array([_load_kw(step) for step in together]))
            together = together[len(said) :]
    return one.last_step


_DETECTORS = {
    f"detector {name}": Fold(
        type(detector), partial(lambda name: forecast_error_detectors()[name], name), _errors(), _detected
    )
    for name, detector in forecast_error_detectors().items()
}

FOLDS: dict[str, Fold] = {
    **_DETECTORS,
    "episodes": Fold(
        Episodes,
        partial(Episodes, Subject("tetouan", 2, "model", "zone_2_kw", "page_hinkley_1h", "warning", "check")),
        [(0, None), (1, 15.0), (5, 12.5), (20, None), (29, 21.0), (54, None), (90, 13.0), (91, None), (200, None)],
        _found,
    ),
    "limit watch": Fold(
        LimitWatch,
        LimitWatch,
        [step % 40 > 15 for step in range(90)],
        lambda one, refused: one.add(7, 60, is_refused=refused),
        lambda state: LimitWatch.of(state[""]),
    ),
    "load watch": Fold(
        LoadWatch,
        LoadWatch,
        _meter(),
        lambda one, at: one.add(*at, 60),
        lambda state: LoadWatch.of(state[""]),
    ),
    "timeline": Fold(
        Timeline,
        partial(Timeline, 10, 20, fields=2),
        [3, 4, 7, 5, 4, 30, 26, 90, 91, 93, 26, 90, 91, 92, 93, 94, 95, 96, 97],
        _placed,
    ),
    "issued by target": Fold(IssuedByTarget, _cleared, range(480, 600), _issued),
    "rolling scores": Fold(
        RollingScores, partial(RollingScores, 24, 24, (1, 7)), [*range(480, 530), *range(540, 600), 590], _scored
    ),
    "correction": Fold(Correction, partial(Correction, 30, 30.0), range(48_000, 48_000 + 3 * 48), _corrected),
    "error watch": Fold(
        ErrorWatch,
        lambda: ErrorWatch("tetouan", 2, Grid(30), forecast_error_detectors()),
        range(100),
        _watched,
    ),
    "site scores": Fold(SiteScores, lambda: SiteScores(place(), (1,)), [*range(60), *range(70, 200), 150], _monitored),
    "site readings": Fold(SiteReadings, lambda: SiteReadings(site("tetouan"), timedelta(days=30)), _valid(), _judged),
    "recent": Fold(
        Recent, lambda: Recent(("load", "forecast"), Grid(60)), [*range(480, 560), 555, *range(580, 640)], _row
    ),
    "waiting": Fold(
        Waiting,
        partial(Waiting, 3),
        range(40),
        _queued,
        lambda state: _filled(Waiting(3), state[""]),
    ),
    "unserved": Fold(
        Unserved,
        Unserved,
        ["south", "north", "south", ""],
        _named,
        lambda state: _filled(Unserved(), {UNSERVED: state}),
    ),
    "zone demand": Fold(
        ZoneDemand,
        lambda: ZoneDemand(calendar=Calendar("MA"), step_minutes=60, horizon_steps=24),
        [*range(412_000, 412_000 + 210), *range(412_220, 412_230)],
        _forecast,
        ZoneDemand.of_state,
        _fit,
        begins_empty=False,
    ),
}

INSIDE: dict[type, type] = {ZoneScores: SiteScores}
"""What is covered by the fold that it is a part of."""


def _filled(fold: Any, state: Any) -> Any:
    fold.resume(state)
    return fold
