"""The smallest difference of a zone's load that counts: a power of ten in kW, about a millionth of its largest loads.

A home has loads of watts and a country of gigawatts. What goes on the wire is a multiple of the zone's resolution, and
scores count in whole multiples of it, so that their sums are exact whatever the size of the load. A zone has its
resolution when it has a day of load; until then it is that of the loads so far. The third largest load decides, so that
two wild readings of a day do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, inf, isnan, log10, nan
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ABSENT", "FirstDay", "Resolution"]

ABSENT = -(2**31)
"""Stands in an int32 array of multiples where there is no value."""

_DECISIVE = 3  # which of the largest loads of the first day decides
_DIGITS = 6  # the resolution is about a millionth of the largest load
_LIMIT = 2**30  # multiples: the difference of two numbers has a square below 2 ** 62
_COARSER = 3  # powers of ten, where numbers have outgrown the limit
_FINEST, _COARSEST = -12, 3  # of the exponents: no load is below a microwatt or above 1e9 kW
_WITHOUT_LOAD = -1


@dataclass(frozen=True)
class Resolution:
    """A power of ten in kW.

    Attributes
    ----------
    exponent
        Of ten: -1 stands for 0.1 kW.

    Examples
    --------
    >>> resolution = Resolution.of(34_000.0)
    >>> resolution.kw
    0.1
    >>> resolution.multiples([20_123.44])
    array([201234], dtype=int32)
    >>> resolution.rounded([20_123.44])
    array([20123.4])
    """

    exponent: int = _WITHOUT_LOAD

    @classmethod
    def of(cls, largest_kw: float) -> Resolution:
        """Return the resolution of a zone whose loads are at most so large; 0.1 kW where it has none."""
        if not largest_kw > 0.0:
            return cls()
        return cls(min(max(ceil(log10(largest_kw) - _DIGITS), _FINEST), _COARSEST))

    @classmethod
    def of_first_day(cls, loads_kw: NDArray[np.float64], steps_per_day: int) -> Resolution:
        """Return what :class:`FirstDay` finds in consecutive loads, (steps,), NaN where there is none."""
        sizes_kw = np.nan_to_num(np.abs(loads_kw), nan=0.0)
        first = int((sizes_kw > 0.0).argmax()) if sizes_kw.size else 0
        largest_kw = np.sort(sizes_kw[first : first + steps_per_day])[-_DECISIVE:]
        return cls.of(_least_above_zero(largest_kw))

    @property
    def kw(self) -> float:
        """The resolution in kW."""
        return float(f"1e{self.exponent}")

    @property
    def unit_kw(self) -> float:
        """Ten times the resolution: what the constants of a fold that are no shares count in, 1 kW for a city."""
        return float(f"1e{self.exponent + 1}")

    def covering(self, largest_kw: float) -> Resolution:
        """Return this resolution, or one that is coarser by thousands, in which so large a number can be counted."""
        exponent = self.exponent
        while largest_kw > _LIMIT * 10.0**exponent:
            exponent += _COARSER
        return self if exponent == self.exponent else Resolution(exponent)

    def multiples(self, kw: ArrayLike) -> NDArray[np.int32]:
        """Return the nearest multiples, ``ABSENT`` for NaN; a number that cannot be counted becomes the limit."""
        number = np.asarray(kw, np.float64)
        shifted = number / 10.0**self.exponent if self.exponent > 0 else number * 10.0**-self.exponent
        known = np.rint(np.minimum(np.maximum(shifted, -_LIMIT), _LIMIT))
        return np.where(np.isnan(known), ABSENT, known).astype(np.int32)

    def multiples_within(self, kw: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return what :meth:`multiples` does of numbers that are finite and can all be counted: see `covering`."""
        shifted = kw / 10.0**self.exponent if self.exponent > 0 else kw * 10.0**-self.exponent
        return np.rint(shifted).astype(np.int32)

    def multiple(self, kw: float) -> int:
        """Return what :meth:`multiples` does of one number."""
        if isnan(kw):
            return ABSENT
        shifted = kw / 10.0**self.exponent if self.exponent > 0 else kw * 10.0**-self.exponent
        return round(min(max(shifted, -_LIMIT), _LIMIT))

    def to_kw(self, multiples: ArrayLike) -> NDArray[np.float64]:
        """Return so many multiples, whole or not, in kW; NaN where they are ``ABSENT``."""
        number = np.asarray(multiples, np.float64)
        # a quotient of whole numbers is the decimal itself, which a product is not
        shifted = number * 10.0**self.exponent if self.exponent > 0 else number / 10.0**-self.exponent
        return np.where(number == ABSENT, np.nan, shifted)

    def kw_of(self, multiple: int) -> float:
        """Return what :meth:`to_kw` does of one number."""
        if multiple == ABSENT:
            return nan
        return multiple * 10.0**self.exponent if self.exponent > 0 else multiple / 10.0**-self.exponent

    def rounded(self, kw: ArrayLike) -> NDArray[np.float64]:
        """Return the nearest multiples in kW, written with no more digits than they need; none is -0.0."""
        return np.asarray(np.round(np.asarray(kw, np.float64), -self.exponent) + 0.0, np.float64)


@dataclass
class FirstDay:
    """Finds the resolution of a zone: that of the 24 hours from its first load that is not zero."""

    steps_per_day: int
    first_step: int = field(init=False, default=-1)  # of the first load that is not zero
    largest_kw: NDArray[np.float64] = field(init=False)  # (3,), rising
    exponent: int = field(init=False, default=_WITHOUT_LOAD)  # of the resolution of the loads so far
    fixed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.largest_kw = np.zeros(_DECISIVE)

    def take(self, step: int, load_kw: float) -> None:
        """Take the load of a step, later than those before it; NaN where there is none."""
        if self.fixed:
            return
        if self.first_step >= 0 and step >= self.first_step + self.steps_per_day:
            self.fixed = True
        elif load_kw != 0.0 and not isnan(load_kw):
            self.first_step = step if self.first_step < 0 else self.first_step
            self.largest_kw = np.sort(np.append(self.largest_kw, abs(load_kw)))[1:]
            self.exponent = Resolution.of(_least_above_zero(self.largest_kw)).exponent

    @property
    def resolution(self) -> Resolution:
        """The resolution of the loads so far, for good once it is ``fixed``."""
        return Resolution(self.exponent)


def _least_above_zero(sizes_kw: NDArray[np.float64]) -> float:
    return float(sizes_kw[sizes_kw > 0.0].min(initial=inf)) if sizes_kw.any() else 0.0
