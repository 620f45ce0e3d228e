"""`tetouan eda`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
from typer.testing import CliRunner

from cli.__main__ import app
from tests.unit.backtest.explore.files import load_kw, times

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_summary_page_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary is printed, the page and the JSON are files; what the file cannot say is said."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    file, html, told = tmp_path / "load.csv", tmp_path / "eda.html", tmp_path / "eda.json"
    at = times(20)
    pd.DataFrame({"time": at, "load [red]": load_kw(at)}).to_csv(file, index=False)
    options = ["--data", str(file), "--html", str(html), "--json", str(told)]
    done = CliRunner().invoke(app, ["eda", *options], catch_exceptions=False)
    assert done.exit_code == 0
    assert "load [red]" in done.output
    assert "Missing and repeated readings: each of the 480 steps has a reading." in done.output
    assert "not known: The file has no weather" in done.output
    assert "What file load.csv holds" in html.read_text(encoding="utf-8")
    assert json.loads(told.read_text(encoding="utf-8"))["times"]["steps"] == 480


def test_no_output_is_the_data(tmp_path: Path) -> None:
    """A page that would replace the readings is refused before they are read."""
    file = tmp_path / "load.csv"
    file.write_text("time,load\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["eda", "--data", str(file), "--html", str(file)])
    assert done.exit_code == 2
    assert file.read_text(encoding="utf-8") == "time,load\n"
