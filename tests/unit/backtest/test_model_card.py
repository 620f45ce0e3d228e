"""The card of a registered version."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from backtest.model_card import model_card_of
from backtest.result_file import ResultFile
from shared.data.errors import DataError
from shared.runtime.registry import ModelVersion
from tests.unit.backtest.transcripts import flat_transcript, result_of

if TYPE_CHECKING:
    from pathlib import Path

VERSION = ModelVersion(
    "zone-demand-tetouan-2",
    "3",
    tags={"as_of": "2017-10-19T04:30:00+00:00", "data_sha256": "0" * 64, "data_source": "uci", "weather": "none"},
    metrics={
        "rmse_kw/10": 222.4,
        "rmse_kw/1440": 871.2,
        "mape/1440": 0.0301,
        "coverage/1440": 0.912,
        "rmse_kw/mean": 791.0,
    },
    params={
        "train_from": "2017-01-01T00:00:00+00:00",
        "test_until": "2017-12-30T23:50:00+00:00",
        "method.decay": "0.99",
    },
    registered=datetime(2017, 12, 31, 8, tzinfo=UTC),
    aliases=("champion",),
)


@pytest.fixture
def result(tmp_path: Path) -> ResultFile:
    """The result of a backtest of zone 2 in November and December."""
    file = tmp_path / "zone.json"
    file.write_text(json.dumps(result_of(flat_transcript(12)).to_json()), encoding="utf-8")
    return ResultFile.read(file)


def test_figures_are_those_of_the_registry() -> None:
    """By lead, the mean last; what was not registered is a dash."""
    text = model_card_of(VERSION)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == [
        "| 10 min | 222 | - | - | - | - | - |",
        "| 24 h | 871 | - | 3.0 % | - | 91.2 % | - |",
        "| mean of all leads | 791 | - | - | - | - | - |",
    ]
    for words in (
        "It is the champion.",
        "0" * 64,
        "2017-01-01T00:00",
        "`method.decay`: 0.99",
        "CC BY 4.0",
        "No weather.",
    ):
        assert words in text
    assert "## What it cannot know" in text


def test_seasons_come_from_a_backtest_of_the_same_data(result: ResultFile) -> None:
    """Two seasons with their pairs; without a result the card says how to get them."""
    text = model_card_of(VERSION, result)
    assert "| Dec-Feb | 24 h |" in text
    assert "| Sep-Nov | 10 min |" in text
    assert "give the result of a backtest" in model_card_of(VERSION)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (replace(VERSION, name="zone-demand-tetouan-1"), "zone 2 of tetouan.*of zone 1"),
        (replace(VERSION, tags={**VERSION.tags, "data_sha256": "1" * 64}), "other data"),
        (replace(VERSION, name="theirs"), "no model of this program"),
    ],
)
def test_a_result_of_something_else_is_refused(version: ModelVersion, said: str, result: ResultFile) -> None:
    """No figure of other data stands on a card."""
    with pytest.raises(DataError, match=said):
        model_card_of(version, result)


def test_what_is_missing_or_invented_is_said() -> None:
    """A version without scores and alias, of the weather, on synthetic data."""
    tags = {**VERSION.tags, "data_source": "synthetic", "weather": "temperature_c+humidity_pct"}
    text = model_card_of(replace(VERSION, name="weather-demand-tetouan-2", tags=tags, metrics={}, aliases=()))
    for words in ("nobody measured", "Not scored", "It has no alias", "`temperature_c, humidity_pct`"):
        assert words in text
