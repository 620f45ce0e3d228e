"""Which rows are fitted on and which are scored: in time, but for the way that is a leak and says so."""

from __future__ import annotations

import numpy as np
import pytest

from backtest.compare.splits import CHRONOLOGICAL, FULL, RANDOM, ROLLING, Split

ROWS, SEEN = 1000, 800


def test_the_chronological_split_scores_all_rows_after_those_it_is_fitted_on() -> None:
    """One part: the first 80 %, then the rest."""
    (part,) = CHRONOLOGICAL.parts(ROWS, SEEN)
    assert part.fit.tolist() == list(range(SEEN))
    assert part.test.tolist() == list(range(SEEN, ROWS))


def test_rolling_origins_score_the_same_rows_each_from_its_own_past() -> None:
    """Each part is fitted on all rows before its test; the tests follow each other and fill the last 20 %."""
    parts = ROLLING.parts(ROWS, SEEN)
    assert len(parts) > 1
    assert np.concatenate([part.test for part in parts]).tolist() == list(range(SEEN, ROWS))
    for part in parts:
        assert part.fit.tolist() == list(range(part.test[0]))


@pytest.mark.parametrize("split", FULL, ids=lambda split: split.name)
def test_only_a_split_that_is_called_a_leak_fits_on_rows_after_those_it_scores(split: Split) -> None:
    """Whatever its name says."""
    future = [part.fit.max() > part.test.min() for part in split.parts(ROWS, SEEN)]
    assert set(future) == {split.leaks}


def test_the_random_split_never_fits_on_a_row_that_it_scores() -> None:
    """It leaks by the neighbours of a row, and scores each row once a repeat."""
    parts = RANDOM.parts(ROWS, SEEN)
    assert not any(np.intersect1d(part.fit, part.test).size for part in parts)
    counts = np.bincount(np.concatenate([part.test for part in parts]), minlength=ROWS)
    assert counts.min() == counts.max() > 0


def test_a_test_of_fewer_rows_than_origins_is_one_part() -> None:
    """Nothing is left out, and nothing fails."""
    assert [part.test.tolist() for part in ROLLING.parts(10, 8)] == [[8, 9]]
