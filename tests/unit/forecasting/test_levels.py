"""What the levels say, which of them can, and how sure they are."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.history import BLEND, ESTIMATE, LOAD
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, FROZEN, WEATHER
from shared.forecasting.levels import LevelForecasts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.forecasting.fold import DemandFold
    from shared.forecasting.model import ZoneDemand

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour
SEEN = 18 * DAY + 4
BOTH = np.array((True, True))


@pytest.fixture(scope="module")
def seasoned() -> dict[str, ZoneDemand]:
    """Hold the model that has read for 18 days, once it is fitted."""
    return {}


@pytest.fixture
def fold(seasoned: dict[str, ZoneDemand], model: ZoneDemand, synthetic: Series) -> DemandFold:
    """Return the fold of a model that has read for 18 days, with weather, and frozen weights since the 12th."""
    if not seasoned:
        first_step, load_kw = synthetic(20)
        for row in range(SEEN):
            model.partial_fit(first_step + row, load_kw[row]).foresee(first_step + row, load_kw[row + DAY] + 300.0)
            if row == 12 * DAY:
                model.freeze()
        seasoned["model"] = model
    found = deepcopy(seasoned["model"]).fold
    assert found is not None
    return found


def origin(fold: DemandFold) -> tuple[int, int]:
    """Return the step of the last reading and where it stands."""
    step = fold.zone.outlook.last_step
    return step, fold.zone.history.index(step)


def choose(fold: DemandFold, *levels: int) -> None:
    """Let these levels answer the spans of leads, rising."""
    fold.zone.ladder.chosen[:] = levels
    fold.zone.ladder._spans = None  # noqa: SLF001 - a choice of its own would take the place of this one


def test_the_shape_begins_at_the_load(fold: DemandFold) -> None:
    """From there it moves as the blend of the last days does, whatever the level of the load is."""
    step, at = origin(fold)
    series = fold.zone.history.series
    said = fold.levels.say(step, at, 1)
    ahead = series[BLEND, at + 1 : at + 1 + DAY]
    np.testing.assert_allclose(said.shape_kw[0], series[LOAD, at] + ahead - series[BLEND, at], rtol=1e-12)
    np.testing.assert_array_equal(said.grid_kw[0], said.shape_kw[0][fold.zone.intervals.leads - 1])


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_fitted_is_shape_and_rest(fold: DemandFold, count: int) -> None:
    """And what the day before adds is a part of that of adapted alone."""
    step, at = origin(fold)
    said = fold.levels.say(step + 1 - count, at + 1 - count, count)
    np.testing.assert_array_equal(said.fitted_kw, said.rest_kw + said.grid_kw[:, None])
    fold.zone.combination.share[1] = 0.0
    alone = fold.levels.say(step + 1 - count, at + 1 - count, count)
    assert not alone.mixed_kw.any()
    np.testing.assert_array_equal(said.rest_kw[:, FROZEN], alone.rest_kw[:, FROZEN])
    np.testing.assert_allclose(said.rest_kw[:, ADAPTED] - said.mixed_kw, alone.rest_kw[:, ADAPTED], atol=1e-9)


def test_no_fitted_forecast_is_below_the_floor(model: ZoneDemand, synthetic: Series) -> None:
    """What is sent, and what is scored later."""
    first_step, load_kw = synthetic(19)
    fold = model.anew(floor_kw=22_000.0).fit(first_step, load_kw[:SEEN]).fold
    assert fold is not None
    step, at = origin(fold)
    said = fold.levels.say(step, at, 1)
    assert said.fitted_kw[:, ADAPTED].min() == 22_000.0
    assert fold.levels.chosen_kw(at, said).min() == 22_000.0


@pytest.mark.parametrize(("filled", "fits"), [(DAY, True), (DAY + 1, False), (2 * DAY, False)])
def test_the_regression_does_not_look_at_its_own_forecasts(fold: DemandFold, filled: int, *, fits: bool) -> None:
    """It answers as long as half of the last two days are readings."""
    step, at = origin(fold)
    fold.zone.history.filled[at + 1 - filled : at + 1] = True
    assert fold.levels.fits(step, at) is fits
    assert np.isnan(fold.levels.say(step, at, 1).rest_kw).all() is np.bool_(not fits)


@pytest.mark.parametrize(
    ("fitted_kw", "largest_kw", "reasonable"),
    [
        (100.0, 50.0, True),
        (150.0, 50.0, True),
        (151.0, 50.0, False),
        (-151.0, 50.0, False),
        (1e9, 0.0, True),
        (np.nan, 50.0, False),
    ],
)
def test_a_forecast_is_within_reason(
    fold: DemandFold, fitted_kw: float, largest_kw: float, *, reasonable: bool
) -> None:
    """Within three times the largest load of the last days, where there was any."""
    leads = len(fold.zone.intervals.leads)
    fitted = np.zeros((1, 2, leads))
    fitted[0, FROZEN, 2] = fitted_kw
    said = LevelForecasts(np.zeros((1, DAY)), np.zeros((1, leads)), fitted, np.zeros((1, leads)), fitted)
    assert fold.levels.within_reason(said, np.array((largest_kw,))).tolist() == [[True, reasonable]]


def _dark(fold: DemandFold) -> None:
    fold.zone.outlook.dark_step = fold.zone.outlook.last_step


def _uncalibrated(fold: DemandFold) -> None:
    fold.zone.intervals.quantile[:] = np.nan


def _young(fold: DemandFold) -> None:
    fold.zone.history.first_step = fold.zone.outlook.last_step - DAY + 1


@pytest.mark.parametrize(
    ("change", "reasonable", "computable"),
    [
        (lambda _: None, (True, True), [True, True, True, True, True]),
        (lambda _: None, (False, True), [False, True, True, True, True]),
        (lambda _: None, (True, False), [True, False, True, True, True]),
        (_dark, (True, True), [True, True, False, True, True]),
        (_uncalibrated, (True, True), [False, False, False, True, True]),
        (_young, (True, True), [True, True, True, False, True]),
    ],
)
def test_which_levels_can_answer(
    fold: DemandFold,
    change: Callable[[DemandFold], None],
    reasonable: tuple[bool, bool],
    computable: list[bool],
) -> None:
    """The climatology always; the shape after a day; the others with intervals, and the weather where it says a day."""
    change(fold)
    assert fold.levels.computable(fold.zone.outlook.last_step, np.array(reasonable)) == computable


def test_each_span_is_answered_by_its_level(fold: DemandFold) -> None:
    """Each level says its own of the leads that are its, whatever the others say."""
    step, at = origin(fold)
    said = fold.levels.say(step, at, 1)
    zone = fold.zone
    curves_kw = {}
    for level in (ADAPTED, FROZEN, WEATHER, ANALOGUE, CLIMATOLOGY):
        choose(fold, *[level] * 4)
        (curves_kw[level],) = fold.levels.chosen_kw(at, said)
    np.testing.assert_array_equal(curves_kw[ANALOGUE], said.shape_kw[0])
    np.testing.assert_array_equal(curves_kw[WEATHER], zone.history.series[ESTIMATE, at + 1 : at + 1 + DAY])
    cells = zone.features.cells(at + np.arange(1, DAY + 1))
    np.testing.assert_array_equal(curves_kw[CLIMATOLOGY], zone.climatology.said_kw(cells))
    for level in (ADAPTED, FROZEN):
        np.testing.assert_allclose(curves_kw[level][zone.intervals.leads - 1], said.fitted_kw[0, level], rtol=1e-12)
    choose(fold, ADAPTED, ADAPTED, WEATHER, CLIMATOLOGY)
    (mixed_kw,) = fold.levels.chosen_kw(at, said)
    for level, leads in ((ADAPTED, slice(12)), (WEATHER, slice(12, 24)), (CLIMATOLOGY, slice(24, DAY))):
        np.testing.assert_array_equal(mixed_kw[leads], curves_kw[level][leads])


def test_the_carried_level_is_without_the_day_before(fold: DemandFold) -> None:
    """Only where adapted answers is there anything of it."""
    leads = len(fold.zone.intervals.leads)
    median_kw = np.full(DAY, 100.0)
    choose(fold, ADAPTED, ADAPTED, WEATHER, WEATHER)
    carried_kw = fold.levels.carried_kw(median_kw, np.full(leads, 7.0))
    np.testing.assert_allclose(carried_kw, np.where(np.arange(DAY) < 12, 93.0, 100.0))
    assert (median_kw == 100.0).all()


def test_without_errors_the_width_is_the_size_of_the_forecast(fold: DemandFold) -> None:
    """That says that nothing is known: the coverage times the load to either side."""
    _uncalibrated(fold)
    choose(fold, *[CLIMATOLOGY] * 4)
    half_kw = fold.levels.half_width_kw(np.full((1, DAY), 200.0), [0, 2])
    np.testing.assert_allclose(half_kw[0], np.outer((200.0 * COVERAGES[0], 200.0 * COVERAGES[2]), np.ones(DAY)))


def test_borrowed_weights_are_as_sure_as_the_shape_until_they_have_errors(fold: DemandFold) -> None:
    """The regression of a prior answers before any error of its own is known."""
    fold.zone.intervals.quantile[ADAPTED] = np.nan
    median_kw = fold.zone.outlook.median_kw[None]
    choose(fold, *[ADAPTED] * 4)
    borrowed_kw = fold.levels.half_width_kw(median_kw, [2])
    choose(fold, *[ANALOGUE] * 4)
    np.testing.assert_array_equal(borrowed_kw, fold.levels.half_width_kw(median_kw, [2]))


@pytest.mark.parametrize("stale", [1, 6, DAY])
def test_without_readings_a_forecast_is_less_sure(fold: DemandFold, stale: int) -> None:
    """A lead counts from the last good reading, and beyond the horizon it is wider than the longest."""
    choose(fold, *[ADAPTED] * 4)
    median_kw = fold.zone.outlook.median_kw[None]
    fresh_kw = fold.levels.half_width_kw(median_kw, [2])[0, 0]
    fold.zone.outlook.good_step -= stale
    stale_kw = fold.levels.half_width_kw(median_kw, [2])[0, 0]
    assert stale_kw[0] > fresh_kw[0]
    assert stale_kw[-1] == pytest.approx(fresh_kw[-1] * np.sqrt((DAY + stale) / DAY))


def test_what_was_said_of_the_next_reading(fold: DemandFold) -> None:
    """By each level and lead, to be compared with it: what was issued, and what says the same at all leads."""
    step, at = origin(fold)
    said_kw = fold.levels.said_of_next_kw()
    assert said_kw.shape == (5, len(fold.zone.intervals.leads))
    assert said_kw[ADAPTED, 0] == pytest.approx(fold.levels.say(step, at, 1).fitted_kw[0, ADAPTED, 0], rel=1e-6)
    assert (said_kw[WEATHER] == fold.zone.history.series[ESTIMATE, at + 1]).all()
    assert (said_kw[CLIMATOLOGY] == fold.zone.climatology.usual_kw.item(fold.zone.features.cell(at + 1))).all()
