"""The ridge regression of all leads."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.method import RegressionConstants
from shared.forecasting.regression import ADAPTED, FROZEN, LeadRegression

ROWS, ORIGIN_WIDTH, LEAD_WIDTH, LEADS = 48, 5, 3, 4


def memories(*half_lives_days: float) -> RegressionConstants:
    """Return the constants with other memories."""
    return RegressionConstants(half_lives_days=half_lives_days)


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


def answer(regression: LeadRegression, origin: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Return what the adapted and the frozen weights say, (2, leads)."""
    said: np.ndarray = regression.beta @ origin + np.vecdot(leads, regression.gamma)
    return said


def test_the_block_solution_is_that_of_the_whole_system(regression: LeadRegression) -> None:
    """Eliminating the shared block gives what solving each lead's ridge regression at once gives."""
    days = [block(seed) for seed in range(1, 4)]
    for day in days:
        regression.fold(*day, np.ones(ROWS, dtype=np.bool_))
    origins, leads, labels = (np.concatenate(parts) for parts in zip(*days, strict=True))
    share = 0.005 + 40.0 / 3.0**2
    for lead in range(LEADS):
        rows = np.hstack((origins, leads[:, lead]))
        gram = rows.T @ rows
        weights = np.linalg.solve(gram + share * np.diag(np.diag(gram)), rows.T @ labels[:, lead])
        np.testing.assert_allclose(
            np.hstack((regression.beta[ADAPTED, lead], regression.gamma[ADAPTED, lead])), weights, rtol=1e-4
        )


def test_two_memories_forecast_their_mean() -> None:
    """The weights are the mean of those that each memory alone would have."""
    alone = [LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(days)) for days in (2.0, 50.0)]
    both = LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(2.0, 50.0))
    for seed in range(5):
        origins, leads, labels = block(seed)
        for regression in (*alone, both):
            regression.fold(origins, leads, labels * (1 + seed), np.ones(ROWS, dtype=np.bool_))
    mean = np.mean([regression.beta[ADAPTED] for regression in alone], axis=0)
    np.testing.assert_allclose(both.beta[ADAPTED], mean, rtol=1e-4, atol=1e-5)


def test_frozen_weights_stay_as_they_were(regression: LeadRegression) -> None:
    """What is learned after the freeze changes the adapted forecast alone."""
    everything = np.ones(ROWS, dtype=np.bool_)
    origins, leads, labels = block(1)
    regression.fold(origins, leads, labels, everything)
    assert np.isnan(answer(regression, origins[0], leads[0])[FROZEN]).all()
    regression.freeze()
    before = answer(regression, origins[0], leads[0])
    np.testing.assert_array_equal(before[ADAPTED], before[FROZEN])
    regression.fold(origins, leads, -labels, everything)
    after = answer(regression, origins[0], leads[0])
    assert (after[ADAPTED] != before[ADAPTED]).all()
    np.testing.assert_allclose(after[FROZEN], before[FROZEN], rtol=1e-6)


def test_it_learns_what_is_linear(regression: LeadRegression) -> None:
    """After many days the forecast of an unseen row is close to the truth."""
    for seed in range(200):
        regression.fold(*block(seed), np.ones(ROWS, dtype=np.bool_))
    origins, leads, labels = block(999)
    errors = [answer(regression, origins[row], leads[row])[ADAPTED] - labels[row] for row in range(ROWS)]
    assert np.abs(errors).mean() < 0.02 * np.abs(labels).mean()


def test_old_days_are_forgotten(regression: LeadRegression) -> None:
    """With a half-life of a day the sum of the weights tends to twice a day, and the newest day decides."""
    regression.constants = memories(1.0)
    origins, leads, labels = block(1)
    for _ in range(40):
        regression.fold(origins, leads, labels, np.ones(ROWS, dtype=np.bool_))
    assert regression.weight == pytest.approx(2 * ROWS)
    before = answer(regression, origins[0], leads[0])
    for _ in range(40):
        regression.fold(origins, leads, -labels, np.ones(ROWS, dtype=np.bool_))
    np.testing.assert_allclose(answer(regression, origins[0], leads[0]), -before, rtol=1e-4)


def test_bad_rows_leave_no_trace(regression: LeadRegression) -> None:
    """A row that is not good does not change the weights, however wild; a day without a good one changes nothing."""
    origins, leads, labels = block(1)
    good = np.arange(ROWS) % 2 == 0
    regression.fold(origins, leads, labels, good)
    expected = regression.beta.copy()
    regression.fold(origins, leads, labels, np.zeros(ROWS, dtype=np.bool_))
    np.testing.assert_array_equal(regression.beta, expected)

    other = LeadRegression(ORIGIN_WIDTH, LEAD_WIDTH, LEADS, 2, (2, 0), ROWS, memories(1e9))
    wild = np.where(good[:, None], labels, 1e9)
    other.fold(origins, leads, wild, good)
    np.testing.assert_array_equal(other.beta, expected)


def test_a_column_never_seen_weighs_nothing(regression: LeadRegression) -> None:
    """A flag that was never up has weight zero, and does not make the system singular."""
    origins, leads, labels = block(1)
    origins[:, 4], leads[:, :, 2] = 0.0, 0.0
    regression.fold(origins, leads, labels, np.ones(ROWS, dtype=np.bool_))
    assert not regression.beta[ADAPTED, :, 4].any()
    assert not regression.gamma[ADAPTED, :, 2].any()
    assert np.isfinite(regression.beta[ADAPTED]).all()


def test_the_limit_of_a_load_is_eight_times_its_root_mean_square(regression: LeadRegression) -> None:
    """It follows the rows that were learned, for the load columns alone."""
    origins, leads, labels = block(1)
    assert np.isinf(regression.limit).all()
    regression.fold(origins, leads, labels, np.ones(ROWS, dtype=np.bool_))
    rms = np.sqrt(np.mean(origins[:, :2] ** 2, axis=0))
    np.testing.assert_allclose(regression.limit, 8.0 * rms, rtol=1e-5)
