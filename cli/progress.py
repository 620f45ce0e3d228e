"""The line that shows how a demo is going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from rich.console import Console

    from cli.audit import Audit
    from shared.contracts.messages import Score, Scores

__all__ = ["Ticker"]

LEADS = {1: "+10 min", 6: "+1 h", 144: "+24 h"}
LIVE_S = 0.25
PLAIN_S = 5.0


class Ticker:
    """Shows the state of the stream: in place on a terminal, else as one line every five seconds."""

    def __init__(self, console: Console, label: str, *, headless: bool) -> None:
        self._console = console
        self._label = label
        self._live = None if headless or not console.is_terminal else Live(console=console, auto_refresh=False)
        self._every_s = PLAIN_S if self._live is None else LIVE_S
        self._shown_s = 0.0
        self._counted = (monotonic_s(), 0)

    def __enter__(self) -> Ticker:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, audit: Audit, zone: int) -> None:
        """Show the newest state, no more often than it can be read."""
        now_s = monotonic_s()
        if now_s - self._shown_s < self._every_s or audit.reading is None:
            return
        self._shown_s = now_s
        line = self._line(audit, zone, now_s)
        if self._live is None:
            self._console.print(line, soft_wrap=True, highlight=False, markup=False)
        else:
            self._live.update(Text(line), refresh=True)

    def _line(self, audit: Audit, zone: int, now_s: float) -> str:
        before_s, before = self._counted
        self._counted = (now_s, audit.issued)
        rate = (audit.issued - before) / max(now_s - before_s, 1e-9)
        parts = [_clock(audit, zone), _ahead(audit, zone), _errors(audit.scores.get(zone)), f"{rate:,.0f} forecasts/s"]
        if audit.rejected:
            parts.append(f"{audit.rejected:,} rejected")
        return f"{self._label}  " + "  |  ".join(part for part in parts if part)


def _clock(audit: Audit, zone: int) -> str:
    if audit.reading is None:
        return ""
    load_kw = audit.reading.values.get(f"zone_{zone}_kw")
    load = "missing" if load_kw is None else f"{load_kw:,.0f} kW"
    return f"{audit.reading.time:%Y-%m-%d %H:%M}Z zone {zone} {load}"


def _ahead(audit: Audit, zone: int) -> str:
    forecast = audit.forecasts.get(zone)
    if forecast is None:
        return "no forecast yet"
    leads = [f"{shown} {forecast.median_kw[h - 1]:,.0f}" for h, shown in LEADS.items() if h <= len(forecast.median_kw)]
    return f"{' '.join(leads)} kW ({forecast.rungs[0].rung})"


def _errors(scores: Scores | None) -> str:
    """Return the RMSE of the last day a lead, and that of "same time yesterday" over the same pairs."""
    if scores is None:
        return ""
    last_day = {score.group: score for score in scores.scores if score.window_days == 1}
    shown = [_error(name, last_day[str(lead)]) for lead, name in LEADS.items() if str(lead) in last_day]  # type: ignore[index]  # a group is the text of a lead
    return "RMSE 1 d " + " ".join(shown)


def _error(name: str, score: Score) -> str:
    if score.rmse_kw is None:
        return f"{name} -"
    skill = score.skill_vs_same_time_yesterday
    naive = "-" if skill is None or skill >= 1 else f"{score.rmse_kw / (1 - skill):,.0f}"
    return f"{name} {score.rmse_kw:,.0f} (same time yesterday {naive})"
