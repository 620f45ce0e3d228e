"""The rows of the regression."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.features import Features, grid_leads, interpolation
from shared.forecasting.history import DAYS_BACK, LOAD, DayWindow
from shared.forecasting.method import METHOD
from shared.forecasting.windows import windows
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


RESOLUTION = Grid(10)
DAY = RESOLUTION.day
YESTERDAY = (DAYS_BACK - 1) * DAY + np.arange(DAY)
NO_LIMIT = np.full(36, np.inf)


def taken(calendar: Calendar, first_step: int, load_kw: NDArray[np.float64]) -> DayWindow:
    """Return the history after these loads."""
    history = DayWindow(RESOLUTION, calendar, first_step, METHOD.blend)
    for step, load in enumerate(load_kw.tolist(), first_step):
        if step // DAY > history.today:
            history.next_day()
        history.append(step, np.array((load,)), filled=False)
    return history


@pytest.fixture
def features(calendar: Calendar) -> Features:
    """Return the features of all leads of a day."""
    return Features(calendar, RESOLUTION, grid_leads(RESOLUTION, DAY), DAY)


@pytest.fixture
def history(
    calendar: Calendar, synthetic: Callable[..., tuple[int, NDArray[np.float64]]], features: Features
) -> DayWindow:
    """Return twenty days of load, with the features turned to the last of them."""
    window = taken(calendar, *synthetic(20, step_minutes=10))
    features.turn_to(window)
    return window


def test_the_grid_is_dense_at_first() -> None:
    """At ten minutes fourteen leads of a day have weights of their own; the first and the last always do."""
    assert grid_leads(RESOLUTION, DAY).tolist() == [1, 2, 3, 6, 9, 12, 18, 24, 36, 54, 72, 96, 120, 144]
    assert grid_leads(Grid(60), 24).tolist() == [1, 2, 3, 4, 6, 9, 12, 16, 20, 24]
    assert grid_leads(Grid(5), 7).tolist() == [1, 2, 4, 6, 7]


def test_interpolation_is_linear_and_exact_on_the_grid() -> None:
    """A straight line over the grid stays one over all leads."""
    leads = grid_leads(RESOLUTION, DAY)
    np.testing.assert_allclose(interpolation(leads, DAY) @ (3.0 * leads + 1.0), 3.0 * np.arange(1, DAY + 1) + 1.0)


def test_widths_are_those_of_the_design(features: Features, history: DayWindow) -> None:
    """Ninety-three columns for an origin, thirty-six for each of its leads."""
    assert features.origin_rows(history, YESTERDAY, NO_LIMIT).shape == (DAY, 93)
    assert features.lead_rows(history, YESTERDAY).shape == (DAY, 14, 36)


def test_the_turns_of_ramadan_are_seen_for_a_week(history: DayWindow) -> None:
    """The first day differs from the day and the week before, the second from the latter, the eighth from neither."""
    first = date.fromordinal(date(1970, 1, 1).toordinal() + history.today)
    calendar = Calendar("MA", ramadan=((first, first + timedelta(days=20)),))
    features = Features(calendar, RESOLUTION, grid_leads(RESOLUTION, DAY), DAY)
    seen = []
    for today in (0, 1, 7, 10, 21):
        history.today = first.toordinal() - date(1970, 1, 1).toordinal() + today
        features.turn_to(history)
        noon = YESTERDAY[DAY // 2 : DAY // 2 + 1] + DAY
        rows = features.lead_rows(history, noon)
        assert rows.shape == (1, 14, 42)
        seen.append(rows[0, 0, 36:38].round(3).tolist())
    assert seen == [[1.0, 1.0], [0.0, 0.857], [0.0, 0.0], [0.0, 0.0], [-1.0, -1.0]]


def test_one_row_is_a_row_of_the_block(features: Features, history: DayWindow) -> None:
    """What is learned from a block of origins is what is forecast from one."""
    at = YESTERDAY[37:38]
    rows, leads = features.origin_rows(history, YESTERDAY, NO_LIMIT), features.lead_rows(history, YESTERDAY)
    np.testing.assert_allclose(features.origin_rows(history, at, NO_LIMIT)[0], rows[37], rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(features.lead_rows(history, at)[0], leads[37], rtol=1e-9, atol=1e-6)


def test_the_level_of_the_load_never_enters(
    calendar: Calendar,
    synthetic: Callable[..., tuple[int, NDArray[np.float64]]],
    features: Features,
    history: DayWindow,
) -> None:
    """Rows, labels and the change of the base stay the same when every load is 5 MW higher."""
    first_step, load_kw = synthetic(20, step_minutes=10)
    higher = taken(calendar, first_step, load_kw + 5_000.0)
    one, other = (features.origin_rows(loads, YESTERDAY, NO_LIMIT) for loads in (higher, history))
    np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-5)
    for rows in (features.lead_rows, features.labels):
        np.testing.assert_allclose(rows(higher, YESTERDAY), rows(history, YESTERDAY), rtol=1e-7, atol=1e-5)


def test_base_and_label_make_up_the_load(features: Features, history: DayWindow) -> None:
    """The label is exactly what the base misses at the target."""
    leads, at = grid_leads(RESOLUTION, DAY), int(YESTERDAY[50])
    base, label = features.base(history, at, 1)[0, leads - 1], features.labels(history, YESTERDAY)[50]
    np.testing.assert_allclose(base + label, history.series[LOAD, at + leads])


def test_rows_look_at_the_past_and_labels_no_further_than_the_last_lead(features: Features, history: DayWindow) -> None:
    """Loads after the origin change no row of it; loads after the last target change no label."""
    at = YESTERDAY[:1]
    rows = features.origin_rows(history, at, NO_LIMIT), features.lead_rows(history, at)
    labels = features.labels(history, at)
    history.series[LOAD, at[0] + DAY + 1 :] = np.nan
    np.testing.assert_array_equal(features.labels(history, at), labels)
    history.series[LOAD, at[0] + 1 :] = np.nan
    np.testing.assert_array_equal(features.origin_rows(history, at, NO_LIMIT), rows[0])
    np.testing.assert_array_equal(features.lead_rows(history, at), rows[1])


def test_a_wild_load_is_clipped_and_the_calendar_is_not(features: Features, history: DayWindow) -> None:
    """A difference of loads counts at most its limit, alone and with a harmonic; the calendar counts as it is."""
    free = features.origin_rows(history, YESTERDAY, NO_LIMIT)
    limited = features.origin_rows(history, YESTERDAY, np.full(36, 200.0))
    assert np.abs(free[:, :60]).max() > 1_000.0
    np.testing.assert_array_equal(limited[:, :36], np.clip(free[:, :36], -200.0, 200.0))
    assert np.abs(limited[:, 36:60]).max() <= 200.0
    np.testing.assert_array_equal(limited[:, 60:], free[:, 60:])


@pytest.mark.parametrize("limit_kw", [np.inf, 200.0])
def test_a_plan_answers_what_the_rows_say(features: Features, history: DayWindow, limit_kw: float) -> None:
    """What was worked out for the day beforehand gives the scalar products with the rows, at every origin of it.

    Those with the weights of each window count by its share at the origin.
    """
    random, today = np.random.default_rng(1), YESTERDAY + DAY
    beta, gamma = random.normal(size=(2, 4, 14, 93)), random.normal(size=(2, 4, 14, 36))
    limit = np.full(36, limit_kw)
    origins, leads = features.origin_rows(history, today, limit), features.lead_rows(history, today)
    plan = features.plan(beta, gamma, limit)
    for slot in (0, 1, 36, 70, 100, DAY - 1):
        by_window = beta @ origins[slot] + np.vecdot(leads[slot], gamma)
        expected = np.einsum("k,wkl->wl", windows(DAY, 4).share[slot], by_window)
        np.testing.assert_allclose(
            features.answer(plan, history, int(today[slot]), 1)[0], expected, rtol=1e-9, atol=1e-6
        )


def test_weights_of_a_window_are_those_of_its_time_on_the_clock(history: DayWindow) -> None:
    """At midnight in Tokyo, 15 h UTC, the first window alone answers, as at midnight UTC where that is the clock."""
    beta, gamma, limit = np.ones((2, 4, 14, 93)), np.ones((2, 4, 14, 36)), np.full(36, np.inf)
    for time_zone, midnight in (("UTC", 0), ("Asia/Tokyo", 15 * DAY // 24)):
        features = Features(Calendar("MA", time_zone), Grid(10), grid_leads(Grid(10), DAY), DAY)
        features.turn_to(history)
        assert features.plan(beta, gamma, limit).share[midnight, :, 0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_an_origin_does_not_see_its_neighbours(features: Features, history: DayWindow) -> None:
    """Answered alone, or with any others before and after it, its numbers are the same to the bit."""
    random, noon = np.random.default_rng(1), int(YESTERDAY[DAY // 2]) + DAY
    plan = features.plan(random.normal(size=(2, 4, 14, 93)), random.normal(size=(2, 4, 14, 36)), np.full(36, 500.0))
    together = features.answer(plan, history, noon, 12)
    bases = features.base(history, noon, 12)
    for first, count in ((0, 1), (5, 1), (1, 7), (4, 8)):
        part = slice(first, first + count)
        np.testing.assert_array_equal(features.answer(plan, history, noon + first, count), together[part])
        np.testing.assert_array_equal(features.base(history, noon + first, count), bases[part])


@pytest.mark.parametrize("lag", [0, -1, -36, -DAY])
def test_rows_that_touch_a_filled_reading_are_known(features: Features, history: DayWindow, lag: int) -> None:
    """An origin is touched by a fill at itself or at a target."""
    at = YESTERDAY[70:71]
    assert features.untouched(history, at).tolist() == [True]
    history.filled[at[0] - 1] = True
    assert features.untouched(history, at).tolist() == [True]
    history.filled[at[0] - lag] = True
    assert features.untouched(history, at).tolist() == [False]
