"""A forecaster's state as a fold over its readings: judge, remember, score, learn, look ahead, choose.

A reading is judged, taken into the history, and answered by every fallback level; after every two hours the forecasts
that were made for them are scored. After the last reading of a day (UTC) the origins of the day before are learned: by
then the loads of all their targets are known, and none later than the reading is used. Each step is a matrix-vector
product and each day a block of one shape, so that the state is the same to the bit however the readings arrive.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.contracts.messages import LARGEST_KW
from shared.forecasting import company, reading
from shared.forecasting.history import ESTIMATE, LOAD
from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, FROZEN, WEATHER
from shared.forecasting.levels import Levels
from shared.forecasting.weather_ahead import WeatherAhead

if TYPE_CHECKING:
    from shared.forecasting.levels import LevelForecasts
    from shared.forecasting.method import LadderConstants
    from shared.forecasting.zone import Zone

__all__ = ["DemandFold"]

Floats = NDArray[np.float64]


class DemandFold:
    """What happens to a zone at each of its readings."""

    def __init__(self, zone: Zone, constants: LadderConstants) -> None:
        self.zone = zone
        self.levels = Levels(zone, constants.largest_ratio)
        self.weather = WeatherAhead(zone, constants.weather_held_minutes)
        self._lenient = zone.grid.steps(constants.lenient_minutes)[0]

    def take(self, step: int, loads_kw: Floats) -> Floats:
        """Take the reading of the next step, and those after it that can be answered along with it.

        Readings are answered together as long as nothing that they say changes how the next one is answered
        (:mod:`shared.forecasting.company`). All arithmetic treats an origin alike, however many are answered with it.

        Parameters
        ----------
        loads_kw
            Readings of consecutive steps in kW, NaN where missing. One that no zone has, more than a million MW, counts
            as missing.

        Returns
        -------
        The forecasts of all leads, (readings taken, horizon), at least of one reading; NaN before the first good one.
        """
        zone = self.zone
        day, outlook, history = zone.grid.day, zone.outlook, zone.history
        if step // day > history.today:
            zone.next_day()
        slot, at = step % day, history.index(step)
        loads_kw = loads_kw[: self._until_block(slot)]
        loads_kw = np.where(np.abs(loads_kw) <= LARGEST_KW, loads_kw, np.nan)
        outlook.usual_kw[slot % zone.block_steps] = zone.climatology.usual_kw.item(zone.features.cell(at))
        self.weather.hold(step)
        if not zone.ready and isnan(loads_kw[0]):
            history.first_step, outlook.last_step = step + 1, step  # the past begins with the first reading
            return outlook.median_kw[None]
        reading.take(zone, step, at, loads_kw[:1])
        if (slot + 1) % zone.block_steps == 0:
            self._score(slot, at)
        others_kw = loads_kw[1:] if self.levels.fits(step, at) else loads_kw[:0]
        median_kw = self._look_ahead(step, at, company.supposed(zone, step, others_kw))
        if slot + len(median_kw) == day:
            self._learn_day_before(at)
        return median_kw

    def freeze(self) -> None:
        """Keep the weights as they are as those of the level ``frozen``."""
        self.zone.regression.freeze()

    def _until_block(self, slot: int) -> int:
        """Return how many steps there are before the next that ends a block, of which this one may be, or the day."""
        block = self.zone.block_steps
        return min(block - (slot + 1) % block, self.zone.grid.day - slot)

    def _score(self, slot: int, at: int) -> None:
        """Score all levels over the block that ends at the step."""
        zone, steps = self.zone, self.zone.block_steps
        block, slots = np.arange(at + 1 - steps, at + 1), np.arange(slot + 1 - steps, slot + 1)
        load_kw = np.where(zone.history.good(block), zone.history.series[LOAD, block], np.nan)
        issued_kw = zone.intervals.issued_for(slots)[:, ADAPTED]
        zone.combination.learn(slots, issued_kw, zone.history.day_before_kw(block), load_kw)
        told_kw = {WEATHER: zone.history.series[ESTIMATE, block], CLIMATOLOGY: zone.outlook.usual_kw}
        unit_kw = zone.resolution.unit_kw
        zone.ladder.learn(zone.intervals.learn(zone.history.today, int(slots[0]), load_kw, told_kw, unit_kw))

    def _learn_day_before(self, at: int) -> None:
        """Learn from the origins of yesterday, now that today ends and the loads of all their targets are known."""
        zone, day = self.zone, self.zone.grid.day
        features, history, last_step = zone.features, zone.history, zone.outlook.last_step
        if history.has_week(last_step - day):
            origins = np.arange(at - 2 * day + 1, at - day + 1)
            zone.regression.fold(
                features.origin_rows(history, origins, zone.regression.limit),
                features.lead_rows(history, origins),
                features.labels(history, origins),
                features.untouched(history, origins),
                self._error_kw(origins),
                zone.resolution.unit_kw,
                history.median_size_kw(last_step) if zone.borrows else 0.0,
            )
        zone.intervals.refresh(history.today)

    def _error_kw(self, origins: NDArray[np.int64]) -> Floats:
        """Return the mean error over the leads of what was forecast from yesterday's origins, NaN for nothing."""
        intervals = self.zone.intervals
        said_kw = intervals.issued_kw[: self.zone.grid.day, ADAPTED].astype(np.float64)
        load_kw = self.zone.history.series[LOAD].take(origins[:, None] + intervals.leads)
        error_kw: Floats = np.abs(load_kw - said_kw).mean(axis=1)
        return error_kw

    def _look_ahead(self, step: int, at: int, alike_kw: Floats) -> Floats:
        """Forecast all leads by every level, choose, and remember what each has said.

        From the step, and from those after it whose readings are as good as ``alike_kw`` supposes. Returns what the
        chosen levels say of these origins, (origins, horizon).
        """
        zone, levels, outlook = self.zone, self.levels, self.zone.outlook
        said = levels.say(step, at, 1 + len(alike_kw))
        lowest_kw, highest_kw = company.ranges_kw(outlook, alike_kw)
        reasonable = levels.within_reason(said, np.maximum(highest_kw, -lowest_kw))
        zone.ladder.choose(levels.computable(step, reasonable[0]), zone.resolution.unit_kw)
        median_kw = levels.chosen_kw(at, said)
        if len(median_kw) > 1:
            carried_kw = median_kw[:-1, 0] - said.mixed_kw[: len(alike_kw), 0] * (zone.ladder.chosen[0] == ADAPTED)
            before_kw = lowest_kw[:-1], highest_kw[:-1]
            good = company.believed(zone, alike_kw, median_kw[:-1, 0], carried_kw, before_kw)
            count = company.run(good & (reasonable[1:] == reasonable[0]).all(axis=1))
            self.weather.hold_on(step + 1, count)
            company.learn(zone, step, at, alike_kw[:count])
            outlook.lowest_kw, outlook.highest_kw = float(lowest_kw[count]), float(highest_kw[count])
            median_kw = median_kw[: 1 + count]
        self._issue(step, said, len(median_kw))
        outlook.median_kw = median_kw[-1].copy()  # what is returned is the caller's
        outlook.carried_kw = levels.carried_kw(outlook.median_kw, said.mixed_kw[len(median_kw) - 1])
        if outlook.good_step == outlook.last_step or outlook.expected_kw(outlook.last_step + 1) is None:
            outlook.trusted_kw, outlook.trusted_step = outlook.median_kw, outlook.last_step
        return median_kw

    def _issue(self, step: int, said: LevelForecasts, count: int) -> None:
        """Remember what the levels have said from the step on, to be scored; nothing where it was filled for long."""
        zone = self.zone
        if step - zone.outlook.good_step <= self._lenient:
            slot = step % zone.grid.day
            zone.intervals.issue(slot, ADAPTED, said.fitted_kw[:count, ADAPTED])
            zone.intervals.issue(slot, FROZEN, said.fitted_kw[:count, FROZEN])
            if zone.history.has_day(step):
                zone.intervals.issue(slot, ANALOGUE, said.grid_kw[:count])
