"""All that is found out about a file of readings, in one value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.cleaning import cleaned
from backtest.explore import columns, holidays, levels, patterns
from backtest.explore.clocks import clock_changes
from backtest.explore.part import records
from backtest.explore.series import CleanSeries
from backtest.units import LoadUnit
from shared.data.doubts import doubts_of, step_doubt
from shared.data.limits import beyond_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from backtest.cleaning import Cleaned
    from backtest.explore.clocks import ClockChange
    from shared.data.year import Year

    Progress = Callable[[str, float], None]

__all__ = ["Exploration", "explored"]


@dataclass(frozen=True, eq=False)
class Exploration:
    """A file, its clean readings, and what they show.

    Attributes
    ----------
    cleaned
        What the ingestor makes of each row.
    doubts
        What speaks against the way in which the file is read: its step, its limits, the unit of a load.
    times
        How many steps the file spans, and what is odd of its times.
    frames
        The tables by name: each is described by the function of that name.
    clock_changes
        Of the clock of the site, or of its country.
    """

    year: Year
    series: CleanSeries
    cleaned: Cleaned
    doubts: tuple[str, ...]
    times: Mapping[str, int]
    frames: Mapping[str, pd.DataFrame]
    clock_changes: tuple[ClockChange, ...]

    @property
    def unit(self) -> LoadUnit:
        """In which people are shown the loads."""
        return LoadUnit.of(np.concatenate([np.empty(0), *self.series.loads.values()]))

    def to_json(self) -> dict[str, Any]:
        """Return what was found for machines; what cannot be computed is None."""
        year, site = self.year, self.year.site
        first, last = year.span
        return {
            "data": year.label,
            "synthetic": year.synthetic,
            "data_sha256": year.sha256,
            "site": site.name,
            "time_zone": site.time_zone,
            "step_minutes": site.step_minutes,
            "first": first.isoformat(),
            "last": last.isoformat(),
            "assumed": list(year.assumed),
            "times": dict(self.times),
            "cleaning": self.cleaned.to_json(),
            "doubts": list(self.doubts),
            "clock_changes": [asdict(change) | {"followed": change.followed} for change in self.clock_changes],
            **{name: _rows(frame) for name, frame in self.frames.items()},
        }


def explored(year: Year, progress: Progress) -> Exploration:
    """Look at a year; ``progress`` is called with the name of the work and the share done, 0..1.

    Raises `DataError` where no row is a reading.
    """
    judged = cleaned(year, progress)
    doubts = [*map(str, beyond_limits(year)), *doubts_of(year, lambda share: progress("watching the loads", share))]
    if apart := step_doubt(year):
        doubts = [apart, *doubts]
    progress("looking at the loads", 0.0)
    series = CleanSeries.of(year, judged.passed)
    frames = {
        "columns": columns.profiles(series, judged),
        "gaps": columns.gaps(series),
        "unusual": columns.unusual(series),
        "jumps": columns.jumps(series),
        "zones": patterns.zones(series),
    }
    if series.loads:
        frames |= {
            "explained": patterns.explained(series),
            "months": patterns.months(series),
            "weather_correlations": patterns.weather_correlations(series),
            "lagged": patterns.lagged(series),
        }
    frames |= {
        "holidays": holidays.holidays(series),
        "fasting": holidays.fasting(series),
        "shifts": levels.shifts(series),
    }
    changes = tuple(clock_changes(series))
    return Exploration(year, series, judged, tuple(doubts), columns.times(series, year), frames, changes)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON has them: numbers that are not finite are None."""
    plain = frame.astype(object).where(frame.notna() & ~frame.isin([np.inf, -np.inf]), None)
    return records(plain)
