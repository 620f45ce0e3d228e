"""What a batch model may learn from, and what follows it: one zone's readings on a regular grid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Self

import numpy as np

from shared.data.year import NO_STEP, DataError
from shared.forecasting.versions import WEATHER_DEMAND, ZONE_DEMAND
from shared.forecasting.weather_trees import COLUMNS

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.data.year import Year
    from shared.sites.site import Site

__all__ = ["TrainingData"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The readings of one zone, one row a step from ``first_step`` on; NaN where there is none.

    Attributes
    ----------
    seen
        How many rows lie before ``until``: those to fit on. The last of them holds a reading; so does the last of all.
    weather
        The columns of ``shared.forecasting.weather.COLUMNS``, shape (n, 5); NaN where the site does not publish one.
    demand_kw
        The load, shape (n,).
    """

    site: Site
    zone: int
    first_step: int
    seen: int
    weather: NDArray[np.float64]
    demand_kw: NDArray[np.float64]

    @classmethod
    def of(cls, year: Year, zone: int, until: datetime) -> Self:
        """Put the readings on the grid; as on the stream, of several at one time the first counts, off the grid none.

        Raises
        ------
        DataError
            If the year has no reading before ``until``.
        """
        usable = (year.steps != NO_STEP) & year.together
        unique, first = np.unique(year.steps[usable], return_index=True)
        seen_steps = unique[unique < year.site.grid.first_from(until)]
        if not seen_steps.size:
            begins = f"the data begin at {year.span[0]:%Y-%m-%d %H:%M}"
            raise DataError(f"no reading before {until:%Y-%m-%d %H:%M}, {begins}: choose a later time")
        rows = unique[-1] - unique[0] + 1
        demand_kw = np.full(rows, np.nan)
        demand_kw[unique - unique[0]] = year.demand(zone)[usable][first]
        fields: NDArray[np.float64] = np.broadcast_to(np.nan, (rows, len(COLUMNS)))  # takes no room
        if year.site.weather:
            fields = np.full(fields.shape, np.nan)
            for column, field in enumerate(COLUMNS):
                fields[unique - unique[0], column] = year.values(field)[usable][first]
        seen = int(seen_steps[-1] - unique[0]) + 1
        return cls(year.site, zone, int(unique[0]), seen, fields, demand_kw)

    def identity(self, year: Year) -> dict[str, str]:
        """Return what tells the models that have seen just these readings of that year, and that this release reads.

        It is the same for all zones. ``site_digest`` tells one table of the site from another: a file read in another
        unit, or with other holidays, is no longer the same readings.
        """
        return {
            "as_of": self.as_of.isoformat(),
            "data_sha256": year.sha256,
            "data_source": year.source,
            "site_digest": _digest_of(year),
            "weather": "+".join(self.site.weather) or "none",
            "format": f"{ZONE_DEMAND}/{WEATHER_DEMAND}",
        }

    @property
    def steps(self) -> NDArray[np.int64]:
        """The step index of each row."""
        return self.first_step + np.arange(len(self.demand_kw))

    @property
    def as_of(self) -> datetime:
        """The time of the last reading to fit on."""
        return self.time_of(self.first_step + self.seen - 1)

    def time_of(self, step: int) -> datetime:
        """Return the time at which a step begins."""
        return self.site.grid.time_of(step)


def _digest_of(year: Year) -> str:
    """Return what tells years whose site, or decimal mark, makes other numbers of the same file."""
    table = year.site.model_dump(exclude={"name", "ignore"})
    described = json.dumps({**table, "decimal": year.decimal}, sort_keys=True, default=str)  # as text: the dates
    return sha256(described.encode()).hexdigest()[:16]
