"""Past days whose load has run like that of today so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Likeness", "nearest"]

LEAST_KNOWN = 0.8  # of what is known of today: a stretch with less says nothing


class Likeness(NamedTuple):
    """A past stretch: the index at which it began, and how far it is off, root mean square as a share of its mean."""

    begin: int
    off: float


def nearest(load_kw: NDArray[np.float64], begin: int, begins: Sequence[int], count: int) -> list[Likeness]:
    """Return the stretches whose shape is nearest to that of the one from ``begin`` to the end, nearest first.

    A shape is the load by its mean, so that a day of less load at another season can be like today.

    Parameters
    ----------
    load_kw
        By rising step, NaN where there is none, shape (n,).
    begin
        Index at which today's stretch begins.
    begins
        Where past ones begin.
    count
        How many are wanted at most.
    """
    today = load_kw[begin:]
    found = []
    for past in begins:
        if past < 0 or past + len(today) > begin:  # it is not known, or overlaps
            continue
        then = load_kw[past : past + len(today)]
        known = np.isfinite(today) & np.isfinite(then)
        if known.sum() < max(1, LEAST_KNOWN * np.isfinite(today).sum()):
            continue
        means = today[known].mean(), then[known].mean()
        if not all(means):
            continue
        off = float(np.sqrt(np.mean((today[known] / means[0] - then[known] / means[1]) ** 2)))
        found.append(Likeness(past, off))
    return sorted(found, key=lambda each: each.off)[:count]
