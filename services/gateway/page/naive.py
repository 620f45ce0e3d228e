"""What simple rules would have been worth: the error of each at a lead, over some days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RULES", "naive_rmse_kw"]

RULES = ("yesterday", "last_week", "persistence")  # of equal ones the first is named


def naive_rmse_kw(load_kw: NDArray[np.float64], lead: int, window: int, day: int) -> dict[str, float]:
    """Return the root mean square error of each rule over the last targets; rules without a pair are left out.

    Parameters
    ----------
    load_kw
        Loads of the past by rising step, NaN where there is none, shape (n,).
    lead, window, day
        The lead, the number of targets, and how many make a day; all in steps, a lead of a day at most.

    Returns
    -------
    dict[str, float]
        By rule: the load at the same time of the day before, of the week before, and that at the origin.
    """
    found = {}
    for rule, back in zip(RULES, (day, 7 * day, lead), strict=True):
        targets = load_kw[max(back, len(load_kw) - window) :]
        if len(targets):
            squares = (targets - load_kw[len(load_kw) - len(targets) - back : len(load_kw) - back]) ** 2
            if np.isfinite(squares).any():
                found[rule] = float(np.sqrt(np.nanmean(squares)))
    return found
