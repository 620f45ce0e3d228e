"""A zone's readings through the model, and the scores of what it answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.streaming import answer, empty_model, in_parallel, scored, take
from tests.unit.benchmarks.histories import DAY, FIRST_STEP, history_of

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_answer_is_what_the_model_says_after_the_reading() -> None:
    """The row of a reading holds median and 90 % interval of its forecast; before the first reading it is absent."""
    history = history_of(3, seen_days=3)
    load_kw = history.demand_kw.copy()
    load_kw[0] = np.nan
    told: list[int] = []
    issued = answer(empty_model(history.site), FIRST_STEP, load_kw, told.append)
    model = empty_model(history.site)
    for row, demand_kw in enumerate(load_kw[:200].tolist()):
        model.partial_fit(FIRST_STEP + row, demand_kw)
    forecast = model.predict()
    np.testing.assert_array_equal(issued[199], (forecast.median_kw, *forecast.bounds_kw(0.9)))
    assert np.isnan(issued[0]).all()
    assert sum(told) == len(load_kw)


def test_rows_that_are_taken_leave_the_model_as_if_they_had_been_answered() -> None:
    """To ask for forecasts, or not, changes none of those that follow."""
    history = history_of(3, seen_days=3)
    silent, asked = empty_model(history.site), empty_model(history.site)
    take(silent, history, range(3 * DAY), lambda _: None)
    answer(asked, FIRST_STEP, history.demand_kw, lambda _: None)
    np.testing.assert_array_equal(silent.predict().median_kw, asked.predict().median_kw)


def test_pairs_are_scored_by_their_target() -> None:
    """Forecasts that are right but for 50 kW at every lead have an RMSE of 50 kW at each, and are covered or not."""
    history = history_of(12, seen_days=10)
    rows = range(10 * DAY, 12 * DAY)
    issued = np.full((len(rows), 3, DAY), np.nan)
    for origin in range(len(rows)):
        known = history.demand_kw[rows.start + origin + 1 : rows.start + origin + 1 + DAY]
        issued[origin, :, : len(known)] = known + 50, known - 1, known + 60
    table = scored(history, rows, issued)
    np.testing.assert_allclose(table.per_lead["rmse_kw"], 50.0)
    np.testing.assert_allclose(table.per_lead["coverage"], 1.0)
    assert table.answered == len(rows) - 1  # the last row has no target
    assert table.test_from == history.time_of(FIRST_STEP + rows.start)


def test_the_naive_rules_know_only_what_a_cold_start_has_seen() -> None:
    """Without a week before the window no rule that needs one speaks, and none is scored; with eight days all do."""
    history = history_of(14, seen_days=14)
    rows = range(12 * DAY, 14 * DAY)
    issued = np.zeros((len(rows), 3, DAY))
    assert np.isnan(scored(history, rows, issued, known_from=9 * DAY).per_lead["best_naive_rmse_kw"]).all()
    assert not np.isnan(scored(history, rows, issued, known_from=4 * DAY).per_lead["best_naive_rmse_kw"]).any()


def twice(number: int, tell: Callable[[int], None]) -> int:
    """Return twice the number, having told it."""
    tell(number)
    return 2 * number


def test_jobs_run_in_processes_and_answer_by_name() -> None:
    """Each name has what its job returned, and the shares told are those of the readings taken."""
    shares: list[float] = []
    answers = in_parallel({"three": partial(twice, 3), "four": partial(twice, 4)}, 7, shares.append)
    assert answers == {"three": 6, "four": 8}
    assert shares == sorted(shares)
    assert all(0.0 <= share <= 1.0 for share in shares)
