"""The screen of a running demo: what is known at one moment, laid out for a terminal of any size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.box import ROUNDED
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.chart import chart, legend
from shared.forecasting.leads import asked_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from backtest.units import LoadUnit
    from cli.chart import Curves
    from shared.contracts.messages import DriftEvent, Forecast, LevelSpan, Score, Scores
    from shared.forecasting.leads import LeadGroup

__all__ = ["Snapshot", "plain_line", "screen"]

ROOMY = (100, 28)  # from so many columns and lines on there is space for frames and tiles
LEAST_CHART = 6
SCORED_DAYS = 7
NEEDED = (0, 0, 50, 0, 78, 44, 62)  # columns of the terminal for each column of the table of leads to be there
OVERDUE_S = 5.0
TILE = 5  # lines with the frame: what a tile says beyond three lines is cut off
LEVEL_STYLE = {"adapted": "bright_green", "frozen": "bright_yellow", "weather": "bright_yellow"}
SEVERITY_STYLE = {"info": "bright_cyan", "warning": "bright_yellow", "critical": "bold bright_red"}
NONE = "-"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is known at one moment of a stream of [start, until).

    Attributes
    ----------
    label, synthetic
        Which data it is, and whether nobody measured it.
    forecast
        The newest one; its origin is the clock of the stream.
    load_kw
        The load at the origin; None where it is missing.
    scores
        The newest ones; None before the first hour is over.
    drift
        Every finding of the monitor as it was told last.
    sent, accepted, rejected, merged
        The accounting so far; ``merged`` is None before the ingestor has been asked.
    readings_per_s, forecasts_per_s
        Over the last few seconds.
    waiting
        Records that each service has yet to answer; None before the broker has been asked.
    overdue_s
        How long no forecast has come.
    bootstrap, addresses
        Where Kafka and each service listen.
    command
        How to call this program in another terminal.
    other_zones
        Which can be shown in place of this one.
    """

    label: str
    synthetic: bool
    start: datetime
    until: datetime
    forecast: Forecast
    load_kw: float | None
    curves: Curves
    scores: Scores | None
    drift: Sequence[DriftEvent]
    sent: int
    accepted: int
    rejected: int
    merged: int | None
    readings_per_s: float
    forecasts_per_s: float
    waiting: Mapping[str, int | None]
    overdue_s: float
    bootstrap: str
    addresses: Mapping[str, str]
    command: str
    other_zones: tuple[int, ...] = ()

    @property
    def unit(self) -> LoadUnit:
        """In which all loads are shown."""
        return self.curves.unit


def screen(snapshot: Snapshot, width: int, height: int) -> RenderableType:
    """Lay the snapshot out on ``width`` columns and ``height`` lines; the chart takes what the rest leaves."""
    roomy = width >= ROOMY[0] and height >= ROOMY[1]
    parts = [
        _header(snapshot, width),
        _leads(snapshot, width, roomy=roomy),
        _tiles(snapshot, roomy=roomy),
        _footer(snapshot),
    ]
    used = sum(lines for _, lines in parts)
    parts.insert(1, _outlook(snapshot, width, height - used, roomy=roomy))
    return Group(*(part for part, _ in parts))


def plain_line(snapshot: Snapshot) -> str:
    """Return the state of the stream as one line."""
    forecast = snapshot.forecast
    groups = asked_groups(forecast.step_minutes)
    ahead = "  ".join(f"+{group.shown} {_ahead(snapshot, group)[0]}" for group in groups)
    rmse = "  ".join(f"+{group.shown} {_worth(snapshot, group)[0]}" for group in groups)
    parts = [
        f"{snapshot.label}  {forecast.origin:%Y-%m-%d %H:%M}Z  zone {forecast.zone} {_load(snapshot)}",
        f"{_share(snapshot):.0%} {snapshot.forecasts_per_s:,.0f} forecasts/s",
        f"forecast ({forecast.levels[0].level}):  {ahead} {snapshot.unit.name}",
        f"RMSE, {SCORED_DAYS} days:  {rmse} {snapshot.unit.name}",
        f"{snapshot.rejected:,} readings refused" if snapshot.rejected else "",
        f"drift: {_drift(snapshot.drift)[0]}" if snapshot.drift else "",
    ]
    return " | ".join(part for part in parts if part)


Part = tuple["RenderableType", int]  # with the lines it takes


def _header(snapshot: Snapshot, width: int) -> Part:
    """Say what is shown, of which data, when, and how far it has come."""
    origin, zone = snapshot.forecast.origin, snapshot.forecast.zone
    badge = f" {snapshot.label}: nobody measured this " if snapshot.synthetic else f" {snapshot.label}, measured "
    title = Table.grid(expand=True)
    title.add_column(no_wrap=True, overflow="ellipsis")
    title.add_column(no_wrap=True, justify="right")
    style = "bold reverse bright_red" if snapshot.synthetic else "reverse"
    site = snapshot.forecast.site.title()
    title.add_row(Text(f" Electricity demand of {site}, zone {zone}", "bold"), Text.assemble((badge, style)))
    now = Text.assemble(
        (f" {origin:%a %Y-%m-%d %H:%M} UTC", "bold"),
        "   load ",
        (_load(snapshot), "bold bright_cyan"),
        f"   {snapshot.readings_per_s:,.0f} readings/s   {snapshot.forecasts_per_s:,.0f} forecasts/s",
    )
    if behind := _behind(snapshot):
        now = Text(f" {origin:%a %Y-%m-%d %H:%M} UTC   {behind} ", "bold reverse bright_red")
    share = _share(snapshot)
    progress = Table.grid(expand=True, padding=(0, 1))
    progress.add_column(width=max(10, width // 3))
    progress.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    progress.add_row(
        ProgressBar(total=1.0, completed=share, complete_style="green", finished_style="green"),
        f"{share:.0%}   {_days(snapshot)}   {_left(snapshot)}",
    )
    return Group(title, _line(now), progress), 3


def _behind(snapshot: Snapshot) -> str:
    """Say so where forecasts have ceased although there is something to answer, and who is furthest behind."""
    name, records = max(snapshot.waiting.items(), key=lambda each: each[1] or 0, default=("", 0))
    if not records or snapshot.overdue_s < OVERDUE_S or _share(snapshot) >= 1.0:
        return ""
    old = f"NO FORECAST FOR {snapshot.overdue_s:.0f} s, this one is old"
    return f"{old}: {records:,} records wait for the {name}, see its log"


def _load(snapshot: Snapshot) -> str:
    return "missing" if snapshot.load_kw is None else f"{snapshot.unit.shown(snapshot.load_kw)} {snapshot.unit.name}"


def _share(snapshot: Snapshot) -> float:
    done = snapshot.forecast.origin + _step(snapshot) - snapshot.start
    return min(1.0, max(0.0, done / (snapshot.until - snapshot.start)))


def _days(snapshot: Snapshot) -> str:
    days = -(-(snapshot.until - snapshot.start) // timedelta(days=1))
    day = (snapshot.forecast.origin - snapshot.start) // timedelta(days=1) + 1
    return f"day {day} of {days}"


def _left(snapshot: Snapshot) -> str:
    """Return how long the rest of the stream takes at the pace of the last seconds."""
    readings = (snapshot.until - snapshot.forecast.origin) // _step(snapshot) - 1
    if readings <= 0:
        return "the stream is over"
    if snapshot.readings_per_s < 0.1:
        return "standing still"
    left = timedelta(seconds=round(readings / snapshot.readings_per_s))
    return f"{left} left"


def _step(snapshot: Snapshot) -> timedelta:
    return timedelta(minutes=snapshot.forecast.step_minutes)


def _outlook(snapshot: Snapshot, width: int, height: int, *, roomy: bool) -> Part:
    """Return the chart under its legend, or nothing where there is no space for it."""
    inner_width, inner_height = (width - 4, height - 3) if roomy else (width, height - 1)
    if inner_height < LEAST_CHART:
        return Group(), 0
    drawn = chart(snapshot.curves, snapshot.unit, snapshot.forecast.origin, inner_width, inner_height)
    return _framed(Group(legend(snapshot.unit), drawn), "the last and the next 24 hours", roomy=roomy), height


def _leads(snapshot: Snapshot, width: int, *, roomy: bool) -> Part:
    """Return a line for each lead: the forecast, and what such forecasts were worth lately."""
    table = Table(box=None, expand=True, padding=(0, 1), pad_edge=False)
    heads = (
        "ahead",
        f"forecast\n{snapshot.unit.name}",
        f"90 % range\n{snapshot.unit.name}",
        f"RMSE {snapshot.unit.name}\n{SCORED_DAYS} days",
        "repeating\nyesterday",
        "skill\n",
        "in range\nof 90 %",
    )
    there = [at for at in range(len(heads)) if width >= NEEDED[at]]
    for at in there:
        table.add_column(heads[at], justify="right" if at else "left", no_wrap=True)
    groups = asked_groups(snapshot.forecast.step_minutes)
    for group in groups:
        row = (f"+{group.shown}", *_ahead(snapshot, group), *_worth(snapshot, group))
        table.add_row(*(row[at] for at in there))
    note = "repeating yesterday: what that would have cost in RMSE; skill: by how much ours is smaller"
    return _framed(table, "forecasts, and what such were worth", roomy=roomy, note=note), len(groups) + (
        4 if roomy else 2
    )


def _ahead(snapshot: Snapshot, group: LeadGroup) -> tuple[Text, Text]:
    forecast, unit = snapshot.forecast, snapshot.unit
    if group.steps > len(forecast.median_kw):
        return Text(NONE), Text(NONE)
    at = group.steps - 1
    band = next((interval for interval in forecast.intervals if interval.coverage == 0.9), None)
    ends = NONE if band is None else f"{unit.shown(band.low_kw[at])} - {unit.shown(band.high_kw[at])}"
    return Text(unit.shown(forecast.median_kw[at]), "bold bright_yellow"), Text(ends)


def _worth(snapshot: Snapshot, group: LeadGroup) -> tuple[str, str, str, str]:
    """Return RMSE of the last days, that of "same time yesterday", the skill, and the coverage."""
    found = snapshot.scores.scores if snapshot.scores else ()
    asked = (group.lead_minutes, SCORED_DAYS)
    score = next((score for score in found if (score.lead_minutes, score.window_days) == asked), None)
    return (
        _load_or_none(score.rmse_kw if score else None, snapshot.unit),
        _load_or_none(_yesterday_kw(score), snapshot.unit),
        _percent(score.skill_vs_same_time_yesterday if score else None),
        _percent(score.coverage if score else None, 1),
    )


def _yesterday_kw(score: Score | None) -> float | None:
    """Return the RMSE of "same time yesterday", which the skill tells."""
    skill = score.skill_vs_same_time_yesterday if score else None
    if score is None or score.rmse_kw is None or skill is None or skill >= 1:
        return None
    return score.rmse_kw / (1 - skill)


def _number(count: int | None) -> str:
    return NONE if count is None else f"{count:,}"


def _load_or_none(kw: float | None, unit: LoadUnit) -> str:
    return NONE if kw is None else unit.shown(kw)


def _percent(share: float | None, decimals: int = 0) -> str:
    return NONE if share is None else f"{100 * share:.{decimals}f} %"


def _tiles(snapshot: Snapshot, *, roomy: bool) -> Part:
    """Show how the machinery is: side by side with frames, else a line each."""
    tiles = {
        "model": _model(snapshot.forecast),
        "drift": _drift(snapshot.drift),
        "readings": _readings(snapshot),
        "records waiting": [Text(f"{name} {_number(count)}") for name, count in snapshot.waiting.items()],
    }
    if not roomy:
        lines = Table.grid(padding=(0, 1), expand=True)
        lines.add_column(style="bold", no_wrap=True)
        lines.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for title, said in tiles.items():
            lines.add_row(title, Text("  ").join(said))
        return lines, len(tiles)
    grid = Table.grid(expand=True)
    for _ in tiles:
        grid.add_column(ratio=1)
    grid.add_row(*(Panel(Group(*said), title=title, box=ROUNDED, height=TILE) for title, said in tiles.items()))
    return grid, TILE


def _model(forecast: Forecast) -> list[Text]:
    """Say which fallback levels answered, and why where it was not the best one."""
    levels = [Text(_span(span, forecast), LEVEL_STYLE.get(span.level, "bold bright_red")) for span in forecast.levels]
    return [*levels, Text(forecast.models.demand or "no model", "dim")]


def _span(span: LevelSpan, forecast: Forecast) -> str:
    hours = span.to_lead * forecast.step_minutes / 60
    reach = "" if span.to_lead == len(forecast.median_kw) else f" to +{hours:g} h"
    return f"{span.level}{reach}" + (f": {span.reason}" if span.reason else "")


def _drift(events: Sequence[DriftEvent]) -> list[Text]:
    """Say how many findings are open, and what the newest is."""
    ongoing = [event for event in events if event.ended is None]
    over = len(events) - len(ongoing)
    past = f", {over} ended" if over else ""
    if not ongoing:
        return [Text(f"none open{past}", "bright_green")]
    newest = max(ongoing, key=lambda event: event.started)
    return [
        Text(f"{len(ongoing)} open{past}", SEVERITY_STYLE[newest.severity]),
        Text(f"{newest.severity}, {newest.kind}: {newest.feature}"),
        Text(f"since {newest.started:%m-%d %H:%M}", "dim"),
    ]


def _readings(snapshot: Snapshot) -> list[Text]:
    refused = (f"rejected {snapshot.rejected:,}", "bright_yellow" if snapshot.rejected else "")
    counts = Text(f"sent {snapshot.sent:,}"), Text(f"accepted {snapshot.accepted:,}")
    return [*counts, Text.assemble(refused, f"  merged {_number(snapshot.merged)}")]


def _footer(snapshot: Snapshot) -> Part:
    """Say where to look, what to type, how to end."""
    first, *others = snapshot.addresses.items()
    at = Text(f" open {first[1]}/metrics {first[0]}")
    for name, address in others:
        at.append(f"  :{address.rpartition(':')[2]} {name}")
    reports = f" drift reports {snapshot.addresses['monitor']}/reports/   Kafka {snapshot.bootstrap}"
    keys = Text.assemble(" in another terminal ", (f"{snapshot.command} watch forecasts", "bold"), _keys(snapshot))
    return Group(*map(_line, (at, Text(reports), keys))), 3


def _keys(snapshot: Snapshot) -> str:
    others = snapshot.other_zones
    switch = f"   z shows zone {', '.join(map(str, others))}" if others else ""
    return f"{switch}   Ctrl-C ends"


def _line(text: Text) -> Text:
    """Return the text as one that never takes a second line."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _framed(body: RenderableType, title: str, *, roomy: bool, note: str | None = None) -> RenderableType:
    return Panel(body, title=title, subtitle=note, box=ROUNDED, border_style="dim") if roomy else body
