"""Sums of the errors of all leads over rolling windows: what comes due enters them, and what is too old leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.resolution import ABSENT
from shared.forecasting.terms import Term, all_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.actuals import Actuals
    from shared.forecasting.issued import IssuedByTarget
    from shared.forecasting.yesterday import Yesterday

__all__ = ["WindowSums"]


class WindowSums:
    """The sums of each ``Term`` over the pairs of each window and lead; a window ends with the last settled target.

    Parameters
    ----------
    leads
        How many steps a forecast reaches ahead.
    windows
        Their lengths in steps.
    actuals, issued, yesterday
        Where the pairs are.

    Attributes
    ----------
    settled
        The last target whose pairs are in the sums.
    values
        The sums, (windows, terms, leads).
    """

    def __init__(
        self,
        leads: int,
        windows: NDArray[np.int64],
        actuals: Actuals,
        issued: IssuedByTarget,
        yesterday: Yesterday,
    ) -> None:
        self.settled = 0
        self.values = np.zeros((len(windows), len(Term), leads), np.int64)
        self._leads = np.arange(1, leads + 1)
        self._windows = windows
        self._actuals = actuals
        self._issued = issued
        self._yesterday = yesterday

    def begin(self, step: int) -> None:
        """Let ``step`` be settled, up to which there are no pairs."""
        self.settled = step
        self.values.fill(0)

    def settle(self, clock: int) -> None:
        """Let the targets up to the clock enter every window, and those leave each that it does not cover any more."""
        due = np.arange(self.settled + 1, clock + 1)
        entering, *leaving = self._sums_of(due - np.array([[0], *self._windows[:, None]]))
        for window, left in enumerate(leaving):
            self.values[window] += entering - left
        self.settled = clock

    def add_late(self, origin: int, first: int, issued: NDArray[np.int32]) -> None:
        """Add the settled pairs of a forecast, (3, leads), less its ``first`` leads, whose readings came before it."""
        due = min(len(self._leads), self.settled - origin)
        if due <= first:
            return
        leads = self._leads[first:due]
        terms = self._terms(origin + leads, issued[:, first:due], leads)
        for window, steps in enumerate(self._windows.tolist()):
            inside = max(first, self.settled - steps - origin)
            self.values[window, :, inside:due] += terms[:, inside - first :]

    def count_again(self) -> None:
        """Take the sums of what is kept afresh."""
        self.values.fill(0)
        for target in range(max(self.settled - int(max(self._windows)) + 1, self._issued.oldest), self.settled + 1):
            inside = target > self.settled - self._windows
            self.values += self._sums_of(np.array([[target]]))[0] * inside[:, None, None]

    def _sums_of(self, runs: NDArray[np.int64]) -> list[NDArray[np.int64] | int]:
        """Return the sums of all terms of the pairs of each run of consecutive targets, (terms, leads).

        ``runs`` is (runs, targets); the sums of one without pairs are 0.
        """
        sums: list[NDArray[np.int64] | int] = [0] * len(runs)
        read = np.flatnonzero((self._actuals.at(runs) != ABSENT).any(axis=1)).tolist()  # others have no pairs
        if not read:
            return sums
        issued = np.concatenate([self._issued.rows(int(runs[n, 0]), int(runs[n, -1]) + 1) for n in read])
        terms = self._terms(runs[read].reshape(-1, 1), issued.swapaxes(0, 1), self._leads)
        by_run = np.add.reduce(terms.reshape(len(Term), len(read), -1, len(self._leads)), axis=2)
        for place, n in enumerate(read):
            sums[n] = by_run[:, place]
        return sums

    def _terms(
        self, targets: NDArray[np.int64], issued: NDArray[np.int32], leads: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return all terms of the pairs; ``targets`` and ``leads`` broadcast to the shape of ``issued[0]``."""
        naive = self._actuals.at(self._yesterday.of(targets, leads, self.settled))
        return all_terms(self._actuals.at(targets), issued, naive)
