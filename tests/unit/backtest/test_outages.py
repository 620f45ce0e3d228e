"""What a backtest says of the outages that it went through."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from backtest.outages import Outages
from shared.forecasting.outage import Fate
from shared.forecasting.reasons import Out
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from shared.forecasting.model import ZoneForecast

STEP = 400_000  # hours since the epoch: 2015-08-19 16:00


class Said:
    """A forecast that says this of an outage."""

    def __init__(self, origin_step: int, outage: Out | None) -> None:
        self.origin_step, self.outage = origin_step, outage


def outages(*told: tuple[int, int | None, int | None], fate: Fate = Fate.BACK) -> Outages:
    """Return what forecasts come to, each by origin, first step of the outage (None: there is none) and end."""
    found = Outages(Grid(60))
    for origin, since, until in told:
        lasts = None if since is None else Out(STEP + since, None, Fate.LASTS)
        out = lasts if lasts is None or until is None else Out(lasts.since_step, STEP + until, fate)
        found.add(cast("ZoneForecast", Said(STEP + origin, out)))
    return found


OVER = [(0, None, None), (2, 1, None), (3, 1, None), (4, 1, None), (5, 1, 5), (6, 1, 5), (40, None, None)]
OVER_TEXT = "from 2015-08-19 17:00 to 2015-08-19 21:00 UTC (4 readings)"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ([(0, None, None)], "load was never out"),
        (OVER, f"load was out {OVER_TEXT}"),
        (
            [*OVER, (50, 49, None)],
            f"load was out {OVER_TEXT}, from 2015-08-21 17:00 to 2015-08-21 19:00 UTC (2 readings, not back)",
        ),
        ([(1, -5, -3), (2, None, None)], "load was never out"),
    ],
)
def test_each_outage_is_named_with_its_hours(told: list[tuple[int, int | None, int | None]], text: str) -> None:
    """From its first reading to the first after it; one that was over before the first forecast is not named."""
    found = outages(*told)
    assert str(found) == text
    assert bool(found) is ("out from" in text)


@pytest.mark.parametrize(
    ("fate", "words", "back"),
    [
        (Fate.BACK, "2 readings", True),
        (Fate.DOUBTED, "2 readings, not believed: load was out or the meter failed", True),
        (Fate.HABIT, "2 readings, out at these hours again: then learned as a habit", False),
        (Fate.FOR_GOOD, "2 readings, not back: lost for good", False),
    ],
)
def test_each_is_named_with_what_has_become_of_it(fate: Fate, words: str, *, back: bool) -> None:
    """Also where none of the forecasts before it was over has told of it."""
    for before in ([(2, 1, None)], []):
        found = outages(*before, (3, 1, 3), (4, 1, 3), fate=fate)
        assert str(found) == f"load was out from 2015-08-19 17:00 to 2015-08-19 19:00 UTC ({words})"
        (one,) = found.to_json()
        assert (one["fate"], one["back"]) == (fate.name.lower(), back)


def test_of_many_outages_the_first_are_named() -> None:
    """And how many more there were."""
    told = [
        (at, since, until) for since in range(0, 50, 10) for at, until in ((since + 1, None), (since + 2, since + 2))
    ]
    text = str(outages(*told))
    assert text.count("from") == 3
    assert text.endswith(" and 2 times more")


def test_machines_get_all_of_them() -> None:
    """Each with its hours, its readings, and whether the load came back."""
    assert outages(*OVER, (50, 49, None)).to_json() == [
        {
            "from": "2015-08-19T17:00:00+00:00",
            "until": "2015-08-19T21:00:00+00:00",
            "readings": 4,
            "back": True,
            "fate": "back",
        },
        {
            "from": "2015-08-21T17:00:00+00:00",
            "until": "2015-08-21T19:00:00+00:00",
            "readings": 2,
            "back": False,
            "fate": "lasts",
        },
    ]
