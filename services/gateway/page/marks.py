"""What is marked on the chart of a zone: gaps of its load, changes of its level, and of the clock of its site."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from services.gateway.page.documents import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from services.gateway.page.alarm import Judgement
    from services.gateway.page.documents import MarkKind
    from services.gateway.page.words import Words

__all__ = ["Gap", "clock_changes", "continuous", "gaps", "marks"]

CLOCK_STEP = timedelta(minutes=30)  # clocks are changed at full and at half hours of UTC

OF_LEVEL: dict[str, MarkKind] = {"shift": "shift", "outage": "outage", "transfer": "transfer"}  # findings by their kind

Load = tuple["datetime", float | None]


class Gap(NamedTuple):
    """From the first time without a load to the next one with a load; None where none has come."""

    begin: datetime
    end: datetime | None


def continuous(loads: Sequence[Load], step: timedelta) -> list[Load]:
    """Return loads with one that is None wherever times are missing, so that no line is drawn over them.

    Parameters
    ----------
    loads
        By rising time.
    step
        From one time to the next.
    """
    found: list[Load] = []
    for time, kw in loads:
        if found and time - found[-1][0] > step:
            found.append((found[-1][0] + step, None))
        found.append((time, kw))
    return found


def gaps(loads: Sequence[Load]) -> list[Gap]:
    """Return the stretches without a load; what is missing in between is None, as ``continuous`` has it."""
    found: list[Gap] = []
    begin = None
    for time, kw in loads:
        if kw is None:
            begin = begin or time
        elif begin is not None:
            found.append(Gap(begin, time))
            begin = None
    return found if begin is None else [*found, Gap(begin, None)]


def clock_changes(begin: datetime, end: datetime, time_zone: str) -> list[datetime]:
    """Return the times after the first one, up to the last, at which a clock is put forward or back."""
    clock = ZoneInfo(time_zone)
    time = begin.replace(minute=begin.minute // 30 * 30, second=0, microsecond=0) + CLOCK_STEP
    found = []
    while time <= end:
        if time.astimezone(clock).utcoffset() != (time - CLOCK_STEP).astimezone(clock).utcoffset():
            found.append(time)
        time += CLOCK_STEP
    return found


def marks(loads: Sequence[Load], said: Sequence[Judgement], end: datetime, words: Words) -> list[Mark]:
    """Return what is marked between the first load and a time, by rising time.

    Parameters
    ----------
    loads
        By rising time, as ``continuous`` returns them, at least one.
    said
        The findings: those that say since when the load is another one are marked.
    end
        The end of the chart.
    words
        In which language, and on which clock.
    """
    begin = loads[0][0]
    found = [_of_gap(gap, words) for gap in gaps(loads)]
    found += _of_findings(said, begin, words)
    found += [_of_clock(time, words) for time in clock_changes(begin, end, words.time_zone)]
    return sorted(found, key=lambda mark: mark.begin)


def _of_gap(gap: Gap, words: Words) -> Mark:
    if gap.end is None:
        return Mark(kind="gap", begin=gap.begin, end=None, text=words("mark.gap_lasts", begin=gap.begin))
    return Mark(kind="gap", begin=gap.begin, end=gap.end, text=words("mark.gap", begin=gap.begin, end=gap.end))


def _of_findings(said: Sequence[Judgement], begin: datetime, words: Words) -> Iterator[Mark]:
    for finding in said:
        kind = OF_LEVEL.get(finding.kind)
        if kind is not None and finding.since is not None and finding.since >= begin:
            text = words(f"finding.{kind}", **finding.said)
            yield Mark(kind=kind, begin=finding.since, end=finding.since, text=text)


def _of_clock(time: datetime, words: Words) -> Mark:
    before, after = words.offset(time - CLOCK_STEP), words.offset(time)
    return Mark(kind="clock", begin=time, end=time, text=words("mark.clock", time=time, before=before, after=after))
