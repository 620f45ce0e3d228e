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

__all__ = ["ScreenContent", "plain_line", "screen"]

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
class ScreenContent:
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


def screen(content: ScreenContent, width: int, height: int) -> RenderableType:
    """Lay the content out on ``width`` columns and ``height`` lines; the chart takes what the rest leaves."""
    roomy = width >= ROOMY[0] and height >= ROOMY[1]
    parts = [
        _header(content, width),
        _leads(content, width, roomy=roomy),
        _tiles(content, roomy=roomy),
        _footer(content),
    ]
    used = sum(lines for _, lines in parts)
    parts.insert(1, _outlook(content, width, height - used, roomy=roomy))
    return Group(*(part for part, _ in parts))


def plain_line(content: ScreenContent) -> str:
    """Return the state of the stream as one line."""
    forecast = content.forecast
    groups = asked_groups(forecast.step_minutes)
    ahead = "  ".join(f"+{group.shown} {_ahead(content, group)[0]}" for group in groups)
    rmse = "  ".join(f"+{group.shown} {_worth(content, group)[0]}" for group in groups)
    parts = [
        f"{content.label}  {forecast.origin:%Y-%m-%d %H:%M}Z  zone {forecast.zone} {_load(content)}",
        f"{_share(content):.0%} {content.forecasts_per_s:,.0f} forecasts/s",
        f"forecast ({forecast.levels[0].level}):  {ahead} {content.unit.name}",
        f"RMSE, {SCORED_DAYS} days:  {rmse} {content.unit.name}",
        f"{content.rejected:,} readings refused" if content.rejected else "",
        f"drift: {_drift(content.drift)[0]}" if content.drift else "",
    ]
    return " | ".join(part for part in parts if part)


Part = tuple["RenderableType", int]  # with the lines it takes


def _header(content: ScreenContent, width: int) -> Part:
    """Say what is shown, of which data, when, and how far it has come."""
    origin, zone = content.forecast.origin, content.forecast.zone
    badge = f" {content.label}: nobody measured this " if content.synthetic else f" {content.label}, measured "
    title = Table.grid(expand=True)
    title.add_column(no_wrap=True, overflow="ellipsis")
    title.add_column(no_wrap=True, justify="right")
    style = "bold reverse bright_red" if content.synthetic else "reverse"
    site = content.forecast.site.title()
    title.add_row(Text(f" Electricity demand of {site}, zone {zone}", "bold"), Text.assemble((badge, style)))
    now = Text.assemble(
        (f" {origin:%a %Y-%m-%d %H:%M} UTC", "bold"),
        "   load ",
        (_load(content), "bold bright_cyan"),
        f"   {content.readings_per_s:,.0f} readings/s   {content.forecasts_per_s:,.0f} forecasts/s",
    )
    if behind := _behind(content):
        now = Text(f" {origin:%a %Y-%m-%d %H:%M} UTC   {behind} ", "bold reverse bright_red")
    share = _share(content)
    progress = Table.grid(expand=True, padding=(0, 1))
    progress.add_column(width=max(10, width // 3))
    progress.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    progress.add_row(
        ProgressBar(total=1.0, completed=share, complete_style="green", finished_style="green"),
        f"{share:.0%}   {_days(content)}   {_left(content)}",
    )
    return Group(title, _line(now), progress), 3


def _behind(content: ScreenContent) -> str:
    """Say so where forecasts have ceased although there is something to answer, and who is furthest behind."""
    name, records = max(content.waiting.items(), key=lambda each: each[1] or 0, default=("", 0))
    if not records or content.overdue_s < OVERDUE_S or _share(content) >= 1.0:
        return ""
    old = f"NO FORECAST FOR {content.overdue_s:.0f} s, this one is old"
    return f"{old}: {records:,} records wait for the {name}, see its log"


def _load(content: ScreenContent) -> str:
    return "missing" if content.load_kw is None else f"{content.unit.shown(content.load_kw)} {content.unit.name}"


def _share(content: ScreenContent) -> float:
    done = content.forecast.origin + _step(content) - content.start
    return min(1.0, max(0.0, done / (content.until - content.start)))


def _days(content: ScreenContent) -> str:
    days = -(-(content.until - content.start) // timedelta(days=1))
    day = (content.forecast.origin - content.start) // timedelta(days=1) + 1
    return f"day {day} of {days}"


def _left(content: ScreenContent) -> str:
    """Return how long the rest of the stream takes at the pace of the last seconds."""
    readings = (content.until - content.forecast.origin) // _step(content) - 1
    if readings <= 0:
        return "the stream is over"
    if content.readings_per_s < 0.1:
        return "standing still"
    left = timedelta(seconds=round(readings / content.readings_per_s))
    return f"{left} left"


def _step(content: ScreenContent) -> timedelta:
    return timedelta(minutes=content.forecast.step_minutes)


def _outlook(content: ScreenContent, width: int, height: int, *, roomy: bool) -> Part:
    """Return the chart under its legend, or nothing where there is no space for it."""
    inner_width, inner_height = (width - 4, height - 3) if roomy else (width, height - 1)
    if inner_height < LEAST_CHART:
        return Group(), 0
    drawn = chart(content.curves, content.unit, content.forecast.origin, inner_width, inner_height)
    return _framed(Group(legend(content.unit), drawn), "the last and the next 24 hours", roomy=roomy), height


def _leads(content: ScreenContent, width: int, *, roomy: bool) -> Part:
    """Return a line for each lead: the forecast, and what such forecasts were worth lately."""
    table = Table(box=None, expand=True, padding=(0, 1), pad_edge=False)
    heads = (
        "ahead",
        f"forecast\n{content.unit.name}",
        f"90 % range\n{content.unit.name}",
        f"RMSE {content.unit.name}\n{SCORED_DAYS} days",
        "repeating\nyesterday",
        "skill\n",
        "in range\nof 90 %",
    )
    there = [at for at in range(len(heads)) if width >= NEEDED[at]]
    for at in there:
        table.add_column(heads[at], justify="right" if at else "left", no_wrap=True)
    groups = asked_groups(content.forecast.step_minutes)
    for group in groups:
        row = (f"+{group.shown}", *_ahead(content, group), *_worth(content, group))
        table.add_row(*(row[at] for at in there))
    note = "repeating yesterday: what that would have cost in RMSE; skill: by how much ours is smaller"
    return _framed(table, "forecasts, and what such were worth", roomy=roomy, note=note), len(groups) + (
        4 if roomy else 2
    )


def _ahead(content: ScreenContent, group: LeadGroup) -> tuple[Text, Text]:
    forecast, unit = content.forecast, content.unit
    if group.steps > len(forecast.median_kw):
        return Text(NONE), Text(NONE)
    at = group.steps - 1
    band = next((interval for interval in forecast.intervals if interval.coverage == 0.9), None)
    ends = NONE if band is None else f"{unit.shown(band.low_kw[at])} - {unit.shown(band.high_kw[at])}"
    return Text(unit.shown(forecast.median_kw[at]), "bold bright_yellow"), Text(ends)


def _worth(content: ScreenContent, group: LeadGroup) -> tuple[str, str, str, str]:
    """Return RMSE of the last days, that of "same time yesterday", the skill, and the coverage."""
    found = content.scores.scores if content.scores else ()
    asked = (group.lead_minutes, SCORED_DAYS)
    score = next((score for score in found if (score.lead_minutes, score.window_days) == asked), None)
    return (
        _load_or_none(score.rmse_kw if score else None, content.unit),
        _load_or_none(_yesterday_kw(score), content.unit),
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


def _tiles(content: ScreenContent, *, roomy: bool) -> Part:
    """Show how the machinery is: side by side with frames, else a line each."""
    tiles = {
        "model": _model(content.forecast),
        "drift": _drift(content.drift),
        "readings": _readings(content),
        "records waiting": [Text(f"{name} {_number(count)}") for name, count in content.waiting.items()],
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


def _readings(content: ScreenContent) -> list[Text]:
    refused = (f"rejected {content.rejected:,}", "bright_yellow" if content.rejected else "")
    counts = Text(f"sent {content.sent:,}"), Text(f"accepted {content.accepted:,}")
    return [*counts, Text.assemble(refused, f"  merged {_number(content.merged)}")]


def _footer(content: ScreenContent) -> Part:
    """Say where to look, what to type, how to end."""
    at = Text(f" open {content.addresses['gateway']}/ the operator's page")
    for name in ("ingestor", "forecaster"):
        at.append(f"   :{content.addresses[name].rpartition(':')[2]} {name}")
    reports = f" drift reports {content.addresses['monitor']}/reports/   Kafka {content.bootstrap}"
    keys = Text.assemble(" in another terminal ", (f"{content.command} watch forecasts", "bold"), _keys(content))
    return Group(*map(_line, (at, Text(reports), keys))), 3


def _keys(content: ScreenContent) -> str:
    others = content.other_zones
    switch = f"   z shows zone {', '.join(map(str, others))}" if others else ""
    return f"{switch}   Ctrl-C ends"


def _line(text: Text) -> Text:
    """Return the text as one that never takes a second line."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _framed(body: RenderableType, title: str, *, roomy: bool, note: str | None = None) -> RenderableType:
    return Panel(body, title=title, subtitle=note, box=ROUNDED, border_style="dim") if roomy else body
