"""Constants can be tried: what is built meanwhile goes by them, and they are back afterwards."""

from __future__ import annotations

import pytest

from benchmarks.constants import GROUPS, Constant, patched, values
from benchmarks.criteria import Validation, streamed
from shared.forecasting import shift
from shared.forecasting.boosting import Boosting
from shared.forecasting.grid import Grid
from shared.forecasting.shift import LevelShift
from tests.unit.benchmarks.histories import DAY, history_of

TREES, BLEND, CONFIRM = (GROUPS[group][0] for group in ("weather", "blend", "shift"))


@pytest.mark.parametrize("constant", [c for cs in GROUPS.values() for c in cs], ids=lambda c: c.label)
def test_a_constant_is_tried_beside_what_it_is(constant: Constant) -> None:
    """What it is now is among its candidates, each of another value; trying the last one leaves the others alone."""
    assert constant.value in constant.candidates
    assert len(set(constant.candidates)) == len(constant.candidates) > 1
    before = constant.value
    with patched({constant: constant.candidates[-1]}):
        assert constant.value == constant.candidates[-1]
    assert constant.value == before


def test_constants_of_one_name_are_told_apart() -> None:
    """What has been measured is kept by what all constants were: each of them counts, whatever its name."""
    before = values()
    assert len(before) == sum(map(len, GROUPS.values()))
    for constant in (constant for constants in GROUPS.values() for constant in constants):
        with patched({constant: next(value for value in constant.candidates if value != constant.value)}):
            assert sum(values()[name] != value for name, value in before.items()) == 1


def test_what_is_built_meanwhile_goes_by_it() -> None:
    """A module's constant and a default argument are both looked up when they are used; an error puts them back."""
    before = values()
    with patched({CONFIRM: 720, TREES: 7, BLEND: (0.0, 0.0, 1.0)}):
        assert len(LevelShift(Grid(10), 144).ratios) == 72
        assert Boosting().n_estimators == 7
        assert BLEND.value == (0.0, 0.0, 1.0)
    with pytest.raises(KeyError), patched({CONFIRM: 720}):
        raise KeyError
    assert values() == before
    assert len(LevelShift(Grid(10), 144).ratios) == vars(shift)["_CONFIRM_MINUTES"] // 10


@pytest.mark.parametrize(("group", "label"), [("regression", "HALF_LIVES_DAYS"), ("intervals", "_UNREST_POWER")])
def test_a_stream_feels_it(group: str, label: str) -> None:
    """Other memories change the errors of a stream, other intervals only what their ends cost."""
    validation = Validation(history_of(24, seen_days=24), range(18 * DAY, 24 * DAY))
    before = streamed(validation, lambda _: None)
    constant = next(constant for constant in GROUPS[group] if constant.label == label)
    with patched({constant: next(value for value in constant.candidates if value != constant.value)}):
        tried = streamed(validation, lambda _: None)
    assert tried["pinball_kw"] != before["pinball_kw"]
    assert (tried["rmse_kw"] == before["rmse_kw"]) is (group == "intervals")
