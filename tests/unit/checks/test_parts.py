"""What holds for every part of a zone's state; a new one is covered by its name in `Zone.parts`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shared.forecasting.method import METHOD
from shared.forecasting.model import ZoneDemand
from shared.forecasting.state import copied, fields_of, give
from shared.forecasting.zone import Zone
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid
from tests.unit.states import assert_same, assert_writable

FIRST_STEP = 412_008


def blank() -> Zone:
    """Return a zone that has seen nothing."""
    return Zone(Calendar("MA"), Grid(60), 24, METHOD, FIRST_STEP)


EVERY = pytest.mark.parametrize("name", sorted(blank().parts))


@pytest.fixture(scope="module")
def used() -> Zone:
    """Return a zone with ten days of readings, of which some are missing."""
    steps = np.arange(10 * 24)
    load_kw = 20_000.0 + 4_000.0 * np.sin(2 * np.pi * steps / 24) - 1_500.0 * (steps // 24 % 7 > 4)
    load_kw[::41] = np.nan
    model = ZoneDemand(calendar=Calendar("MA"), step_minutes=60, horizon_steps=24).fit(FIRST_STEP, load_kw)
    assert model.fold is not None
    return model.fold.zone


@EVERY
def test_it_comes_back_from_its_fields(used: Zone, name: str) -> None:
    """Every field that is no parameter, with its type and shape, to the bit; no file of it needs pickle."""
    part: Any = used.parts[name]
    fresh: Any = blank().parts[name]
    state = copied(fields_of(part))
    assert_writable(state)
    give(fresh, state)
    assert_same(fields_of(fresh), state)


@EVERY
def test_it_shares_no_memory_with_what_it_was_given(used: Zone, name: str) -> None:
    """Neither does a part that goes on write into the arrays of a snapshot, nor into those of another part."""
    state = copied(fields_of(used.parts[name]))
    first, second = blank().parts[name], blank().parts[name]
    give(first, state)
    give(second, state)
    for field, array in fields_of(first).items():
        assert not np.shares_memory(array, state[field])
        assert not np.shares_memory(array, fields_of(second)[field])


@EVERY
def test_two_that_have_seen_nothing_are_the_same(name: str) -> None:
    """And stay apart: no field stands in the class."""
    first, second = blank().parts[name], blank().parts[name]
    assert_same(fields_of(first), fields_of(second))
    assert first is not second
