"""Since when a fallback or a bad score lasts, and how much worse it makes a forecast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.page.documents import Point
from services.gateway.page.lately import reserve_kw, streak, worst_of
from services.gateway.queries import StoredScores

NOON = datetime(2017, 10, 19, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("told", "is_all", "since"),
    [
        ([True, True, False, True], False, {"begun": NOON - DAY}),
        ([True, True], True, {"begun": NOON - DAY}),
        ([True, True], False, {"longer_than": 28 * DAY}),
        ([False, True], True, {}),
        ([], True, {}),
    ],
)
def test_a_streak_is_dated_as_far_as_it_is_known(told: list[bool], since: dict[str, Any], *, is_all: bool) -> None:
    """From its first time in a row; where it fills all that was read, only how long that is."""
    assert streak([(NOON - n * DAY, each) for n, each in enumerate(told)], 28 * DAY, is_all=is_all) == since


def test_the_reserve_is_what_the_band_would_need_more() -> None:
    """Of normal errors 80 % lie within 1.2816 and 90 % within 1.6449 deviations: the band needs 28 % more."""
    peak = Point(time=NOON, kw=5000.0, low_kw=4500.0, high_kw=5500.0, level="adapted")
    assert reserve_kw(peak, 0.8, 0.9) == pytest.approx(500 * (1.6449 / 1.2816 - 1), rel=1e-4)
    assert [reserve_kw(peak, coverage, 0.9) for coverage in (None, 0.9, 0.95, 0.0)] == [None] * 4
    assert reserve_kw(None, 0.8, 0.9) is None


def test_the_worst_error_names_its_lead_and_window() -> None:
    """What cannot be computed yet is passed over."""
    scores = [
        {"lead_minutes": lead, "window_days": days, "mape": mape}
        for lead, days, mape in ((60, 1, 0.1), (1440, 7, 0.2), (None, 28, None))
    ]
    assert worst_of(StoredScores(NOON, scores)) == {"lead": 1440, "window": 7, "mape": 0.2}
    assert worst_of(StoredScores(NOON, [])) is None
    assert worst_of(None) is None
