"""`tetouan backtest`: what it writes, and what it refuses before it computes anything."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from backtest.outages import Outages
from cli import backtesting
from cli.__main__ import app
from shared.forecasting.outage import Fate
from shared.forecasting.reasons import Out
from shared.runtime.settings import Refused
from shared.sites.grid import Grid
from tests.unit.backtest.transcripts import START, flat_transcript, result_of, year

if TYPE_CHECKING:
    from pathlib import Path

    from shared.forecasting.model import ZoneForecast


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the command compute a known result at once; the list says what it was asked for."""
    asked: list[str] = []
    readings = replace(year(), times=pd.date_range(START, START + timedelta(days=3), freq="10min"))

    def backtest(_: object, zone: int, *window: object, **__: object) -> object:
        asked.append(f"zone {zone} from {window[0]}")
        return result_of(flat_transcript(3))

    monkeypatch.setattr(backtesting, "year_for", lambda *_: readings)
    for looks_at_loads in ("say_doubts", "require_loads"):  # there are times alone
        monkeypatch.setattr(backtesting, looks_at_loads, lambda *_, **__: None)
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
        assert len(list(csv.glob("*.csv"))) == 8
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

    def test_a_folder_is_no_file(self, tmp_path: Path, computed: list[str]) -> None:
        """The message names the option, and nothing is computed."""
        refused = CliRunner().invoke(app, ["backtest", "--html", str(tmp_path)], terminal_width=300)
        assert refused.exit_code == 2
        assert "'--html'" in refused.stderr
        assert "is a folder: name a file in it" in refused.stderr
        assert computed == []

    def test_two_outputs_need_two_files(self, tmp_path: Path, computed: list[str]) -> None:
        """The page and the JSON would write over each other."""
        one = str(tmp_path / "one")
        refused = CliRunner().invoke(app, ["backtest", "--html", one, "--json", one], terminal_width=300)
        assert refused.exit_code == 2
        assert "give each a file of its own" in refused.stderr
        assert computed == []


class TestWindow:
    """Which readings to score."""

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--from", "2017-11-28"), "--from 2017-11-28 00:00 is before the first"),
            (("--from", "2018-11-28"), "no reading from 2018-11-28 00:00 on"),
            (("--from", "2017-11-30", "--until", "2017-11-29"), "is not after --from 2017-11-30 00:00: swap them"),
            (("--until", "2017-11-29"), "is not after 2017-12-01 09:40, the last 20 %: give --from as well"),
        ],
    )
    def test_a_window_without_readings_is_refused(self, computed: list[str], options: list[str], said: str) -> None:
        """The line names the option that is at fault."""
        refused = CliRunner().invoke(app, ["backtest", *options])
        assert isinstance(refused.exception, Refused)
        assert said in str(refused.exception)
        assert computed == []

    @pytest.mark.usefixtures("computed")
    def test_nothing_to_score_is_no_success(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One origin has no target in the window: no table of dashes, but what to do."""
        monkeypatch.setattr(backtesting, "backtest", lambda *_, **__: result_of(flat_transcript(1 / 144)))
        refused = CliRunner().invoke(app, ["backtest", "--from", "2017-11-29"])
        assert isinstance(refused.exception, Refused)
        assert "nothing to score from 2017-11-29 00:00" in str(refused.exception)

    @pytest.mark.usefixtures("computed")
    def test_a_lead_that_cannot_be_scored_leaves_the_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A meter that reports every second step has no target one step ahead, and the other leads are shown."""
        transcript = flat_transcript(3)
        transcript.demand_kw[1::2] = np.nan
        transcript.issued_kw[1::2] = np.nan
        monkeypatch.setattr(backtesting, "backtest", lambda *_, **__: result_of(transcript))
        done = CliRunner().invoke(app, ["backtest", "--from", "2017-11-29"], catch_exceptions=False)
        assert done.exit_code == 0
        assert "Zone 2: 216 origins" in done.stdout


def test_an_outage_is_said(monkeypatch: pytest.MonkeyPatch, computed: list[str]) -> None:
    """In a line of its own below the scores, which it has made worse."""
    outages = Outages(Grid(10))
    outages.add(cast("ZoneForecast", SimpleNamespace(origin_step=5, outage=Out(4, None, Fate.LASTS))))
    monkeypatch.setattr(
        backtesting, "backtest", lambda *_, **__: replace(result_of(flat_transcript(3)), outages=outages)
    )
    done = CliRunner().invoke(app, ["backtest", "--from", "2017-11-29"], catch_exceptions=False)
    assert not computed
    assert f"file year.csv: {outages}\n" in done.stdout


def test_what_became_of_the_rows_is_said(computed: list[str], tmp_path: Path) -> None:
    """On the screen, on the page and in the JSON: rows that were refused do not vanish."""
    page, result = tmp_path / "page.html", tmp_path / "result.json"
    options = ["--from", "2017-11-29", "--html", str(page), "--json", str(result)]
    done = CliRunner().invoke(app, ["backtest", *options], catch_exceptions=False)
    assert computed
    assert "2 rows refused (no_time)" in done.stdout
    assert "2 rows refused (no_time)" in page.read_text(encoding="utf-8")
    assert json.loads(result.read_text(encoding="utf-8"))["rows"]["refused"] == {"no_time": 2}
