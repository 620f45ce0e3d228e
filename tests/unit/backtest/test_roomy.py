"""Arrays that may be larger than the memory."""

from __future__ import annotations

import re
import resource

import numpy as np
import pytest

from backtest import roomy
from backtest.roomy import RoomyArray
from backtest.tables import ScoreTable
from shared.data.errors import DataError
from tests.unit.backtest.test_tables import random_transcript


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every array lie in a file."""
    monkeypatch.setattr(roomy, "IN_MEMORY_BYTES", 0)


@pytest.mark.usefixtures("on_disk")
def test_what_was_written_stays() -> None:
    """NaN where nothing was; what has been let go of can be read, and written again."""
    array = RoomyArray((3, 5, 2000))
    assert np.isnan(array.values).all()
    array.values[:, :, 7] = 1.5
    array.let_go()
    array.values[1] += 1
    array.let_go()
    assert np.nansum(array.values) == 15 * 1.5 + 5


def test_scores_do_not_depend_on_where_the_forecasts_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure is the same to the last bit."""
    in_memory = ScoreTable.of(random_transcript())
    monkeypatch.setattr(roomy, "IN_MEMORY_BYTES", 0)
    on_disk = ScoreTable.of(random_transcript())
    for name, figures in in_memory.per_lead.items():
        np.testing.assert_array_equal(on_disk.per_lead[name], figures)


def test_a_large_array_takes_little_memory() -> None:
    """The process grows by less than half of what is written."""
    size_bytes = roomy.IN_MEMORY_BYTES + 2**26
    before = resident_bytes()
    array = RoomyArray((8, size_bytes // 64))
    for row in array.values:
        row[:] = 1.0
        array.let_go()
    assert resident_bytes() - before < size_bytes / 4
    assert array.values[5].sum() == size_bytes // 64


def resident_bytes() -> int:
    """Return the memory that this process holds now, in which files that are mapped count as long as they are held."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no file of ours
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.usefixtures("on_disk")
def test_no_room_is_one_line() -> None:
    """It says how much is needed where, and what to change."""
    said = r"the forecasts need [\d,.]+ GB in .+ \(.+\): choose a later --from, or another place with TMPDIR"
    with pytest.raises(DataError, match=said) as refusal:
        RoomyArray((2**20, 2**38))
    assert re.fullmatch(said, str(refusal.value))
