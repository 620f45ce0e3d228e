"""A file of TOML tables, and where it is none: in which line, and what to write there."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from datetime import date
from typing import Any

from shared.sites.shown import shown

__all__ = ["tables_of"]

WHERE = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")
DATE = re.compile(r"(?<![\w.-])\d{4}-\d{1,2}-\d{1,2}(?![\w.-])")
ADVICE = {
    "Cannot declare": "it stands above already: merge the two, or give one of them another name",
    "Cannot overwrite": "this key stands above already: keep one of the two",
    "Invalid value": "no value: write text in quotes; numbers, dates, true and false without",
    "Unclosed array": "an opening [ has no ] behind its last value: write it there",
    "Unterminated string": "a text has no closing quote: write it",
    "Illegal character '\\n'": "a text has no closing quote: write it",
}
"""What to do, by how the message of the parser begins."""


def tables_of(raw: bytes) -> dict[str, dict[str, Any]]:
    """Return the tables of a file; raises ``ValueError`` in one line that says what to change where it has others."""
    try:
        text = raw.decode("utf-8-sig")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 at byte {error.start}: save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(_explained(str(error), text.splitlines())) from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{name} = {shown(table)} belongs to no site: write [NAME], its name, above it")  # noqa: TRY004 - a file is at fault, no caller
    return tables


def _explained(message: str, lines: list[str]) -> str:
    """Return line, table and text of what is no TOML, and what to write there."""
    found = WHERE.fullmatch(message)
    what = found["what"] if found else message
    number = int(found["line"]) if found and found["line"] else max(1, len(lines))
    line = lines[number - 1].strip() if lines else ""
    above = next((held.strip() for held in reversed(lines[: number - 1]) if held.lstrip().startswith("[")), None)
    place = f"line {number}" + (f", below {above}" if above and not line.startswith("[") else "")
    advice = _misdate(line) or next((advice for begin, advice in ADVICE.items() if what.startswith(begin)), None)
    return f"no TOML in {place}: {shown(line)}: {advice or f'{what}: mend it there'}"


def _misdate(line: str) -> str | None:
    """Return what is wrong with a date that the calendar does not have, which the parser takes for something else."""
    for text in DATE.findall(line):
        with suppress(ValueError):
            date.fromisoformat(text)
            continue
        return f"{text} is no date: write year-month-day in four, two and two digits, such as 2019-08-06"
    return None
