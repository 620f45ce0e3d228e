"""States as arrays by dotted name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.forecasting.state import below, copied, fields_of, give, joined, known, refuse_misfit, whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Fold:
    """A part of a state with a field of each kind."""

    size: int
    step: int = field(init=False, default=-1)
    reason: str = field(init=False, default="")
    rows: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.zeros(self.size, np.float32)


def test_the_fields_of_a_dataclass_come_back() -> None:
    """Numbers, text and arrays have their values and types again; parameters are no state."""
    old, new = Fold(2), Fold(2)
    old.step, old.reason, old.rows = 7, "the reading is missing", np.array([1, 2], np.float32)
    state = fields_of(old)
    assert list(state) == ["step", "reason", "rows"]
    give(new, state)
    assert (new.step, new.reason, new.rows.tolist()) == (7, old.reason, [1, 2])
    assert new.rows.dtype == np.float32
    assert isinstance(new.step, int)


def test_a_state_that_is_given_or_copied_shares_no_memory() -> None:
    """What happens to the part later shows in its fields, and neither in a copy of them nor in who was given them."""
    old, new = Fold(2), Fold(2)
    state = fields_of(old)
    copy = copied(state)
    give(new, state)
    old.rows[0], new.rows[1] = 5, 7
    assert (state["rows"].tolist(), copy["rows"].tolist(), new.rows.tolist()) == ([5, 0], [0, 0], [0, 7])


def test_parts_are_told_apart_by_the_dot() -> None:
    """Of two parts, one of whose names begins with the other's, each gets its own."""
    zone, zones = {"a": np.array(1)}, {"a": np.array(2)}
    state = joined({"zone": zone, "zone1": zones})
    assert list(state) == ["zone.a", "zone1.a"]
    assert (below(state, "zone"), below(state, "zone1")) == (zone, zones)


@pytest.mark.parametrize("number", [None, 0, -1, 10**12])
def test_a_number_that_may_not_be_known(number: int | None) -> None:
    """None comes back as None, and no number is taken for it."""
    assert known(whole_number(number)) == number


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((3, 2)), None),
        (np.zeros((3, 2), np.float32), None),
        (np.zeros((3, 1)), r"rows is float64 \(3, 1\), expected float64 \(0, 2\)"),
        (np.zeros(2), r"rows is float64 \(2,\)"),
        (np.zeros((3, 2), np.int64), "rows is int64"),
        (np.zeros((3, 2), np.complex128), "rows is complex128"),
    ],
)
def test_what_does_not_fit_is_named(array: NDArray[Any], complaint: str | None) -> None:
    """An axis without length may have any, a narrower type may widen, all else is refused."""
    state, blank = {"rows": array}, {"rows": np.empty((0, 2))}
    if complaint is None:
        refuse_misfit(state, blank)
        return
    with pytest.raises(ValueError, match=complaint):
        refuse_misfit(state, blank)


def test_a_wider_number_is_refused() -> None:
    """Nothing is rounded or wraps around when it is taken."""
    with pytest.raises(ValueError, match="step is int64"):
        refuse_misfit({"step": np.array(2**40)}, {"step": np.array(0, np.int32)})


def test_missing_and_foreign_arrays_are_named() -> None:
    """Both at once."""
    with pytest.raises(ValueError, match="lacks or adds colour, step"):
        refuse_misfit({"colour": np.array(1)}, {"step": np.array(1)})
