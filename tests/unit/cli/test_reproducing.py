"""`tetouan reproduce`: a version is trained again in a process of its own, and what has changed is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from cli import training
from cli.__main__ import app
from shared.runtime.settings import Refused
from tests.unit.years import small_year

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

DEMAND = "zone-demand-tetouan-2"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of 22 days, and beside it a registry with the models that were trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    small_year(22, "").rows.to_csv(folder / "small.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TETOUAN_STATE_DIR", str(folder / "state"))
        patch.setenv("TETOUAN_KAFKA_BOOTSTRAP", "127.0.0.1:1")  # nobody is to be told
        patch.delenv("TETOUAN_MLFLOW_URI", raising=False)
        patch.setattr(training, "say_doubts", lambda *_: None)
        done = CliRunner().invoke(app, ["train", "--data", str(folder / "small.csv")], catch_exceptions=False)
        assert done.exit_code == 0
        yield folder


def run(*words: str) -> Result:
    """Return what comes of the command."""
    return CliRunner().invoke(app, ["reproduce", *words], terminal_width=300)


@pytest.mark.slow
def test_the_champions_are_reproduced_to_the_last_bit(trained: Path, tmp_path: Path) -> None:
    """Exit code 0; table, page and JSON say what is equal, and which difference is allowed."""
    told, page = tmp_path / "told.json", tmp_path / "page.html"
    done = run("--data", str(trained / "small.csv"), "--json", str(told), "--html", str(page))
    assert done.exit_code == 0, done.output
    assert f"{DEMAND}/1: reproduced" in done.stdout
    assert "weather-demand-tetouan-2/1: reproduced" in done.stdout
    assert "allowed: 0; same machine and libraries" in done.stdout
    result = json.loads(told.read_text())
    assert result["reproduced"]
    assert [version["not_equal"] for version in result["versions"]] == [[], []]
    assert all(version["equal"]["score"] > 5 for version in result["versions"])
    text = page.read_text(encoding="utf-8")
    assert f"{DEMAND}/1: reproduced" in text
    assert "<script src" not in text


@pytest.mark.slow
def test_a_row_that_has_changed_is_named(trained: Path, tmp_path: Path) -> None:
    """Exit code 1, and the day in the table."""
    rows = pd.read_csv(trained / "small.csv", dtype=str)
    rows.loc[5 * 144 + 7, "Zone 2  Power Consumption"] = "21000.5"
    rows.to_csv(tmp_path / "changed.csv", index=False)
    done = run(f"{DEMAND}/champion", "--data", str(tmp_path / "changed.csv"))
    assert done.exit_code == 1, done.output
    assert f"{DEMAND}/1: NOT reproduced" in done.stdout
    assert "of 2017-03-06" in done.stdout


@pytest.mark.slow
def test_readings_that_end_before_it_learned_are_refused(trained: Path, tmp_path: Path) -> None:
    """Exit code 2: the line is that of the training."""
    pd.read_csv(trained / "small.csv", dtype=str)[:900].to_csv(tmp_path / "short.csv", index=False)
    refused = run(f"{DEMAND}/1", "--data", str(tmp_path / "short.csv"))
    assert isinstance(refused.exception, Refused)
    assert f"the training of {DEMAND}/1 cannot be done again: 6.2 days of readings" in str(refused.exception)


@pytest.mark.usefixtures("trained")
def test_a_model_that_is_not_registered_is_refused(trained: Path) -> None:
    """Before anything is trained."""
    refused = run("zone-demand-tetouan-1/1", "--data", str(trained / "small.csv"))
    assert isinstance(refused.exception, Refused)
    assert "no model 'zone-demand-tetouan-1' is registered: did you mean zone-demand-tetouan-2?" in str(
        refused.exception
    )
