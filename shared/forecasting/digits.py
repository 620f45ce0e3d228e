"""How many digits of a load people are shown: enough for a home, and not too many for a country."""

from __future__ import annotations

from math import floor, isfinite, log10

__all__ = ["digits"]

_FEWEST, _MOST = 3, 6  # digits that count


def digits(kw: float) -> str:
    """Return a number with at least three digits that count and at most six, and commas between thousands.

    >>> [digits(kw) for kw in (0.0612345, 521.4, 17214.26, 28_123_456.0, -0.5, 0.0)]
    ['0.0612', '521', '17,214', '28,123,500', '-0.500', '0']
    """
    if not isfinite(kw) or kw == 0.0:
        return f"{kw + 0.0:.0f}"
    before_point = floor(log10(abs(kw))) + 1
    decimals = _FEWEST - before_point
    if decimals > 0:
        return f"{kw:z,.{decimals}f}"
    return f"{round(kw, min(0, _MOST - before_point)):,.0f}"
