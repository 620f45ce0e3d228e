"""Raw records on their way to the services: those of many sites in turn, and readings with every kind of trouble."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from harness.february import START

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.synthetic_sites import SyntheticSite
    from shared.data.year import Year

    Timed = Iterable[tuple[datetime, bytes]]

__all__ = ["RawRecord", "divided", "in_turn", "placed", "troubled", "troubled_year"]

AWAY = timedelta(days=60)


class RawRecord(NamedTuple):
    """A raw record: the site that is its key, the partition that it is sent to, and what it says."""

    site: str
    partition: int
    value: bytes


def placed(sites: Sequence[SyntheticSite], start: datetime, until: datetime, partitions: int) -> list[RawRecord]:
    """Return the readings of the sites in [start, until) by time, the sites spread over the partitions."""
    return in_turn({site.name: site.raw(start, until) for site in sites}, partitions)


def in_turn(records: Mapping[str, Timed], partitions: int) -> list[RawRecord]:
    """Return the records of the sites by time, the sites spread over the partitions."""
    rows = [
        (time, place, RawRecord(site, place % partitions, value))
        for place, (site, timed) in enumerate(records.items())
        for time, value in timed
    ]
    return [row for *_, row in sorted(rows, key=lambda found: found[:2])]


def troubled_year(year: Year, days: int) -> list[tuple[datetime, bytes]]:
    """Return the records of some days with trouble in them; the last one is of a full hour, so that scores are due."""
    time_format = "%m/%d/%Y %H:%M"
    good = list(year.raw_messages(START, START + timedelta(days=days, minutes=year.site.step_minutes)))
    return list(troubled(good, year.site.name, year.site.time_column, time_format))


def troubled(
    good: Sequence[tuple[datetime, bytes]], site: str, time_column: str, time_format: str
) -> Iterator[tuple[datetime, bytes]]:
    """Yield the readings, some of them late, and between them repeated and unreadable ones, and some of a wrong clock.

    Each record has the time at which it is sent.
    """
    late: dict[int, bytes] = {}
    for n, (time, raw) in enumerate(good):
        if n % 47 == 20:
            late[n + 4] = raw
        else:
            yield time, raw
        if n % 31 == 30:
            yield time, good[n - 5][1]
        if n % 53 == 40:
            yield time, f'{{"site": "{site}", "garbage": {n}}}'.encode()
        if n % 61 == 50:
            yield time, _with_wrong_clock(raw, time_column, time_format)
        if n in late:
            yield time, late[n]


def _with_wrong_clock(raw: bytes, column: str, time_format: str) -> bytes:
    row = json.loads(raw)
    time = datetime.strptime(row[column], time_format) + AWAY  # noqa: DTZ007 - a meter's clock has no zone
    return json.dumps({**row, column: time.strftime(time_format)}).encode()


def divided(rows: Sequence[RawRecord], parts: int) -> list[Sequence[RawRecord]]:
    """Return the rows in so many parts of about the same length."""
    cuts = [len(rows) * n // parts for n in range(parts + 1)]
    return [rows[begin:end] for begin, end in pairwise(cuts)]
