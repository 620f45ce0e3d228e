"""The card of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backtest.explore.card import data_card_of
from backtest.explore.parts import parts_of
from tests.unit.backtest.explore.files import load_kw, look_at, times

if TYPE_CHECKING:
    from pathlib import Path


def test_it_says_what_the_file_is_and_lacks(tmp_path: Path) -> None:
    """Checksum, columns, what was found, what is assumed, and on which terms; a name cannot end its cell."""
    at = times(20)
    found = look_at(tmp_path, at, **{"load | a": load_kw(at)})  # type: ignore[arg-type]  # a column of any name
    text = data_card_of(found, parts_of(found))
    for words in (
        "# Data card: file load.csv",
        found.year.sha256,
        r"| load \| a | zone 1 | kW | 480 |",
        "Steps without a reading: 0 of 480.",
        "The file has no weather",
        "## What is assumed of it",
        "Not told by the file",
    ):
        assert words in text
    assert "nobody measured" not in text
