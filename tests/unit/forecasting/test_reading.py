"""What becomes of one reading: what is taken into the history, what is learned, and what is said of it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from shared.forecasting import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.forecasting.model import ZoneDemand
    from shared.forecasting.zone import Zone

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour
SEEN = 18 * DAY + 4


class Taken(NamedTuple):
    """What is left of a reading, as ratios to what had been expected of it."""

    ratio: float  # in the history
    left: float  # the share of it that is left of the next one, as far as it is believed
    good: bool
    reason: str  # how it begins


FILLED = "the reading is missing: filled with the forecast"
FAR = "the reading of "


@pytest.fixture(scope="module")
def seasoned() -> dict[str, ZoneDemand]:
    """Hold the model that has read for 18 days, once it is fitted."""
    return {}


@pytest.fixture
def zone(seasoned: dict[str, ZoneDemand], model: ZoneDemand, synthetic: Series) -> Zone:
    """Return the zone of a model that has read for 18 days, the next reading being the fifth of a day."""
    if not seasoned:
        first_step, load_kw = synthetic(19)
        seasoned["model"] = model.fit(first_step, load_kw[:SEEN])
    fold = deepcopy(seasoned["model"]).fold
    assert fold is not None
    return fold.zone


def take(zone: Zone, ratio: float) -> Taken:
    """Take a reading at a ratio to what is expected of it."""
    step = zone.outlook.last_step + 1
    expected_kw = zone.outlook.expected_kw(step)
    assert expected_kw is not None
    at = zone.history.index(step)
    reading.take(zone, step, at, np.array((ratio * expected_kw,)))
    assert zone.outlook.last_step == step
    assert zone.history.filled[at] == (zone.outlook.good_step < step)
    outage = zone.outage
    return Taken(
        ratio=round(zone.history.load_kw(at) / expected_kw, 6),
        left=round(1.0 - outage.belief * (1.0 - outage.share), 6),
        good=zone.outlook.good_step == step,
        reason=zone.outlook.reason,
    )


@pytest.mark.parametrize(
    ("ratios", "last"),
    [
        pytest.param([1.0], Taken(1.0, 1.0, good=True, reason=""), id="as expected"),
        pytest.param([1.3], Taken(1.3, 1.0, good=True, reason=""), id="within the ratio"),
        pytest.param([np.nan], Taken(1.0, 1.0, good=False, reason=FILLED), id="missing"),
        pytest.param([2.0], Taken(1.0, 1.0, good=False, reason=FAR), id="a rise"),
        pytest.param([10.0], Taken(1.0, 1.0, good=False, reason=FAR), id="another unit"),
        pytest.param([0.0], Taken(1.0, 1.0, good=False, reason=FAR), id="all is lost"),
        pytest.param([0.5], Taken(1.0, 0.75, good=False, reason=FAR), id="half is lost"),
        pytest.param([0.5, 0.5], Taken(1.0, 0.5, good=False, reason=""), id="half is lost twice"),
        pytest.param([0.5, 1.0], Taken(1.0, 1.0, good=True, reason=""), id="half was lost for a reading"),
        pytest.param([0.5, 0.5, 1.0], Taken(1.0, 1.0, good=True, reason=""), id="half was lost and is back"),
        pytest.param([0.5, 0.5, 0.72], Taken(1.0, 0.72, good=False, reason=""), id="a part of it is back"),
        pytest.param([0.5, 0.5, np.nan], Taken(1.0, 0.5, good=False, reason=FILLED), id="missing in an outage"),
        pytest.param([2.0, 2.0, 2.0], Taken(2.0, 1.0, good=True, reason=""), id="a rise for an hour"),
    ],
)
def test_a_reading_is_taken_for_what_it_may_be(zone: Zone, ratios: list[float], last: Taken) -> None:
    """Beside the forecast of before, which none of these readings has changed."""
    *before, taken = (take(zone, ratio) for ratio in ratios)
    assert len(before) == len(ratios) - 1
    assert taken._replace(reason=last.reason) == last
    assert taken.reason.startswith(last.reason)
    assert bool(taken.reason) == bool(last.reason)


@pytest.mark.parametrize(("ratio", "ending"), [(2.0, "filled with it"), (0.5, " kW until the next one tells")])
def test_the_reason_says_what_was_read_expected_and_taken(zone: Zone, ratio: float, ending: str) -> None:
    """Both loads are numbers of the reason."""
    expected_kw = zone.outlook.expected_kw(zone.outlook.last_step + 1)
    assert expected_kw is not None
    reason = take(zone, ratio).reason
    assert reason.startswith(f"the reading of {ratio * expected_kw:,.0f} kW is too far from the forecast of ")
    assert f" {expected_kw:,.0f} kW" in reason
    assert reason.endswith(ending)


@pytest.mark.parametrize(("ratios", "learned"), [([1.0], 1), ([np.nan], 0), ([2.0], 0), ([0.5, 0.5], 0)])
def test_only_a_good_reading_teaches(zone: Zone, ratios: list[float], learned: int) -> None:
    """The climatology counts what it has seen."""
    before = int(zone.climatology.days.sum())
    for ratio in ratios:
        take(zone, ratio)
    assert int(zone.climatology.days.sum()) - before == learned


def test_the_range_holds_what_was_taken_not_what_was_read(zone: Zone) -> None:
    """Neither a refused reading nor an outage widens it, a good one may."""
    _, highest_kw = zone.outlook.range_kw
    take(zone, 2.0)
    assert zone.outlook.range_kw[1] == highest_kw
    lowest_kw = zone.outlook.range_kw[0]
    take(zone, 1.0)
    take(zone, 0.5)
    take(zone, 0.5)
    assert zone.outlook.range_kw[0] == lowest_kw
    take(zone, 1.3)
    assert zone.outlook.range_kw[1] == max(highest_kw, zone.history.load_kw(zone.history.index(zone.outlook.last_step)))


def test_a_zone_that_was_never_below_zero_notes_the_first_reading_that_is(model: ZoneDemand) -> None:
    """Before anything is judged, every reading is the load, and no forecast has a floor at zero any more."""
    model.fit(0, np.array((5.0, 4.0)))
    assert model.lowest_kw == 0.0
    model.partial_fit(2, -1.0)
    assert model.lowest_kw == -np.inf
