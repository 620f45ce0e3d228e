"""The replay as a command: which readings, how fast, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.unanswered import counted, remark_on
from cli.watching import last_reading
from replay.backlog import ConsumersStalledError
from replay.control import serve_control
from replay.interruption import set_by_signals
from replay.pacing import Pauses, Tempo
from replay.publishing import BrokerLostError, ReplayOptions, replay
from shared.runtime import lifeline
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import Console

    from cli.settings import CommandSettings
    from cli.unanswered import Counts
    from cli.window import ReplayWindow
    from shared.data.year import Year

__all__ = ["run_replay"]

SHOWN_EVERY = 20  # readings: to draw costs more than to publish


def run_replay(
    year: Year,
    window: ReplayWindow,
    rate_per_s: float,
    settings: CommandSettings,
    console: Console,
    *,
    resume: bool = False,
) -> dict[str, Any]:
    """Publish the readings of the window until they end or a signal comes; returns the summary as a dictionary.

    To ``resume`` is to leave out what stands on the clean topic already, and not to end before a signal comes.
    """
    lifeline.hold(settings.lifeline_fd)
    start, until = window.of(year)
    streamed = last_reading(settings, settings.site) if resume else None
    if streamed is not None:
        start = max(start, streamed + year.site.grid.length)
        if start > until:
            held = f"the topics hold readings up to {streamed:%Y-%m-%d %H:%M}Z"
            raise Refused(f"{held}, {year.label} ends before: begin with empty topics, or give the data they are of")
        console.print(f"streamed already up to {streamed:%Y-%m-%d %H:%M}Z", highlight=False)
    tempo = Tempo(rate_per_s)
    options = ReplayOptions(
        access=settings.kafka,
        site=settings.site,
        tempo=tempo,
        max_lag=settings.max_lag,
        lag_patience_s=settings.lag_patience_s,
        groups=settings.lag_groups,
        prefix=settings.topic_prefix,
    )
    if settings.control_fd is not None:
        serve_control(settings.control_fd, tempo)
    pauses = Pauses()
    before: list[Counts | None] = []

    def messages() -> Iterator[tuple[datetime, bytes]]:
        before.append(counted(settings))  # the broker is known to answer by now
        yield from year.raw_messages(start, until)

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar, set_by_signals(pauses.stop):
        task = bar.add_task(year.label, total=(until - start) // year.site.grid.length)

        def show(time: datetime, count: int) -> None:
            if count % SHOWN_EVERY == 0:
                bar.update(task, completed=count, description=f"{year.label} {time:%Y-%m-%d %H:%M}Z")

        try:
            done = replay(messages(), options, pauses, show)
        except (BrokerLostError, ConsumersStalledError) as error:
            raise Refused(str(error)) from None
        console.print(f"{year.label}: sent {done.sent:,}, refused {done.refused:,}, waited {done.waited_s:.1f} s")
        if (
            done.sent
            and not pauses.stop.is_set()
            and (remark := remark_on(before[0], lambda: counted(settings), pauses))
        ):
            console.print(remark, soft_wrap=True, highlight=False, markup=False)
        if resume and not pauses.stop.is_set():
            console.print("the year is over: to stream it again begin with empty topics")
            pauses.wait(inf)
    return {**asdict(done), "data": year.label, "synthetic": year.synthetic}
