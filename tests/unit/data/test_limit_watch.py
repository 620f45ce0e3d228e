"""When limits are told to refuse too much."""

from __future__ import annotations

import pytest

from shared.data.limit_watch import LimitWatch
from shared.data.load_watch import Doubt


def watched(refused: list[bool], step_minutes: int = 60) -> list[Doubt | None]:
    """Return what is suspected with each value."""
    watch = LimitWatch()
    return [watch.add(step, step_minutes, is_refused=one) for step, one in enumerate(refused)]


@pytest.mark.parametrize("step_minutes", [5, 10, 15, 30, 60])
def test_limits_that_refuse_all_are_told_within_five_hours(step_minutes: int) -> None:
    """Since the first value that was refused; not before three hours, whatever the step."""
    hour = 60 // step_minutes
    told = watched([True] * 10 * hour, step_minutes)
    assert not any(told[: 3 * hour])
    assert set(told[5 * hour :]) == {Doubt("limits", 0)}


@pytest.mark.parametrize("every", [3, 5, 100])
def test_outliers_are_no_fault_of_the_limits(every: int) -> None:
    """Up to a third of the values, for weeks."""
    assert not any(watched([n % every == 0 for n in range(1000)]))


def test_nights_within_the_limits_do_not_hide_days_beyond() -> None:
    """A load that is too high by day is told each day, until the next morning at the latest."""
    told = watched([6 <= n % 24 < 22 for n in range(10 * 24)])
    assert all(any(told[day : day + 24]) for day in range(0, 240, 24))


def test_a_limit_that_fits_again_is_forgotten() -> None:
    """The next doubt begins with the next value that is refused."""
    told = watched([True] * 10 + [False] * 30 + [True] * 10)
    assert {doubt.since_step for doubt in told if doubt} == {0, 40}
    assert not any(told[20:40])
