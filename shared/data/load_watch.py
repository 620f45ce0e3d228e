"""What the values of a load say against the way in which they are read: a register, or another unit than before."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.sites.grid import grid_of

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.sites.site import Site

__all__ = ["Doubt", "LoadWatch"]

RISING_DAYS = 2
RISES = 0.25  # share of the readings of a register that are above the one before
PAST_DAYS = 7
HIGH_READINGS = 3  # in a row: one alone is an outlier
# of the peak of the past: a reading in another unit may stand at a tenth of its own peak, a day's peak at a third
HIGH, LOW, BETWEEN = (100.0, 3162.0), (316.0, 3162.0), 31.6
NEVER = -1.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is suspected of a load, or of the limits of a field.

    Attributes
    ----------
    kind
        ``register``: it only rises; ``unit``: it is about a thousand times what it was, or a thousandth; ``limits``:
        most of its values are refused.
    since_step
        The first step of which that holds.
    """

    kind: Literal["register", "unit", "limits"]
    since_step: int

    def text(self, field: str, site: Site, since: datetime) -> str:
        """Say what is seen since when, and what to set."""
        column = next(column for column, name in site.columns.items() if name == field)
        from_then = f"{field} ({column!r}) of {site.name}, from {since:%Y-%m-%d %H:%M} UTC on,"
        if self.kind == "register":
            return f'{from_then} only rises, as a register does: set kind = "register" of the column (TETOUAN_SITES)'
        if self.kind == "limits":
            low, high = site.limits[field]
            advice = f"change {site.name}.limits.{field} or the unit of the column (TETOUAN_SITES), or mend the meter"
            return f"{from_then} is mostly refused, beyond its limits of {low:g} to {high:g}: {advice}"
        return f"{from_then} is about 1000 times what it was, or a thousandth: check whether its unit has changed"


@dataclass(slots=True)
class LoadWatch:
    """Watches one load in the order of its readings; these numbers are its whole state.

    The past are the highest sizes of the last days on which the load was as usual. A unit that is in doubt on as many
    days as the past has is the usual one from then on.

    Examples
    --------
    >>> watch = LoadWatch()
    >>> for step in range(49):
    ...     doubt = watch.add(step, 1000.0 * step, step_minutes=60)
    >>> doubt
    Doubt(kind='register', since_step=0)
    """

    last_kw: float = np.nan
    rising_since: float = NEVER
    readings: float = 0.0
    rises: float = 0.0
    day: float = NEVER
    day_kw: float = 0.0
    high_since: float = NEVER
    highs: float = 0.0
    low_since: float = NEVER
    low_kw: float = 0.0
    is_odd_day: float = 0.0
    odd_days: float = 0.0
    past_kw: tuple[float, ...] = (0.0,) * PAST_DAYS

    def add(self, step: int, value_kw: float, step_minutes: int) -> Doubt | None:
        """Fold a reading; return what is suspected with it, None where nothing is."""
        steps_a_day = grid_of(step_minutes).day
        self._rise(step, value_kw)
        self._compare(step, abs(value_kw), steps_a_day)
        long = step - self.rising_since >= RISING_DAYS * steps_a_day and self.readings >= steps_a_day
        if long and self.rises >= RISES * self.readings:
            return Doubt("register", int(self.rising_since))
        since = self._odd_since(step, steps_a_day)
        if since is None:
            return None
        self.is_odd_day = 1.0
        return Doubt("unit", int(since))

    def state(self) -> NDArray[np.float64]:
        """Return the numbers, as :meth:`of` takes them."""
        *numbers, past_kw = astuple(self)
        return np.array([*numbers, *past_kw], np.float64)

    @classmethod
    def of(cls, state: NDArray[np.float64]) -> LoadWatch:
        """Return a watch that goes on from a state."""
        numbers: list[Any] = state.tolist()
        values = [*numbers[:-PAST_DAYS], tuple(numbers[-PAST_DAYS:])]
        return cls(**{field.name: value for field, value in zip(fields(cls), values, strict=True)})

    def _rise(self, step: int, value_kw: float) -> None:
        if not value_kw >= self.last_kw:
            self.rising_since, self.readings, self.rises = step, 0.0, 0.0
        self.readings += 1
        self.rises += value_kw > self.last_kw
        self.last_kw = value_kw

    def _compare(self, step: int, size_kw: float, steps_a_day: int) -> None:
        self._turn(step // steps_a_day)
        past_kw = max(self.past_kw)
        if 0 < past_kw * BETWEEN <= size_kw:
            self._high(step, size_kw / past_kw)
            return
        self.highs = 0.0
        if size_kw * LOW[0] > past_kw or not past_kw:
            self.low_since, self.low_kw = NEVER, 0.0
            self.day_kw = max(self.day_kw, size_kw)
            return
        if self.low_since == NEVER:
            self.low_since = step
        self.low_kw = max(self.low_kw, size_kw)

    def _high(self, step: int, ratio: float) -> None:
        """Count readings in a row that are off by a thousand; those between go on with a row that has begun."""
        if not self.highs and not HIGH[0] <= ratio <= HIGH[1]:
            return
        self.high_since = self.high_since if self.highs else step
        self.highs += 1

    def _turn(self, day: int) -> None:
        """Let a new day begin; one on which nothing was as usual is no part of the past."""
        if day == self.day:
            return
        if self.is_odd_day:
            self.odd_days += 1
        elif self.day_kw:
            self.odd_days = 0.0
        if self.day_kw:
            self.past_kw = (*self.past_kw[1:], self.day_kw)
        if self.odd_days >= PAST_DAYS:  # nobody has changed it back: the past begins anew
            self.past_kw, self.odd_days = (0.0,) * PAST_DAYS, 0.0
        self.day, self.day_kw, self.is_odd_day = day, 0.0, 0.0

    def _odd_since(self, step: int, steps_a_day: int) -> float | None:
        """Return the step since which the unit is in doubt, None where it is not."""
        if self.highs >= HIGH_READINGS:
            return self.high_since
        long = self.low_since != NEVER and step - self.low_since >= steps_a_day
        return self.low_since if long and self._is_a_thousandth() else None

    def _is_a_thousandth(self) -> bool:
        return self.low_kw * LOW[1] >= max(self.past_kw)
