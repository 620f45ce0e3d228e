"""What passes for a lasting shift of the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.method import METHOD
from shared.forecasting.shift import LevelShift, Shift
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = 144
FORECAST_KW = 20_000.0 + 3_000.0 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
USUAL_ERROR_KW = 150.0
RANGE_KW = (17_000.0, 23_000.0)
EIGHT_HOURS = 48


@pytest.fixture
def shift() -> LevelShift:
    """Return a watch at ten minutes that has seen nothing."""
    return LevelShift(Grid(10), DAY, METHOD.shift)


def watched(shift: LevelShift, ratios: list[float], first: int = 1) -> list[Shift | None]:
    """Let the load run beside the forecast, which is the same at every step, at these ratios; shifts are accepted."""
    return [
        seen(shift, first + n, ratio * FORECAST_KW[n], np.roll(FORECAST_KW, -n), USUAL_ERROR_KW, RANGE_KW)
        for n, ratio in enumerate(ratios)
    ]


def seen(
    shift: LevelShift,
    step: int,
    load_kw: float,
    forecast_kw: NDArray[np.float64],
    usual_error_kw: float = 1.0,
    range_kw: tuple[float, float] = (500.0, 1500.0),
) -> Shift | None:
    """Watch a reading that follows a good one, and accept the shift that it confirms, where that is likely."""
    found = shift.watch(step, load_kw, forecast_kw, usual_error_kw, range_kw, good_step=step - 1)
    if not found or not shift.is_likely(found):
        return None
    shift.accept(found, step, shift.since_step)
    return found


def test_a_steady_jump_is_accepted_after_eight_hours(shift: LevelShift) -> None:
    """The reading that completes eight hours names the onset and the ratio, and none before it."""
    said = watched(shift, [1.0] * 5 + [1.2] * EIGHT_HOURS)
    assert said[:-1] == [None] * (4 + EIGHT_HOURS)
    assert said[-1] is not None
    assert tuple(said[-1]) == pytest.approx((6, 1.2, 0.0))


@pytest.mark.parametrize(
    "ratios",
    [
        [1.0] * 100,
        [1.2] * 20 + [1.0] * 60,  # it passes
        [1.05] * 60,  # too small
        [1.2 if n % 2 else 1.6 for n in range(60)],  # not steady
        [0.001] * 60,  # another unit
    ],
)
def test_what_is_no_lasting_shift(shift: LevelShift, ratios: list[float]) -> None:
    """Nothing is accepted."""
    assert watched(shift, ratios) == [None] * len(ratios)


def test_a_shift_within_a_reading_is_seen_whole(shift: LevelShift) -> None:
    """The reading in which it happens holds only a part of it, which does not count."""
    said = watched(shift, [1.1] + [1.25] * EIGHT_HOURS)
    accepted = said[EIGHT_HOURS - 1]
    assert accepted is not None
    assert accepted.ratio == pytest.approx(1.25)


def test_the_way_back_needs_half_an_hour(shift: LevelShift) -> None:
    """A jump to the level of before is believed after three readings, by exactly the inverse ratio."""
    up = watched(shift, [1.25] * EIGHT_HOURS)[-1]
    assert up is not None
    assert watched(shift, [0.80, 0.79, 0.81], first=500)[1:] == [None, (500, 1.0 / up.ratio, 0.0)]


def test_a_load_that_is_switched_to_and_fro_has_no_level(shift: LevelShift) -> None:
    """After a way back no shift is believed for two weeks, and then again."""
    assert watched(shift, [1.25] * EIGHT_HOURS)[-1] is not None
    assert watched(shift, [0.80] * 3, first=500)[-1] is not None
    assert watched(shift, [1.25] * EIGHT_HOURS, first=900) == [None] * EIGHT_HOURS
    assert watched(shift, [1.25] * EIGHT_HOURS, first=503 + 14 * DAY)[-1] is not None


def test_after_a_week_a_way_back_is_a_shift_like_any(shift: LevelShift) -> None:
    """An hour at the former level is nothing then."""
    assert watched(shift, [1.25] * EIGHT_HOURS)[-1] is not None
    assert watched(shift, [0.80] * 6 + [1.0] * 20, first=8 * DAY) == [None] * 26


def test_a_second_shift_needs_twice_the_proof(shift: LevelShift) -> None:
    """Within a week after one, another is believed after sixteen hours; by then it need not be the way back."""
    assert watched(shift, [1.25] * EIGHT_HOURS)[-1] is not None
    said = watched(shift, [1.5] * 2 * EIGHT_HOURS, first=300)
    assert said[:-1] == [None] * (2 * EIGHT_HOURS - 1)
    assert said[-1] == pytest.approx((300, 1.5, 0.0))


def test_a_shift_begins_with_the_first_reading_that_was_so_far_off(shift: LevelShift) -> None:
    """Also where readings were refused before the first one that was believed."""
    for step in range(10, 10 + EIGHT_HOURS):
        shift.watch(step, 1.5 * FORECAST_KW[0], FORECAST_KW, USUAL_ERROR_KW, RANGE_KW, good_step=6)
    assert shift.since_step == 7


def test_the_way_back_is_likely_however_far_it_is(shift: LevelShift) -> None:
    """A fifth of the load is no shift, but what was taken for one comes back to five times as much."""
    fifth = Shift(1, 0.2, 0.0)
    assert not shift.is_likely(fifth)
    shift.accept(fifth, 1, 1)
    assert shift.is_likely(Shift(9, 1 / 0.2, 0.0))
    assert not shift.is_likely(Shift(9, 5.1, 0.0))


@pytest.mark.parametrize(
    ("left", "ratio", "back"), [(0.2, 4.0, True), (0.2, 3.5, False), (0.8, 1.19, True), (0.8, 1.15, False)]
)
def test_what_is_the_way_back_goes_by_the_size_of_the_shift(
    shift: LevelShift, left: float, ratio: float, *, back: bool
) -> None:
    """The level of before may have moved since: by 6 % a day, and no more than three tenths of the shift."""
    shift.accept(Shift(1, left, 0.0), 1, 1)
    said = watched(shift, [ratio] * 3, first=500)
    assert said == [None, None, (500, 1.0 / left, 0.0) if back else None]


def test_on_the_same_day_the_level_of_before_is_the_same(shift: LevelShift) -> None:
    """What comes back within a day is not another level that happens to be near it."""
    shift.accept(Shift(1, 0.2, 0.0), 1, 1)
    assert watched(shift, [4.0] * 3, first=100) == [None] * 3
    shift.forget()
    assert watched(shift, [4.8] * 3, first=110)[-1] == (110, 5.0, 0.0)


def test_a_few_readings_prove_nothing() -> None:
    """At an hour a step three are needed for the way back; a horizon of up to sixteen hours never sees a shift."""
    hourly = LevelShift(Grid(60), 24, METHOD.shift)
    forecast_kw = np.full(24, 1000.0)
    said = [seen(hourly, step, 1250.0, forecast_kw) for step in range(8)]
    assert said == [None] * 7 + [(0, 1.25, 0.0)]
    assert [seen(hourly, 30 + step, 800.0, forecast_kw) for step in range(3)] == [
        None,
        None,
        (30, 0.8, 0.0),
    ]
    short = LevelShift(Grid(60), 16, METHOD.shift)
    assert [seen(short, step, 1250.0, forecast_kw[:16]) for step in range(20)] == [None] * 20
    long = LevelShift(Grid(60), 17, METHOD.shift)
    assert any(seen(long, step, 1250.0, forecast_kw[:17]) for step in range(20))
