"""What the live view takes from the audit of a demo."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from rich.console import Console

from backtest.transcript import Transcript
from cli import live
from cli.keys import Keys
from cli.live import DemoStream, LiveView, curves_of
from tests.unit.cli.test_summary import forecast, reading

if TYPE_CHECKING:
    from pathlib import Path

    from cli.audit import Audit
    from shared.contracts.messages import CleanReading, Forecast

START = datetime(2018, 2, 1, tzinfo=UTC)
DAY = 144


class StandIn:
    """What an audit has seen, without a broker."""

    def __init__(self, steps: int) -> None:
        self.transcripts = {2: Transcript(2, START, START + timedelta(days=3), 10)}
        self.readings: dict[datetime, CleanReading] = {}
        self.forecasts: dict[int, Forecast] = {}
        self.scores: dict[int, object] = {}
        self.drift_events: dict[str, object] = {}
        self.accepted = self.issued = steps
        self.rejected = 0
        for step in range(steps):
            self.transcripts[2].add_reading(reading(step, 20_000.0 + step))
            self.transcripts[2].add_forecast(forecast(step))
            self.forecasts[2] = forecast(step)
            self.readings[self.forecasts[2].origin] = reading(step, 20_000.0 + step)

    def sent(self) -> int:
        """Return as many as were accepted."""
        return self.accepted


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until its one number is changed."""
    time_s = [100.0]
    monkeypatch.setattr(live, "monotonic_s", lambda: time_s[0])
    return time_s


def view(audit: StandIn, terminal: Console, zones: tuple[int, ...] = (2,), *, headless: bool = True) -> LiveView:
    """Return the view of a synthetic stream whose services do not answer."""
    nobody = "http://127.0.0.1:1"
    stream = DemoStream(
        label="SYNTHETIC year 2018",
        synthetic=True,
        start=START,
        until=START + timedelta(days=3),
        zones=zones,
        bootstrap="127.0.0.1:1",
        addresses={"gateway": nobody, "ingestor": nobody, "forecaster": nobody, "monitor": nobody},
    )
    return LiveView(terminal, stream, cast("Audit", audit), headless=headless)


def test_the_curves_are_the_day_before_the_origin_and_the_day_after() -> None:
    """The load up to the origin, and what the forecast of exactly 24 hours ago said for the same steps."""
    transcript = Transcript(2, START, START + timedelta(days=3), 10)
    for step in range(DAY + 10):
        transcript.add_reading(reading(step, 20_000.0 + step))
        median = tuple(float(1000 * step + lead) for lead in range(1, DAY + 1))
        transcript.add_forecast(forecast(step).model_copy(update={"median_kw": median}))
    curves = curves_of(transcript, forecast(DAY + 9))
    assert curves.load_kw.tolist() == [20_000.0 + step for step in range(10, DAY + 10)]
    assert curves.former_kw.tolist() == [9000.0 + lead for lead in range(1, DAY + 1)]
    assert set(curves.median_kw) == {20_000.0}


def test_what_was_before_the_first_reading_is_unknown() -> None:
    """After three readings 141 steps of the day have no load, and no forecast is a day old."""
    transcript = Transcript(2, START, START + timedelta(days=3), 10)
    for step in range(3):
        transcript.add_reading(reading(step))
    curves = curves_of(transcript, forecast(2))
    assert np.isnan(curves.load_kw[:-3]).all()
    assert curves.load_kw[-3:].tolist() == [20_000.0] * 3
    assert np.isnan(curves.former_kw).all()


def test_without_a_terminal_a_line_comes_every_five_seconds(clock: list[float]) -> None:
    """The first at once, the next not before five seconds have passed; each names the data."""
    said = Console(file=io.StringIO(), width=80)
    audit = StandIn(3)
    with said.capture() as captured, view(audit, said) as lines:
        lines.show()
        clock[0] += 4.9
        lines.show()
        clock[0] += 0.2
        lines.show()
    shown = captured.get().splitlines()
    assert len(shown) == 2
    assert all("SYNTHETIC" in line for line in shown)


def test_a_remark_before_the_screen_is_taken_is_printed_at_once() -> None:
    """On a terminal too: the demo may end before there is anything to draw."""
    said = Console(file=io.StringIO(), force_terminal=True)
    with said.capture() as captured:
        view(StandIn(0), said, headless=False).say("the end of forecaster.log")
    assert captured.get() == "the end of forecaster.log\n"


def test_before_the_first_forecast_a_log_says_that_it_is_waited_for() -> None:
    """There is no clock of the stream to show yet, and no silence either."""
    said = Console(file=io.StringIO())
    with said.capture() as captured, view(StandIn(0), said) as lines:
        lines.show()
    assert captured.get() == "waiting for the first forecast of zone 2; Ctrl-C ends\n"


def test_the_rate_is_that_of_the_last_seconds(clock: list[float]) -> None:
    """A stream that has slowed down from 100 to 10 readings a second shows 10."""
    said = Console(file=io.StringIO(), width=200)
    audit = StandIn(3)
    with said.capture() as captured, view(audit, said) as lines:
        for rate in [100] * 10 + [10] * 6:
            clock[0] += 1.0
            audit.issued += rate
            lines.show()
    assert " 10 forecasts/s" in captured.get().splitlines()[-1]


def test_the_picture_is_an_svg_that_asks_no_server_for_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says SYNTHETIC, has colours even where the terminal has none, and stays small."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(live, "Backlog", Unreachable)
    file = tmp_path / "demo.svg"
    view(StandIn(DAY + 10), Console(file=io.StringIO())).save_picture(file)
    svg = file.read_text(encoding="utf-8")
    assert "SYNTHETIC" in svg
    assert "load" in svg
    assert len(svg) < 300_000
    assert not re.search(r"url\((?!#)|src=|href=|@import|@font-face", svg)
    assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", svg))) > 3


def test_a_stream_without_a_forecast_has_no_picture(tmp_path: Path) -> None:
    """The reason is said, and nothing is written."""
    said = Console(file=io.StringIO(), width=200)
    with said.capture() as captured:
        view(StandIn(0), said).save_picture(tmp_path / "demo.svg")
    assert "no picture" in captured.get()
    assert not (tmp_path / "demo.svg").exists()


class Unreachable:
    """A backlog of a broker that is not there: it has no lags to tell."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Unreachable:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def lags(self) -> list[object]:
        """Return none."""
        return []


def test_a_key_shows_another_zone(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    """A number that zone, `z` the next one, and after the last the first; other keys nothing."""
    pressed: list[str] = []
    monkeypatch.setattr(Keys, "pressed", lambda _: pressed.pop() if pressed else "")
    terminal = Console(file=io.StringIO(), width=200)
    shown = []
    with view(StandIn(0), terminal, zones=(1, 2, 3)) as screen:
        for key in ("", "z", "3", "z", "x", "7"):
            pressed.append(key)
            clock[0] += 0.1
            screen.show()
            shown.append(screen.zone)
    assert shown == [1, 2, 3, 1, 1, 1]
