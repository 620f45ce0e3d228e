"""The memories are chosen on what came before the last fifth, by the mean error over all leads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.choose import GRID, Choice, validated, validation
from shared.forecasting.model import HALF_LIVES_DAYS
from tests.unit.benchmarks.histories import DAY, history_of

if TYPE_CHECKING:
    from benchmarks.choose import Errors


def errors(mean_kw: float | None) -> Errors:
    """Return errors with such a mean."""
    return {"1": 1.0, "6": 2.0, "36": 3.0, "144": 4.0, "mean": mean_kw}


def test_the_last_fifth_is_neither_seen_nor_scored() -> None:
    """Whatever comes after the rows that have been seen, the history to choose on and its rows are the same."""
    history = history_of(20, seen_days=16)
    before, rows = validation(history)
    assert rows == range(12 * DAY, 16 * DAY)
    assert len(before.demand_kw) == len(before.weather) == 16 * DAY
    other_kw = np.concatenate((history.demand_kw[: 16 * DAY], np.full(4 * DAY, 1.0)))
    np.testing.assert_array_equal(validation(replace(history, demand_kw=other_kw))[0].demand_kw, before.demand_kw)


def test_memories_are_judged_by_a_stream() -> None:
    """A combination has an error at every lead, which grows with the noise, and its memories matter."""
    quiet, loud = (history_of(20, seen_days=20, noise_kw=noise_kw) for noise_kw in (20.0, 200.0))
    found = validated(*validation(quiet), (15.0, 960.0), lambda _: None)
    assert set(found) == {"1", "6", "36", "144", "mean"}
    louder = validated(*validation(loud), (15.0, 960.0), lambda _: None)
    assert (louder["mean"] or 0.0) > 2 * (found["mean"] or np.inf)
    assert validated(*validation(quiet), (1.0,), lambda _: None) != found


@pytest.mark.parametrize("best", [HALF_LIVES_DAYS, (60.0,)])
def test_the_lowest_mean_is_chosen_and_compared_with_the_model(best: tuple[float, ...]) -> None:
    """The combination with the lowest mean is marked, one that could not be scored never, and the verdict is plain."""
    rmse_kw = {memories: errors(900.0) for memories in GRID} | {GRID[0]: errors(None), best: errors(800.0)}
    choice = Choice(2, rmse_kw)
    assert choice.best == best
    same = best == HALF_LIVES_DAYS
    assert choice.to_json()["same"] is same
    assert ("which is what" in choice.verdict) is same
    table = choice.table("zone 2")
    (marked,) = (row for row, mark in enumerate(table.columns[-1].cells) if mark)
    assert list(table.columns[-2].cells)[marked] == "800.0"
