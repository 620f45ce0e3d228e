"""How a time is written, and which instant it is: the one way in which files and messages read it.

Read without being told are ISO 8601, year first with another mark between (``2018/1/31 0:10``) and month/day/year, each
with or without seconds, up to nine decimals of them, AM or PM, an offset. 24:00 is the end of its day: the first
instant of the next one, also where the clock skips midnight or shows it twice. Day first, an
epoch and any other form are read where the table of the site names them (``day_first``, ``time_format``); elsewhere
they are no times, and the advice says which key to set. A time without an offset is what the clock of the site shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from shared.sites.site import EPOCHS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from shared.sites.site import Site

__all__ = [
    "FORMS",
    "MIDNIGHT",
    "Moment",
    "NoTime",
    "Stamps",
    "day_of",
    "forms_of",
    "is_clock",
    "is_date",
    "read_time",
    "read_times",
]

MIDNIGHT = r"[ T]00:00(?::00(?:\.0+)?)?$"
"""What many tables write after a date that has a column of its own, as a pattern."""

FORMS = "month/day/year hour:minute, as in 1/31/2018 0:10, or ISO 8601"
"""What is read without being told, as a message to a human names it."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 1440 * MINUTE_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
# days from which neither an offset nor 24:00 leaves the calendar
DAYS = range(date(1, 1, 3).toordinal() - EPOCH_DAY, date(9999, 12, 29).toordinal() - EPOCH_DAY)
# 1990 to 2099: the numbers of two units of an epoch never lie in there both
PLAUSIBLE_US = range(7_305 * DAY_US, 47_482 * DAY_US)
NONE = int(np.iinfo(np.int64).min)  # what numpy takes for no time
CHUNK = 65_536
REMEMBERED = 4_096
LONGEST = 64

# possessive quantifiers: no input is scanned twice
STAMP = re.compile(r"([^T, ]++)(?:T|,? ++)(.++)")
DATE = re.compile(r"([0-9]{1,4})([-/.])([0-9]{1,2})\2([0-9]{1,4})")
COMPACT_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
ENDS = r"(?:\s?([AaPp])\.?[Mm]\.?)?(?:\s?(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?"
CLOCK = re.compile(rf"([0-9]{{1,2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:[.,]([0-9]{{1,9}}))?)?{ENDS}")
COMPACT_CLOCK = re.compile(rf"([0-9]{{2}})(?:([0-9]{{2}})(?:([0-9]{{2}})(?:[.,]([0-9]{{1,9}}))?)?)?{ENDS}")
OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})?")
NUMBER = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,9}))?")
# what a directive of strptime reads, so far as it is of one width; hour and decimals are cut out
WIDTHS = {"%": "%", "Y": r"\d{4}", "y": r"\d\d", "j": r"\d{1,3}", **dict.fromkeys("dmIMS", r"\d{1,2}")}
CUT = {"H": r"(?P<hour>\d{1,2})", "f": r"(?P<decimals>\d{1,9})"}


class WrittenTime(NamedTuple):
    """What stands in a cell.

    Attributes
    ----------
    local_us
        Microseconds since 1970 by the clock that is meant.
    offset_us
        Those of the offset, where one is written.
    ends_day
        Whether it is the end of a day, 24:00, rather than the begin of the next one.
    """

    local_us: int
    offset_us: int | None
    ends_day: bool = False


Order = tuple[Literal["month", "day"], str]
"""What stands first where the year stands last, and the marks between that are read so."""

MONTH_FIRST: Order = ("month", "/")
DAY_FIRST: Order = ("day", "/.-")
MONTH_FIRST_ANY_MARK: Order = ("month", "/.-")
KEYS = {
    (False, False): None,
    (False, True): "the day stands first: set day_first = true",
    (True, False): "the month stands first: set day_first = false or time_format",
    (True, True): "set day_first = true where the day stands first, time_format where the month does",
}
"""What makes a time of a text that can be read with the month first, with the day first."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of a time, aware UTC; ``again`` is the second one of a time that the clock shows twice."""

    time: datetime
    again: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoTime:
    """Why what was written is no time of the site.

    Attributes
    ----------
    reason
        ``skipped_hour``: the clock of the site never shows it, when summer time begins; else ``no_time``.
    advice
        What to change, where that can be told.
    order
        Whether day and month would have to change places.
    """

    reason: Literal["no_time", "skipped_hour"]
    advice: str | None = None
    order: bool = False


@dataclass(frozen=True, eq=False)
class Stamps:
    """The times of a column, one a row.

    Attributes
    ----------
    times
        Aware UTC, NaT where there is none.
    repeated
        Whether the clock shows the time twice: then the order of the rows has told which one it is.
    misread
        The first row, with its number, whose day and month would have to change places; None where none is.
    """

    times: pd.DatetimeIndex
    repeated: NDArray[np.bool_]
    misread: tuple[int, NoTime] | None


def forms_of(site: Site) -> str:
    """Return how times of the site are written, for a reader who knows strptime."""
    if site.time_format is None:
        return "day/month/year hour:minute or ISO 8601" if site.day_first else "month/day/year hour:minute or ISO 8601"
    if site.time_format in EPOCHS:
        return f"a number counted from 1970 on ({site.time_format})"
    return f"as {site.time_format} (strptime)"


def read_time(cell: object, site: Site) -> Moment | NoTime:
    """Return the instant that a cell of a message names, or why it names none.

    Parameters
    ----------
    cell : object
        What came, a number as its text; anything but text is no time.
    site : Site
        The site, whose table tells how its times are written and what its clock shows.
    """
    return _reader(site.name, site.time_zone, site.step_minutes, site.time_format, site.day_first).read(cell)


def read_times(written: pd.Series[str], site: Site) -> Stamps:
    """Return the instants of the rows of one file, each as `read_time` reads it.

    The order of the rows tells which hour a time is of that the clock shows twice: the second begins where the times go
    back; where they never do, the second of two like times is of the second hour. Rows may be newest first.
    """
    return _reader(site.name, site.time_zone, site.step_minutes, site.time_format, site.day_first).read_all(written)


def is_date(text: str) -> bool:
    """Tell whether a text is a day alone, in whichever order, or its midnight."""
    return any(_day(day_of(text), order) is not None for order in (MONTH_FIRST_ANY_MARK, DAY_FIRST))


def day_of(date: str) -> str:
    """Return a date without the midnight by which many tables write one that has a column of its own."""
    return re.sub(MIDNIGHT, "", date)


def is_clock(text: str) -> bool:
    """Tell whether a text is a time of day alone; digits without a colon are a number rather."""
    return ":" in text and _clock(text) is not None


@cache
def _reader(name: str, time_zone: str, step_minutes: int, time_format: str | None, day_first: bool) -> _Reader:  # noqa: FBT001 - a key of the cache
    return _Reader(name, ZoneInfo(time_zone), step_minutes, time_format, DAY_FIRST if day_first else MONTH_FIRST)


class _Reader:
    """Reads the times of one form and clock; ``site`` is whose table the advice names."""

    def __init__(self, site: str, zone: ZoneInfo, step_minutes: int, time_format: str | None, order: Order) -> None:
        self._site = site
        self._zone = zone
        self._step_us = step_minutes * MINUTE_US
        self._format = time_format
        self._order = order
        self._parse = _parser(time_format, order)
        self._offset_of_day = lru_cache(REMEMBERED)(self._constant_offset)

    def read(self, cell: object) -> Moment | NoTime:
        """Return the instant that a cell names, or why none."""
        text = cell.strip() if isinstance(cell, str) else ""
        written = self._parse(text) if len(text) <= LONGEST else None
        if written is None:
            return self._unread(text[:LONGEST])
        instants = self._instants(*written)
        if instants is None:
            return NoTime("skipped_hour", f"the clock of {self._zone.key} skips it: send the time with its offset")
        first, second = instants
        again = None if second == first else EPOCH + timedelta(microseconds=second)
        return Moment(EPOCH + timedelta(microseconds=first), again)

    def _unread(self, text: str) -> NoTime:
        """Say of a text that is no time which key would make it one, as far as its looks tell."""
        key, order = self._key(text)
        advice = key and f"{key} in the table of {self._site} (TETOUAN_SITES)"
        return NoTime("no_time", advice, order)

    def _key(self, text: str) -> tuple[str | None, bool]:
        """Return the key that would make the text a time, and whether day and month have to change places for it."""
        counted = [word for word, unit_ns in EPOCHS.items() if _counted(text, unit_ns)]
        if counted:
            return f'it counts from 1970 on: set time_format = "{counted[0]}"', False
        if self._format is not None:
            return f"it is not as {self._format} says: set another time_format", False
        month_first = _stamp(text, MONTH_FIRST_ANY_MARK) is not None
        day_first = self._order != DAY_FIRST and _stamp(text, DAY_FIRST) is not None
        return KEYS[month_first, day_first], month_first or day_first

    def read_all(self, written: pd.Series[str]) -> Stamps:
        """Return the instants that the rows of a file name."""
        import pandas as pd  # noqa: PLC0415 - a second, for which those who read no file need not wait

        chunks = [self._chunk(written.iloc[begin : begin + CHUNK].tolist()) for begin in range(0, len(written), CHUNK)]
        first, second = np.concatenate(chunks, axis=1) if chunks else np.empty((2, 0), np.int64)
        repeated = first != second
        times = np.where(_second_hour(first, repeated), second, first)
        index = pd.DatetimeIndex(times.view("datetime64[us]")).tz_localize("UTC")
        return Stamps(index, repeated, self._misread(written, first))

    def _chunk(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the two instants of each row in microseconds since 1970, shape (2, n), both ``NONE`` for no time."""
        stripped = (text.strip() for text in texts)
        parsed = [self._parse(text) if len(text) <= LONGEST else None for text in stripped]
        local = np.array([NONE if cell is None or cell.offset_us is not None else cell.local_us for cell in parsed])
        days, of_row = np.unique(local // DAY_US, return_inverse=True)
        constant = [self._offset_of_day(day) if day in DAYS else None for day in days.tolist()]
        offset = np.array([NONE if offset is None else offset for offset in constant], np.int64)[of_row]
        instants = np.tile(np.where(offset == NONE, NONE, local - offset), (2, 1))
        for row in np.flatnonzero(offset == NONE).tolist():
            if (written := parsed[row]) is not None:
                instants[:, row] = self._instants(*written) or NONE
        return instants

    def _instants(self, local_us: int, offset_us: int | None, ends_day: bool) -> tuple[int, int] | None:  # noqa: FBT001 - the parts of what is written
        """Return the instants at which the clock shows the time, twice the same where it is one, None where none.

        The end of a day is one instant, at which the clock has not changed yet. Where the clock goes back by less than
        a step only one of the two is a step of the site.
        """
        if offset_us is None:
            offset_us = self._offset_of_day(local_us // DAY_US)
        if offset_us is not None:
            return local_us - offset_us, local_us - offset_us
        before, after = self._offsets(local_us)
        if ends_day:
            return local_us - before, local_us - before
        if before < after:
            return None
        instants = local_us - before, local_us - after
        on_grid = [instant for instant in instants if instant % self._step_us == 0]
        return (on_grid[0], on_grid[0]) if len(on_grid) == 1 else instants

    def _constant_offset(self, day: int) -> int | None:
        """Return the offset in microseconds that holds all the day, counted from 1970; None where it changes."""
        # no clock changes and changes back within six hours
        offsets = {offset for part in range(5) for offset in self._offsets(day * DAY_US + part * DAY_US // 4)}
        return offsets.pop() if len(offsets) == 1 else None

    def _offsets(self, local_us: int) -> tuple[int, int]:
        """Return the offset in microseconds when the clock shows the time, before and after a change there."""
        local = (EPOCH + timedelta(microseconds=local_us)).replace(tzinfo=self._zone)
        shown = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
        before, after = ((offset or timedelta()) // timedelta(microseconds=1) for offset in shown)
        return before, after

    def _misread(self, written: pd.Series[str], instants: NDArray[np.int64]) -> tuple[int, NoTime] | None:
        for row in np.flatnonzero(instants == NONE).tolist():
            read = self.read(written.iloc[row])
            if isinstance(read, NoTime) and read.order:
                return row, read
        return None


def _second_hour(first_us: NDArray[np.int64], repeated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which rows of a file, whose times come twice, are the second hour."""
    second = np.zeros(len(first_us), bool)
    rows = np.flatnonzero(repeated)
    steps = np.diff(first_us[(first_us != NONE) & ~repeated])
    if np.sign(steps).sum() < 0:  # newest first
        rows = rows[::-1]
    changes = np.sort(first_us[rows])
    begins = changes[np.diff(changes, prepend=NONE // 2) > DAY_US]  # of the hours that come twice, months apart
    of_row = np.searchsorted(begins, first_us[rows], side="right")
    for change in range(1, len(begins) + 1):
        hour = rows[of_row == change]
        back = np.diff(first_us[hour], prepend=first_us[hour][0]) < 0
        second[hour] = np.logical_or.accumulate(back) if back.any() else _seen_before(first_us[hour])
    return second


def _seen_before(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each value whether one before it is the same."""
    _, first = np.unique(values, return_index=True)
    seen = np.ones(len(values), dtype=np.bool_)
    seen[first] = False
    return seen


def _parser(time_format: str | None, order: Order) -> Callable[[str], WrittenTime | None]:
    if time_format is None:
        return partial(_stamp, order=order)
    if time_format in EPOCHS:
        return partial(_counted, unit_ns=EPOCHS[time_format])
    return partial(_formatted, layout=time_format, parts=_parts(time_format))


def _counted(text: str, unit_ns: int) -> WrittenTime | None:
    """Read a number counted from 1970 on; one of another unit, and so of another century, is no time."""
    if not (number := NUMBER.fullmatch(text)):
        return None
    whole, decimals = number.groups()
    time_us = _whole_us(int(whole) * unit_ns + int((decimals or "").ljust(9, "0")) * unit_ns // 10**9)
    return WrittenTime(time_us, 0) if time_us in PLAUSIBLE_US else None


def _whole_us(time_ns: int) -> int:
    """Return microseconds; what lies between two of them stays off every grid."""
    return time_ns // 1000 | (time_ns % 1000 > 0)


def _formatted(text: str, layout: str, parts: re.Pattern[str]) -> WrittenTime | None:
    """Read a time of a strptime format; and ISO 8601 with an offset, which leaves no doubt in any."""
    if not text.isascii():
        return None
    if time := _strptime(text, layout):
        return _of_datetime(time)
    if found := parts.fullmatch(text):
        return _cut(text, layout, found)
    told = _stamp(text, MONTH_FIRST) if "%z" not in layout and text[:4].isdigit() else None
    return told if told and told.offset_us is not None else None


def _cut(text: str, layout: str, found: re.Match[str]) -> WrittenTime | None:
    """Read what strptime does not: the hour 24, and what follows the sixth decimal."""
    named = found.groupdict()
    ends_day, time_ns = named.get("hour") == "24", int(named.get("decimals", "").ljust(9, "0"))
    simple = {"hour": "00" if ends_day else named.get("hour"), "decimals": "0"}
    for name in sorted(named, key=found.start, reverse=True):
        text = f"{text[: found.start(name)]}{simple[name]}{text[found.end(name) :]}"
    time = _strptime(text, layout)
    if time is None or (ends_day and (time.hour, time.minute, time.second, time_ns) != (0, 0, 0, 0)):
        return None
    written = _of_datetime(time)
    return written and WrittenTime(
        written.local_us + _whole_us(time_ns) + ends_day * DAY_US, written.offset_us, ends_day
    )


def _strptime(text: str, layout: str) -> datetime | None:
    try:
        return datetime.strptime(text, layout)  # noqa: DTZ007 - the clock of the site is told later
    except (ValueError, OverflowError):
        return None


def _of_datetime(time: datetime) -> WrittenTime | None:
    local, offset = time.replace(tzinfo=UTC) - EPOCH, time.utcoffset()
    if local.days not in DAYS:
        return None
    microsecond = timedelta(microseconds=1)
    return WrittenTime(local // microsecond, None if offset is None else offset // microsecond)


def _parts(layout: str) -> re.Pattern[str]:
    """Return what finds the hour and the decimals in a time of a strptime format."""
    pieces = re.split(r"%(.)", layout)
    literals, letters = pieces[::2], [*pieces[1::2], ""]
    known = WIDTHS | CUT | {"": ""}
    return re.compile(
        "".join(re.escape(text) + known.get(letter, ".+?") for text, letter in zip(literals, letters, strict=True))
    )


@lru_cache(REMEMBERED)
def _stamp(text: str, order: Order) -> WrittenTime | None:
    """Read a date and a clock, in numbers; all sites send the same in the same minute."""
    if not (stamp := STAMP.fullmatch(text)):
        return None
    day, clock = _day(stamp[1], order), _clock(stamp[2])
    if day is None or clock is None:
        return None
    return WrittenTime(day * DAY_US + clock.local_us, clock.offset_us, clock.ends_day)


@lru_cache(REMEMBERED)
def _day(text: str, order: Order) -> int | None:
    """Return the days since 1970."""
    if compact := COMPACT_DATE.fullmatch(text):
        year, month, day = compact.groups()
    elif numbers := DATE.fullmatch(text):
        first, mark, second, third = numbers.groups()
        if len(first) == 4 and len(third) <= 2:
            year, month, day = first, second, third
        elif len(third) == 4 and len(first) <= 2 and mark in order[1]:
            year, month, day = (third, first, second) if order[0] == "month" else (third, second, first)
        else:
            return None
    else:
        return None
    try:
        days = date(int(year), int(month), int(day)).toordinal() - EPOCH_DAY
    except ValueError:
        return None
    return days if days in DAYS else None


@lru_cache(REMEMBERED)
def _clock(text: str) -> WrittenTime | None:
    """Return the time since midnight."""
    if not (found := CLOCK.fullmatch(text) or COMPACT_CLOCK.fullmatch(text)):
        return None
    hour, minute, second = (int(number or 0) for number in found.groups()[:3])
    decimals, half, offset = found.groups()[3:]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half in "Pp")
    past_us = _whole_us(int((decimals or "").ljust(9, "0")))
    time_us = hour * 60 * MINUTE_US + minute * MINUTE_US + second * SECOND_US + past_us
    offset_us = _offset(offset)
    if minute > 59 or second > 59 or time_us > DAY_US or (offset_us is not None and abs(offset_us) >= DAY_US):
        return None
    return WrittenTime(time_us, offset_us, ends_day=time_us == DAY_US)


def _offset(text: str | None) -> int | None:
    """Return the microseconds of an offset, None for none."""
    if text is None or not (found := OFFSET.fullmatch(text)):
        return 0 if text else None
    sign, hours, minutes = found.groups()
    return (60 * int(hours) + int(minutes or 0)) * MINUTE_US * (-1 if sign == "-" else 1)
