"""The data of a command: which year it is, and what it lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from backtest.run import account_for
from cli.provision import prior_for, say_doubts, settled, year_for, zone_for, zones_for
from cli.settings import CommandSettings
from shared.data.hints import Hints
from shared.forecasting.prior import Prior, PriorSource
from shared.forecasting.regression import Weights
from shared.runtime.settings import Refused, load
from tests.unit.backtest.transcripts import START, year

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Return a file of times and loads of zone 2."""
    file = tmp_path / "loads.csv"
    file.write_text("DateTime,Zone 2  Power Consumption\n3/3/2019 23:40,15880\n3/3/2019 23:50,15890\n")
    return str(file)


def test_columns_that_the_data_lack_are_named(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says which, and the site of the year is without them."""
    year = year_for(data, load(CommandSettings, state_dir=tmp_path), Console())
    said = capsys.readouterr().out
    assert "file loads.csv, 2 readings\n" in said
    assert "without 'Temperature', 'Humidity', 'Wind Speed', 'general diffuse flows', 'diffuse flows', " in said
    assert "'Zone 3  Power Consumption': the data have no such column" in said
    assert year.site.fields == ("zone_2_kw",)
    assert list(year.rows) == ["DateTime", "Zone 2  Power Consumption"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "480 readings"),
        ("#REF!,5\n,7\n", "482 rows: 480 readings, 2 refused"),
        ("2023-01-21 00:30,5\n", "481 rows: 480 readings, 1 refused"),
        ("2023-01-01 03:00,5\n", "481 rows: 480 readings, 1 of a time that came before"),
        (
            "2032-01-01 03:00,5\n2023-01-01 03:00,5\nnoon,5\n",
            "483 rows: 480 readings, 2 refused, 1 of a time that came",
        ),
        ("".join(f"2024-01-01 0{hour}:00,5\n" for hour in range(8)), "488 rows: 483 readings, 5 refused"),
    ],
)
def test_rows_that_are_no_readings_are_not_counted_as_such(
    more: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line has both numbers, and they are those of the accounting that a backtest keeps."""
    file = tmp_path / "meter.csv"
    rows = (f"2023-01-{day:02} {hour:02}:00,{100 + hour}.5\n" for day in range(1, 21) for hour in range(24))
    file.write_text("at,load\n" + "".join(rows) + more)
    year = year_for(
        str(file), load(CommandSettings, state_dir=tmp_path), Console(), Hints(time_column="at", step_minutes=60)
    )
    assert f"file meter.csv, {said}" in capsys.readouterr().out
    accounting = account_for(year, 1, datetime(2040, 1, 1, tzinfo=UTC), lambda *_: None)
    assert f"{accounting.readings} readings" in said
    assert (
        f" {sum(accounting.refused.values()) - accounting.refused.get('contradicts', 0)} refused" in f"{said} 0 refused"
    )


def test_watching_the_loads_is_shown(
    load_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of many loads takes long to watch: that is a step of the work like the others."""
    monkeypatch.setattr("cli.provision.PATIENCE_S", 0.0)
    say_doubts(year_for(load_file, load(CommandSettings, state_dir=tmp_path), Console(), Hints()), Console())
    assert "watching the loads\n" in capsys.readouterr().out


def test_a_zone_without_a_load_in_the_data_is_refused(data: str, tmp_path: Path) -> None:
    """The line says which zones there are."""
    settings = load(CommandSettings, state_dir=tmp_path, zones=(2, 3))
    with pytest.raises(
        Refused, match=r"^TETOUAN_ZONES=2,3: file loads.csv has no load of zone 3: set it to some of 2$"
    ):
        zones_for(year_for(data, settings, Console()), settings)


def test_the_zone_that_was_asked_for_needs_no_other(data: str, tmp_path: Path) -> None:
    """The settings may name zones that the file lacks; the option is refused by its own name."""
    settings = load(CommandSettings, state_dir=tmp_path, zones=(1, 3))
    found = year_for(data, settings, Console())
    assert zone_for(2, found, settings) == 2
    with pytest.raises(Refused, match=r"^--zone 4: file loads.csv has no load of that zone: choose one of 2$"):
        zone_for(4, found, settings)
    with pytest.raises(Refused, match=r"^TETOUAN_ZONES=1,3: "):
        zone_for(None, found, settings)


def test_zones_are_those_of_the_file(load_file: str, tmp_path: Path) -> None:
    """A file without a table is asked for its own zones, not for those of the site that is built in."""
    file = tmp_path / "six.csv"
    rows = (
        f"2023-01-{day:02} {hour:02}:00,1{hour},2{hour},3{hour},4{hour}" for day in range(1, 20) for hour in range(24)
    )
    file.write_text("at,a,b,c,d\n" + "\n".join(rows) + "\n")
    settings = load(CommandSettings, state_dir=tmp_path, zones=(2, 4))
    assert zones_for(year_for(str(file), settings, Console(), Hints()), settings) == (2, 4)
    with pytest.raises(
        Refused, match=r"^TETOUAN_ZONES=2,4: file meter.csv has no load of zone 4: set it to some of 1,2$"
    ):
        zones_for(year_for(load_file, settings, Console(), Hints()), settings)


def test_a_doubt_of_the_holidays_is_said(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file and the day, before anything is computed."""
    sites = tmp_path / "sites.toml"
    sites.write_text("[tetouan.holidays]\nremove = [2019-03-03]\n")
    year_for(data, load(CommandSettings, state_dir=tmp_path, sites=sites), Console())
    said = f"TETOUAN_SITES={str(sites)!r}: tetouan.holidays.remove has 2019-03-03, which is no public holiday of MA: "
    assert said in capsys.readouterr().out


@pytest.fixture
def load_file(tmp_path: Path) -> str:
    """Return a file of hourly loads that no table describes."""
    file = tmp_path / "meter.csv"
    rows = (f"2023-01-{day:02} {hour:02}:00,{100 + hour}.5,{hour}.5\n" for day in range(1, 20) for hour in range(24))
    file.write_text("at,north,south\n" + "".join(rows))
    return str(file)


def test_what_is_assumed_of_a_file_is_said(load_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, and the table that says the same; the first load is forecast."""
    settings = load(CommandSettings, state_dir=tmp_path)
    year = year_for(load_file, settings, Console(), Hints(country="ES"))
    said = capsys.readouterr().out
    assert "  loads: zone 1 'north', zone 2 'south' (--column)\n" in said
    assert "  a reading comes every 60 minutes (--step)\n" in said
    assert '[meter]\nstep_minutes = 60\ncountry = "ES"\n' in said
    assert zones_for(year, settings) == (1,)
    assert zones_for(year, load(CommandSettings, state_dir=tmp_path, zones=(1, 2))) == (1, 2)


def test_a_site_that_was_chosen_is_never_guessed(load_file: str, tmp_path: Path) -> None:
    """What the user has set holds: the file is refused, and so is an option that contradicts."""
    settings = load(CommandSettings, state_dir=tmp_path, site="tetouan")
    with pytest.raises(Refused, match=r"meter\.csv: the file has no column 'DateTime'"):
        year_for(load_file, settings, Console(), Hints())
    with pytest.raises(Refused, match=r"^TETOUAN_SITE is set, and the table of the site says what the file holds"):
        year_for(load_file, settings, Console(), Hints(step_minutes=60))
    with pytest.raises(Refused, match=r"go with --data FILE"):
        year_for(None, load(CommandSettings, state_dir=tmp_path), Console(), Hints(step_minutes=60))


def test_a_guessed_site_can_be_streamed(load_file: str, tmp_path: Path) -> None:
    """Its table lies in the state folder, and the settings name it; those of a known site stay as they are."""
    settings = load(CommandSettings, state_dir=tmp_path / "state")
    made, _ = settled(load_file, settings, Console(), Hints())
    assert (made.site, made.zones, made.data) == ("meter", (1,), load_file)
    assert made.sites == tmp_path / "state" / "sites" / "meter.toml"
    assert made.chosen_site.columns == {"north": "zone_1_kw", "south": "zone_2_kw"}
    assert year_for(load_file, made, Console(), Hints().dialect).assumed == ()
    assert settled("synthetic", settings, Console(), Hints()) == (settings, None)
    assert settled(None, settings, Console(), Hints()) == (settings, None)


class TestPrior:
    """A file of what other zones have taught."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """Return one of zone 1 of the test year up to its third day."""
        source = PriorSource(year().sha256, "tetouan", (1,), START, START + timedelta(days=2))
        weights = Weights(np.zeros((4, 14, 93)), np.zeros((4, 14, 36)))
        Prior(weights, 10, 144, source).save(tmp_path / "prior.npz")
        return tmp_path / "prior.npz"

    def test_it_may_judge_another_zone_of_later(self, file: Path) -> None:
        """What it says is then no answer that it has seen; without a file there is none."""
        borrowed = prior_for(file, CommandSettings(), year())
        assert borrowed is not None
        assert borrowed.prior.source.zones == (1,)
        borrowed.require_fair(year(), 2, START + timedelta(days=2))
        assert prior_for(None, CommandSettings(), year()) is None

    def test_the_setting_stands_for_the_option(self, file: Path) -> None:
        """The option counts where both name a file; a refusal names which of the two it was."""
        absent = file.with_name("absent.npz")
        borrowed = prior_for(None, CommandSettings(prior=file), year())
        assert borrowed is not None
        assert prior_for(file, CommandSettings(prior=absent), year()) == replace(borrowed, named=f"--prior {file}")
        with pytest.raises(Refused, match=r"^TETOUAN_PRIOR=.*absent\.npz: cannot be read"):
            prior_for(None, CommandSettings(prior=absent), year())
        with pytest.raises(
            Refused, match=r"^TETOUAN_PRIOR=.*prior\.npz was trained on tetouan, zones 1, .*, or go wit"
        ):
            borrowed.require_fair(year(), 1, START)

    @pytest.mark.parametrize(("zone", "days"), [(1, 2), (2, 1)])
    def test_no_test_scores_what_it_was_trained_on(self, file: Path, zone: int, days: int) -> None:
        """Neither its own zone, nor another one at the same time; one line says on what, and what to do."""
        borrowed = prior_for(file, CommandSettings(), year())
        assert borrowed is not None
        with pytest.raises(
            Refused, match=r"trained on tetouan, zones 1, .* no test scores .*: train one on other zones"
        ):
            borrowed.require_fair(year(), zone, START + timedelta(days=days))

    def test_a_file_that_is_none_is_refused(self, file: Path) -> None:
        """It is named, whether it is something else, missing, or of another step."""
        with pytest.raises(Refused, match=r"--prior .*absent\.npz: cannot be read \(No such file"):
            prior_for(file.with_name("absent.npz"), CommandSettings(), year())
        hourly = replace(year(), site=year().site.model_copy(update={"step_minutes": 60}))
        with pytest.raises(
            Refused, match=r"--prior .*prior\.npz: the prior has step_minutes 10, the zone 60: train one"
        ):
            prior_for(file, CommandSettings(), hourly)
        file.write_bytes(b"kW\n17\n")
        advice = r"is no whole prior state \(.+\): run `tetouan train --prior FILE`$"
        with pytest.raises(Refused, match=rf"--prior .*prior\.npz: .*prior\.npz {advice}"):
            prior_for(file, CommandSettings(), year())
