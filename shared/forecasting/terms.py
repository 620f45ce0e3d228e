"""What a pair of forecast and reading adds to the sums that all figures are drawn from.

Every reading and every forecast is counted in whole multiples of the zone's resolution, so that every error is an
integer. All sums of terms are 64-bit integers: they are exact in any order, a window that adds and subtracts does not
drift, and the stream and the backtest come to the same figures to the last bit. What may be too large for that is
summed in two halves, so that no sum overflows, however large or long.

The one term that is no integer by nature, the absolute percentage error of a pair, is rounded to 1e-8 before it is
summed. The interval enters by its interval score (Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction,
and estimation", eq. 43), which for a central 90 % interval is 40 times the mean of the pinball losses at its two ends.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.resolution import ABSENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PERCENTAGE_UNITS", "Term", "all_terms", "exactly", "pair_terms", "sum_of_squares", "versus_terms", "whole"]

PERCENTAGE_UNITS = 10**8
"""Of the term ``PERCENTAGE``: so many make up an error as large as the load."""

_HALF_BITS = 31  # of the terms that are summed in two halves
_LOW = 2**_HALF_BITS - 1


class Term(IntEnum):
    """The summed terms of a pair, in the order of the rows of every array of sums; units are powers of the resolution.

    A term whose name goes on with ``_HIGH`` in the next row is the lower half of what it counts: `whole` joins them.
    """

    PAIRS = 0
    ERROR = 1
    ABSOLUTE = 2
    SQUARED = 3
    SQUARED_HIGH = 4
    PERCENTAGE = 5
    PERCENTAGE_HIGH = 6
    COVERED = 7
    INTERVAL = 8
    NAIVE_SQUARED = 9
    NAIVE_SQUARED_HIGH = 10
    VERSUS_NAIVE_SQUARED = 11
    VERSUS_NAIVE_SQUARED_HIGH = 12


_FORECAST_TERMS = Term.INTERVAL + 1


def pair_terms(
    actual: NDArray[np.integer], issued: NDArray[np.integer], out: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the terms ``PAIRS`` to ``INTERVAL`` of each pair, zero where the reading or the forecast is ``ABSENT``.

    Parameters
    ----------
    actual
        Readings in multiples of the resolution, of a shape that broadcasts with that of ``issued[0]``.
    issued
        Median, low and high end of the 90 % interval in multiples of the resolution, shape (3, ...).
    out
        Where to put them.

    Notes
    -----
    The error is forecast - actual. The percentage error of an actual below the resolution is taken of the resolution.
    """
    known = np.asarray(actual, np.int64)
    median, low, high = issued.astype(np.int64)
    size = np.maximum(np.abs(known), 1)
    terms = np.empty((_FORECAST_TERMS, *np.broadcast(known, median).shape), np.int64) if out is None else out
    error, absolute, percentage = (terms[term, ...] for term in (Term.ERROR, Term.ABSOLUTE, Term.PERCENTAGE))
    terms[Term.PAIRS] = 1
    np.subtract(median, known, out=error)
    np.abs(error, out=absolute)
    np.multiply(error, error, out=terms[Term.SQUARED, ...])
    np.multiply(absolute, PERCENTAGE_UNITS, out=percentage)
    percentage += size // 2
    percentage //= size
    _halve(terms[Term.SQUARED : Term.COVERED])
    below, above = np.maximum(low - known, 0), np.maximum(known - high, 0)
    below += above
    np.equal(below, 0, out=terms[Term.COVERED, ...])
    below *= 20
    below += high
    np.subtract(below, low, out=terms[Term.INTERVAL, ...])
    both = (known != ABSENT) & (median != ABSENT)
    if not both.all():
        terms *= both
    return terms


def versus_terms(
    actual: NDArray[np.integer], median: NDArray[np.integer], naive: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return the squared errors of the naive forecast and of ours where all three values are known.

    The rows are ``NAIVE_SQUARED`` to ``VERSUS_NAIVE_SQUARED_HIGH``, shape (4, ...).
    """
    known, ours, theirs = np.asarray(actual, np.int64), median.astype(np.int64), naive.astype(np.int64)
    all_known = (known != ABSENT) & (ours != ABSENT) & (theirs != ABSENT)
    squares = np.empty((4, *all_known.shape), np.int64)
    for row, forecast in ((0, theirs), (2, ours)):
        error = (forecast - known) * all_known
        squares[row] = error * error
    _halve(squares)
    return squares


def all_terms(
    actual: NDArray[np.integer], issued: NDArray[np.integer], naive: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return every ``Term`` of each pair: what `pair_terms` and `versus_terms` return, one behind the other.

    ``naive`` may be one number for all leads of a target, where ``actual`` is; so it need not be squared for each.
    """
    terms = np.empty((len(Term), *issued.shape[1:]), np.int64)
    pair_terms(actual, issued, terms[:_FORECAST_TERMS])
    error = naive.astype(np.int64) - actual
    squares = np.empty((2, *error.shape), np.int64)
    squares[0] = error * error
    _halve(squares)
    is_known = naive != ABSENT
    squares *= is_known
    np.multiply(squares, terms[Term.PAIRS], out=terms[Term.NAIVE_SQUARED : Term.VERSUS_NAIVE_SQUARED])
    np.multiply(terms[Term.SQUARED : Term.PERCENTAGE], is_known, out=terms[Term.VERSUS_NAIVE_SQUARED :])
    return terms


def _halve(terms: NDArray[np.int64]) -> None:
    """Leave the lower half of every other row in it, and put the upper one into the next."""
    np.right_shift(terms[::2], _HALF_BITS, out=terms[1::2])
    terms[::2] &= _LOW


def whole(sums: NDArray[np.int64], row: int) -> NDArray[np.float64]:
    """Return the sums of which a row holds the lower half, and the next the upper one."""
    joined: NDArray[np.float64] = sums[row + 1] * 2.0**_HALF_BITS + sums[row]
    return joined


def exactly(sums: NDArray[np.int64], row: int) -> int:
    """Return the one sum of which a row holds the lower half, and the next the upper one."""
    return (int(sums[row + 1]) << _HALF_BITS) + int(sums[row])


def sum_of_squares(numbers: NDArray[np.integer]) -> int:
    """Return the exact sum of the squares of any number of multiples."""
    known = np.asarray(numbers, np.int64)
    squares = np.empty((2, known.size), np.int64)
    squares[0] = known * known
    _halve(squares)
    return exactly(squares.sum(axis=1), 0)
