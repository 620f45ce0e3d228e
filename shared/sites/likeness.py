"""Which of some names was probably meant by another one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["closest"]

LIKE = 0.6  # how like two names must be, 0..1


def closest(name: str, names: Iterable[str], like: float = LIKE) -> str | None:
    """Return the name most like the given one, whatever the case, blanks and marks; None where none is like it."""
    by_plain = {_plain(known): known for known in names}
    close = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=like)
    return by_plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()
