"""Judges one raw record by itself: bytes in, a clean reading or a refusal out.

Nothing that a meter can send raises: what cannot be read as a reading of a known site is refused, and a cell that holds
no finite number becomes null with the flag ``missing``, unless it is a number in the notation of some country: that is
refused, as it may be taken for another number. Fields that the site does not know are passed over. What a
refusal says of its value is bounded and printable, and tells what to change.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from services.ingestor.lookalikes import looks_like
from shared.contracts.messages import CleanReading, Flagged, printable
from shared.data.cells import register_of, value_of
from shared.data.times import Moment, NoTime, day_of, read_time
from shared.sites.likeness import closest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.data.cells import Judged
    from shared.sites.site import Site

__all__ = ["EPOCH", "Reason", "Rejected", "Valid", "excerpt", "validate"]

Reason = Literal[
    "too_large",
    "not_utf8",
    "too_deep",
    "not_json",
    "not_an_object",
    "duplicate_field",
    "unknown_site",
    "no_time",
    "skipped_hour",
    "off_grid",
    "number_format",
    "too_late",
    "too_far_ahead",
    "in_the_future",
    "contradicts",
    "late_value",
    "no_key",
    "key_is_not_the_site",
]

MAX_READING_BYTES = 64 * 1024
MAX_NESTING = 16
MAX_EXCERPT = 64  # characters of what came that a message repeats
MAX_NAMES = 8  # of sites that a message lists
MAX_CELLS = 32  # that are looked at for a time
BYTE_ORDER_MARK = "\ufeff"

UNTOLD: Judged = (None, "missing")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# none of these scans hostile input twice; a text may lack its end
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NONE: Mapping[str, str] = MappingProxyType({})
MARKED = re.compile(r"\d[ \u00a0\u202f'\u2019.,]\d")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is no reading: why, and the field and value at fault where there is one (bounded, printable)."""

    reason: Reason
    field: str | None
    value: str | None
    site: str | None = None
    """The site that it names, where that is not known."""


@dataclass(frozen=True, slots=True)
class Valid:
    """What one record says by itself.

    Attributes
    ----------
    reading
        The reading; a load that comes as a register is missing in it, as its power takes two readings.
    unknown, absent
        The fields beside it that its site does not know, and the columns of the site that did not come.
    again
        The second time that it can be of, where the clock of its site shows the time twice.
    registers_kwh
        What the registers show, in the order of ``Site.registers``; None where a cell holds no number.
    """

    reading: CleanReading
    unknown: tuple[str, ...]
    absent: tuple[str, ...]
    again: datetime | None
    registers_kwh: tuple[float | None, ...]


def validate(raw: bytes, sites: Mapping[str, Site], refused: Mapping[str, str] = NONE) -> Valid | Rejected:
    """Return the reading in the raw record, or why there is none.

    Parameters
    ----------
    raw : bytes
        A JSON object in UTF-8 with ``site``, the site's time column and its published columns, as text or numbers.
    sites : Mapping[str, Site]
        The known sites by name.
    refused : Mapping[str, str]
        Of the entries of the table that are no sites, why.

    Notes
    -----
    A value beyond the limits of its field is null with the flag ``outlier``.
    Times are read by :mod:`shared.data.times`. Loads are rounded to nine digits, weather stays as given.
    """
    try:
        record = _decode(raw)
        site = _site(record, sites, refused)
        known = _known_names(site.time_columns, tuple(site.columns), site.ignore)
        given, columns = record.keys(), site.columns
        unknown = () if given <= known else tuple(name for name in given if name not in known)
        absent = () if columns.keys() <= given else tuple(column for column in columns if column not in given)
        moment = _time(record, unknown, site)
        reading, registers_kwh = _reading(record, site, moment.time)
        return Valid(reading, unknown, absent, moment.again, registers_kwh)
    except _Refusal as refusal:
        return refusal.rejected


class _Refusal(Exception):  # noqa: N818 - it never leaves this module: a refusal is an outcome, not an error
    def __init__(self, reason: Reason, field: str | None, value: str | None, site: str | None = None) -> None:
        self.rejected = Rejected(reason, None if field is None else excerpt(field), value, site)


@cache
def _known_names(times: tuple[str, ...], columns: tuple[str, ...], ignore: tuple[str, ...]) -> frozenset[str]:
    return frozenset(("site", *times, *columns, *ignore))


def _decode(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_READING_BYTES:
        said = f"{len(raw)} bytes, at most {MAX_READING_BYTES} are read: send one reading a record"
        raise _Refusal("too_large", None, said)
    try:
        text = raw.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError:
        raise _unreadable("not_utf8", raw) from None
    if _nesting(text) > MAX_NESTING:
        said = f"{excerpt(text)}: nested deeper than {MAX_NESTING}: send one flat object a record"
        raise _Refusal("too_deep", None, said)
    try:
        record = JSON.decode(text)
    except json.JSONDecodeError:
        raise _unreadable("not_json", raw) from None
    if not isinstance(record, dict):
        raise _unreadable("not_an_object", raw)
    return record


def _unreadable(reason: Reason, raw: bytes) -> _Refusal:
    shown = excerpt(raw.decode(errors="backslashreplace"))
    return _Refusal(reason, None, f"{shown}: it looks like {looks_like(raw)}" if shown.strip() else looks_like(raw))


def _nesting(text: str) -> int:
    """Return how deep lists and objects lie in each other; counted only where there are enough brackets to matter."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return 0
    return max(accumulate((char in "[{") - (char in "]}") for char in TEXT.sub("", text)), default=0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _Refusal("duplicate_field", name, f"{_text(record[name])}: the field stands there twice: send it once")
    return record


# numbers stay the text that came: no size of a number can fail here, and a refused one is quoted as it was
JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=str)


def _site(record: dict[str, Any], sites: Mapping[str, Site], refused: Mapping[str, str]) -> Site:
    name = record.get("site")
    site = sites.get(name) if isinstance(name, str) else None
    if site is not None:
        return site
    named = name if isinstance(name, str) and NAME.fullmatch(name) else None
    if named is not None and named in refused:
        said = f"{named}: its table is refused: {refused[named]}: mend it, and start the services anew"
        raise _Refusal("unknown_site", "site", said, named)
    raise _Refusal("unknown_site", "site", _no_such_site(name, record, sites), named)


def _no_such_site(name: object, record: dict[str, Any], sites: Mapping[str, Site]) -> str:
    """Say what stands in place of a site that is known, and what to do."""
    names = list(sites)[:MAX_NAMES]
    listed = ", ".join(names) + (", …" if len(sites) > len(names) else "")
    if shown := _text(name):
        close = closest(shown, names)
        hint = f"did you mean {close}? " if close else ""
        return f"{shown}: {hint}The sites are {listed}; TETOUAN_SITES names the table in which to add others"
    if {"schema", "payload"} <= record.keys():
        return "the reading is in the payload beside its schema: set value.converter.schemas.enable=false"
    if {"before", "after"} <= record.keys():
        return "the row is within an event of a change-data connector: let its ExtractNewRecordState unwrap it"
    return f"there is none: send the field site, one of {listed}"


def _reading(record: dict[str, Any], site: Site, time: datetime) -> tuple[CleanReading, tuple[float | None, ...]]:
    values: dict[str, float | None] = {}
    flags: dict[str, Flagged] = {}
    registers_kwh: list[float | None] = []
    measures = site.measures
    for column, field in site.columns.items():
        cell = record.get(column)
        is_register = field in measures and measures[field].kind == "register"
        if is_register:
            registers_kwh.append(register_of(cell, field, site))
        value, flag = UNTOLD if is_register else value_of(cell, field, site)
        if flag == "missing" and isinstance(cell, str):
            _refuse_notation(cell.strip(), column)
        if flag is not None:
            flags[field] = Flagged(flag=flag, original=_text(cell))
        values[field] = value
    reading = CleanReading(site=site.name, time=time, step_minutes=site.step_minutes, values=values, flags=flags)
    return reading, tuple(registers_kwh)


def _refuse_notation(text: str, column: str) -> None:
    """Raise where a text that is no plain number is one in another notation: nobody guesses which."""
    if not MARKED.search(text) or len(text) > MAX_EXCERPT:
        return
    from shared.data.numbers import meant_by  # noqa: PLC0415 - it takes pyarrow's 45 MB, and good meters never need it

    if (meant := meant_by(text)) and text not in meant:
        send = " or ".join(meant) + (", whichever is meant" if len(meant) > 1 else "")
        why = "numbers are read with a decimal point and nothing between the digits"
        raise _Refusal("number_format", column, f"{excerpt(text)}: {why}: send {send}")


def _time(record: dict[str, Any], unknown: tuple[str, ...], site: Site) -> Moment:
    cell, column = record.get(site.time_column), site.time_column
    if _text(cell) is None:
        raise _Refusal("no_time", column, _no_time(column, record, unknown, site))
    date = None if site.date_column is None else record.get(site.date_column)
    cell = f"{day_of(str(date))} {cell}" if date is not None else cell
    read = read_time(cell, site)
    if isinstance(read, NoTime):
        if site.date_column is not None and date is None:
            raise _Refusal("no_time", site.date_column, _no_time(site.date_column, record, unknown, site))
        raise _Refusal(read.reason, column, f"{_text(cell)}: {read.advice}" if read.advice else _text(cell))
    if not site.grid.has(read.time):
        advice = f"no multiple of {site.step_minutes} minutes: mend the clock, or step_minutes of {site.name}"
        raise _Refusal("off_grid", column, f"{_text(cell)}: {advice}")
    return read


def _no_time(column: str, record: dict[str, Any], unknown: tuple[str, ...], site: Site) -> str:
    """Say that the field of that column is expected, which one may have been meant, and what to set."""
    key = "date_column" if column == site.date_column else "time_column"
    setting = f"set {key} in the table of {site.name} (TETOUAN_SITES)"
    shown = f'the field "{excerpt(column)}" is {"empty" if column in record else "not there"}: '
    times = [name for name in unknown[:MAX_CELLS] if _is_like_a_time(record[name], site)]
    meant = closest(column, times, like=0.0) or closest(column, unknown[:MAX_CELLS])
    if meant is None:
        return f"{shown}send the time of the reading in it, or {setting} to the name that it has"
    return f'{shown}did you mean "{excerpt(meant)}"? Send the time as "{excerpt(column)}", or {setting}'


def _is_like_a_time(cell: object, site: Site) -> bool:
    read = read_time(cell, site)
    return isinstance(read, Moment) or read.advice is not None


def _text(cell: object) -> str | None:
    """Return what came in a cell, fit for a message; None where nothing did."""
    if cell is None:
        return None
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    return excerpt(text) if text.strip() else None


def excerpt(text: str) -> str:
    """Return the head of a text, with control characters, surrogates and the like escaped."""
    return printable(text[:MAX_EXCERPT]) + ("…" if len(text) > MAX_EXCERPT else "")
