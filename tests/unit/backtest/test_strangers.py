"""The files of people who have nothing but a file: forecast and backtest are right at the first try."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from tests.unit.backtest.test_page import Elements

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LAYOUT = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Stranger:
    """A load around a level in kW, half of which a day swings; less what the sun gives; and how its file has times."""

    level_kw: float
    step_minutes: int = 60
    start: str = "2023-05-01"
    clock: str = "UTC"
    sun_kw: float = 0.0
    noise: float = 0.01
    days: int = 26

    @property
    def unit(self) -> tuple[str, float]:
        """The unit in which its loads are shown, and what one of it is in kW."""
        return {0.25: ("W", 1e-3), 28e6: ("MW", 1e3)}.get(self.level_kw, ("kW", 1.0))

    def truth(self) -> pd.DataFrame:
        """Return times and loads of all days, and of one more."""
        steps, freq = (self.days + 1) * 1440 // self.step_minutes, f"{self.step_minutes}min"
        at = pd.date_range(self.start, periods=steps, freq=freq, tz="UTC")
        shown = at.tz_convert(self.clock)
        turn = 2 * np.pi * (shown.hour + shown.minute / 60).to_numpy() / 24
        chance = np.random.default_rng(4).normal(0, self.noise, len(at))
        slow = pd.Series(chance).ewm(halflife=360 / self.step_minutes).mean().to_numpy()
        shape = self.level_kw * (1 - 0.25 * np.cos(turn - 1.0) + 0.08 * np.cos(2 * turn) + slow + chance / 4)
        return pd.DataFrame({"time": at, "load": shape - self.sun_kw * np.clip(-np.cos(turn), 0, None) ** 2})

    def write(self, folder: Path) -> str:
        """Write the days but the last to a file, times as the clock shows them."""
        data = self.truth()[: self.days * 1440 // self.step_minutes]
        times = data["time"].dt.tz_convert(self.clock).dt.strftime(LAYOUT)
        file = folder / "load.csv"
        data.assign(time=times).to_csv(file, index=False, float_format="%.6g")
        return str(file)

    def tomorrow_kw(self) -> NDArray[np.float64]:
        """Return the loads of the last day."""
        return self.truth()["load"].to_numpy()[self.days * 1440 // self.step_minutes :]


STRANGERS = {
    "hourly": Stranger(1_000),
    "local time": Stranger(1_000, 15, "2023-03-10", "Europe/Madrid"),
    "household": Stranger(0.25, 30),
    "country": Stranger(28e6),
    "feeder": Stranger(900, sun_kw=1_500),
}


def run(*words: str) -> str:
    """Return what a command prints that ends well."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_the_next_day_is_forecast(stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lead lies near what comes, the interval holds most of it, the times follow the last reading."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    files = {name: str(tmp_path / f"ahead.{name}") for name in ("json", "csv", "html")}
    zone = ["--time-zone", stranger.clock] if stranger.clock != "UTC" else []
    words = [word for name, file in files.items() for word in (f"--{name}", file)]
    output = run("forecast", "--data", stranger.write(tmp_path), *words, *zone)
    result: dict[str, Any] = json.loads((tmp_path / "ahead.json").read_text())
    ahead, came_kw = pd.DataFrame(result["forecast"]), stranger.tomorrow_kw()
    error_kw = ahead["median_kw"].to_numpy() - came_kw
    assert np.sqrt(np.mean(error_kw**2)) < 0.06 * (abs(stranger.level_kw) + stranger.sun_kw)
    assert np.mean((ahead["low_kw"] <= came_kw) & (came_kw <= ahead["high_kw"])) > 0.6
    first = pd.Timestamp(stranger.start, tz="UTC") + timedelta(days=stranger.days)
    due = pd.date_range(first, periods=1440 // stranger.step_minutes, freq=f"{stranger.step_minutes}min")
    assert pd.to_datetime(ahead["time"]).tolist() == due.tolist()
    assert ahead["local_time"][0] == first.tz_convert(stranger.clock).strftime(LAYOUT)
    assert (result["zone"], result["step_minutes"], result["trained"]) == (1, stranger.step_minutes, True)
    assert result["rows"]["readings"] == stranger.days * 1440 // stranger.step_minutes
    assert result["lately"]["leads"]["mean"]["coverage"] > 0.75
    assert any("no public holidays" in line for line in result["assumed"])
    assert result["site_table"].startswith("[load]\n")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "ahead.csv"), ahead, check_dtype=False, rtol=1e-6)
    page = Elements((tmp_path / "ahead.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.starts].count("tr") == len(ahead) + 1
    assert "since 2023" in output
    assert f"the file holds {stranger.days} of the 60 days of load that an interval needs to settle" in output
    assert ahead["local_time"][60 // stranger.step_minutes - 1] in output
    unit, kw = stranger.unit
    assert set(re.findall(r"\b[kMG]?W\b", output.partition("forecast of 24 h ago")[2])) == {unit}
    (row,) = (line.split() for line in output.splitlines() if line.strip().startswith(ahead["local_time"].iloc[-1]))
    assert float(row[2].replace(",", "")) * kw == pytest.approx(ahead["median_kw"].iloc[-1], rel=0.01)
    assert "…" not in output
    assert ("no MAPE: the load comes near zero" in output) == (stranger.sun_kw > 0)
    assert ("MAPE " in output) == (stranger.sun_kw == 0)
    lately = {group["mape"] for group in result["lately"]["leads"].values()}
    assert (lately == {None}) == (stranger.sun_kw > 0)


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_the_last_days_are_backtested(stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are those of the noise, every row is a reading, and the interval covers."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    zone = ["--time-zone", stranger.clock] if stranger.clock != "UTC" else []
    run("backtest", "--data", stranger.write(tmp_path), "--json", str(tmp_path / "result.json"), *zone)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["rows"]["readings"] == stranger.days * 1440 // stranger.step_minutes
    assert result["rows"]["refused"] == {}
    assert result["rows"]["steps_without_reading"] == 0
    assert 0 < result["leads"]["mean"]["rmse_kw"] < 0.06 * (stranger.level_kw + stranger.sun_kw)
    assert result["leads"]["mean"]["coverage"] > 0.75


def test_of_a_file_of_two_months_nothing_is_said_of_short_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intervals have had the time to settle."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    output = run("forecast", "--data", Stranger(1_000, days=60).write(tmp_path), "--json", str(tmp_path / "ahead.json"))
    assert "to settle" not in output
    result = json.loads((tmp_path / "ahead.json").read_text())
    assert (result["days"], result["unsettled"]) == (60, None)


def test_local_times_without_their_zone_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the option and a zone whose clock does so."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    file = STRANGERS["local time"].write(tmp_path)
    refused = CliRunner().invoke(app, ["forecast", "--data", file])
    assert "skips 2023-03-26 02:00" in str(refused.exception)
    assert "give --time-zone, such as Europe/Berlin" in str(refused.exception)


@pytest.mark.parametrize("days", [1, 5])
def test_a_few_days_are_enough_for_a_forecast(days: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lower levels answer, and the command says that there was too little to train on."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    stranger = Stranger(1_000, days=days)
    output = run("forecast", "--data", stranger.write(tmp_path), "--json", str(tmp_path / "ahead.json"))
    result = json.loads((tmp_path / "ahead.json").read_text())
    assert result["trained"] is False
    assert len(result["forecast"]) == 24
    assert "the readings are too few to fit a model on" in output


def test_the_forecast_begins_after_the_last_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a portal has filled in for the day to come, without a load, are no readings to start from."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    stranger = Stranger(1_000, days=20)
    file = tmp_path / "load.csv"
    stranger.write(tmp_path)
    empty = "".join(f"{time:{LAYOUT}},\n" for time in stranger.truth()["time"][20 * 24 :])
    file.write_text(file.read_text() + empty)
    run("forecast", "--data", str(file), "--json", str(tmp_path / "ahead.json"))
    result = json.loads((tmp_path / "ahead.json").read_text())
    assert result["origin"] == "2023-05-20T23:00:00+00:00"


def test_many_refused_rows_end_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is named, with its line, and the option that goes on."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    file = tmp_path / "load.csv"
    Stranger(1_000).write(tmp_path)
    lines = file.read_text().splitlines(keepends=True)
    lines[200:210] = [line.replace(":00,", ":07,") for line in lines[200:210]]
    file.write_text("".join(lines))
    for command in ("forecast", "backtest"):
        refused = CliRunner().invoke(app, [command, "--data", str(file)])
        said = str(refused.exception)
        assert (
            "10 of 624 rows are no readings, the first is line 201, time '2023-05-09 07:07: no multiple of 60" in said
        )
        assert "--accept-refused" in said
        run(command, "--data", str(file), "--accept-refused", "--json", str(tmp_path / "result.json"))
        assert json.loads((tmp_path / "result.json").read_text())["rows"]["refused"] == {"off_grid": 10}
