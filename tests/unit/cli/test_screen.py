"""The screen of a demo: what an operator reads off it, at every size."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from cli.chart import chart
from cli.screen import plain_line, screen
from shared.contracts.messages import LevelSpan
from tests.unit.cli.views import ORIGIN, content, curves, drift_event, forecast, scores

if TYPE_CHECKING:
    from datetime import datetime

    from cli.screen import ScreenContent

SIZES = [(80, 24), (100, 30), (160, 50)]
at_every_size = pytest.mark.parametrize("size", SIZES)


def drawn(shown: ScreenContent, size: tuple[int, int] = (100, 30)) -> str:
    """Return the screen as text without colour."""
    console = Console(file=io.StringIO(), width=size[0], height=size[1], color_system=None)
    with console.capture() as captured:
        console.print(screen(shown, *size))
    return captured.get()


@at_every_size
@pytest.mark.parametrize("changes", [{}, {"drift": (drift_event(),)}, {"load_kw": None, "scores": None}])
def test_the_screen_fills_the_terminal_and_nothing_is_wrapped(
    size: tuple[int, int], changes: dict[str, object]
) -> None:
    """As many lines as the terminal has, none longer than it is wide."""
    lines = drawn(content(**changes), size).splitlines()
    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]


@pytest.mark.parametrize("size", [(80, 18), (60, 16)])
def test_a_terminal_that_is_too_small_loses_the_chart_before_the_figures(size: tuple[int, int]) -> None:
    """The forecast table is still there, and no line is too long."""
    lines = drawn(content(), size).splitlines()
    assert max(map(len, lines)) <= size[0]
    assert any("+24 h" in line for line in lines)
    assert not any("now" in line for line in lines[3:])


@at_every_size
def test_invented_data_cannot_be_overlooked(size: tuple[int, int]) -> None:
    """The first line says SYNTHETIC, with and without colour; a measured year does not say it."""
    invented = content(label="SYNTHETIC year 2018", synthetic=True)
    assert "SYNTHETIC year 2018: nobody measured this" in drawn(invented, size).splitlines()[0]
    assert "SYNTHETIC" in plain_line(invented)
    assert "SYNTHETIC" not in drawn(content(), size)


@at_every_size
def test_what_an_operator_asks_first_is_there(size: tuple[int, int]) -> None:
    """Clock, load, rate, progress, each lead with its range, scores, counts, backlog, addresses and what to type."""
    text = drawn(content(), size)
    for said in (
        "Sun 2018-02-04 04:40 UTC",
        "14,020 kW",
        "20 readings/s",
        "20 forecasts/s",
        "day 4 of 14",
        "0:01:19 left",
        "14,006",
        "13,106 - 14,906",
        "91.2 %",
        "adapted",
        "sent 12,345",
        "accepted 12,340",
        "rejected 2",
        "merged 3",
        "forecaster 12",
        "monitor -",
        "open http://127.0.0.1:8000/ the operator's page",
        "drift reports http://127.0.0.1:8003/reports/",
        "tetouan watch forecasts",
        "Ctrl-C ends",
        "12:00",
        "Sun 00:00",
        "now",
        "Mon 00:00",
    ):
        assert said in text, said


@at_every_size
@pytest.mark.parametrize(
    ("step_minutes", "leads"), [(15, ["+15 min", "+1 h", "+24 h"]), (60, ["+1 h", "+24 h"]), (5, ["+10 min", "+1 h"])]
)
def test_a_lead_is_named_by_its_time_at_every_step(size: tuple[int, int], step_minutes: int, leads: list[str]) -> None:
    """No row says 10 minutes of a lead that is none; a row less leaves its line to the chart."""
    day = 24 * 60 // step_minutes
    known = forecast()
    (interval,) = known.intervals
    curve = np.resize(known.median_kw, day)
    changes = {
        "step_minutes": step_minutes,
        "median_kw": tuple(curve),
        "intervals": (interval.model_copy(update={"low_kw": tuple(curve), "high_kw": tuple(curve)}),),
    }
    shown = content(forecast=known.model_copy(update=changes))
    lines = drawn(shown, size).splitlines()
    rows = [line.strip(" │") for line in lines if line.strip(" │").startswith("+") and " kW" not in line]
    assert len(lines) == size[1]
    assert [row.split("  ")[0] for row in rows][: len(leads)] == leads
    assert all(f"{lead} " in plain_line(shown) for lead in leads)
    assert plain_line(shown).count("+") == 2 * len(rows)


@pytest.mark.parametrize(("width", "columns"), [(100, 7), (80, 7), (72, 6), (60, 5), (48, 4), (40, 3)], ids=str)
def test_a_narrow_terminal_has_fewer_columns_and_cuts_none(width: int, columns: int) -> None:
    """The forecast and its error stay longest; no number and no heading is cut off."""
    lines = drawn(content(), (width, 18)).splitlines()
    heads = next(line for line in lines if line.startswith("ahead"))
    rows = [re.split(r"  +", line.strip()) for line in lines if line.startswith("+")]
    assert [len(row) for row in rows] == [columns] * len(rows)
    assert all(row[1] in {"14,006", "14,204", "14,000"} for row in rows)
    assert "500" in rows[0]
    assert "…" not in heads + "".join(map("".join, rows))


@pytest.mark.parametrize(
    ("origin", "hours"),
    [
        (ORIGIN, ["06:00", "12:00", "18:00", "Sun 00:00", "now", "12:00", "18:00", "Mon 00:00"]),
        (ORIGIN.replace(hour=12, minute=0), ["12:00", "18:00", "Sun 00:00", "06:00", "now", "18:00", "Mon 00:00"]),
    ],
)
def test_the_axis_shows_the_clock(origin: datetime, hours: list[str]) -> None:
    """Every six hours and the day at midnight; what would stand on top of the origin is left out."""
    at = next(line for line in reversed(chart(curves(), content().unit, origin, 100, 14).plain.splitlines()))
    assert re.split(r"  +", at.strip())[: len(hours)] == hours


def test_the_error_stands_beside_that_of_repeating_yesterday() -> None:
    """A skill of 0.75 at an RMSE of 500 kW is an RMSE of 2,000 kW for repeating yesterday."""
    row = next(line for line in drawn(content()).splitlines() if "+10 min" in line)
    assert row.strip(" │").split()[6:10] == ["500", "2,000", "75", "%"]


def test_a_score_that_cannot_be_computed_is_a_dash() -> None:
    """Neither zero nor an empty cell, before the first scores as well as where a figure is null."""
    unknown = scores(rmse_kw=None, coverage=None, skill_vs_same_time_yesterday=None)
    for none_yet in (content(scores=None), content(scores=unknown)):
        row = next(line for line in drawn(none_yet).splitlines() if "+10 min" in line)
        assert row.strip(" │").split()[-4:] == ["-"] * 4


@at_every_size
def test_a_lower_level_says_why(size: tuple[int, int]) -> None:
    """The level, how far it answers and its reason stand on the screen."""
    degraded = forecast(
        LevelSpan(from_lead=1, to_lead=36, level="frozen", reason="outage"),
        LevelSpan(from_lead=37, to_lead=144, level="climatology"),
    )
    text = drawn(content(forecast=degraded), size)
    assert "frozen to +6 h" in text
    assert "outage" in text
    assert "climatology" in text
    assert "adapted" not in text


@at_every_size
def test_an_open_drift_event_is_shown_with_its_kind_and_severity(size: tuple[int, int]) -> None:
    """The newest open one speaks; those that have ended are only counted."""
    older = drift_event(
        id="b", severity="info", kind="data", feature="temperature_c", started=ORIGIN - timedelta(days=1)
    )
    over = drift_event(id="c", ended=ORIGIN)
    text = drawn(content(drift=(drift_event(), older, over)), size)
    assert "2 open, 1 ended" in text
    assert "critical" in text
    assert "sensor" in text
    assert "temperature_c" not in text


def test_drift_that_is_over_is_none() -> None:
    """An ended event is no alarm."""
    assert "none open, 1 ended" in drawn(content(drift=(drift_event(ended=ORIGIN),)))


def test_a_stream_at_its_end_says_so() -> None:
    """After the last reading there is no time left to tell."""
    text = drawn(content(until=ORIGIN + timedelta(minutes=10)))
    assert "100%" in text
    assert "the stream is over" in text


def test_the_plain_line_is_one_line_with_the_same_figures() -> None:
    """What a log shows every five seconds."""
    line = plain_line(content(drift=(drift_event(),)))
    assert "\n" not in line
    for said in ("2018-02-04 04:40Z", "14,020 kW", "adapted", "+24 h 14,000", "RMSE", "2 readings refused", "1 open"):
        assert said in line, said


def test_a_gap_in_the_load_stays_a_gap_in_the_chart() -> None:
    """Missing readings of six hours are not bridged by a line."""
    known = curves()
    whole = drawn(content()).splitlines()
    known.load_kw[36:72] = float("nan")
    known.former_kw[36:72] = float("nan")
    gap = drawn(content(curves=known)).splitlines()
    quarter = slice(21, 28)  # the columns from -17 h to -13 h
    assert any(line[quarter].strip() for line in whole[5:12])
    assert not any(line[quarter].strip() for line in gap[5:12])


@pytest.mark.parametrize("size", SIZES)
def test_forecasts_that_ceased_cannot_be_overlooked(size: tuple[int, int]) -> None:
    """Where records wait and no forecast comes, the screen says for how long, and for whom they wait."""
    stuck = content(overdue_s=12.0, waiting={"ingestor": 0, "forecaster": 259, "monitor": 3})
    assert "NO FORECAST FOR 12 s" in drawn(stuck, size)
    assert "NO FORECAST" not in drawn(content(overdue_s=12.0, waiting={"ingestor": 0, "forecaster": None}), size)
    assert "259 records wait for the forecaster" in drawn(stuck, (110, 36))


def test_other_zones_are_named_with_the_key_that_shows_them() -> None:
    """A stream of one zone has no such key."""
    assert "z shows zone 1, 3" in drawn(content(other_zones=(1, 3)))
    assert "z shows" not in drawn(content())
