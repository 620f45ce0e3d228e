"""The tables of a comparison: ordered, judged by the targets, and whole for machines."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console

from backtest.compare.leaderboard import LEAK, Leaderboard
from backtest.compare.results import KNOWS_LOAD, KNOWS_WEATHER, Fingerprint, ModelResult, Warmed
from backtest.compare.splits import CHRONOLOGICAL, RANDOM
from backtest.compare.tasks import ForecastingTask
from backtest.units import LoadUnit

if TYPE_CHECKING:
    from pathlib import Path

    from backtest.compare.splits import Split

FINGERPRINT = Fingerprint("f" * 64, "1.2.3")
BEGIN = datetime(2017, 10, 19, 4, 40, tzinfo=UTC)


def task(split: Split = CHRONOLOGICAL, zone: int = 2) -> ForecastingTask:
    """Return a task of the published year."""
    return ForecastingTask(
        site="tetouan",
        zone=zone,
        target="zone_2_kw",
        columns=("hour",),
        split=split.name,
        fit_rows=8,
        test_rows=2,
        test_from=BEGIN,
        test_until=BEGIN + timedelta(days=70),
        data="UCI Tetouan 2017",
        data_sha256="f" * 64,
        synthetic=False,
    )


def result(
    model: str, rmse_kw: float, *, r2: float = 0.5, split: Split = CHRONOLOGICAL, lead_minutes: int | None = None
) -> ModelResult:
    """Return a result; that of a lead knows the load."""
    knows = KNOWS_WEATHER if lead_minutes is None else KNOWS_LOAD
    figures = {"rmse_kw": rmse_kw, "mae_kw": 1000.0, "mape": math.nan, "r2": r2}
    return ModelResult(model, split.name, knows, figures, FINGERPRINT, lead_minutes, trained_on_this_data=split.leaks)


BOARD = Leaderboard(
    (task(), task(RANDOM)),
    (
        result("forest", 550.0, r2=0.99, split=RANDOM),
        result("forest", 3700.0),
        result("trees", 2900.0),
        result("stream", 222.0, r2=0.998, lead_minutes=10),
        result("stream", 871.0, r2=0.975, lead_minutes=1440),
        result("persistence", 460.0, r2=0.99, lead_minutes=10),
        result("persistence", 1778.0, r2=0.89, lead_minutes=1440),
    ),
    LoadUnit("kW", 1.0),
)


def shown(board: Leaderboard) -> str:
    """Return the tables as text."""
    console = Console(file=StringIO(), width=120)
    for table in board.shown():
        console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_best_stands_first_within_its_split() -> None:
    """A leak never stands above an honest result, however small its error is."""
    assert [(each.model, each.split) for each in BOARD.knowing_weather] == [
        ("trees", CHRONOLOGICAL.name),
        ("forest", CHRONOLOGICAL.name),
        ("forest", RANDOM.name),
    ]
    assert [results[0].model for results in BOARD.knowing_load] == ["stream", "persistence"]


def test_a_leak_is_called_one_and_is_not_judged_by_the_targets() -> None:
    """In the table its line says so; among PASS and FAIL it does not stand."""
    lines = shown(BOARD).splitlines()
    assert [RANDOM.name in line for line in lines if LEAK in line and "550" in line] == [True]
    judged = lines[next(n for n, line in enumerate(lines) if "targets" in line) :]
    assert not [line for line in judged if RANDOM.name in line]


def test_each_target_is_passed_or_failed() -> None:
    """A figure that cannot be computed does not pass."""
    (line,) = [line for line in shown(BOARD).splitlines() if line.strip().startswith("stream, 24 h ahead")]
    assert line.split()[-3:] == ["PASS", "FAIL", "PASS"]


def test_what_cannot_be_computed_is_null_for_machines() -> None:
    """JSON has no NaN; each result has its fingerprint, and whether each target is met."""
    told = json.loads(json.dumps(BOARD.to_json(), allow_nan=False))
    assert len(told["results"]) == len(BOARD.results)
    first = told["results"][0]
    assert (first["model"], first["mape"], first["data_sha256"]) == ("trees", None, "f" * 64)
    assert first["targets"] == {"rmse_kw": True, "mape": False, "r2": False}
    assert [task["split"] for task in told["tasks"]] == [CHRONOLOGICAL.name, RANDOM.name]


def test_the_file_has_a_row_for_each_result(tmp_path: Path) -> None:
    """With the columns of ``ModelResult.row``."""
    BOARD.write_csv(tmp_path / "board.csv")
    read = pd.read_csv(tmp_path / "board.csv")
    assert list(read) == list(BOARD.results[0].row())
    assert read["rmse_kw"].tolist() == [2900.0, 3700.0, 550.0, 222.0, 871.0, 460.0, 1778.0]


def test_nothing_is_shown_of_what_was_not_asked_for() -> None:
    """Without results that know the load there is no table of them."""
    alone = Leaderboard((task(),), (result("trees", 2900.0),), LoadUnit("kW", 1.0))
    assert "load up to the origin" not in shown(alone)


def test_what_the_batch_system_said_stands_beside_its_own_task_alone() -> None:
    """It is of zone 2 of the published year."""
    assert "2832" in " ".join(BOARD.remarks)
    assert replace(BOARD, tasks=(task(zone=1),)).remarks == []
    assert replace(BOARD, tasks=(replace(task(), data="file year.csv"),)).remarks == []


def test_warmer_weather_is_told_model_by_model() -> None:
    """As the growth of the RMSE, beside that of the batch system."""
    lines = replace(BOARD, warmed=(Warmed("trees", 5000, 5.0, 2000.0, 2100.0),)).remarks
    assert lines[1:] == [
        "5 C more on 5,000 rows of the test, RMSE: trees +5.0%.",
        "The batch system reported that its RMSE grew by 11.8 % so.",
    ]
