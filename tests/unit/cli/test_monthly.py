"""`tetouan monthly`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from shared.runtime.settings import Refused
from tests.unit.backtest.transcripts import flat_transcript, result_of

if TYPE_CHECKING:
    from pathlib import Path


def test_table_page_and_csv(tmp_path: Path) -> None:
    """The months are printed, and are in both files."""
    result, html, csv = tmp_path / "zone.json", tmp_path / "monthly.html", tmp_path / "monthly.csv"
    result.write_text(json.dumps(result_of(flat_transcript(12)).to_json()), encoding="utf-8")
    done = CliRunner().invoke(
        app, ["monthly", str(result), "--html", str(html), "--csv", str(csv)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "2017-12" in done.output
    assert "RMSE of yesterday kW" in done.output
    assert "Zone 2 of tetouan" in html.read_text(encoding="utf-8")
    assert len(csv.read_text(encoding="utf-8").splitlines()) == 7


def test_another_file_is_refused(tmp_path: Path) -> None:
    """One line says what to give."""
    file = tmp_path / "other.json"
    file.write_text("[]", encoding="utf-8")
    with pytest.raises(Refused, match="no site in it"):
        CliRunner().invoke(app, ["monthly", str(file)], catch_exceptions=False)
