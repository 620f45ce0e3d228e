"""The ridge regression of all leads."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.ladder import ADAPTED, FROZEN
from shared.forecasting.method import RegressionConstants
from shared.forecasting.regression import LeadRegression, Weights
from shared.forecasting.windows import windows

ROWS, ORIGIN_WIDTH, LEAD_WIDTH, LEADS = 48, 5, 3, 4
RIDGE = 0.005
ALL_GOOD = np.ones(ROWS, dtype=np.bool_)
NOTHING_SAID = np.full(ROWS, np.nan)
SHARE = windows(ROWS, RegressionConstants.windows).share


def memories(*half_lives_days: float) -> RegressionConstants:
    """Return the constants with other memories, all with the same ridge."""
    return RegressionConstants(half_lives_days=half_lives_days, ridges=(RIDGE,) * len(half_lives_days))


@pytest.fixture
def regression() -> LeadRegression:
    """Return a small regression without forgetting worth the name."""
    return LeadRegression(
        origin_width=ORIGIN_WIDTH,
        lead_width=LEAD_WIDTH,
        leads=LEADS,
        load_width=2,
        load_columns=(2, 0),
        rows_a_day=ROWS,
        constants=memories(1e9),
    )


def block(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a day of rows and their labels, which follow linearly from the rows."""
    random = np.random.default_rng(seed)
    origins, leads = random.normal(size=(ROWS, ORIGIN_WIDTH)), random.normal(size=(ROWS, LEADS, LEAD_WIDTH))
    truth = np.random.default_rng(0)
    beta, gamma = truth.normal(size=(LEADS, ORIGIN_WIDTH)), truth.normal(size=(LEADS, LEAD_WIDTH))
    return origins, leads, origins @ beta.T + np.vecdot(leads, gamma)


def answer(regression: LeadRegression, row: int, origins: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Return what the adapted and the frozen weights say of the origin at this step of the day, (2, leads)."""
    by_window = regression.beta @ origins[row] + np.vecdot(leads[row], regression.gamma)
    said: np.ndarray = np.einsum("k,wkl->wl", SHARE[row], by_window)
    return said


@pytest.mark.parametrize("window", range(4))
def test_the_block_solution_is_that_of_the_whole_system(regression: LeadRegression, window: int) -> None:
    """Eliminating the shared block gives what solving each lead's weighted ridge regression at once gives."""
    days = [block(seed) for seed in range(1, 4)]
    for day in days:
        regression.fold(*day, ALL_GOOD, NOTHING_SAID)
    origins, leads, labels = (np.concatenate(parts) for parts in zip(*days, strict=True))
    share = RIDGE + RegressionConstants.ridge_of_one_day / 3.0**2
    weight = np.tile(SHARE[:, window], 3)[:, None]
    for lead in range(LEADS):
        rows = np.hstack((origins, leads[:, lead]))
        gram = (weight * rows).T @ rows
        weights = np.linalg.solve(gram + share * np.diag(np.diag(gram)), (weight * rows).T @ labels[:, lead])
        found = np.hstack((regression.beta[ADAPTED, window, lead], regression.gamma[ADAPTED, window, lead]))
        np.testing.assert_allclose(found, weights, rtol=2e-4, atol=1e-6)


@pytest.fixture
def prior() -> Weights:
    """Return weights that differ from those that the rows follow."""
    random = np.random.default_rng(5)
    return Weights(random.normal(size=(4, LEADS, ORIGIN_WIDTH)), random.normal(size=(4, LEADS, LEAD_WIDTH)))


@pytest.mark.parametrize("window", range(4))
def test_the_ridge_shrinks_towards_a_prior(regression: LeadRegression, prior: Weights, window: int) -> None:
    """It is the ridge regression of what the prior leaves unexplained; its calendar columns go by the zone's size."""
    regression.prior, size_kw = prior, 7.0
    days = [block(seed) for seed in range(1, 4)]
    for day in days:
        regression.fold(*day, ALL_GOOD, NOTHING_SAID, size_kw=size_kw)
    origins, leads, labels = (np.concatenate(parts) for parts in zip(*days, strict=True))
    share = RIDGE + RegressionConstants.prior_of_one_day / 3.0**2
    weight = np.tile(SHARE[:, window], 3)[:, None]
    of_size = np.repeat((1.0, size_kw, size_kw), (2, ORIGIN_WIDTH - 2, LEAD_WIDTH))
    for lead in range(LEADS):
        rows = np.hstack((origins, leads[:, lead]))
        towards = of_size * np.hstack((prior.beta[window, lead], prior.gamma[window, lead]))
        gram = (weight * rows).T @ rows
        rest = labels[:, lead] - rows @ towards
        weights = towards + np.linalg.solve(gram + share * np.diag(np.diag(gram)), (weight * rows).T @ rest)
        found = np.hstack((regression.beta[ADAPTED, window, lead], regression.gamma[ADAPTED, window, lead]))
        np.testing.assert_allclose(found, weights, rtol=1e-3, atol=1e-4)


def test_a_prior_answers_until_a_day_is_learned(regression: LeadRegression, prior: Weights) -> None:
    """Before that its weights are the adapted ones, of the zone's size; afterwards they are left to the days."""
    regression.prior = prior
    before = regression.learned
    regression.borrow(2.0)
    assert (before, regression.learned) == (False, True)
    np.testing.assert_array_equal(regression.beta[ADAPTED, ..., :2], prior.beta[..., :2])
    np.testing.assert_array_equal(regression.beta[ADAPTED, ..., 2:], 2.0 * prior.beta[..., 2:])
    np.testing.assert_array_equal(regression.gamma[ADAPTED], 2.0 * prior.gamma)
    regression.fold(*block(1), ALL_GOOD, NOTHING_SAID, size_kw=2.0)
    learned = regression.beta.copy()
    regression.borrow(3.0)
    np.testing.assert_array_equal(regression.beta, learned)


def test_a_row_counts_the_less_the_farther_its_forecasts_were_off() -> None:
    """Twice the usual error halves the weight of a row; a row of which nothing was said counts as it is."""
    constants = memories(1e9)
    twice, plain = (LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, constants) for _ in range(2))
    origins, leads, labels = block(1)
    usual_kw = np.full(ROWS, 100.0)
    for regression in (twice, plain):
        regression.fold(origins, leads, labels, ALL_GOOD, usual_kw)
        regression.cross[:] = 0.0
    off_kw = np.where(np.arange(ROWS) == 7, 200.0, np.nan)
    twice.fold(origins, leads, labels, np.arange(ROWS) == 7, off_kw)
    plain.fold(origins, leads, labels, np.arange(ROWS) == 7, NOTHING_SAID)
    np.testing.assert_allclose(twice.cross, plain.cross * 0.5 / 0.8, rtol=1e-5)


def test_the_usual_error_is_that_of_the_last_four_weeks(regression: LeadRegression) -> None:
    """It moves on by a day learned, and follows a lasting shift; a day of which nothing was said is none."""
    origins, leads, labels = block(1)
    for day in range(30):
        regression.fold(origins, leads, labels, ALL_GOOD, np.full(ROWS, 1.0 + day))
    regression.fold(origins, leads, labels, ALL_GOOD, NOTHING_SAID)
    assert regression.daily_error_kw.tolist() == [3.0 + day for day in range(28)]
    regression.rescale(2.0)
    assert regression.daily_error_kw.tolist() == [6.0 + 2.0 * day for day in range(28)]


def test_a_resized_past_is_that_of_larger_loads() -> None:
    """Sums, weights and limits are those of loads so many times as large, and so is what is learned afterwards."""
    moved, larger = (LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 1), ROWS, memories(5.0)) for _ in "ab")
    for day in range(8):
        origins, leads, labels = block(day)
        if day == 6:
            moved.resize(4.0)
        of_more, ahead_of_more = origins.copy(), leads.copy()
        of_more[:, :2] *= 4.0
        ahead_of_more[..., :1] *= 4.0
        larger.fold(of_more, ahead_of_more, 4.0 * labels, ALL_GOOD, NOTHING_SAID)
        if day < 6:
            moved.fold(origins, leads, labels, ALL_GOOD, NOTHING_SAID)
        else:
            moved.fold(of_more, ahead_of_more, 4.0 * labels, ALL_GOOD, NOTHING_SAID)
    for name in ("shared", "cross", "own", "squares", "limit", "beta", "gamma"):
        ours, theirs = getattr(moved, name), getattr(larger, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=name)


def test_two_memories_forecast_their_mean() -> None:
    """The weights are the mean of those that each memory alone would have."""
    alone = [LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(days)) for days in (2.0, 50.0)]
    both = LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(2.0, 50.0))
    for seed in range(5):
        origins, leads, labels = block(seed)
        for regression in (*alone, both):
            regression.fold(origins, leads, labels * (1 + seed), ALL_GOOD, NOTHING_SAID)
    mean = np.mean([regression.beta[ADAPTED] for regression in alone], axis=0)
    np.testing.assert_allclose(both.beta[ADAPTED], mean, rtol=1e-4, atol=1e-5)


def test_frozen_weights_stay_as_they_were(regression: LeadRegression) -> None:
    """What is learned after the freeze changes the adapted forecast alone."""
    origins, leads, labels = block(1)
    regression.fold(origins, leads, labels, ALL_GOOD, NOTHING_SAID)
    assert np.isnan(answer(regression, 0, origins, leads)[FROZEN]).all()
    regression.freeze()
    before = answer(regression, 0, origins, leads)
    np.testing.assert_array_equal(before[ADAPTED], before[FROZEN])
    regression.fold(origins, leads, -labels, ALL_GOOD, NOTHING_SAID)
    after = answer(regression, 0, origins, leads)
    assert (after[ADAPTED] != before[ADAPTED]).all()
    np.testing.assert_allclose(after[FROZEN], before[FROZEN], rtol=1e-6)


def test_it_learns_what_is_linear(regression: LeadRegression) -> None:
    """After many days the forecast of an unseen row is close to the truth."""
    for seed in range(200):
        regression.fold(*block(seed), ALL_GOOD, NOTHING_SAID)
    origins, leads, labels = block(999)
    errors = [answer(regression, row, origins, leads)[ADAPTED] - labels[row] for row in range(ROWS)]
    assert np.abs(errors).mean() < 0.02 * np.abs(labels).mean()


def test_old_days_are_forgotten() -> None:
    """With a half-life of a day the sum of the weights tends to twice a day, and the newest day decides."""
    regression = LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(1.0))
    origins, leads, labels = block(1)
    for _ in range(40):
        regression.fold(origins, leads, labels, ALL_GOOD, NOTHING_SAID)
    assert regression.weight == pytest.approx(2 * ROWS)
    before = answer(regression, 0, origins, leads)
    for _ in range(40):
        regression.fold(origins, leads, -labels, ALL_GOOD, NOTHING_SAID)
    np.testing.assert_allclose(answer(regression, 0, origins, leads), -before, rtol=1e-4)


def test_bad_rows_leave_no_trace(regression: LeadRegression) -> None:
    """A row that is not good does not change the weights, however wild; a day without a good one changes nothing."""
    origins, leads, labels = block(1)
    good = np.arange(ROWS) % 2 == 0
    regression.fold(origins, leads, labels, good, NOTHING_SAID)
    expected = regression.beta.copy()
    regression.fold(origins, leads, labels, np.zeros(ROWS, dtype=np.bool_), NOTHING_SAID)
    np.testing.assert_array_equal(regression.beta, expected)

    other = LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(1e9))
    wild = np.where(good[:, None], labels, 1e9)
    other.fold(origins, leads, wild, good, NOTHING_SAID)
    np.testing.assert_array_equal(other.beta, expected)


def test_a_column_never_seen_weighs_nothing(regression: LeadRegression) -> None:
    """A flag that was never up has weight zero, and does not make the system singular."""
    origins, leads, labels = block(1)
    origins[:, 4], leads[:, :, 2] = 0.0, 0.0
    regression.fold(origins, leads, labels, ALL_GOOD, NOTHING_SAID)
    assert not regression.beta[ADAPTED, ..., 4].any()
    assert not regression.gamma[ADAPTED, ..., 2].any()
    assert np.isfinite(regression.beta[ADAPTED]).all()


def test_the_limit_of_a_load_is_eight_times_its_root_mean_square(regression: LeadRegression) -> None:
    """It follows the rows that were learned, for the load columns alone."""
    origins, leads, labels = block(1)
    assert np.isinf(regression.limit).all()
    regression.fold(origins, leads, labels, ALL_GOOD, NOTHING_SAID)
    rms = np.sqrt(np.mean(origins[:, :2] ** 2, axis=0))
    np.testing.assert_allclose(regression.limit, 8.0 * rms, rtol=1e-5)
