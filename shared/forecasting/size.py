"""How large a load is for all that is told by ratios: a rule that holds near zero and below it.

The ratio of a load to its forecast means something while both lie on one side of zero. A load that crosses zero, as a
feeder with solar roofs does at noon, may be next to nothing at one moment and as far off as ever at the next. So what
is told by a ratio goes by differences as shares of a size: that of the forecast, or how far the load of the last days
has gone to the other side of zero where that is more. It is nothing for a load that stays on one side: then the
differences are the ratios.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR_ZERO", "Kw", "keeps_clear", "median_size_kw", "nears_zero", "size_kw", "swing_kw", "within"]

Kw = float | NDArray[np.float64]

NEAR_ZERO = 0.01
"""Of the median size of a load: what is no more than this share is next to zero."""


def swing_kw(lowest_kw: Kw, highest_kw: Kw) -> NDArray[np.float64]:
    """Return how far a load of this range goes to the other side of zero, zero where it stays on one."""
    return np.asarray(np.maximum(np.minimum(highest_kw, -lowest_kw), 0.0))


def nears_zero(loads_kw: NDArray[np.float64]) -> bool:
    """Tell whether some of the loads are zero or next to it, or they lie on both sides of it; NaN is no load.

    Then a mean of errors as shares of the loads (MAPE) says nothing: one such load weighs more than all others.
    """
    if keeps_clear(loads_kw):
        return False
    sizes_kw = np.abs(loads_kw)
    is_on_one_side = bool(np.nanmin(loads_kw) > 0.0 or np.nanmax(loads_kw) < 0.0)
    return not is_on_one_side or bool(np.nanmin(sizes_kw) <= NEAR_ZERO * median_size_kw(loads_kw))


def keeps_clear(loads_kw: NDArray[np.float64]) -> bool:
    """Tell whether all loads lie on one side of zero, none of them next to it by the largest; NaN is no load.

    Then no part of them comes near zero: it is told in a tenth of the time that the median takes.
    """
    lowest_kw, highest_kw = (end.reduce(loads_kw, initial=np.nan) for end in (np.fmin, np.fmax))
    smallest_kw, largest_kw = sorted((abs(lowest_kw), abs(highest_kw)))
    return not (lowest_kw <= 0.0 <= highest_kw or smallest_kw <= NEAR_ZERO * largest_kw)


def size_kw(kw: Kw, swing_kw: Kw) -> NDArray[np.float64]:
    """Return what shares of a load are shares of."""
    return np.asarray(np.maximum(np.abs(kw), swing_kw))


def median_size_kw(loads_kw: NDArray[np.float64]) -> float:
    """Return the median size of the loads, NaN left out: the size of a zone; zero where there are none."""
    known_kw = np.abs(loads_kw[~np.isnan(loads_kw)])
    return float(np.median(known_kw)) if known_kw.size else 0.0


def within(load_kw: Kw, expected_kw: Kw, ratio: float, swing_kw: Kw) -> NDArray[np.bool_]:
    """Tell whether a load is at most so many times what was expected, and at least the same part of it.

    Examples
    --------
    >>> bool(within(140.0, 100.0, ratio=1.5, swing_kw=0.0)), bool(within(160.0, 100.0, ratio=1.5, swing_kw=0.0))
    (True, False)
    """
    size = size_kw(expected_kw, swing_kw)
    away_kw = np.copysign(1.0, expected_kw) * (load_kw - expected_kw)  # from zero
    return np.asarray((away_kw >= (1.0 / ratio - 1.0) * size) & (away_kw <= (ratio - 1.0) * size))
