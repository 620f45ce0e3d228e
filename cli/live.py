"""The live view of a demo: a screen that is drawn anew twice a second, or a plain line every five seconds."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import httpx
import numpy as np
from confluent_kafka import KafkaException
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live
from rich.terminal_theme import MONOKAI
from rich.text import Text

from cli.chart import Curves
from cli.keys import Keys
from cli.printing import PLAIN_S
from cli.screen import ScreenContent, plain_line, screen
from replay.backlog import Backlog
from shared.contracts import topics
from shared.runtime.access import Access
from shared.runtime.clock import monotonic_s
from shared.sites.grid import Grid
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray
    from rich.console import RenderableType

    from backtest.transcript import Transcript
    from cli.audit import Audit
    from shared.contracts.messages import Forecast

__all__ = ["DemoStream", "LiveView", "curves_of", "merged_readings"]

LIVE_S = 0.5  # a frame costs 20 to 50 ms of one of the cores that the services need too
RATE_S = 3.0
RATE_EVERY_S = 0.25
ASK_EVERY_S = 1.0
ANSWER_S = 2.0
PICTURE = (110, 36)
# rich's own format asks a server on the internet for its font
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass(frozen=True, kw_only=True)
class DemoStream:
    """What a demo streams, [start, until) of which data, for which zones, through which broker and services."""

    label: str
    synthetic: bool
    start: datetime
    until: datetime
    zones: tuple[int, ...]
    bootstrap: str
    addresses: Mapping[str, str]


class LiveView:
    """Shows the state of the stream: in place on a terminal, else as one line every five seconds.

    Parameters
    ----------
    console
        Where to draw.
    stream
        What is shown.
    audit
        What has been seen.
    headless
        Print lines on a terminal too.

    Attributes
    ----------
    zone
        The one on show.
    """

    def __init__(self, console: Console, stream: DemoStream, audit: Audit, *, headless: bool) -> None:
        self._console = console
        self._stream = stream
        self._audit = audit
        self._drawn = console.is_interactive and not headless
        self._live: Live | None = None  # while the screen is taken
        self._asking = _Asking(stream, audit)
        self._pace = _Pace()
        self._shown_s = 0.0
        self._said: list[str] = []
        self._keys = Keys()
        self.zone = stream.zones[0]

    def __enter__(self) -> LiveView:
        if self._drawn:
            # on a screen of its own, so that a window of another size is drawn anew and nothing is left behind
            self._live = Live(console=self._console, auto_refresh=False, screen=True)
            self._asking.start()
            self._keys.open()
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is None:
            return
        self._asking.stop()
        self._keys.close()
        self._live.stop()
        if self._begun:  # the last screen stays above what is printed next
            self._console.print(self._frame(*self._console.size))
        self._live = None
        for text in self._said:
            self.say(text)

    def say(self, text: str) -> None:
        """Print a remark, as soon as the screen is free."""
        if self._live is not None:
            self._said.append(text)
        else:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def show(self) -> None:
        """Show the newest state, no more often than it can be read."""
        now_s = monotonic_s()
        if self._switched(self._keys.pressed()):
            self._shown_s = 0.0
        self._pace.note(now_s, self._audit.accepted + self._audit.rejected, self._audit.issued)
        every_s = PLAIN_S if self._live is None else LIVE_S
        if now_s - self._shown_s < every_s:
            return
        if self._live is not None:
            self._live.update(self._frame(*self._console.size), refresh=True)
        else:
            for zone in self._stream.zones:
                begun = zone in self._audit.forecasts
                self.say(plain_line(self._content(zone)) if begun else _waiting_for(zone))
        self._shown_s = now_s

    def _switched(self, keys: str) -> bool:
        """Show the zone that a key asks for, `z` the next one; returns whether it did."""
        zones, before = self._stream.zones, self.zone
        for key in keys:
            if key in ("z", "Z", "\t"):
                self.zone = zones[(zones.index(self.zone) + 1) % len(zones)]
            elif key.isdecimal() and int(key) in zones:
                self.zone = int(key)
        return self.zone != before

    def save_picture(self, file: Path) -> None:
        """Write the newest screen as an SVG of 110 columns and 36 lines."""
        if not self._begun:
            self.say("no picture is written: no forecast has come")
            return
        self._asking.ask()
        width, height = PICTURE
        canvas = Console(
            record=True,
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            no_color=False,
        )
        canvas.print(self._frame(width, height))
        title = f"tetouan demo: {self._stream.label}"
        file.write_text(
            canvas.export_svg(title=title, theme=MONOKAI, code_format=SVG, unique_id="demo"), encoding="utf-8"
        )

    @property
    def _begun(self) -> bool:
        return self.zone in self._audit.forecasts

    def _frame(self, width: int, height: int) -> RenderableType:
        if not self._begun:
            return Text(_waiting_for(self.zone))
        return screen(self._content(self.zone), width, height)

    def _content(self, zone: int) -> ScreenContent:
        audit, stream = self._audit, self._stream
        forecast = audit.forecasts[zone]
        readings_per_s, forecasts_per_s = self._pace.per_s()
        reading = audit.readings.get(forecast.origin)
        return ScreenContent(
            label=stream.label,
            synthetic=stream.synthetic,
            start=stream.start,
            until=stream.until,
            forecast=forecast,
            load_kw=reading.values.get(load_field(zone)) if reading else None,
            curves=curves_of(audit.transcripts[zone], forecast),
            scores=audit.scores.get(zone),
            drift=tuple(audit.drift_events.values()),
            sent=max(self._asking.sent, audit.accepted + audit.rejected),  # it was asked a moment ago
            accepted=audit.accepted,
            rejected=audit.rejected,
            merged=self._asking.merged,
            readings_per_s=readings_per_s,
            forecasts_per_s=forecasts_per_s,
            waiting=self._asking.waiting,
            overdue_s=self._pace.overdue_s,
            bootstrap=stream.bootstrap,
            addresses=stream.addresses,
            command=_command(),
            other_zones=tuple(each for each in stream.zones if each != zone),
        )


def _waiting_for(zone: int) -> str:
    return f"waiting for the first forecast of zone {zone}; Ctrl-C ends"


def curves_of(transcript: Transcript, forecast: Forecast) -> Curves:
    """Return what the transcript knows of the 24 hours before the origin, and the forecast of the 24 hours after it."""
    leads = len(forecast.median_kw)
    row = Grid(forecast.step_minutes).step_of(forecast.origin) - transcript.start_step
    first = transcript.history  # the demand may begin before the forecasts
    interval = next((interval for interval in forecast.intervals if interval.coverage == 0.9), None)
    unknown = (np.nan,) * leads
    return Curves(
        load_kw=_padded(transcript.demand_kw[max(0, first + row + 1 - leads) : first + row + 1], leads),
        former_kw=transcript.issued_kw[row - leads, 0] if row >= leads else np.array(unknown),
        median_kw=np.array(forecast.median_kw),
        low_kw=np.array(interval.low_kw if interval else unknown),
        high_kw=np.array(interval.high_kw if interval else unknown),
    )


def _padded(newest: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the values with what was before the first one."""
    return np.concatenate([np.full(size - newest.size, np.nan), newest])


def _command() -> str:
    """Return how another terminal in this folder calls the program."""
    here = Path(sys.executable).with_name("tetouan")
    return "tetouan" if shutil.which("tetouan") or not here.exists() else os.path.relpath(here)


class _Pace:
    """Readings and forecasts a second over the last few: they come in batches."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int, int]] = deque()
        self._newest = (0.0, 0, 0)
        self._answered_s = 0.0

    @property
    def overdue_s(self) -> float:
        """How long no forecast has come, at the last note."""
        return self._newest[0] - self._answered_s

    def note(self, now_s: float, readings: int, forecasts: int) -> None:
        if forecasts > self._newest[2] or not self._counts:
            self._answered_s = now_s
        self._newest = (now_s, readings, forecasts)
        if not self._counts or now_s - self._counts[-1][0] >= RATE_EVERY_S:
            self._counts.append(self._newest)
        while len(self._counts) > 2 and now_s - self._counts[1][0] > RATE_S:
            self._counts.popleft()

    def per_s(self) -> tuple[float, float]:
        last_s, *last = self._newest
        first_s, *first = self._counts[0] if self._counts else self._newest
        passed_s = max(last_s - first_s, 1e-9)
        readings, forecasts = ((after - before) / passed_s for before, after in zip(first, last, strict=True))
        return readings, forecasts


class _Asking:
    """Asks broker and ingestor once a second, in a thread of its own: no screen waits for an answer."""

    def __init__(self, stream: DemoStream, audit: Audit) -> None:
        readers = {reader for topic in topics.ALL for reader in topic.read_by}
        self._stream = stream
        self._audit = audit
        self._groups = [name for name in stream.addresses if name in readers]
        self._stop = Event()
        self._thread = Thread(target=self._run, name="asking", daemon=True)
        self.sent = 0
        self.merged: int | None = None
        self.waiting: dict[str, int | None] = dict.fromkeys(self._groups)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def ask(self) -> None:
        """Ask once; what does not answer keeps its last figure."""
        with Backlog(Access(self._stream.bootstrap), self._groups) as backlog:
            self._ask(backlog)

    def _run(self) -> None:
        with Backlog(Access(self._stream.bootstrap), self._groups) as backlog:
            while not self._stop.wait(ASK_EVERY_S):
                self._ask(backlog)
            self._ask(backlog)

    def _ask(self, backlog: Backlog) -> None:
        self.merged = merged_readings(self._stream.addresses["ingestor"])
        with suppress(KafkaException):
            self.sent = self._audit.sent()
            lags = backlog.lags()
            self.waiting = {name: sum(lag.records for lag in lags if lag.group == name) for name in self._groups}


def merged_readings(ingestor: str) -> int | None:
    """Return how many readings the ingestor says it has merged: they leave no trace on a topic; None: no answer."""
    try:
        exported = httpx.get(ingestor + "/metrics", timeout=ANSWER_S).text
    except httpx.TransportError:
        return None
    samples = [sample for family in text_string_to_metric_families(exported) for sample in family.samples]
    return int(sum(sample.value for sample in samples if sample.name == "tetouan_merged_readings_total"))
