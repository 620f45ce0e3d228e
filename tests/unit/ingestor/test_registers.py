"""Meters that send their register, the energy since they were mounted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Accepted, Merged, Outcome, Rejected
from services.ingestor.validation import Valid
from shared.data.year import find_year
from shared.sites.site import Measure, Site
from shared.sites.table import site
from tests.unit.states import resume, state_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METER = Site(
    name="meter",
    step_minutes=15,
    country="ES",
    time_zone="UTC",
    time_column="time",
    columns={"energy": "zone_1_kw", "power": "zone_2_kw", "feed": "zone_3_kw"},
    measures={
        "zone_1_kw": Measure(kind="register", unit="MWh"),
        "zone_2_kw": Measure(unit="W"),
        "zone_3_kw": Measure(kind="register"),
    },
)


def message(minute: int, energy: object, power: object = "5000", feed: object = "7") -> bytes:
    """Return a reading as its meter sends it, so many minutes after midnight."""
    time = f"2025-06-01T{minute // 60:02}:{minute % 60:02}Z"
    return json.dumps({"site": "meter", "time": time, "energy": energy, "power": power, "feed": feed}).encode()


def judged(*messages: bytes) -> list[Outcome]:
    """Return what becomes of the messages."""
    ingestor = Ingestor([METER], timedelta(days=30))
    return [ingestor.judge(raw, NOW) for raw in messages]


def powers(outcomes: list[Outcome]) -> list[tuple[float | None, str | None, str | None]]:
    """Return the power of zone 1, its flag and what came, of each reading."""
    told: list[tuple[float | None, str | None, str | None]] = []
    for reading in (outcome.reading for outcome in outcomes if isinstance(outcome, Accepted)):
        flag = reading.flags.get("zone_1_kw")
        told.append((reading.values["zone_1_kw"], *((flag.flag, flag.original) if flag else (None, None))))
    return told


def test_the_power_of_an_interval_is_the_difference_by_the_hours() -> None:
    """Half an MWh more in a quarter of an hour is 2 MW; the first reading has nothing before it."""
    outcomes = judged(message(0, "10.0"), message(15, "10.5"), message(30, "10.5"))
    assert powers(outcomes) == [(None, "missing", "10.0"), (2000.0, None, None), (0.0, None, None)]
    assert isinstance(outcomes[1], Accepted)
    assert outcomes[1].reading.values == {"zone_1_kw": 2000.0, "zone_2_kw": 5.0, "zone_3_kw": 0.0}


def test_the_energy_of_a_gap_belongs_to_no_step() -> None:
    """The first reading after a gap, or after a cell without a number, is missing; the one after it is not."""
    outcomes = judged(message(0, "10"), message(30, "11"), message(45, "12"), message(60, "n/a"), message(75, "13"))
    missing = [(None, "missing", cell) for cell in ("10", "11", "n/a", "13")]
    assert powers(outcomes) == [*missing[:2], (4000.0, None, None), *missing[2:]]


def test_a_register_that_falls_is_an_outlier() -> None:
    """It rolled over, or the meter was exchanged: the value is null, and the differences go on from the new one."""
    outcomes = judged(message(0, "999.5"), message(15, "0.5"), message(30, "1.0"))
    assert powers(outcomes)[1:] == [(None, "outlier", "0.5"), (2000.0, None, None)]


def test_a_repeat_is_told_from_another_register() -> None:
    """The same register again is merged, another one at the same time contradicts, one for a blank comes late."""
    again, other, late = judged(
        message(0, "10"), message(15, "10.5", feed=None), message(15, "10.5"), message(0, "11"), message(15, "10.5")
    )[2:]
    assert isinstance(again, Rejected)
    assert (again.reason, again.field) == ("late_value", "feed")
    assert isinstance(other, Rejected)
    assert (other.reason, other.field) == ("contradicts", "energy")
    assert isinstance(late, Merged)  # what came late is known for the difference to come


MESSAGES = [
    message(0, "10"), message(15, "10.5"), message(15, "99"), message(30, None), message(30, "11"), message(45, "11.5"),
    message(75, "12"), message(90, "11"), message(105, "11.25"), b"{}", message(120, "11.5"), message(135, "11.5"),
]  # fmt: skip


def test_a_restart_at_any_record_changes_nothing() -> None:
    """From the topics or from a snapshot: the outcomes are those of the run that was never interrupted."""
    whole = judged(*MESSAGES)
    for stop in range(len(MESSAGES)):
        before = Ingestor([METER], timedelta(days=30))
        outcomes = [before.judge(raw, NOW) for raw in MESSAGES[:stop]]
        rebuilt, resumed = (Ingestor([METER], timedelta(days=30)) for _ in range(2))
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                rebuilt.remember(outcome.reading)
        for raw in MESSAGES[:stop]:
            if isinstance(valid := rebuilt.read(raw), Valid):
                rebuilt.recall(valid)
        resume(resumed, state_of(before))
        for after in (rebuilt, resumed):
            assert [after.judge(raw, NOW) for raw in MESSAGES[stop:]] == whole[stop:]


def test_the_first_register_of_a_time_counts_in_training_as_on_the_stream(tmp_path: Path) -> None:
    """One that comes late for a blank gives that time no power, but is known for the difference to come."""
    rows = ["00:00,100", "01:00,", "01:00,110", "01:00,111", "02:00,125", "03:00,", "03:00,n/a", "04:00,150"]
    (tmp_path / "meter.csv").write_text("\n".join(["time,energy", *(f"2025-06-01T{row}" for row in rows), ""]))
    hourly = METER.model_copy(
        update={
            "step_minutes": 60,
            "columns": {"energy": "zone_1_kw"},
            "measures": {"zone_1_kw": Measure(kind="register")},
        }
    )
    year = find_year(str(tmp_path / "meter.csv"), tmp_path, site=hourly)
    ingestor = Ingestor([year.site], timedelta(days=30))
    start, until = (year.times[n].to_pydatetime() + timedelta(hours=n and 1) for n in (0, -1))
    outcomes = [ingestor.judge(raw, NOW) for _, raw in year.raw_messages(start, until)]
    assert [power for power, _, _ in powers(outcomes)] == [None, None, 15.0, None, None]
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)] == ["late_value", "contradicts"]
    nan = np.nan
    np.testing.assert_array_equal(year.demand(1), [nan, nan, nan, nan, 15.0, nan, nan, nan])


SITES = """
[meter]
step_minutes = 15
country = "ES"
time_zone = "Europe/Madrid"
time_column = "time"
columns = { energy = { field = "zone_1_kw", kind = "register" } }
"""


def test_training_reads_the_powers_that_the_stream_publishes(tmp_path: Path) -> None:
    """Gaps, falls, blanks, repeats, rows off the grid and the hour that comes twice: both come to the same."""
    chance = np.random.default_rng(5)
    rows, energy_kwh = [], 1000.0
    for n in range(200):
        energy_kwh += chance.uniform(0, 3)
        clock = datetime(2025, 10, 25, 12) + timedelta(minutes=15 * n)  # noqa: DTZ001 - the clock on the wall
        cells = chance.choice([f"{energy_kwh:.3f}"] * 12 + ["", "0.1"], chance.choice([0, 1, 1, 1, 1, 1, 2]))
        rows += [f"{clock:%Y-%m-%d %H:%M},{cell}" for cell in cells]
        rows += [f"{clock:%Y-%m-%d %H:%M}:30,{energy_kwh}"] * chance.choice([0, 0, 0, 1])
    (tmp_path / "sites.toml").write_text(SITES)
    (tmp_path / "meter.csv").write_text("\n".join(["time,energy", *rows, ""]))
    year = find_year(str(tmp_path / "meter.csv"), tmp_path, site=site("meter", tmp_path / "sites.toml"))
    ingestor = Ingestor([year.site], timedelta(days=30))
    start, until = year.times.min().to_pydatetime(), year.times.max().to_pydatetime() + timedelta(1)
    outcomes = [ingestor.judge(raw, NOW) for _, raw in year.raw_messages(start, until)]
    published = {
        outcome.reading.time: outcome.reading.values["zone_1_kw"]
        for outcome in outcomes
        if isinstance(outcome, Accepted)
    }
    trained: dict[datetime, float] = {}
    for time, value in zip(year.times.to_pydatetime(), year.demand(1), strict=True):
        if time in published:
            trained.setdefault(time, value)
    assert len(published) > 150
    np.testing.assert_array_equal(list(trained.values()), np.array([published[time] for time in trained], float))
    assert 100 < np.isfinite(list(trained.values())).sum() < len(published)
