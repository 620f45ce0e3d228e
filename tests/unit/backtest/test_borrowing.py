"""A prior from one file of loads, for another of a few days: trained, backtested and forecast with, by the commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from backtest.run import backtest, issued, judged
from cli.__main__ import app
from services.forecaster.issuing import ZoneModels
from shared.data.hints import Hints
from shared.data.year import Year, find_year
from shared.forecasting.prior import Prior
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2023, 5, 1, tzinfo=UTC)


def loads(folder: Path, name: str, days: int, **levels_kw: float) -> str:
    """Write hourly loads that swing with the day and the week; returns the path."""
    at = pd.date_range(BEGIN, periods=24 * days, freq="h")
    turn = 2 * np.pi * at.hour.to_numpy() / 24
    rng = np.random.default_rng(days)
    swing = np.where(at.dayofweek >= 5, 0.85, 1.0) * (1 - 0.25 * np.cos(turn - 1.0) + 0.08 * np.cos(2 * turn))
    frame = pd.DataFrame({"time": at.strftime("%Y-%m-%d %H:%M")})
    for column, level_kw in levels_kw.items():
        frame[column] = level_kw * (swing + rng.normal(0, 0.01, len(at)))
    frame.to_csv(folder / name, index=False, float_format="%.6g")
    return str(folder / name)


def run(*words: str) -> str:
    """Return what a command prints that ends well."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refusal(*words: str) -> str:
    """Return the line with which a command is refused."""
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, Refused)
    return str(done.exception)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a file of two loads, one of ten days, and a prior of the former."""
    made = tmp_path_factory.mktemp("borrowing")
    two = loads(made, "two.csv", 40, north=1_000.0, south=2_500.0)
    loads(made, "ten.csv", 10, load=300.0)
    output = run("train", "--data", two, "--prior", str(made / "prior.npz"), "--json", str(made / "prior.json"))
    (made / "said").write_text(output, encoding="utf-8")
    return made


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))


def result(file: Path) -> dict[str, Any]:
    """Return what a command wrote."""
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read


def ten_days(folder: Path) -> Year:
    """Return the readings of the short file."""
    return find_year(str(folder / "ten.csv"), folder / "cache", hints=Hints())


def test_a_guessed_file_teaches_all_its_loads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every column of load, and the line names them; some alone where TETOUAN_ZONES says so, and that is said."""
    assert result(folder / "prior.json")["zones"] == [1, 2]
    assert "prior.npz: a prior of two, zones 1, 2, 2023-05-01 00:00 to " in (folder / "said").read_text(
        encoding="utf-8"
    )
    monkeypatch.setenv("TETOUAN_ZONES", "2")
    output = run("train", "--data", str(folder / "two.csv"), "--prior", str(folder / "south.npz"))
    assert "a prior of two, zones 2, " in output
    assert output.rstrip().endswith("; not of zones 1, see TETOUAN_ZONES")


def test_ten_days_are_backtested_with_a_prior(folder: Path, tmp_path: Path) -> None:
    """It is said that nothing was fitted, and what begins with a prior; without one the line hints at it."""
    data, file, page = str(folder / "ten.csv"), tmp_path / "result.json", tmp_path / "page.html"
    prior = str(folder / "prior.npz")
    output = run("backtest", "--data", data, "--prior", prior, "--json", str(file), "--html", str(page))
    said = (
        "are too few to fit a model on: what is scored learned from the first on, with the prior of two, zones 1, 2, "
    )
    assert said in output
    assert said in " ".join(page.read_text(encoding="utf-8").split())
    assert result(file)["trained"] is False
    assert result(file)["leads"]["60"]["rmse_kw"] < 0.03 * 300
    refused = refusal("backtest", "--data", data)
    assert "too few for zone-demand" in refused
    assert refused.endswith(
        "; with --prior FILE, which `tetouan train --prior` makes of other zones, nine days in all will do"
    )


def test_who_trains_on_few_days_is_told_that_no_model_is_needed(folder: Path) -> None:
    """A new site is forecast without one, and better with what other zones have taught."""
    refused = refusal("train", "--data", str(folder / "ten.csv"))
    assert "too few for zone-demand" in refused
    assert "; until then `tetouan forecast` and the services forecast without a fitted model" in refused
    assert refused.endswith("(`tetouan train --prior`, TETOUAN_PRIOR)")


def test_a_forecast_of_few_days_hints_at_a_prior(folder: Path) -> None:
    """Unless it has one."""
    data, hint = str(folder / "ten.csv"), "; with --prior FILE, which `tetouan train --prior` makes of other zones, the"
    assert hint in run("forecast", "--data", data)
    assert hint not in run("forecast", "--data", data, "--prior", str(folder / "prior.npz"))


@pytest.mark.parametrize("command", ["backtest", "forecast", "train", "train --prior FILE"])
def test_limits_that_refuse_most_loads_end_a_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """What is left would be something else: the line says how many, the limits, and what to change."""
    sites = tmp_path / "sites.toml"
    table = 'step_minutes = 60\ntime_zone = "UTC"\ntime_column = "time"\n'
    columns, limits = '{north = "zone_1_kw", south = "zone_2_kw"}', "{zone_1_kw = [0, 500]}"
    sites.write_text(f"[two]\n{table}columns = {columns}\nlimits = {limits}\n", encoding="utf-8")
    monkeypatch.setenv("TETOUAN_SITES", str(sites))
    monkeypatch.setenv("TETOUAN_SITE", "two")
    words = [command.partition(" ")[0], "--data", str(folder / "two.csv")]
    words += ["--prior", str(tmp_path / "prior.npz")] if "FILE" in command else []
    done = CliRunner().invoke(app, words)
    assert "zone_1_kw ('north') of two: 960 of 960 values (100.0%) are refused, the first in line 2: " in done.stderr
    assert str(done.exception) == (
        "file two.csv: the limits refuse most values of zone_1_kw: mend what the line above says, or go on with what "
        "is left with --accept-refused"
    )
    if command in {"backtest", "forecast"}:
        run(*words, "--zone", "2")


def test_a_backtest_of_few_days_is_what_the_stream_would_say(folder: Path) -> None:
    """A site that begins on the stream with the prior has the same errors; the prior answers from the eighth day on."""
    year, prior = ten_days(folder), Prior.load(folder / "prior.npz")
    start, until = BEGIN + timedelta(days=8), BEGIN + timedelta(days=10)
    found = backtest(year, 1, start, until, lambda *_: None, prior=prior)
    stream = list(issued(year, ZoneModels.begun_cold(year.site, 1, prior), judged(year, BEGIN, until)))
    loads_kw = year.demand(1)
    errors_kw = [
        loads_kw[row + 1] - forecast.median_kw[0]
        for row, forecast in enumerate(stream[:-1])
        if forecast.origin >= start
    ]
    assert found.table.per_lead["rmse_kw"][0] == pytest.approx(np.sqrt(np.mean(np.square(errors_kw))), rel=1e-12)
    first = next(forecast.origin for forecast in stream if forecast.levels[0].level == "adapted")
    assert first == BEGIN + timedelta(days=7)


def test_a_day_before_the_start_is_enough(folder: Path) -> None:
    """The lower levels answer as they do on the stream."""
    year, prior = ten_days(folder), Prior.load(folder / "prior.npz")
    found = backtest(year, 1, BEGIN + timedelta(days=1), BEGIN + timedelta(days=3), lambda *_: None, prior=prior)
    assert np.isfinite(found.table.per_lead["rmse_kw"]).all()


def test_the_setting_is_the_default_of_the_option(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backtest and forecast say the same with TETOUAN_PRIOR as with --prior, and something else without."""
    data, prior, results = str(folder / "ten.csv"), str(folder / "prior.npz"), {}
    for command in ("backtest", "forecast"):
        run(command, "--data", data, "--prior", prior, "--json", str(tmp_path / "option.json"))
        monkeypatch.setenv("TETOUAN_PRIOR", prior)
        run(command, "--data", data, "--json", str(tmp_path / "setting.json"))
        monkeypatch.delenv("TETOUAN_PRIOR")
        for name in ("option", "setting"):
            results[command, name] = result(tmp_path / f"{name}.json") | {"seconds_per_forecast": None}
        assert results[command, "option"] == results[command, "setting"]
    run("forecast", "--data", data, "--json", str(tmp_path / "without.json"))
    assert result(tmp_path / "without.json")["forecast"] != results["forecast", "setting"]["forecast"]


def test_a_prior_of_the_same_data_forecasts_and_is_not_scored(folder: Path, tmp_path: Path) -> None:
    """A forecast is no test: it is given, and nothing is said of how good it is; a backtest is refused."""
    data, prior = str(folder / "two.csv"), str(folder / "prior.npz")
    output = run("forecast", "--data", data, "--prior", prior, "--json", str(tmp_path / "ahead.json"))
    ahead = result(tmp_path / "ahead.json")
    assert len(ahead["forecast"]) == 24
    assert "how good it is cannot be said: the prior was trained on two, zones 1, 2, " in output
    assert "the prior was trained on two" in ahead["lately"]["unjudged"]
    figures = {name: figure for name, figure in ahead["lately"]["leads"]["60"].items() if name != "scored_minutes"}
    assert set(figures.values()) == {None}
    assert ahead["lately"]["leads"]["60"]["scored_minutes"] == 60
    assert "no test scores what a prior was trained on" in refusal("backtest", "--data", data, "--prior", prior)


def test_a_lasting_shift_is_said(tmp_path: Path) -> None:
    """As the message on the stream has it: on the screen, in the JSON and on the page, by the clock of the site."""
    file, page, shifted = tmp_path / "ahead.json", tmp_path / "ahead.html", BEGIN + timedelta(days=30)
    data = loads(tmp_path, "load.csv", 30, load=1_000.0)
    after = pd.read_csv(loads(tmp_path, "after.csv", 31, load=1_300.0)).iloc[-24:-10]
    pd.concat([pd.read_csv(data), after]).to_csv(data, index=False)
    words = ["--json", str(file), "--html", str(page), "--time-zone", "Europe/Madrid"]
    output = run("forecast", "--data", data, *words)
    (note,) = result(file)["notes"]
    assert note["kind"] == "shift"
    since = datetime.fromisoformat(note["since"])
    assert abs(since - shifted + timedelta(hours=2)) <= timedelta(hours=3)
    line = f"shift since {since + timedelta(hours=2):%Y-%m-%d %H:%M}: {note['text']}"
    assert line in output
    assert line in page.read_text(encoding="utf-8")
