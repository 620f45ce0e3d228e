"""Judges one raw record by itself: bytes in, a clean reading or a refusal out.

Nothing that a meter can send raises: what cannot be read as a reading of a known site is refused, and a cell that holds
no finite number becomes null with the flag ``missing``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from shared.contracts.messages import CleanReading, Flagged
from shared.data.cells import value_of
from shared.data.times import NoTime, read_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.data.sites import Site

__all__ = ["EPOCH", "Reason", "Rejected", "validate"]

Reason = Literal[
    "too_large",
    "not_utf8",
    "too_deep",
    "not_json",
    "not_an_object",
    "duplicate_field",
    "unknown_site",
    "unknown_field",
    "no_time",
    "skipped_hour",
    "off_grid",
    "too_late",
    "too_far_ahead",
    "in_the_future",
]

MAX_RECORD_BYTES = 64 * 1024
MAX_NESTING = 16
MAX_EXCERPT = 64  # characters of what came that a message repeats

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# possessive quantifiers: none of these scans hostile input twice; a text may lack its end
TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is no reading: why, and the field and value at fault where there is one (bounded, printable)."""

    reason: Reason
    field: str | None
    value: str | None


def validate(raw: bytes, sites: Mapping[str, Site]) -> CleanReading | Rejected:
    """Return the reading in the raw record, or why there is none.

    Parameters
    ----------
    raw : bytes
        A JSON object with ``site``, the site's time column and its published columns, as text or numbers.
    sites : Mapping[str, Site]
        The known sites by name.

    Notes
    -----
    A value beyond the limits of its field is null with the flag ``outlier``.
    Times are read by :mod:`shared.data.times`. Loads are rounded to 0.1 kW, weather stays as given.
    """
    try:
        record = _decode(raw)
        site = _site(record, sites)
        _refuse_unknown_fields(record, site)
        return _reading(record, site)
    except _Refusal as refusal:
        return refusal.rejected


class _Refusal(Exception):  # noqa: N818 - it never leaves this module: a refusal is an outcome, not an error
    def __init__(self, reason: Reason, field: str | None, value: str | None) -> None:
        self.rejected = Rejected(reason, None if field is None else _excerpt(field), value)


def _decode(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_RECORD_BYTES:
        raise _Refusal("too_large", None, f"{len(raw)} bytes, at most {MAX_RECORD_BYTES} are read")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _Refusal("not_utf8", None, _text(raw.decode(errors="backslashreplace"))) from None
    if _nesting(text) > MAX_NESTING:
        raise _Refusal("too_deep", None, _text(text))
    try:
        record = JSON.decode(text)
    except json.JSONDecodeError:
        raise _Refusal("not_json", None, _text(text)) from None
    if not isinstance(record, dict):
        raise _Refusal("not_an_object", None, _text(text))
    return record


def _nesting(text: str) -> int:
    """Return how deep lists and objects lie in each other; counted only where there are enough brackets to matter."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return 0
    return max(accumulate((char in "[{") - (char in "]}") for char in TEXT.sub("", text)), default=0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _Refusal("duplicate_field", name, _text(record[name]))
    return record


# numbers stay the text that came: no size of a number can fail here, and a refused one is quoted as it was
JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=str)


def _site(record: dict[str, Any], sites: Mapping[str, Site]) -> Site:
    name = record.get("site")
    site = sites.get(name) if isinstance(name, str) else None
    if site is None:
        raise _Refusal("unknown_site", "site", _text(name))
    return site


def _refuse_unknown_fields(record: dict[str, Any], site: Site) -> None:
    for name, cell in record.items():
        if name not in site.columns and name not in ("site", site.time_column, *site.ignore):
            raise _Refusal("unknown_field", name, _text(cell))


def _reading(record: dict[str, Any], site: Site) -> CleanReading:
    values: dict[str, float | None] = {}
    flags: dict[str, Flagged] = {}
    for column, field in site.columns.items():
        cell = record.get(column)
        value, flag = value_of(cell, field, site)
        if flag is not None:
            flags[field] = Flagged(flag=flag, original=_text(cell))
        values[field] = value
    time = _time(record.get(site.time_column), site)
    return CleanReading(site=site.name, time=time, step_minutes=site.step_minutes, values=values, flags=flags)


def _time(cell: object, site: Site) -> datetime:
    read = read_time(cell, site)
    if isinstance(read, NoTime):
        said = [text for text in (_text(cell), read.advice) if text]
        raise _Refusal(read.reason, site.time_column, ": ".join(said) or None)
    if (read.time - EPOCH) % timedelta(minutes=site.step_minutes):
        raise _Refusal("off_grid", site.time_column, _text(cell))
    return read.time


def _text(cell: object) -> str | None:
    """Return what came in a cell, fit for a message; None where nothing did."""
    if cell is None:
        return None
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    return _excerpt(text) if text.strip() else None


def _excerpt(text: str) -> str:
    """Return the head of the text with control characters, surrogates and the like escaped."""
    head = text[:MAX_EXCERPT]
    shown = head if head.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in head)
    return shown if len(text) <= MAX_EXCERPT else shown + "…"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()
