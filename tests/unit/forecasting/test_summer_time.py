"""A load that lives by the clock, where the clock is changed twice a year."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.features import Features, grid_leads
from shared.forecasting.history import BLEND, LATE_MEAN, MEAN, DayWindow
from shared.forecasting.method import METHOD
from shared.forecasting.model import ZoneDemand
from shared.forecasting.windows import windows
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SPRING, AUTUMN = datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)
CHANGES = [
    ("Europe/Madrid", "Etc/GMT-1", SPRING, 10),
    ("Europe/Madrid", "Etc/GMT-2", AUTUMN, 15),
    ("America/New_York", "Etc/GMT+5", datetime(2025, 3, 9, 7, tzinfo=UTC), 15),
    ("America/New_York", "Etc/GMT+4", datetime(2025, 11, 2, 6, tzinfo=UTC), 60),
    ("Australia/Adelaide", "Australia/Darwin", datetime(2025, 10, 4, 16, 30, tzinfo=UTC), 60),
    ("Australia/Lord_Howe", "Etc/GMT-11", datetime(2025, 4, 5, 15, tzinfo=UTC), 30),
    ("Australia/Lord_Howe", "Australia/Darwin", datetime(2025, 10, 4, 15, 30, tzinfo=UTC), 30),
]
"""A zone, another whose clock goes on as it did before the change, when that is, and a step in minutes."""
SEEN_DAYS, WEEK, DAY = 42, 7, 48


def load_kw(zone: str, first_step: int, steps: int, step_minutes: int) -> Floats:
    """Return a load with the day and the week of the clock, steep in the morning, and weather that fades in hours."""
    clock = Calendar(None, zone).clock(first_step + np.arange(steps), step_minutes)
    angle = 2 * np.pi * clock.minute / 1440
    shape = 1 + 0.25 * np.sin(angle - 2.2) + 0.12 * np.cos(2 * angle) + 0.06 * np.sin(3 * angle)
    hours = step_minutes / 60
    kicks_kw = np.random.default_rng(3).normal(0.0, 75.0 * np.sqrt(hours), steps).tolist()
    off_kw = list(accumulate(kicks_kw, lambda off, kick: 0.97**hours * off + kick))
    loads_kw: Floats = 20_000 * shape * np.where(clock.weekday >= 5, 0.9, 1.0) + np.array(off_kw)
    return loads_kw


def rmse_kw(zone: str, change: datetime, step_minutes: int) -> float:
    """Return the error a day ahead over the targets of the week from the change on."""
    day = 1440 // step_minutes
    at = SEEN_DAYS * day
    first_step = int(change.timestamp()) // (60 * step_minutes) - at
    loads_kw = load_kw(zone, first_step, at + WEEK * day, step_minutes)
    model = ZoneDemand(calendar=Calendar(None, zone), step_minutes=step_minutes, horizon_steps=day)
    ahead_kw = [np.nan] * day
    while len(ahead_kw) < len(loads_kw):
        row = len(ahead_kw) - day
        said = model.answer(first_step + row, loads_kw[row:])
        ahead_kw += [np.nan if forecast is None else forecast.median_kw[-1] for forecast in said]
    return float(np.sqrt(np.mean((np.array(ahead_kw[at : len(loads_kw)]) - loads_kw[at:]) ** 2)))


@pytest.mark.parametrize(("changed", "unchanged", "change", "step_minutes"), CHANGES, ids=str)
def test_the_week_after_a_change_is_a_week_like_any_other(
    changed: str, unchanged: str, change: datetime, step_minutes: int
) -> None:
    """A day ahead the error is at most 1.1 times that of the same week without a change, from its first hour on."""
    assert rmse_kw(changed, change, step_minutes) <= 1.1 * rmse_kw(unchanged, change, step_minutes)


@pytest.mark.parametrize(
    ("unchanged", "change"),
    [
        ("Etc/GMT-11", datetime(2025, 4, 5, 15, tzinfo=UTC)),
        ("Australia/Darwin", datetime(2025, 10, 4, 15, 30, tzinfo=UTC)),
    ],
    ids=str,
)
def test_a_change_by_half_a_step_stays_small(unchanged: str, change: datetime) -> None:
    """Hourly readings of Lord Howe, whose clock moves by half an hour: the week after has less than twice the error."""
    assert rmse_kw("Australia/Lord_Howe", change, 60) < 2.0 * rmse_kw(unchanged, change, 60)


def test_the_usual_load_of_a_time_is_that_of_the_clock() -> None:
    """Before a day is over the usual load answers: what was drawn at 8:00 by the clock is expected at 8:00."""
    first_step = int(SPRING.timestamp()) // 3600 - 2
    model = ZoneDemand(calendar=Calendar(None, "Europe/Madrid"), step_minutes=60, horizon_steps=24)
    shown = Calendar(None, "Europe/Madrid").clock(first_step + np.arange(48), 60).minute / 60
    model.fit(first_step, 1000.0 + shown[:23])
    assert model.predict().answers[0].level == "climatology"
    seen = shown[24:47] != 2.0  # on this day that time is skipped
    np.testing.assert_allclose(model.predict().median_kw[1:][seen], 1000.0 + shown[24:47][seen])


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=str)
@pytest.mark.parametrize("begun", [0, 5, 20])
def test_however_it_is_fed_across_a_change_no_bit_differs(change: datetime, begun: int, tmp_path: Path) -> None:
    """Fed at once, alone or in handfuls, saved and loaded, begun long before or within a week: the same to the bit."""
    first_step = int(change.timestamp()) // 1800 - (24 - begun) * DAY
    loads_kw = load_kw("Europe/Madrid", first_step, (41 - begun) * DAY, 30)
    loads_kw[-17 * DAY - 5 : -17 * DAY + 5 : 3] = np.nan
    loads_kw[-16 * DAY :] *= 1.25
    alone = ZoneDemand(calendar=Calendar(None, "Europe/Madrid"), step_minutes=30, horizon_steps=DAY)
    together, random, row = alone.anew(), np.random.default_rng(2), 0
    while row < len(loads_kw):
        answers = together.answer(first_step + row, loads_kw[row : row + int(random.choice((1, 7, 500)))])
        for answer in answers:
            said = alone.partial_fit(first_step + row, float(loads_kw[row])).predict()
            assert answer is not None
            for left, right in zip(astuple(said), astuple(answer), strict=True):
                np.testing.assert_array_equal(left, right)
            row += 1
            if row % 29 == 0:
                alone.save(tmp_path / "state.npz")
                alone = ZoneDemand.load(tmp_path / "state.npz")
    states = alone.state(), together.state(), alone.anew().fit(first_step, loads_kw).state()
    for name in states[0]:
        for other in states[1:]:
            np.testing.assert_array_equal(states[0][name], other[name], err_msg=name)


def taken(first_step: int, loads_kw: Floats) -> DayWindow:
    """Return the history of Madrid after these hourly loads."""
    history = DayWindow(Grid(60), Calendar(None, "Europe/Madrid"), first_step, METHOD.blend)
    for step, load in enumerate(loads_kw.tolist(), first_step):
        if step // 24 > history.today:
            history.next_day()
        history.append(step, np.array((load,)), filled=False)
    return history


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=str)
@pytest.mark.parametrize("hours", [3, 25, 49, 200])
@pytest.mark.parametrize("begun_days", [3, 20])
def test_what_the_past_says_is_told_by_the_clock(change: datetime, hours: int, begun_days: int) -> None:
    """From a load that is the time on the clock all that is said of a day ahead is that time, whenever it has begun."""
    first_step = int(change.timestamp()) // 3600 - begun_days * 24
    shown = Calendar(None, "Europe/Madrid").clock(first_step + np.arange(begun_days * 24 + hours + 24), 60).minute / 60
    history = taken(first_step, shown[:-24])
    end = history.index(first_step + len(shown) - 24)
    said, skipped = history.series[:, end : end + 24], (shown[-24:] == 2.0) & (hours < 200)
    for row in (MEAN, LATE_MEAN, BLEND):
        np.testing.assert_allclose(said[row, ~skipped], shown[-24:][~skipped], atol=1e-9)


def test_a_lasting_shift_keeps_to_the_clock() -> None:
    """The anchors of a rescaled past are those of the clock as well."""
    first_step = int(SPRING.timestamp()) // 3600 - 20 * 24
    shown = 100.0 + Calendar(None, "Europe/Madrid").clock(first_step + np.arange(25 * 24), 60).minute / 60
    history = taken(first_step, shown[:-24])
    end = first_step + len(shown) - 24
    history.move(end - 8, 2.0, 0.0, end - 1)
    at = history.index(end)
    np.testing.assert_allclose(history.series[LATE_MEAN, at + 1 : at + 9], 2.0 * shown[-23:-15])


@pytest.mark.parametrize(("change", "hour"), [(SPRING, 1), (AUTUMN, -1)], ids=str)
def test_weights_see_a_target_from_the_other_side_of_the_change(change: datetime, hour: int) -> None:
    """Leads that the change lies before are answered as from an hour later in spring, and earlier in autumn."""
    grid, madrid, random = Grid(60), Calendar(None, "Europe/Madrid"), np.random.default_rng(4)
    first_step = int(change.timestamp()) // 3600 - 20 * 24
    history = taken(first_step, load_kw("Europe/Madrid", first_step, 20 * 24 - 6, 60))
    features = Features(madrid, grid, grid_leads(grid, 24), 24)
    features.turn_to(history)
    beta, limit = random.normal(size=(1, 4, 10, features.origin_width)), np.full(features.load_width, np.inf)
    gamma = random.normal(size=(1, 4, 10, features.lead_width))
    origin = history.index(first_step + 20 * 24 - 7)
    before, after = (
        windows(24, 4, features.ahead_steps).share[at[0] % 24]
        @ (beta @ features.origin_rows(history, at, limit)[0] + np.vecdot(features.lead_rows(history, at)[0], gamma))
        for at in (np.array((origin,)), np.array((origin + hour,)))
    )
    answer = features.answer(features.plan(beta, gamma, limit), history, origin, 1)[0]
    crossed = grid_leads(grid, 24) > 6
    np.testing.assert_allclose(answer[:, ~crossed], before[:, ~crossed], rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(answer[:, crossed], after[:, crossed], rtol=1e-9, atol=1e-6)
