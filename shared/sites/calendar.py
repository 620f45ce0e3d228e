"""The calendar of a site: its wall clock, its weekdays and its public holidays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from numpy.typing import NDArray

__all__ = ["Calendar", "Clock"]

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_MINUTES = 1440
_WINTER_AND_SUMMER = np.array([datetime(2020, month, 1, tzinfo=UTC).timestamp() // 60 for month in (1, 7)], np.int64)
_QUARTER_MINUTES = 15  # no time zone in force today changes its offset between two quarter hours


class Clock(NamedTuple):
    """Local time, one number a step."""

    date: NDArray[np.int64]  # days since 1970-01-01
    minute: NDArray[np.int64]  # since local midnight, 0..1439
    weekday: NDArray[np.int64]  # 0 for Monday to 6 for Sunday


@dataclass(frozen=True)
class Calendar:
    """What day and what time of day it is where the load is drawn.

    Time is an integer step index: ``step = epoch_seconds // (60 * step_minutes)``. All methods are vectorised over it.

    Parameters
    ----------
    country
        Code of the country (ISO 3166-1 alpha-2) whose public holidays the ``holidays`` package knows; None for none
        but those added.
    time_zone
        IANA name of the zone whose clock the load follows.
    add, remove
        Dates that are holidays although the package does not list them, and the other way round. Islamic holidays
        follow the sighting of the moon, which a package can only estimate.
    ramadan
        The first and the last day of each Ramadan, in which the days have another shape; none where it does not matter.

    Raises
    ------
    ValueError
        If the country or the zone is unknown, a date is both added and removed, or a Ramadan ends before it begins.

    Examples
    --------
    >>> import numpy as np
    >>> calendar = Calendar("MA", "Africa/Casablanca")
    >>> noon = np.array([416484])  # 2017-07-06 12:00 UTC, in hours since 1970
    >>> clock = calendar.clock(noon, step_minutes=60)
    >>> clock.minute // 60, clock.weekday
    (array([13]), array([3]))
    >>> calendar.holiday(clock.date)
    array([False])
    """

    country: str | None
    time_zone: str = "UTC"
    add: tuple[date, ...] = ()
    remove: tuple[date, ...] = ()
    ramadan: tuple[tuple[date, date], ...] = ()

    def __post_init__(self) -> None:
        try:
            _ = self._zone, self._published
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(
                f"time_zone {self.time_zone!r} is not known: use an IANA name like Africa/Casablanca"
            ) from error
        except NotImplementedError as error:
            raise ValueError(f"country {self.country!r} has no known holidays: use an ISO code like MA") from error
        if both := set(self.add) & set(self.remove):
            raise ValueError(f"holidays {sorted(map(str, both))} are both added and removed: keep one of the two")
        for first, last in self.ramadan:
            if first > last:
                raise ValueError(f"ramadan ends on {last}, before it begins on {first}: give the first day first")

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def _published(self) -> Container[date]:
        return () if self.country is None else holidays.country_holidays(self.country)

    @cached_property
    def ahead_minutes(self) -> int:
        """By how many minutes the clock is ahead of UTC when it is not summer time: a constant, as it was in 2020."""
        return int(self._ahead(_WINTER_AND_SUMMER).min())

    def clock(self, steps: NDArray[np.int64], step_minutes: int) -> Clock:
        """Return what the clocks of the site show at the steps."""
        date_, minute = np.divmod(self._local_minutes(steps, step_minutes), _DAY_MINUTES)
        return Clock(date_, minute, (date_ + date.fromordinal(_EPOCH).weekday()) % 7)

    def turned(self, steps: NDArray[np.int64], step_minutes: int) -> NDArray[np.int64]:
        """Return by how many steps the clock has been put forward since 1970, less than 0 where back.

        It is rounded down to whole steps; a date that was skipped or repeated, as at the date line, does not count. For
        a clock that is never changed it is 0, whatever its distance from UTC.
        """
        ahead = self._local_minutes(steps, step_minutes) - steps * step_minutes
        changed = ahead - self._ahead(np.zeros(1, dtype=np.int64))
        half_a_day = _DAY_MINUTES // 2
        return ((changed + half_a_day) % _DAY_MINUTES - half_a_day) // step_minutes

    def holiday(self, date_: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell whether the local dates, in days since 1970-01-01, are public holidays."""
        return _told(date_, self._is_holiday)

    def fasting(self, date_: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell whether the local dates lie in Ramadan."""
        return _told(date_, lambda day: any(first <= day <= last for first, last in self.ramadan))

    def _is_holiday(self, day: date) -> bool:
        return day in self.add or (day in self._published and day not in self.remove)

    def _local_minutes(self, steps: NDArray[np.int64], step_minutes: int) -> NDArray[np.int64]:
        """Return minutes on the local wall clock since its 1970-01-01 00:00."""
        minutes = np.asarray(steps, dtype=np.int64) * step_minutes
        days, day = np.unique(minutes // _DAY_MINUTES, return_inverse=True)
        ahead = self._ahead(days * _DAY_MINUTES)
        same = ahead == self._ahead((days + 1) * _DAY_MINUTES)
        if not same.all():  # the clocks are turned within one of the days
            quarters, quarter = np.unique(minutes // _QUARTER_MINUTES, return_inverse=True)
            return minutes + self._ahead(quarters * _QUARTER_MINUTES)[quarter]
        return minutes + ahead[day]

    def _ahead(self, minutes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return by how many minutes the clock is ahead of UTC at each of the minutes since the epoch."""
        shown = (datetime.fromtimestamp(60 * minute, self._zone) for minute in minutes.tolist())
        offsets = [moment.utcoffset() or timedelta() for moment in shown]
        return np.array([offset // timedelta(minutes=1) for offset in offsets], dtype=np.int64)


def _told(date_: NDArray[np.int64], tell: Callable[[date], bool]) -> NDArray[np.bool_]:
    """Return what is told of each of the dates, in days since 1970-01-01."""
    dates, each = np.unique(date_, return_inverse=True)
    flags = np.array([tell(date.fromordinal(_EPOCH + day)) for day in dates.tolist()], dtype=np.bool_)
    return flags[each]
