"""What a forecast says of itself."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting import reasons
from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, LeadSpan
from shared.forecasting.method import METHOD
from shared.forecasting.outage import Fate
from shared.forecasting.zone import Zone
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 400_000  # hours since the epoch: 2015-08-19 16:00
BEST, LOWER = LeadSpan(1, 24, ADAPTED), LeadSpan(1, 24, ANALOGUE)


@pytest.fixture(scope="module")
def blank() -> Zone:
    """Return an hourly zone that has learned, whose best level can be computed; never changed."""
    zone = Zone(Calendar("MA"), Grid(60), 24, METHOD, STEP)
    zone.outlook.last_step = zone.outlook.good_step = STEP
    zone.history.append(STEP, np.array((80.0,)), filled=False)
    zone.regression.beta[:] = 0.0
    zone.intervals.quantile[:] = 1.0
    zone.ladder.computable[:] = True
    zone.ladder.joint_kw2[0, ANALOGUE], zone.ladder.joint_kw2[1, ANALOGUE] = 100.0**2, 250.0**2
    return zone


def _nothing(_: Zone) -> None:
    pass


def _refused(zone: Zone) -> None:
    zone.outlook.reason = "the reading is odd"


def _filled(zone: Zone) -> None:
    zone.ladder.computable[ADAPTED] = False


def _young(zone: Zone) -> None:
    _filled(zone)
    zone.regression.beta[:] = np.nan


def _shifted(onset: int, ratio: float = 0.8, offset_kw: float = 0.0) -> Callable[[Zone], None]:
    def change(zone: Zone) -> None:
        zone.shift.last_onset, zone.shift.last_ratio, zone.shift.last_offset_kw = onset, ratio, offset_kw
        zone.shift.last_since = onset - 1

    return change


def _shifted_back(zone: Zone) -> None:
    _shifted(STEP - 2, 1.25)(zone)
    zone.shift.returned_step = STEP


def _out(zone: Zone) -> None:
    zone.outage.believe(STEP - 1, 84.0, 210.0)
    zone.outage.go_on(STEP, 32.0, 80.0, holds=False)


def _dark(zone: Zone) -> None:
    _out(zone)
    zone.outage.go_on(STEP, 0.0, 80.0, holds=False)


def _steady(zone: Zone) -> None:
    _out(zone)
    zone.outage.settle(0.4)


def _was_out(end: int, fate: Fate = Fate.BACK) -> Callable[[Zone], None]:
    def change(zone: Zone) -> None:
        zone.outage.believe(end - 1, 84.0, 210.0)
        zone.outage.end(end, fate)

    return change


SHIFTED = "the load has shifted for good to 0.80 of what it was"
OUT = "load is out: 32.0 kW where 80.0 kW are expected without the outage"
LOST = "what is not back by 2015-08-22 15:00 UTC is lost for good"
DARK = "load is out: 0 kW where 80.0 kW are expected without the outage"
LASTS = "as long as nothing is left, the outage lasts"
BETTER = "better lately: RMSE 100 against 250 kW of the adapted model"


@pytest.mark.parametrize(
    ("changes", "span", "reason"),
    [
        ([_nothing], BEST, None),
        ([_refused], BEST, "the reading is odd"),
        ([_nothing], LOWER, BETTER),
        ([_filled], LOWER, "most of the last two days is filled: the model would forecast from its own forecasts"),
        ([_young], LOWER, "the model has too little history: it answers after about two weeks"),
        (
            [_young, _refused],
            LOWER,
            "the model has too little history: it answers after about two weeks; the reading is odd",
        ),
        ([_shifted(STEP)], BEST, None),
        ([_shifted(STEP)], LOWER, BETTER),
        ([_out], BEST, OUT),
        ([_out], LOWER, f"{BETTER}; {OUT}"),
        ([_out, _refused], BEST, f"{OUT}; the reading is odd"),
        ([_was_out(STEP)], BEST, None),
    ],
)
def test_why_a_span_is_answered_so(
    blank: Zone, changes: list[Callable[[Zone], None]], span: LeadSpan, reason: str | None
) -> None:
    """A lower level says why it answers, each what was wrong with the reading and that load is out."""
    zone = deepcopy(blank)
    for change in changes:
        change(zone)
    assert reasons.why(zone, span, STEP) == reason


def test_with_a_prior_a_week_of_history_is_enough(blank: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says for how long there is too little of it."""
    zone = deepcopy(blank)
    _young(zone)
    monkeypatch.setattr(type(zone), "borrows", True)
    why = reasons.why(zone, LeadSpan(1, 24, CLIMATOLOGY), STEP)
    assert why == "the model has too little history: it answers after about a week"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_nothing, None),
        (_out, (STEP - 1, None, Fate.LASTS)),
        (_was_out(STEP), (STEP - 1, STEP, Fate.BACK)),
        (_was_out(STEP - 23, Fate.HABIT), (STEP - 24, STEP - 23, Fate.HABIT)),
        (_was_out(STEP - 24), None),
    ],
)
def test_an_outage_is_known_as_long_as_it_lasts_and_for_a_day(
    blank: Zone, change: Callable[[Zone], None], found: tuple[int, int | None, Fate] | None
) -> None:
    """With its first step, the first one after it, and what has become of it."""
    zone = deepcopy(blank)
    change(zone)
    assert reasons.out(zone, STEP) == found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([_nothing], []),
        ([_shifted(STEP - 23)], [("shift", STEP - 24, SHIFTED)]),
        ([_shifted(STEP - 24)], []),
        ([_shifted(STEP, 1.0, -35.0)], [("shift", STEP - 1, "the load has shifted for good by -35.0 kW")]),
        ([_shifted_back], [("shift", STEP - 3, "the load has shifted back, to 1.25 of what it was")]),
        (
            [_out],
            [("outage", STEP - 1, f"{OUT}; what is left is forecast to become more little by little; {LOST}")],
        ),
        (
            [_dark],
            [("outage", STEP - 1, f"{DARK}; what is left is forecast to become more little by little; {LASTS}")],
        ),
        (
            [_steady],
            [
                (
                    "outage",
                    STEP - 1,
                    f"{OUT}; what is left has been steady for hours, and is forecast to stay so; {LOST}",
                )
            ],
        ),
        (
            [_was_out(STEP)],
            [
                (
                    "outage",
                    STEP - 1,
                    (
                        "load was out from 2015-08-19 15:00 to 2015-08-19 16:00 UTC: "
                        "what was expected stands in for these hours"
                    ),
                )
            ],
        ),
        (
            [_was_out(STEP, Fate.DOUBTED)],
            [
                (
                    "outage",
                    STEP - 1,
                    (
                        "readings down to 84.0 kW from 2015-08-19 15:00 to 2015-08-19 16:00 UTC were not believed, "
                        "load was out or the meter failed: what was expected stands in for these hours"
                    ),
                )
            ],
        ),
        (
            [_was_out(STEP, Fate.HABIT)],
            [
                (
                    "outage",
                    STEP - 1,
                    (
                        "load is out at these hours again: learned as a habit since 2015-08-19 16:00 UTC, "
                        "it is forecast for them"
                    ),
                )
            ],
        ),
        ([_was_out(STEP, Fate.FOR_GOOD), _shifted(STEP)], [("shift", STEP - 1, SHIFTED)]),
        ([_was_out(STEP - 24)], []),
    ],
)
def test_what_an_operator_is_told(
    blank: Zone, changes: list[Callable[[Zone], None]], told: list[tuple[str, int, str]]
) -> None:
    """Shift and outage, each once: since when it is, and what is forecast for it."""
    zone = deepcopy(blank)
    for change in changes:
        change(zone)
    assert list(reasons.told(zone, STEP)) == told
