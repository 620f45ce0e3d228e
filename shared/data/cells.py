"""What a cell of a reading holds: the one way in which training, replayed files and the stream read it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shared.data.sites import Site

__all__ = ["value_of"]

LOAD_DIGITS = 9  # of a load: what more there are come from arithmetic with units, not from a meter
# possessive, so that no input is scanned twice
NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?", re.ASCII | re.IGNORECASE)


def value_of(cell: object, field: str, site: Site) -> tuple[float | None, Literal["missing", "outlier"] | None]:
    """Return the value as it goes on the wire, or None and why there is none.

    Parameters
    ----------
    cell : object
        What came: the text of a number, blanks around it allowed. Anything else is missing.
    field : str
        The field of the clean reading; its unit ends it. Loads are rounded to nine digits, weather stays as given.
    site : Site
        The site, whose limits tell what the field can be at all.
    """
    value = _number(cell)
    if value is None:
        return None, "missing"
    if field.endswith("_kw"):
        value = float(f"{value:.{LOAD_DIGITS}g}") + 0.0  # the sum turns -0.0 into 0.0
    low, high = site.limits.get(field, (-math.inf, math.inf))
    return (value, None) if low <= value <= high else (None, "outlier")


def _number(cell: object) -> float | None:
    """Return the finite number that a cell holds: digits, point and exponent, no other spelling of ``float``."""
    if not isinstance(cell, str) or not NUMBER.fullmatch(cell := cell.strip()):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None
