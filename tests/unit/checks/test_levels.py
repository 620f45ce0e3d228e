"""What holds for every fallback level, whatever it forecasts by; a new one is covered by its name in `NAMES`."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from shared.contracts.messages import Level
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.ladder import NAMES
from shared.forecasting.model import ZoneDemand
from shared.sites.calendar import Calendar
from tests.unit.states import assert_same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.fold import DemandFold

FIRST_STEP, HORIZON = 412_008, 24
EVERY = pytest.mark.parametrize("level", range(len(NAMES)), ids=NAMES)


def load_kw(step: int) -> float:
    """Return a load with a day, a week and noise."""
    noise = np.random.default_rng(step).normal(0, 200)
    return float(20_000 + 4_000 * np.sin(2 * np.pi * step / 24) - 1_500 * (step // 24 % 7 in (0, 6)) + noise)


@pytest.fixture(scope="module")
def seasoned() -> ZoneDemand:
    """Return a model that has read for three weeks, with weather, and frozen weights since the second."""
    model = ZoneDemand(calendar=Calendar("MA"), step_minutes=60, horizon_steps=HORIZON)
    for step in range(FIRST_STEP, FIRST_STEP + 21 * 24):
        model.partial_fit(step, load_kw(step)).foresee(step, load_kw(step + 24) + 10.0 * (step % 17))
        if step == FIRST_STEP + 14 * 24:
            model.freeze()
    return model


@pytest.fixture
def model(seasoned: ZoneDemand) -> ZoneDemand:
    """Return a copy of it."""
    return deepcopy(seasoned)


def answering(model: ZoneDemand, level: int) -> DemandFold:
    """Return the fold, in which that level answers all leads."""
    fold = model.fold
    assert fold is not None
    fold.zone.ladder.chosen[:] = level
    fold.zone.ladder._spans = None  # noqa: SLF001 - a choice of its own would take the place of this one
    return fold


def said_kw(fold: DemandFold, back: int = 0, count: int = 1) -> NDArray[np.float64]:
    """Return what is said from so many origins, the first one so far back, (origins, horizon)."""
    step = fold.zone.outlook.last_step - back
    at = fold.zone.history.index(step)
    return fold.levels.chosen_kw(at, fold.levels.say(step, at, count))


def test_the_wire_knows_every_level() -> None:
    """By the same names, in the same order of trust."""
    assert get_args(Level) == NAMES


@EVERY
def test_every_lead_is_a_load(model: ZoneDemand, level: int) -> None:
    """A finite number for each lead, not below the floor, near the loads that were read."""
    fold = answering(model, level)
    (curve_kw,) = said_kw(fold)
    assert curve_kw.shape == (HORIZON,)
    assert (np.abs(curve_kw - 20_000.0) < 12_000.0).all()
    fold.zone.outlook.below_zero = False
    assert said_kw(fold).min() >= fold.zone.floor_kw == 0.0


@EVERY
def test_asking_changes_nothing(model: ZoneDemand, level: int) -> None:
    """Who asks twice gets the same, and the state is as before."""
    fold = answering(model, level)
    before = {name: array.copy() for name, array in model.state().items()}
    np.testing.assert_array_equal(said_kw(fold), said_kw(fold))
    assert_same(model.state(), before)


@EVERY
def test_origins_in_one_go_are_origins_one_by_one(model: ZoneDemand, level: int) -> None:
    """To the bit, for as many of them as the level answers in one go."""
    fold = answering(model, level)
    together = said_kw(fold, back=2, count=3)
    for row, curve_kw in enumerate(together):
        np.testing.assert_array_equal(curve_kw, said_kw(fold, back=2 - row)[0])


@EVERY
def test_a_surer_interval_is_wider(model: ZoneDemand, level: int) -> None:
    """At each lead every coverage has a width above zero, and none below that of a smaller coverage."""
    fold = answering(model, level)
    (half_kw,) = fold.levels.half_width_kw(said_kw(fold), range(len(COVERAGES)))
    assert half_kw.shape == (len(COVERAGES), HORIZON)
    assert (half_kw > 0.0).all()
    assert (np.diff(half_kw, axis=0) >= 0.0).all()
    assert (half_kw[-1] > half_kw[0]).all()


@EVERY
def test_missing_readings_leave_no_hole(model: ZoneDemand, level: int) -> None:
    """After three hours without a reading each lead is a number, and so is the width of its interval."""
    last = answering(model, level).zone.outlook.last_step
    for step in range(last + 1, last + 4):
        model.partial_fit(step, np.nan).foresee(step, load_kw(step + 24))
    fold = answering(model, level)
    curve_kw = said_kw(fold)
    assert np.isfinite(curve_kw).all()
    assert np.isfinite(fold.levels.half_width_kw(curve_kw, range(len(COVERAGES)))).all()
