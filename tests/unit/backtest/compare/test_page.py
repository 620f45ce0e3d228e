"""The page of a comparison stands by itself and holds every result."""

from __future__ import annotations

from dataclasses import replace

from backtest.compare.page import page_of_board
from backtest.compare.splits import RANDOM
from tests.unit.backtest.compare.test_leaderboard import BOARD, task


def test_it_shows_every_model_what_leaks_and_what_passes() -> None:
    """And asks no other host for anything."""
    page = page_of_board(BOARD)
    for words in (
        "Comparison on tetouan, zone 2",
        "random 5-fold x 2, LEAK",
        "PASS",
        "FAIL",
        "stream, 24 h ahead",
        "2832",
    ):
        assert words in page
    assert "<script src" not in page
    assert "SYNTHETIC" not in page


def test_invented_data_are_called_so() -> None:
    """In the words of every other page."""
    tasks = (replace(task(), synthetic=True), task(RANDOM))
    assert "SYNTHETIC DATA" in page_of_board(replace(BOARD, tasks=tasks))
