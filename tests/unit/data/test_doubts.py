"""What is said of a load that is read in another way than it is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from shared.data.doubts import doubts_of, step_doubt
from shared.data.load_watch import Doubt, LoadWatch
from shared.data.year import find_year
from shared.sites.site import Measure, Site, StepMinutes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DAYS = 21


def load_kw(step_minutes: int = 60, level_kw: float = 1000.0) -> NDArray[np.float64]:
    """Return a load with a daily shape and noise."""
    hours = np.arange(DAYS * 1440 // step_minutes) * step_minutes / 60
    noise = np.random.default_rng(3).normal(0, 0.05, len(hours))
    return level_kw * (1 + 0.6 * np.sin(hours * np.pi / 12) + noise)


def watched(values_kw: Sequence[float] | NDArray[np.float64], step_minutes: int = 60) -> list[Doubt | None]:
    """Return what is suspected with each reading."""
    watch = LoadWatch()
    return [watch.add(step, value, step_minutes) for step, value in enumerate(np.asarray(values_kw).tolist())]


@pytest.mark.parametrize("step_minutes", [5, 15, 60])
def test_a_load_that_only_rises_is_a_register(step_minutes: int) -> None:
    """It is told after two days, since its first reading, and as long as it rises."""
    told = watched(48_213 + np.cumsum(load_kw(step_minutes)), step_minutes)
    a_day = 1440 // step_minutes
    assert told[: 2 * a_day] == [None] * (2 * a_day)
    assert set(told[2 * a_day :]) == {Doubt("register", 0)}


def test_a_register_that_rests_at_night_is_one() -> None:
    """A register need not rise with every reading."""
    sun = np.clip(np.sin(np.arange(200) * np.pi / 12), 0, None).round(2)
    assert watched(np.cumsum(sun))[-1] == Doubt("register", 0)


@pytest.mark.parametrize("times", [1000.0, 0.001])
def test_a_load_in_another_unit_than_before_is_told(times: float) -> None:
    """Three readings of W, or a day of MW, are enough; from the first one on, until the old unit is back."""
    values_kw = load_kw()
    values_kw[200:300] *= times
    told = watched(values_kw)
    begins = next(n for n, doubt in enumerate(told) if doubt)
    assert begins == (202 if times > 1 else 224)
    assert set(told[begins:300]) == {Doubt("unit", 200)}
    assert not any(told[300:])


@pytest.mark.parametrize("kind", ["constant", "solar", "standby", "shape", "a thousandth"])
def test_a_level_that_lasts_is_the_usual_one(kind: str) -> None:
    """What begins with two days of commissioning, or has changed its unit for good, is in doubt for about a week."""
    days, begins = 40, 48
    hours = np.arange(days * 24)
    values_kw = {
        "constant": np.full(len(hours), 5.0),
        "solar": np.clip(np.sin(hours * np.pi / 12), 0, None) * 5,
        "standby": np.where(hours % 24 < 12, 5.0, 0.005),
        "shape": 5 + 3 * np.sin(hours * np.pi / 12),
        "a thousandth": (5 + 3 * np.sin(hours * np.pi / 12)) / 1e6,
    }[kind]
    values_kw[:begins] = 0.005
    told = watched(values_kw)
    assert {doubt.kind for doubt in told if doubt} == {"unit"}
    assert not any(told[begins + 10 * 24 :])
    assert any(watched([*values_kw, *(values_kw[-48:] * 1000)])[-48:])


@pytest.mark.parametrize("step_minutes", [5, 10, 15, 30, 60])
@pytest.mark.parametrize("kind", ["load", "solar", "feed-in", "constant", "off", "outliers", "rising"])
def test_what_loads_do_is_no_doubt(kind: str, step_minutes: int) -> None:
    """Solar, feed-in, standby, an outage of days, single outliers, a load that grows: nothing is said."""
    values_kw = load_kw(step_minutes)
    n = np.arange(len(values_kw))
    match kind:
        case "solar":
            values_kw = np.clip(np.sin(n * step_minutes / 60 * np.pi / 12), 0, None) ** 4 * 900
        case "feed-in":
            values_kw -= 1000
        case "constant":
            values_kw = np.full(len(n), 5.0)
        case "off":
            values_kw[len(n) // 2 : len(n) // 2 + 5 * 1440 // step_minutes] = 0.0
        case "outliers":
            values_kw[len(n) // 2 :: 97] *= 1000
        case "rising":
            values_kw += n * 10
    assert not any(watched(values_kw, step_minutes))


def test_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    """The column, the line from which it holds, and the key to set; a register that is known is none."""
    columns = {"load": "zone_1_kw", "other": "zone_2_kw"}
    meter = Site(name="meter", step_minutes=60, country="ES", time_zone="UTC", time_column="time", columns=columns)
    registers, loads = np.cumsum(load_kw()).round(1), load_kw()
    loads[300:] *= 1000
    times = (np.datetime64("2025-01-01T00:00") + np.arange(len(loads)) * np.timedelta64(1, "h")).astype(str)
    rows = [f"{time}Z,{one},{two}\n" for time, one, two in zip(times, registers, loads, strict=True)]
    (tmp_path / "meter.csv").write_text("time,load,other\n" + "".join(rows))
    year = find_year(str(tmp_path / "meter.csv"), tmp_path, site=meter)
    shares: list[float] = []
    register, unit = doubts_of(year, shares.append)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert register == (
        "zone_1_kw ('load') of meter, from 2025-01-01 00:00 UTC on, only rises, as a register does: "
        'set kind = "register" of the column (TETOUAN_SITES) (line 2)'
    )
    assert unit == (
        "zone_2_kw ('other') of meter, from 2025-01-13 12:00 UTC on, is about 1000 times what it was, or a "
        "thousandth: check whether its unit has changed (line 302)"
    )
    rows.insert(301, rows[300].split(",")[0] + ",,\n")  # the same time without loads, before the one with them
    (tmp_path / "meter.csv").write_text("time,load,other\n" + "".join([*rows[:300], rows[301], rows[300], *rows[302:]]))
    *_, later = doubts_of(find_year(str(tmp_path / "meter.csv"), tmp_path, site=meter))
    assert later.endswith("(line 303)")
    (tmp_path / "meter.csv").write_text("time,load,other\n" + "".join([*rows[:301], *rows[302:]]))
    known = meter.model_copy(update={"measures": {"zone_1_kw": Measure(kind="register")}})
    assert list(doubts_of(find_year(str(tmp_path / "meter.csv"), tmp_path, site=known))) == [unit]


@pytest.mark.real_data
def test_nothing_is_said_of_the_published_year(real_data_path: Path, tmp_path: Path) -> None:
    """The three zones are loads in kW."""
    assert list(doubts_of(find_year(str(real_data_path), tmp_path))) == []


def test_nothing_is_said_of_the_synthetic_year(tmp_path: Path) -> None:
    """What nobody measured is as it should be."""
    assert list(doubts_of(find_year("synthetic", tmp_path))) == []


def meter_file(folder: Path, step_minutes: int, rows: int) -> Path:
    """Return a file of a meter that sends as often as this, but for a gap in the middle."""
    times = pd.date_range("2024-03-01", periods=rows, freq=f"{step_minutes}min", tz="UTC").delete(rows // 2)
    file = folder / "meter.csv"
    pd.DataFrame({"time": times.strftime("%Y-%m-%dT%H:%M:%SZ"), "kw": 1000}).to_csv(file, index=False)
    return file


@pytest.mark.parametrize(("step_minutes", "in_table"), [(30, 10), (10, 30), (60, 15)])
def test_a_table_with_another_step_than_its_file_is_named(
    tmp_path: Path, step_minutes: int, in_table: StepMinutes
) -> None:
    """With the site, the step of the table and that of the file."""
    table = Site(name="mine", step_minutes=in_table, time_zone="UTC", time_column="time", columns={"kw": "zone_1_kw"})
    said = step_doubt(find_year(str(meter_file(tmp_path, step_minutes, 200)), tmp_path, site=table))
    assert said is not None
    assert said.startswith(
        f"mine: its table says step_minutes = {in_table}, and most of the readings come every {step_minutes} minutes"
    )


def test_a_file_with_the_step_of_its_table_is_not_in_doubt(tmp_path: Path) -> None:
    """Nor is one that is too short to tell."""
    table = Site(name="mine", step_minutes=30, time_zone="UTC", time_column="time", columns={"kw": "zone_1_kw"})
    assert step_doubt(find_year(str(meter_file(tmp_path, 30, 200)), tmp_path, site=table)) is None
    assert step_doubt(find_year(str(meter_file(tmp_path, 10, 40)), tmp_path, site=table)) is None
    assert step_doubt(find_year("synthetic", tmp_path)) is None
