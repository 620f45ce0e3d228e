"""`tetouan backtest`: what it writes, and what it refuses before it computes anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from cli import backtesting
from cli.__main__ import app
from tests.unit.backtest.records import START, flat_record, result_of, year

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the command compute a known result at once; the list says what it was asked for."""
    asked: list[str] = []
    readings = replace(year(), times=pd.date_range(START, START + timedelta(days=3), freq="10min"))

    def backtest(_: object, zone: int, *window: object) -> object:
        asked.append(f"zone {zone} from {window[0]}")
        return result_of(flat_record(3))

    monkeypatch.setattr(backtesting, "year_for", lambda *_: readings)
    monkeypatch.setattr(backtesting, "backtest", backtest)
    return asked


class TestOptions:
    """Files beside the printed table."""

    def test_everything_that_was_asked_for_is_written(self, tmp_path: Path, computed: list[str]) -> None:
        """The folder is made, and holds the tables; the page and the JSON are files."""
        csv, html, result = tmp_path / "new" / "tables", tmp_path / "page.html", tmp_path / "result.json"
        options = ["--from", "2017-11-29", "--csv", str(csv), "--html", str(html), "--json", str(result)]
        done = CliRunner().invoke(app, ["backtest", *options], catch_exceptions=False)
        assert done.exit_code == 0
        assert computed == ["zone 2 from 2017-11-29 00:00:00+00:00"]
        assert len(list(csv.glob("*.csv"))) == 7
        assert "Backtest of tetouan, zone 2" in html.read_text(encoding="utf-8")
        assert '"seed"' in result.read_text(encoding="utf-8")

    def test_nothing_is_written_unasked(
        self, tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without options only the table is shown."""
        monkeypatch.chdir(tmp_path)
        done = CliRunner().invoke(app, ["backtest", "--from", "2017-11-29"], catch_exceptions=False)
        assert done.exit_code == 0
        assert computed
        assert "Zone 2: 432 origins" in done.stdout
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("option", "place"), [("--csv", "a file"), ("--html", "a file/page.html")])
    def test_a_place_that_cannot_be_written_is_refused_first(
        self, tmp_path: Path, computed: list[str], option: str, place: str
    ) -> None:
        """A file where a folder has to be: exit code 2 and what to do, before anything is computed."""
        (tmp_path / "a file").touch()
        refused = CliRunner().invoke(app, ["backtest", option, str(tmp_path / place)], terminal_width=300)
        assert refused.exit_code == 2
        assert "name another" in refused.stderr
        assert computed == []
