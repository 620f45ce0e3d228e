"""What was issued by target: packed and unpacked, it is what was placed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.forecasting.issued import IssuedByTarget, packed, unpacked
from shared.forecasting.resolution import ABSENT

LEADS, DAY, LONGEST = 24, 24, 72


@given(arrays(np.int32, st.tuples(st.integers(1, 5), st.just(3), st.integers(2, 9))))
@settings(max_examples=100, deadline=None)
def test_any_numbers_come_back(rows: np.ndarray[tuple[int, int, int], np.dtype[np.int32]]) -> None:
    """The ends of 32 bits too: differences wrap."""
    assert np.array_equal(unpacked(packed(rows), rows.shape), rows)


def test_forecasts_that_follow_each_other_take_a_fraction() -> None:
    """Three hours of ten-minute targets, forecast by origins that each revise the day ahead a little."""
    rng = np.random.default_rng(1)
    revisions = np.cumsum(rng.normal(scale=20, size=(18 + 144, 1)), axis=0)
    day = 170_000 + 30_000 * np.sin(np.arange(18) / 20)
    origins = np.arange(18)[:, None] - np.arange(1, 145) + 144
    median = np.rint(day[:, None] + revisions[origins, 0]).astype(np.int32)
    rows = np.stack((median, median - 9_000, median + 9_001), axis=1)
    assert len(packed(rows)) < rows.nbytes / 5


def issue(origin: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Return a forecast that no other origin has, (3, leads)."""
    return 1000 * origin + np.arange(3 * LEADS, dtype=np.int32).reshape(3, LEADS)


@pytest.mark.parametrize("again", [False, True])
def test_what_is_placed_stays_until_it_is_too_old(*, again: bool) -> None:
    """By target and lead, in time or weeks late, before and after a state is resumed."""
    kept = IssuedByTarget(LEADS, DAY, 1)
    kept.clear(100)
    late = [origin for origin in range(100, 200) if origin % 7 == 3]
    for clock in range(100, 200):
        if clock not in late:
            kept.place(clock, 0, issue(clock))
        kept.settle(clock, clock - LONGEST + 1)
    for origin in late:
        first = max(0, 199 - LONGEST - origin)
        if first < LEADS:
            kept.place(origin, first, issue(origin))
    if again:
        state, kept = kept.state(), IssuedByTarget(LEADS, DAY, 1)
        kept.resume(state)
    rows = kept.rows(199 - LONGEST + 1, 200 + LEADS)
    for place, target in enumerate(range(199 - LONGEST + 1, 200 + LEADS)):
        for lead in range(1, LEADS + 1):
            origin = target - lead
            expected = issue(origin)[:, lead - 1] if 100 <= origin < 200 else np.full(3, ABSENT)
            assert np.array_equal(rows[place, :, lead - 1], expected)
            assert np.array_equal(kept.of(target)[:, lead - 1], expected)


def test_what_is_replaced_is_kept_instead() -> None:
    """All that is kept, packed or not, counted anew."""
    kept = IssuedByTarget(LEADS, DAY, 1)
    kept.clear(0)
    for clock in range(60):
        kept.place(clock, 0, issue(clock))
        kept.settle(clock, clock - LONGEST + 1)
    rows = kept.rows(kept.oldest, 60 + LEADS)
    halved = np.where(rows == ABSENT, ABSENT, rows // 2).astype(np.int32)
    kept.replace(kept.oldest, halved)
    kept.settle(59, 59 - LONGEST + 1)
    assert np.array_equal(kept.rows(kept.oldest, 60 + LEADS), halved)
    assert kept.of(59)[0, 0] == issue(58)[0, 0] // 2
