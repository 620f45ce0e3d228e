"""Which readings are believed."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.guard import Guard, Passing
from shared.forecasting.method import METHOD
from shared.sites.grid import Grid

EXPECTED_KW, USUAL_ERROR_KW = 20_000.0, 150.0
UNKNOWN = np.nan


@pytest.fixture
def guard() -> Guard:
    """Return a guard at ten minutes that has refused nothing."""
    return Guard(Grid(10), METHOD.guard)


def believed(guard: Guard, ratios: list[float], swing_kw: float = 0.0, sign: float = 1.0) -> list[bool]:
    """Judge readings at these ratios to a forecast that does not learn."""
    expected_kw = sign * EXPECTED_KW
    return [
        guard.judge(ratio * expected_kw, expected_kw, UNKNOWN, USUAL_ERROR_KW, swing_kw).believed for ratio in ratios
    ]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_outage_is_believed_at_its_second_reading(guard: Guard, sign: float) -> None:
    """Half of the load is gone: the first reading alone may be a fault of the meter, two that agree are none."""
    assert believed(guard, [1.0, 0.5, 0.47], sign=sign) == [True, False, True]


def test_of_the_first_reading_of_an_outage_a_half_is_believed(guard: Guard) -> None:
    """Until the next reading tells, the load is taken for the mean of both; of a rise nothing is believed."""
    verdict = guard.judge(0.5 * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0)
    assert verdict == (False, 0.75 * EXPECTED_KW)
    guard.trust()
    assert guard.judge(2.0 * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0) == (False, None)


def test_two_drops_that_differ_do_not_agree(guard: Guard) -> None:
    """The second is another first one."""
    assert believed(guard, [0.68, 0.4, 0.41]) == [False, False, True]


def test_the_load_comes_back_from_an_outage(guard: Guard) -> None:
    """The forecast has followed the load down: a rise by what was lost is believed at once, one by more is not."""
    assert believed(guard, [0.5, 0.5]) == [False, True]
    low_kw = 0.5 * EXPECTED_KW
    assert not guard.judge(3.0 * low_kw, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
    assert guard.judge(1.9 * low_kw, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
    assert guard.judge(EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
    assert not guard.judge(2.0 * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0).believed


def test_after_six_hours_an_outage_is_the_level(guard: Guard) -> None:
    """Then the load is not expected back, and a rise of twice is refused as ever."""
    low_kw = 0.5 * EXPECTED_KW
    assert believed(guard, [0.5, 0.5])[-1]
    for _ in range(36):
        assert guard.judge(low_kw, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
    assert guard.calm
    assert not guard.judge(EXPECTED_KW, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed


def test_an_outage_lasts_as_long_without_readings(guard: Guard) -> None:
    """Six hours in which readings are missing or refused are six hours: nothing is expected back after a gap."""
    low_kw = 0.5 * EXPECTED_KW
    for refused in (0, 5):
        assert believed(guard, [0.5, 0.5])[-1]
        for _ in range(refused):
            assert not guard.judge(9.0 * low_kw, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
        for _ in range(36 - refused):
            guard.wait()
        assert not guard.judge(EXPECTED_KW, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
        guard.trust()


@pytest.mark.parametrize("load_kw", [0.0, 1e-320])
@pytest.mark.parametrize("expected_kw", [0.0, 1.0])
def test_when_all_is_lost_the_outage_is_over(guard: Guard, load_kw: float, expected_kw: float) -> None:
    """Nothing is near nothing, and no ratio tells what is expected back."""
    assert believed(guard, [0.5, 0.5])[-1]
    assert guard.judge(load_kw, expected_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
    assert guard.calm
    assert not guard.judge(EXPECTED_KW, expected_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed


def test_after_a_part_all_of_the_load_may_be_lost(guard: Guard) -> None:
    """Zero is believed for what it is after six hours, in an outage as ever."""
    assert believed(guard, [0.5, 0.5])[-1]
    low_kw = 0.5 * EXPECTED_KW
    said = [guard.judge(0.0, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed for _ in range(37)]
    assert said == [False] * 36 + [True]


@pytest.mark.parametrize("expected_kw", [-300.0, 0.0, 300.0, 0.5 * EXPECTED_KW, 10.0 * EXPECTED_KW])
def test_what_is_usual_comes_back_at_its_second_reading(guard: Guard, expected_kw: float) -> None:
    """Whatever is forecast after an outage, or after a meter that read ten times the load and was believed."""
    usual_kw = EXPECTED_KW
    said = [guard.judge(kw, expected_kw, usual_kw, USUAL_ERROR_KW, 0.0).believed for kw in (0.9 * usual_kw, usual_kw)]
    assert said == [False, True]
    assert guard.judge(1.1 * usual_kw, 0.3 * usual_kw, usual_kw, USUAL_ERROR_KW, 0.0).believed


def test_two_readings_that_differ_are_both_doubted_although_usual(guard: Guard) -> None:
    """Within the ratio of what is usual, each to its own side, they do not agree; nor does one that is not usual."""
    ratios = (0.75, 1.3, 2.0, 1.3, 1.2)
    said = [guard.judge(r * EXPECTED_KW, 300.0, EXPECTED_KW, USUAL_ERROR_KW, 0.0).believed for r in ratios]
    assert said == [False, False, False, False, True]


def test_a_load_that_crosses_zero_comes_back_to_what_is_usual(guard: Guard) -> None:
    """What is near goes by how far the load swings."""
    ratios = (-0.4, -0.5)
    said = [guard.judge(r * EXPECTED_KW, 30_000.0, -8_000.0, USUAL_ERROR_KW, 6_000.0).believed for r in ratios]
    assert said == [False, True]


def test_where_nothing_was_expected_nothing_comes_back(guard: Guard) -> None:
    """A load that was to be zero is no part of the one that was lost."""
    assert believed(guard, [0.5, 0.5])[-1]
    assert not guard.judge(EXPECTED_KW, 0.0, UNKNOWN, USUAL_ERROR_KW, 0.0).believed


@pytest.mark.parametrize(("ratio", "refused"), [(2.0, 6), (10.0, 36), (0.1, 36)])
def test_who_insists_is_believed(guard: Guard, ratio: float, refused: int) -> None:
    """A rise after six refusals in a row; what may be another unit, up or down, after six hours of them."""
    assert believed(guard, [ratio] * (refused + 1)) == [False] * refused + [True]


@pytest.mark.parametrize(
    ("step_minutes", "refused", "wild"), [(5, 12, 72), (10, 6, 36), (15, 4, 24), (30, 2, 12), (60, 2, 6)]
)
def test_who_insists_needs_as_long_at_any_step(step_minutes: int, refused: int, wild: int) -> None:
    """An hour of refusals, but two readings at least, and six hours of what may be another unit."""
    for ratio, count in ((2.0, refused), (10.0, wild)):
        guard = Guard(Grid(step_minutes), METHOD.guard)
        assert believed(guard, [ratio] * (count + 1)) == [False] * count + [True]


@pytest.mark.parametrize(("ratio", "refused"), [(2.0, 6), (10.0, 36), (0.0, 36)])
def test_who_was_believed_is_believed_on(guard: Guard, ratio: float, refused: int) -> None:
    """Although the forecast still expects the load of before, until the load leaves, or was expected for a day."""
    assert believed(guard, [ratio] * (refused + 5))[refused:] == [True] * 5
    assert believed(guard, [1.0, ratio]) == [True, False]
    guard.trust()
    assert believed(guard, [ratio] * (refused + 1))[-1]
    for _ in range(144):
        assert guard.judge(ratio * EXPECTED_KW, ratio * EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0).believed
    assert guard.calm
    assert believed(guard, [ratio]) == [False]


def test_of_a_load_that_crosses_zero_there_is_no_outage(guard: Guard) -> None:
    """Half of a load that swings by twice as much is near; a drop beyond the swing is refused like a rise."""
    assert believed(guard, [0.5], swing_kw=2 * EXPECTED_KW) == [True]
    assert believed(guard, [0.0, 0.0], swing_kw=0.5 * EXPECTED_KW) == [False, False]


def test_a_passing_number_counts_for_its_time() -> None:
    """From when it is noted, and anew when it is noted again."""
    passing = Passing(lasting_steps=2)
    passing.wait()
    assert passing.steps == 0
    passing.note(4.0)
    passing.wait()
    passing.note(5.0)
    for steps in (2, 3):
        passing.wait()
        assert (passing.value, passing.steps) == (5.0, steps)
    passing.wait()
    assert passing.steps == 0
    assert np.isnan(passing.value)


def test_what_is_near_is_near_in_company(guard: Guard) -> None:
    """Many readings are judged as each alone."""
    loads_kw = np.array((0.5, 0.7, 0.72, 1.0, 1.39, 1.41, 3.0)) * EXPECTED_KW
    together = guard.near(loads_kw, np.full(7, EXPECTED_KW), USUAL_ERROR_KW, np.zeros(7))
    assert together.tolist() == [False, False, True, True, True, False, False]
    assert [bool(guard.near(kw, EXPECTED_KW, USUAL_ERROR_KW, 0.0)) for kw in loads_kw.tolist()] == together.tolist()
