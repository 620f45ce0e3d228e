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
    rows = kept.rows(200 - LONGEST, 200)
    assert all(np.array_equal(row, issued_for(200 - LONGEST + place)) for place, row in enumerate(rows))
    for target in range(200 - LONGEST, 200 + LEADS):
        if target > 199:
            kept.settle(target - 1, target - LONGEST)
        assert np.array_equal(kept.of(target), issued_for(target))


def issued_for(target: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Return what the origins from 100 to 199 have issued for a target, (3, leads)."""
    origins = [target - lead for lead in range(1, LEADS + 1)]
    absent = np.full(3, ABSENT, np.int32)
    return np.stack(
        [issue(origin)[:, lead] if 100 <= origin < 200 else absent for lead, origin in enumerate(origins)], axis=1
    )


@pytest.mark.parametrize("origin", [50, 70, 90, 99])
def test_a_forecast_that_has_come_is_known(origin: int) -> None:
    """By its origin, whether its targets are packed, some of them, or none."""
    kept = IssuedByTarget(LEADS, DAY, 1)
    kept.clear(0)
    for clock in range(100):
        if clock != origin:
            kept.place(clock, 0, issue(clock))
        kept.settle(clock, clock - LONGEST + 1)
    assert not kept.has(origin)
    kept.place(origin, 0, issue(origin))
    assert all(kept.has(one) for one in range(30, 100))


def test_what_is_changed_is_kept_instead() -> None:
    """All that is kept, packed or not, counted anew; the largest number is that of all."""
    kept = IssuedByTarget(LEADS, DAY, 1)
    kept.clear(0)
    assert kept.largest == 0
    for clock in range(60):
        kept.place(clock, 0, -issue(clock))
        kept.settle(clock, clock - LONGEST + 1)
    assert kept.largest == issue(59).max()
    rows = kept.rows(kept.oldest, 60)
    halved = np.where(rows == ABSENT, ABSENT, rows // 2).astype(np.int32)
    kept.change(lambda rows: np.where(rows == ABSENT, ABSENT, rows // 2).astype(np.int32))
    kept.settle(59, 59 - LONGEST + 1)
    assert np.array_equal(kept.rows(kept.oldest, 60), halved)
    kept.settle(60, 60 - LONGEST + 1)
    assert kept.of(61)[0, 1] == -issue(59)[0, 1] // 2
