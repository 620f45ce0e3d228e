"""The replay as a command: which readings, how fast, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.provision import year_for
from cli.watching import last_reading
from replay.backlog import ConsumersStalledError
from replay.interruption import set_by_signals
from replay.pacing import Pauses
from replay.publishing import BrokerLostError, ReplayOptions, replay
from shared.runtime import lifeline
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from rich.console import Console

    from shared.data.hints import Hints
    from shared.data.year import Year
    from shared.runtime.settings import Settings

__all__ = ["ReplayWindow", "run_replay"]

SHOWN_EVERY = 20  # readings: to draw costs more than to publish


@dataclass(frozen=True)
class ReplayWindow:
    """Which readings: from ``start`` (None: the last 20 %) to ``until`` (None: ``days`` on, or the end).

    ``hints`` is what the user says about their file; None where it must be that of the configured site.
    """

    start: datetime | None
    until: datetime | None
    days: int | None
    hints: Hints | None = None

    def of(self, year: Year) -> tuple[datetime, datetime]:
        """Return the stretch of the year, its end not included; raises ``Refused`` where it holds no reading."""
        first, last = year.span
        end = last + year.site.grid.length
        start = self.start or year.test_start
        until = self.until or (end if self.days is None else start + timedelta(days=self.days))
        begins = f"{start:%Y-%m-%d %H:%M}"
        if self.until is not None and self.until <= start:
            advice = f"--from {begins}: swap them" if self.start else f"{begins}, the last 20 %: give --from as well"
            raise Refused(f"--until {self.until:%Y-%m-%d %H:%M} is not after {advice}")
        if not first <= start < min(until, end):
            wrong = f"--from {begins} is before the first" if start < first else f"no reading from {begins} on"
            held = f"{year.label} has those from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
            raise Refused(f"{wrong}: {held}, choose --from there")
        return start, min(until, end)


def run_replay(
    data: str | None,
    window: ReplayWindow,
    rate_per_s: float,
    settings: Settings,
    console: Console,
    *,
    resume: bool = False,
) -> dict[str, Any]:
    """Publish the readings of the window until they end or a signal comes; returns the summary as a dictionary.

    To ``resume`` is to leave out what stands on the clean topic already, and not to end before a signal comes.
    """
    lifeline.hold(settings.lifeline_fd)
    year = year_for(data or settings.data, settings, console, window.hints)
    start, until = window.of(year)
    streamed = last_reading(settings) if resume else None
    if streamed is not None:
        start = max(start, streamed + year.site.grid.length)
        if start > until:
            held = f"the topics hold readings up to {streamed:%Y-%m-%d %H:%M}Z"
            raise Refused(f"{held}, {year.label} ends before: begin with empty topics, or give the data they are of")
        console.print(f"streamed already up to {streamed:%Y-%m-%d %H:%M}Z", highlight=False)
    options = ReplayOptions(
        access=settings.kafka,
        site=settings.site,
        rate_per_s=rate_per_s,
        max_lag=settings.max_lag,
        groups=settings.lag_groups,
        prefix=settings.topic_prefix,
    )
    pauses = Pauses()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar, set_by_signals(pauses.stop):
        task = bar.add_task(year.label, total=(until - start) // year.site.grid.length)

        def show(time: datetime, count: int) -> None:
            if count % SHOWN_EVERY == 0:
                bar.update(task, completed=count, description=f"{year.label} {time:%Y-%m-%d %H:%M}Z")

        try:
            done = replay(year.raw_messages(start, until), options, pauses, show)
        except (BrokerLostError, ConsumersStalledError) as error:
            raise Refused(str(error)) from None
        console.print(f"{year.label}: sent {done.sent:,}, refused {done.refused:,}, waited {done.waited_s:.1f} s")
        if resume and not pauses.stop.is_set():
            console.print("the year is over: to stream it again begin with empty topics")
            pauses.wait(inf)
    return {**asdict(done), "data": year.label, "synthetic": year.synthetic}
