"""Cards as Markdown: parts that are left out where there is nothing to say, and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["bullets", "document", "table"]


def document(parts: Iterable[str]) -> str:
    """Return the parts as one text, the empty ones left out."""
    return "\n\n".join(filter(None, parts)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; what a file or a person has written cannot end a cell or a row.

    >>> print(table(["lead", "MAPE"], [("1 h", "2.1 %")]))
    | lead | MAPE |
    |---|---|
    | 1 h | 2.1 % |
    """
    return "\n".join((_row(head), "|---" * len(head) + "|", *map(_row, rows)))


def bullets(lines: Iterable[str]) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {_one_line(line)}" for line in lines)


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(_one_line(str(cell)).replace('|', chr(92) + '|') for cell in cells)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())
