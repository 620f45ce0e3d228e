"""Which readings are believed."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.guard import ExpiringNumber, Guard, Verdict
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


def lost(guard: Guard, ratios: list[float]) -> list[bool]:
    """Judge the same, and tell which readings are believed to be a loss."""
    return [guard.judge(ratio * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0).lost for ratio in ratios]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_outage_is_believed_at_its_second_reading(guard: Guard, sign: float) -> None:
    """Half of the load is gone: the first reading alone may be a fault of the meter, two that agree are none."""
    assert believed(guard, [1.0, 0.5, 0.47], sign=sign) == [True, False, True]


def test_of_the_first_reading_of_an_outage_a_half_is_believed(guard: Guard) -> None:
    """Until the next reading tells; of a rise nothing is believed, and of a drop to next to nothing neither."""
    verdict = guard.judge(0.5 * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0)
    assert verdict == Verdict(believed=False, low=True, belief=0.5)
    guard.trust()
    assert guard.judge(0.0, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0) == Verdict(believed=False, low=True)
    guard.trust()
    assert guard.judge(2.0 * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0) == Verdict(believed=False)


def test_two_drops_that_differ_do_not_agree(guard: Guard) -> None:
    """The second is another first one."""
    assert believed(guard, [0.68, 0.4, 0.41]) == [False, False, True]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_was_lost_may_come_back_at_any_reading(guard: Guard, sign: float) -> None:
    """The forecast has followed the load down: some or all of what was lost is believed at once, more is not."""
    low_kw, without_kw = sign * 0.5 * EXPECTED_KW, sign * EXPECTED_KW
    for ratio, back in ((1.5, True), (2.0, True), (2.7, True), (2.9, False), (-2.0, False)):
        verdict = guard.judge(ratio * low_kw, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0, without_kw)
        assert verdict.believed is back
    assert not guard.judge(2.0 * low_kw, low_kw, UNKNOWN, USUAL_ERROR_KW, 0.0).believed


def test_a_drop_that_is_believed_is_a_loss(guard: Guard) -> None:
    """At its second reading, or after six hours where nearly all is lost; a rise that is believed is none."""
    assert lost(guard, [0.5, 0.5]) == [False, True]
    guard.trust()
    assert lost(guard, [0.05] * 37) == [False] * 36 + [True]
    guard.trust()
    assert believed(guard, [2.0] * 7)[-1]
    assert not any(lost(guard, [2.0] * 7))


def test_the_end_of_what_was_believed_all_the_same_is_no_loss(guard: Guard) -> None:
    """A meter that had read twice the load for hours is mended: the load drops to where it was before."""
    assert believed(guard, [2.0] * 7)[-1]
    doubled_kw = 2.0 * EXPECTED_KW
    verdicts = [guard.judge(EXPECTED_KW, doubled_kw, UNKNOWN, USUAL_ERROR_KW, 0.0) for _ in range(2)]
    assert [verdict.believed for verdict in verdicts] == [False, True]
    assert not any(verdict.lost for verdict in verdicts)


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
    """Without the outage the load were zero at this hour."""
    assert not guard.judge(EXPECTED_KW, 0.0, UNKNOWN, USUAL_ERROR_KW, 0.0, 0.0).believed


@pytest.mark.parametrize(("ratio", "refused"), [(2.0, 6), (10.0, 36), (0.1, 36)])
def test_who_insists_is_believed(guard: Guard, ratio: float, refused: int) -> None:
    """A rise after six refusals in a row; what may be another unit, up or down, after six hours of them."""
    assert believed(guard, [ratio] * (refused + 1)) == [False] * refused + [True]


def test_what_was_out_at_these_hours_before_is_believed_after_an_hour(guard: Guard) -> None:
    """However little is left of it; of ten times the load that says nothing."""
    for ratio, refused in ((0.0, 6), (10.0, 36)):
        said = [
            guard.judge(ratio * EXPECTED_KW, EXPECTED_KW, UNKNOWN, USUAL_ERROR_KW, 0.0, again=True)
            for _ in range(refused + 1)
        ]
        assert [verdict.believed for verdict in said] == [False] * refused + [True]
        assert said[-1].lost is (ratio < 1.0)
        guard.trust()


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
    passing = ExpiringNumber(lasting_steps=2)
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
