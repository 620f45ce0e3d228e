"""`tetouan clean`: what it shows and writes, and what it refuses."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from shared.runtime.settings import Refused
from tests.unit.years import small_year

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Write two days of the built-in site with a load that no zone can have, and a row that stands there twice."""
    rows = small_year(2, "").rows.reset_index(drop=True)
    rows.loc[3, "Zone 2  Power Consumption"] = "1977356.96"
    pd.concat([rows, rows.loc[[8]]]).to_csv(tmp_path / "small.csv", index=False)
    return str(tmp_path / "small.csv")


def test_what_became_of_the_rows_is_shown_and_written(file: str, tmp_path: Path) -> None:
    """Tables to people, the clean readings, the rows and one JSON object to files; the JSON knows the checksum."""
    out, rows, told = tmp_path / "clean.csv", tmp_path / "rows.csv", tmp_path / "told.json"
    words = ["clean", "--data", file, "--out", str(out), "--rows", str(rows), "--json", str(told)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "outlier" in done.stdout
    assert "289 rows: 287 rows passed as they were, 1 flagged, 1 repeated" in done.stdout
    result = json.loads(told.read_text())
    assert (result["readings"], result["flagged"], result["repeated"]) == (288, 1, 1)
    assert result["out"]["sha256"] == sha256(out.read_bytes()).hexdigest()
    assert len(pd.read_csv(rows)) == 289
    assert len(pd.read_csv(out)) == 288


def test_a_synthetic_year_becomes_no_file_that_hides_it(tmp_path: Path) -> None:
    """Read again, nothing would say that nobody has measured it."""
    refused = CliRunner().invoke(app, ["clean", "--data", "synthetic", "--out", str(tmp_path / "clean.csv")])
    assert isinstance(refused.exception, Refused)
    assert "nobody measured a synthetic year" in str(refused.exception)


def test_an_output_may_not_be_the_input(file: str) -> None:
    """The file that is read would be lost."""
    refused = CliRunner().invoke(app, ["clean", "--data", file, "--out", file], terminal_width=300)
    assert refused.exit_code == 2
    assert "give each a file of its own" in refused.output
