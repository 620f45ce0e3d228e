"""Constants can be tried: each beside what it is, and what is run with it goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.constants import GROUPS, METHODS, Constant, methods_with
from benchmarks.criteria import Validation, streamed
from tests.unit.benchmarks.histories import DAY, history_of

if TYPE_CHECKING:
    from shared.forecasting.method import Value

ALL = [constant for constants in GROUPS.values() for constant in constants]


def another_of(constant: Constant) -> dict[Constant, Value]:
    """Return a setting in which it is something else."""
    return {constant: next(value for value in constant.candidates if value != constant.value)}


@pytest.mark.parametrize("constant", ALL, ids=lambda constant: constant.label)
def test_a_constant_is_tried_beside_what_it_is(constant: Constant) -> None:
    """What it is now is among its candidates, each of another value; each is within its range, and alone is changed."""
    assert constant.value in constant.candidates
    assert len(set(constant.candidates)) == len(constant.candidates) > 1
    before = METHODS.named()
    for value in constant.candidates:
        tried = methods_with({constant: value}).named()
        assert {name for name in before if tried[name] != before[name]} <= set(constant.names)
        assert (tried == before) is (value == constant.value)


def test_what_is_tried_together_is_changed_together() -> None:
    """Several constants, and several numbers of one, are set in both models; the present ones stay as they are."""
    trees, blend, confirm = (GROUPS[group][0] for group in ("weather", "blend", "shift"))
    tried = methods_with({confirm: 720, trees: 7, blend: (0.0, 0.0, 1.0)})
    assert tried.demand.shift.confirm_minutes == 720
    assert tried.weather.n_estimators == 7
    assert (tried.demand.blend.day, tried.demand.blend.week, tried.demand.blend.mean) == (0.0, 0.0, 1.0)
    assert methods_with({}) == METHODS


@pytest.mark.parametrize("name", ["demand.regression.half_lives_days", "demand.intervals.unrest_power"])
def test_a_stream_feels_it(name: str) -> None:
    """Other memories change the errors of a stream, other intervals only what their ends cost."""
    validation = Validation(history_of(24, seen_days=24), range(18 * DAY, 24 * DAY))
    before = streamed(validation, METHODS, lambda _: None)
    constant = next(constant for constant in ALL if constant.label == name)
    tried = streamed(validation, methods_with(another_of(constant)), lambda _: None)
    assert tried["pinball_kw"] != before["pinball_kw"]
    assert (tried["rmse_kw"] == before["rmse_kw"]) is (name == "demand.intervals.unrest_power")
