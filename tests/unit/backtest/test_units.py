"""One unit for all loads of an output, chosen by their size; no number of a table is cut off."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from backtest.page import page_of
from backtest.tables import NO_MAPE, ScoreTable
from backtest.units import LoadUnit
from cli.printing import print_whole
from tests.unit.backtest.test_tables import random_transcript
from tests.unit.backtest.transcripts import flat_transcript, result_of

SCALES = {"standby": 1e-6, "home": 2e-4, "house": 1e-3, "plant": 1.0, "city": 50.0, "country": 2e4, "largest": 3e5}
UNITS = {"standby": "W", "home": "W", "house": "kW", "plant": "kW", "city": "kW", "country": "MW", "largest": "MW"}


def printed(table: ScoreTable, width: int) -> str:
    """Return the table as a terminal, or a pipe, of so many columns shows it."""
    console = Console(width=width)
    with console.capture() as captured:
        print_whole(console, table)
    assert console.width == width
    return captured.get()


@pytest.mark.parametrize(
    ("largest_kw", "unit"),
    [
        *((0.0, "kW"), (np.nan, "kW"), (0.0042, "W"), (0.999, "W"), (1.0, "kW"), (-5.0, "kW"), (17_214.3, "kW")),
        *((-0.2, "W"), (999_999.0, "kW"), (1e6, "MW"), (-28e6, "MW"), (1e9, "MW")),
    ],
)
def test_the_unit_follows_the_size(largest_kw: float, unit: str) -> None:
    """From nothing to the largest load, on either side of zero; small loads beside a large one do not matter."""
    assert LoadUnit.of(np.array([np.nan, largest_kw, largest_kw / 1e5])).name == unit


def test_a_wild_reading_does_not_decide() -> None:
    """One that is a thousand times too high, and nights without sun, leave the unit as it is."""
    loads_kw = np.full(300, 20_000.0)
    loads_kw[:2] *= 1000
    loads_kw[100:] = 0.0
    assert LoadUnit.of(loads_kw).name == "kW"


def test_a_frame_is_scaled_by_its_names() -> None:
    """Loads and errors are in the unit, shares and times stay."""
    frame = pd.DataFrame({"lead_minutes": [60], "rmse_kw": [2_500.0], "coverage_ratio": [0.9]})
    scaled = LoadUnit("MW", 1e3).scaled(frame)
    assert scaled.iloc[0].to_dict() == {"lead_minutes": 60, "rmse_kw": 2.5, "coverage_ratio": 0.9}
    assert frame["rmse_kw"][0] == 2_500.0


@pytest.mark.parametrize("width", [30, 80, 200])
@pytest.mark.parametrize("size", SCALES)
def test_the_table_is_in_one_unit_and_whole(size: str, width: int) -> None:
    """Whatever the width, each row has all its figures, and their sizes are those of the unit."""
    table = ScoreTable.of(random_transcript(scale=SCALES[size]), training_mae_kw=1.0)
    said = printed(table, width)
    assert "…" not in said
    assert set(re.findall(r"\b[kMG]?W\b", said)) == {UNITS[size]}
    assert table.unit.name == UNITS[size]
    rows = [line.split() for line in said.splitlines() if line.strip().startswith(("mean", "24 h"))]
    for row, rmse_kw in zip(rows, (table.per_lead["rmse_kw"][-1], table.per_lead["rmse_kw"].mean()), strict=True):
        shown = float(row[2 if row[1] == "h" else 1].replace(",", ""))
        assert shown * table.unit.kw == pytest.approx(rmse_kw, rel=0.01)
        assert len(row) == (11 if row[1] == "h" else 10)


@pytest.mark.parametrize("size", SCALES)
def test_the_page_is_in_one_unit(size: str) -> None:
    """Headings, charts and sentences name the unit of the table, and the charts hold numbers in it."""
    transcript = flat_transcript(9)
    for kw in (transcript.demand_kw, transcript.issued_kw, transcript.weather_estimate_kw):
        np.multiply(kw, SCALES[size] / 10, out=kw)
    text = page_of(result_of(transcript))
    body = text[text.index("<body>") :]
    assert set(re.findall(r"\b[kMG]?W\b", body)) == {UNITS[size]}
    assert f'<th scope="col">RMSE {UNITS[size]}</th>' in body


def crossing(days: float = 9.0) -> ScoreTable:
    """Return the scores of a load that lies below zero half of the time."""
    transcript = flat_transcript(days)
    transcript.demand_kw[::2] *= -1
    return ScoreTable.of(transcript)


def test_a_load_that_crosses_zero_has_no_mape() -> None:
    """It is null for machines, a dash for people, and one line says why; the other figures are there."""
    table = crossing()
    leads = table.to_json()["leads"]
    assert {group["mape"] for group in leads.values()} == {None}
    assert None not in {group["rmse_kw"] for group in leads.values()}
    assert table.to_json()["weather_estimate"]["mape"] is None
    said = printed(table, 80)
    assert said.count(NO_MAPE) == 1
    assert all(line.split()[-7] == "-" for line in said.splitlines() if line.strip().startswith(("1 h", "mean")))


@pytest.mark.parametrize(
    ("sign", "lowest", "has"),
    [(1.0, 0.011, True), (-1.0, 0.011, True), (1.0, 0.009, False), (-1.0, 0.009, False), (1.0, 0.0, False)],
)
def test_one_load_next_to_zero_leaves_no_mape(sign: float, lowest: float, *, has: bool) -> None:
    """On either side of zero: a load of more than 1 % of the median is large enough, and nothing is said of it."""
    transcript = flat_transcript(9)
    transcript.demand_kw *= sign
    transcript.demand_kw[-5] *= lowest
    table = ScoreTable.of(transcript)
    shares = {group["mape"] for group in table.to_json()["leads"].values()}
    assert (None not in shares) == has
    assert (shares == {None}) == (not has)
    assert (table.to_json()["weather_estimate"]["mape"] is not None) == has
    assert ("no MAPE:" not in printed(table, 80)) == has


def test_a_load_of_nothing_has_no_mape() -> None:
    """A meter that is switched off, and a plant that is dark for most of the time."""
    transcript = flat_transcript(9)
    transcript.demand_kw[:] = 0.0
    assert ScoreTable.of(transcript).nears_zero
    transcript.demand_kw[::7] = 20_000.0
    assert ScoreTable.of(transcript).nears_zero


def test_the_page_of_a_load_that_crosses_zero_says_why_there_is_no_mape() -> None:
    """The column has dashes, and the sentence stands beneath the table."""
    transcript = flat_transcript(9)
    transcript.demand_kw[::2] *= -1
    text = page_of(result_of(transcript))
    assert f"There is {NO_MAPE}." in " ".join(text.split())
    assert page_of(result_of(flat_transcript(9))).count(NO_MAPE) == 0
