"""What the forecasts of a zone were worth over the last days: sums of the errors of every lead in rolling windows."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shared.contracts.messages import LARGEST_KW
from shared.forecasting.actuals import Actuals
from shared.forecasting.figures import Layout, Standing
from shared.forecasting.issued import IssuedByTarget
from shared.forecasting.resolution import FirstDay, Resolution
from shared.forecasting.state import below, copied, fields_of, give, joined, known, whole_number
from shared.forecasting.window_sums import WindowSums
from shared.forecasting.yesterday import Yesterday
from shared.sites.grid import grid_of
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.sites.calendar import Calendar

__all__ = ["WINDOWS_DAYS", "RollingScores", "ScoredForecast", "issued_kw", "load_kw"]

WINDOWS_DAYS = (1, 7, 28)


class ScoredReading(Protocol):
    """A ``CleanReading``, as much of it as is scored."""

    @property
    def site(self) -> str:
        """As there."""

    @property
    def values(self) -> Mapping[str, float | None]:
        """As there."""

    @property
    def flags(self) -> Mapping[str, object]:
        """As there."""


def load_kw(reading: ScoredReading, zone: int) -> float:
    """Return the load of ``zone`` in kW, NaN where it is null, carries any flag, or is so large that no zone has it.

    Raises ``ValueError`` where the site does not publish that zone.
    """
    field = load_field(zone)
    if field not in reading.values:
        raise ValueError(f"values: no {field} at site {reading.site!r}, only {', '.join(reading.values)}; check ZONES")
    demand_kw = reading.values[field]
    if demand_kw is None or field in reading.flags or abs(demand_kw) > LARGEST_KW:
        return math.nan
    return demand_kw


class ScoredInterval(Protocol):
    """An ``Interval``, as much of it as is scored."""

    @property
    def coverage(self) -> float:
        """As there."""

    @property
    def low_kw(self) -> Sequence[float]:
        """As there."""

    @property
    def high_kw(self) -> Sequence[float]:
        """As there."""


class ScoredForecast(Protocol):
    """A ``Forecast``, as much of it as is scored."""

    @property
    def step_minutes(self) -> int:
        """As there."""

    @property
    def median_kw(self) -> Sequence[float]:
        """As there."""

    @property
    def intervals(self) -> Sequence[ScoredInterval]:
        """As there."""


def issued_kw(forecast: ScoredForecast) -> NDArray[np.float64]:
    """Return median, low and high end of the 90 % interval in kW, shape (3, leads).

    Raises ``ValueError`` where the forecast has no 90 % interval or does not reach exactly 24 hours ahead.
    """
    interval = next((interval for interval in forecast.intervals if interval.coverage == 0.9), None)
    if interval is None:
        found = [interval.coverage for interval in forecast.intervals]
        raise ValueError(f"intervals: coverages {found} without 0.9; publish the 90 % interval to be scored")
    leads = grid_of(forecast.step_minutes).day
    if len(forecast.median_kw) != leads:
        raise ValueError(f"median_kw: {len(forecast.median_kw)} numbers instead of {leads}; publish every lead to 24 h")
    numbers = (*forecast.median_kw, *interval.low_kw, *interval.high_kw)
    # a third of the time that an array of tuples takes; every forecast comes this way
    return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers)).reshape(3, leads)


class RollingScores:
    """The scores of one zone over the last 1, 7 and 28 days of event time, per lead.

    A pair (origin, lead) enters when its forecast and the reading of its target are both there, whichever came first;
    a window of W days covers the targets in (clock - W, clock], the clock being the last reading's step. Whatever the
    order in which the two topics were interleaved, the sums are the same once both have been read to the same point:
    a forecast that comes late enters the windows that still cover its targets, one that comes before the reading at its
    origin waits for it. A repeated reading or forecast changes nothing.

    The forecast "same time yesterday" of a pair is the reading at the same time by the clock of the site whole days
    before the target, the fewest that are known at the origin; ``skill_vs_same_time_yesterday`` compares over the pairs
    where it exists.

    Forecasts are kept by target for the longest window, packed: about 1.6 MB at 144 steps a day. They are counted in
    multiples of the zone's resolution, that of its first day of load: until then what has come is kept in kW as well,
    and counted anew where a larger load makes the resolution coarser. So does, later, a forecast that has outgrown it
    by far; one wild reading only counts as the largest number that can be counted.

    The steps of an hour are settled together: what has come due enters the sums, and what has left a window leaves
    them, when somebody asks for the sums, or the next hour begins.

    Attributes
    ----------
    clock
        The step of the last reading, None before the first.
    """

    def __init__(
        self,
        leads: int,
        steps_a_day: int,
        windows_days: tuple[int, ...] = WINDOWS_DAYS,
        calendar: Calendar | None = None,
    ) -> None:
        self.clock: int | None = None
        self._hour = max(1, steps_a_day // 24)
        self._leads = leads
        self._windows = np.array(windows_days) * steps_a_day
        self._longest = max(windows_days) * steps_a_day
        self._layout = Layout(leads, 1440 // steps_a_day, windows_days)
        self._first_day = FirstDay(steps_a_day)
        self.resolution = self._first_day.resolution
        self._issued = IssuedByTarget(leads, steps_a_day, self._hour)
        yesterday = Yesterday(leads, steps_a_day, calendar, self._longest)
        self._kept_steps = self._longest + yesterday.reach
        self._actuals = Actuals(self._kept_steps + self._hour)
        self._sums = WindowSums(leads, self._windows, self._actuals, self._issued, yesterday)
        self._ahead: dict[int, NDArray[np.float64]] = {}  # by origin: forecasts whose origin has no reading yet
        self._early: dict[int, NDArray[np.float64]] = {}  # and those that have come before the resolution was fixed

    def on_reading(self, step: int, demand_kw: float) -> bool:
        """Move the clock to ``step``, whose reading is ``demand_kw``, NaN where there is none.

        Returns whether it is newer than the last one.
        """
        if self.clock is not None and step <= self.clock:
            return False
        self.advance(step - 1)
        if not self._first_day.fixed:
            self._learn_resolution(step, demand_kw)
        self._tick(step, demand_kw)
        return True

    def advance(self, step: int) -> None:
        """Move the clock to ``step`` if it is behind; the steps it passes have no reading."""
        if self.clock is None:
            self._begin(step)
        elif step - self.clock > self._kept_steps:
            # nothing that is kept reaches so far: emptying is what the ticks would come to, in bounded time
            self._actuals.clear()
            self._begin(step)
        for passed in range((self.clock or 0) + 1, step + 1):
            self._tick(passed, math.nan)

    def on_forecast(self, origin: int, issued_kw: NDArray[np.float64]) -> bool:
        """Take the forecast of step ``origin``: median, low, high in kW, shape (3, leads).

        Returns False where it had come before.
        """
        if self.clock is not None and origin <= self.clock:
            return self._place(origin, issued_kw, self.clock)
        if origin in self._ahead:
            return False
        self._ahead[origin] = issued_kw
        return True

    @property
    def sums(self) -> NDArray[np.int64]:
        """The sums of each ``Term`` over the pairs of each window, (terms, windows, leads)."""
        self._settle()
        sums: NDArray[np.int64] = self._sums.values.swapaxes(0, 1)
        return sums

    @property
    def actual(self) -> int:
        """The load at the clock in multiples of the resolution, or ``ABSENT``."""
        return self._actuals.one(self.clock or 0)

    def issued_for(self, step: int) -> NDArray[np.int32]:
        """Return median, low and high that were issued for a target, by lead, (3, leads); not to be changed.

        They are multiples of the resolution, ``ABSENT`` where none came; the target is the clock, or so much before it
        as the longest window.
        """
        return self._issued.of(step)

    def standing(self) -> Standing:
        """Return what the scores at the clock are drawn from: see `scores_of`.

        There is no MAPE of a window in which the load comes near zero.
        """
        self._settle()
        near_zero = self._actuals.near_zero(self.clock or 0, self._windows)
        return Standing(self._layout, self.resolution, self._sums.values.copy(), tuple(near_zero))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name.

        A forecast whose origin has no reading yet is a row of ``ahead``: origin, medians, low ends, high ends; one that
        came before the resolution was fixed is a row of ``early``.
        """
        self._settle()
        return {
            "clock": whole_number(self.clock),
            "exponent": np.array(self.resolution.exponent),
            "loads_kw": self._actuals.kw.copy(),
            "sums": self._sums.values.copy(),
            "ahead": self._rows(self._ahead),
            "early": self._rows(self._early),
            **joined({"first_day": copied(fields_of(self._first_day)), "issued": self._issued.state()}),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.clock = known(state["clock"])
        self._sums.settled = self.clock or 0
        self.resolution = Resolution(int(state["exponent"]))
        give(self._first_day, below(state, "first_day"))
        self._issued.resume(below(state, "issued"))
        self._actuals.kw[:] = state["loads_kw"]
        self._actuals.count_in(self.resolution)
        self._sums.values[:] = state["sums"]
        self._ahead, self._early = (
            {int(row[0]): row[1:].reshape(3, -1) for row in state[name]} for name in ("ahead", "early")
        )

    def _rows(self, forecasts: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
        rows = [[origin, *issued_kw.ravel().tolist()] for origin, issued_kw in sorted(forecasts.items())]
        return np.array(rows, np.float64).reshape(-1, 1 + 3 * self._leads)

    def _begin(self, step: int) -> None:
        """Let the clock be at ``step``, before which nothing is known."""
        self.clock = step
        self._sums.begin(step)
        self._issued.clear(step + 1)
        self._admit_waiting(step)

    def _learn_resolution(self, step: int, demand_kw: float) -> None:
        """Let the reading say how large the loads of the zone are, as long as its first day of load is not over."""
        self._first_day.take(step, demand_kw)
        if self._first_day.fixed:
            self._early.clear()
        elif self._first_day.first_step < 0:  # what lies a day before the first load may be rounded twice
            past = step - self._leads
            self._early = {origin: kw for origin, kw in self._early.items() if origin > past}
        elif self._first_day.resolution.exponent != self.resolution.exponent:
            self._count_in(self._first_day.resolution)

    def _make_room_for(self, largest_kw: float) -> None:
        resolution = self.resolution.covering(largest_kw)
        if resolution is not self.resolution:
            self._count_in(resolution)

    def _count_in(self, resolution: Resolution) -> None:
        """Count all that is kept in multiples of another resolution."""
        clock, former = self.clock or 0, self.resolution
        kept_kw = (former.kw_of(self._issued.largest), *(float(np.abs(kw).max()) for kw in self._early.values()))
        self.resolution = resolution.covering(max(kept_kw))
        self._issued.change(lambda multiples: self.resolution.multiples(former.to_kw(multiples)))
        for origin, issued_kw in self._early.items():
            self._issued.place(origin, self._too_old(origin, clock), self.resolution.multiples(issued_kw))
        self._actuals.count_in(self.resolution)
        self._sums.count_again()

    def _too_old(self, origin: int, clock: int) -> int:
        """Return how many of the first leads of a forecast are too old to be kept."""
        return min(max(0, clock - self._longest - origin), self._leads)

    def _tick(self, step: int, demand_kw: float) -> None:
        """Move the clock by one."""
        if step - self._sums.settled > self._hour:
            self._settle()
        self._actuals.put(step, demand_kw, self.resolution)
        self.clock = step
        if self._ahead:
            self._admit_waiting(step)

    def _settle(self) -> None:
        """Bring the sums to the clock, and let go what nothing will ask for any more."""
        clock = self.clock
        if clock is None or clock == self._sums.settled:
            return
        self._sums.settle(clock)
        self._issued.settle(clock, clock - self._longest + 1)
        self._actuals.forget(clock - self._actuals.size + 1, clock - self._kept_steps)

    def _admit_waiting(self, clock: int) -> None:
        for origin in [origin for origin in self._ahead if origin <= clock]:
            self._place(origin, self._ahead.pop(origin), clock)

    def _place(self, origin: int, issued_kw: NDArray[np.float64], clock: int) -> bool:
        """Keep the forecast by target, and add the pairs whose readings have been settled; False for a repeated one."""
        first = self._too_old(origin, clock)
        if first >= self._leads:
            return True
        if self._issued.has(origin):
            return False
        self._make_room_for(float(np.abs(issued_kw).max()))
        if not self._first_day.fixed:
            self._early[origin] = issued_kw
        issued = self.resolution.multiples_within(issued_kw)
        self._issued.place(origin, first, issued)
        self._sums.add_late(origin, first, issued)
        return True
