"""What is kept of each model."""

from __future__ import annotations

from backtest.compare.cards import cards_of
from backtest.compare.splits import CHRONOLOGICAL, RANDOM
from tests.unit.backtest.compare.test_leaderboard import BOARD

CARDS = {card.name: card for card in cards_of(BOARD)}


def test_each_model_and_task_has_a_card() -> None:
    """That of a model with several leads holds all of them."""
    assert set(CARDS) == {
        f"{model}, {CHRONOLOGICAL.name}" for model in ("trees", "forest", "stream", "persistence")
    } | {f"forest, {RANDOM.name}"}
    stream = CARDS[f"stream, {CHRONOLOGICAL.name}"]
    assert stream.metrics["rmse_kw/10"] == 222.0
    assert stream.metrics["rmse_kw/1440"] == 871.0
    assert "mape/10" not in stream.metrics  # it cannot be computed


def test_a_card_says_what_the_figures_are_of() -> None:
    """Data, code, split, what the model knows, and the figures in a table."""
    text = CARDS[f"trees, {CHRONOLOGICAL.name}"].text()
    for words in ("# trees: zone 2 of tetouan", "f" * 64, "1.2.3", "no load after the fit", "| any | 2900.0 |"):
        assert words in text
    assert "leak" not in text
    assert CARDS[f"trees, {CHRONOLOGICAL.name}"].tags["trained_on_this_data"] == "false"


def test_the_card_of_a_leak_begins_with_that() -> None:
    """Whoever finds it in MLflow knows what its figures are worth."""
    leak = CARDS[f"forest, {RANDOM.name}"]
    assert "This is a leak" in leak.text().split("\n\n")[1]
    assert leak.tags["trained_on_this_data"] == "true"
