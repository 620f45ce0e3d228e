"""The line that shows how a demo is going."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from cli.audit import Audit
    from shared.contracts.messages import Forecast, Score, Scores

__all__ = ["Ticker"]

LEADS = {1: "+10 min", 6: "+1 h", 144: "+24 h"}
LIVE_S = 0.25
PLAIN_S = 5.0
RATE_S = 3.0


class Ticker:
    """Shows the state of the stream: in place on a terminal, else as one line every five seconds."""

    def __init__(self, console: Console, label: str, *, headless: bool) -> None:
        self._console = console
        self._label = label
        self._live = None if headless or not console.is_terminal else Live(console=console, auto_refresh=False)
        self._every_s = PLAIN_S if self._live is None else LIVE_S
        self._shown_s = 0.0
        self._counts = deque([(monotonic_s(), 0)])

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
        forecast = audit.forecasts.get(zone)
        if now_s - self._shown_s < self._every_s or forecast is None:
            return
        self._shown_s = now_s
        rate = f"{self._rate_per_s(now_s, audit.issued):,.0f} forecasts/s"
        refused = f"{audit.rejected:,} readings refused" if audit.rejected else ""
        lines = (
            _joined(self._label, _clock(audit, forecast), rate, refused),
            f"forecast ({forecast.rungs[0].rung}):  {_ahead(forecast)}",
            _errors(audit.scores.get(zone)),
        )
        if self._live is None:
            self._console.print(
                " | ".join(line for line in lines if line), soft_wrap=True, highlight=False, markup=False
            )
        else:
            self._live.update(Text("\n".join(lines), overflow="crop", no_wrap=True), refresh=True)

    def _rate_per_s(self, now_s: float, issued: int) -> float:
        """Return the rate over the last seconds: forecasts come in batches."""
        self._counts.append((now_s, issued))
        while len(self._counts) > 2 and now_s - self._counts[1][0] > RATE_S:
            self._counts.popleft()
        before_s, before = self._counts[0]
        return (issued - before) / max(now_s - before_s, 1e-9)


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)


def _clock(audit: Audit, forecast: Forecast) -> str:
    """Return the origin and the load that the meter read there."""
    reading = audit.readings.get(forecast.origin)
    load_kw = reading.values.get(f"zone_{forecast.zone}_kw") if reading else None
    load = "load missing" if load_kw is None else f"{load_kw:,.0f} kW"
    return f"{forecast.origin:%Y-%m-%d %H:%M}Z  zone {forecast.zone} {load}"


def _ahead(forecast: Forecast) -> str:
    leads = [f"{shown} {forecast.median_kw[h - 1]:,.0f}" for h, shown in LEADS.items() if h <= len(forecast.median_kw)]
    return _joined(*leads) + " kW"


def _errors(scores: Scores | None) -> str:
    """Return the RMSE of the last day a lead, and that of "same time yesterday" over the same pairs at a day."""
    if scores is None:
        return ""
    last_day = {str(score.group): score for score in scores.scores if score.window_days == 1}
    figures = [f"{shown} {_shown(last_day[str(h)].rmse_kw)}" for h, shown in LEADS.items() if str(h) in last_day]
    return f"RMSE, 1 day:  {_joined(*figures)}  same time yesterday {_yesterday(last_day)} kW"


def _yesterday(last_day: Mapping[str, Score]) -> str:
    """Return the error of "same time yesterday"; it hardly depends on the lead, so the first that has one speaks."""
    known = (score for score in last_day.values() if score.skill_vs_same_time_yesterday is not None)
    naive = (
        score.rmse_kw / (1 - score.skill_vs_same_time_yesterday)
        for score in known
        if score.rmse_kw is not None
        and score.skill_vs_same_time_yesterday is not None
        and score.skill_vs_same_time_yesterday < 1
    )
    return _shown(next(naive, None))


def _shown(figure_kw: float | None) -> str:
    return "-" if figure_kw is None else f"{figure_kw:,.0f}"
