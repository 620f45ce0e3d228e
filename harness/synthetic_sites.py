"""Sites that nobody has measured, as many as are wanted: their table, and readings made of the synthetic year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from harness.february import START

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.data.year import Year

__all__ = ["TIME_COLUMN", "TIME_FORMAT", "SyntheticSite", "synthetic_sites", "table_of"]

TIME_COLUMN, TIME_FORMAT = "time", "%Y-%m-%dT%H:%MZ"

COUNTRIES = (
    ("MA", "Africa/Casablanca"),
    ("US", "America/New_York"),
    ("DE", "Europe/Berlin"),
    ("JP", "Asia/Tokyo"),
    ("BR", "America/Sao_Paulo"),
    ("ES", "Europe/Madrid"),
    ("IN", "Asia/Kolkata"),
    ("NZ", "Pacific/Auckland"),
)
COLUMNS = {"zone_1_kw": "load", "temperature_c": "outside"}
MINUTE = timedelta(minutes=1)
ZONES = 3
SHIFTS = 30  # weeks of the year that a site may be ahead


@dataclass(frozen=True, eq=False)
class SyntheticSite:
    """One of them: the load of a zone some weeks ahead and of another size, for every other site the temperature too.

    ``load_kw`` and ``temperature_c`` are those of the year from START on, one number every ten minutes.
    """

    number: int
    step_minutes: int
    load_kw: NDArray[np.float64]
    temperature_c: NDArray[np.float64]

    @property
    def name(self) -> str:
        """What its readings and tables call it."""
        return f"site-{self.number:04d}"

    @property
    def table(self) -> str:
        """Its table in the file of sites."""
        country, time_zone = COUNTRIES[self.number % len(COUNTRIES)]
        columns = {COLUMNS[field]: field for field in COLUMNS if field != "temperature_c" or self._has_weather}
        lines = "".join(f'"{column}" = "{field}"\n' for column, field in columns.items())
        return (
            f'[{self.name}]\nstep_minutes = {self.step_minutes}\ncountry = "{country}"\ntime_zone = "{time_zone}"\n'
            f'time_column = "{TIME_COLUMN}"\n[{self.name}.columns]\n{lines}\n'
        )

    @property
    def _has_weather(self) -> bool:
        return self.number % 2 == 1

    def values(self, start: datetime, until: datetime) -> Iterator[tuple[datetime, dict[str, float]]]:
        """Yield time and values of each reading in [start, until), no time before START, by field."""
        minutes = np.arange((start - START) // MINUTE, (until - START) // MINUTE)
        minutes = minutes[minutes % self.step_minutes == 0]
        ahead, known = 7 * 1440 * (self.number % SHIFTS) + minutes, 10 * np.arange(len(self.load_kw))
        size = 0.5 + self.number * 0.618 % 1.5
        columns = {"zone_1_kw": size * np.interp(ahead, known, self.load_kw)}
        if self._has_weather:
            columns["temperature_c"] = np.interp(ahead, known, self.temperature_c)
        rows = zip(*(np.round(column, 1).tolist() for column in columns.values()), strict=True)
        for minute, row in zip(minutes.tolist(), rows, strict=True):
            yield START + minute * MINUTE, dict(zip(columns, row, strict=True))

    def raw(self, start: datetime, until: datetime) -> Iterator[tuple[datetime, bytes]]:
        """Yield time and raw record of each reading in [start, until)."""
        for time, values in self.values(start, until):
            cells = "".join(f',"{COLUMNS[field]}":"{value}"' for field, value in values.items())
            yield time, f'{{"site":"{self.name}","{TIME_COLUMN}":"{time:{TIME_FORMAT}}"{cells}}}'.encode()


def synthetic_sites(year: Year, count: int, steps_minutes: Sequence[int] = (10, 15)) -> list[SyntheticSite]:
    """Return so many sites made of the synthetic year, their steps in turn."""
    first = int(year.times.searchsorted(START))
    loads_kw = [year.demand(zone)[first:] for zone in range(1, ZONES + 1)]
    temperature_c = year.values("temperature_c")[first:]
    return [
        SyntheticSite(n, steps_minutes[n % len(steps_minutes)], loads_kw[n % ZONES], temperature_c)
        for n in range(count)
    ]


def table_of(sites: Iterable[SyntheticSite]) -> str:
    """Return the TOML file that describes the sites."""
    return "".join(site.table for site in sites)
