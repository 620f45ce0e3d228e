"""When readings are due, and how long a wait lasts."""

from __future__ import annotations

import pytest

from replay.pacing import SendSchedule
from tests.unit.replay.clocks import Clock


def test_the_schedule_does_not_drift() -> None:
    """Reading n is due n / rate after the start, however late the ones before it were."""
    pace = SendSchedule(rate_per_s=8, start_s=100)
    assert pace.wait_s(0, now_s=100) == 0
    assert pace.wait_s(1, now_s=100.0625) == 0.0625
    assert pace.wait_s(80_000, now_s=100) == 10_000


def test_a_late_reading_is_due_at_once() -> None:
    """No wait is negative."""
    assert SendSchedule(rate_per_s=8, start_s=100).wait_s(1, now_s=200) == 0


def test_rate_zero_is_as_fast_as_it_goes() -> None:
    """Without a rate every reading is due at once."""
    assert SendSchedule(rate_per_s=0, start_s=100).wait_s(1_000_000, now_s=0) == 0


def test_what_is_postponed_is_not_made_up() -> None:
    """Time lost to waiting moves all that is still to come."""
    pace = SendSchedule(rate_per_s=8, start_s=100)
    pace.postpone(5)
    assert pace.wait_s(8, now_s=105) == 1


def test_a_negative_rate_is_refused() -> None:
    """The error says what to give instead."""
    with pytest.raises(ValueError, match="rate_per_s is -1: give readings a second, or 0"):
        SendSchedule(rate_per_s=-1, start_s=0)


def test_a_wait_lasts_as_long_as_it_should() -> None:
    """Undisturbed, its slices add up."""
    clock = Clock()
    clock.pauses.wait(12.34)
    assert clock.now_s == pytest.approx(12.34)


def test_a_wait_ends_soon_after_a_stop() -> None:
    """An hour's wait takes no longer than the stop and one slice."""
    clock = Clock(stop_at_s=3)
    clock.pauses.wait(3600)
    assert 3 <= clock.now_s <= 3.2


def test_nothing_is_waited_for_after_a_stop() -> None:
    """A stop holds for all waits that follow."""
    clock = Clock()
    clock.stop.set()
    clock.pauses.wait(3600)
    assert clock.now_s == 0
