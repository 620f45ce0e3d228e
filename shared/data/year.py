"""A year of readings, and where it comes from: a file, the cache, the network, or nothing but arithmetic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from shared.data.cells import value_of
from shared.data.download import PUBLISHED_URL, UnreachableError, download
from shared.data.sites import BUILT_IN, known_sites, site
from shared.data.synthetic import YEAR, synthetic_csv
from shared.data.table import DataError, identity, is_published, parse, present, table_bytes, times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.data.download import Progress
    from shared.data.sites import Site

__all__ = ["DataError", "Source", "Year", "find_year"]

CACHED_NAME = "tetouan-power-2017.csv"
SYNTHETIC = "synthetic"
TABLE = ("name", "step_minutes", "time_zone", "time_column", "columns")  # what decides on the table of a site

Source = Literal["uci", "file", "synthetic"]


@dataclass(frozen=True, eq=False)
class Year:
    """The readings of one site as published, every cell as text.

    Attributes
    ----------
    site
        The site without the columns that the table lacks.
    rows
        One row a reading in order of time, those of one time in file order; columns as published, the time column
        among them.
    times
        Aware UTC, one a row; NaT where the text is no readable time.
    sha256
        Identity of the table, whichever line ends it has.
    label
        What every output shows.
    reason
        Why this year stands in for the published one; None where it is what was asked for.
    """

    site: Site
    rows: pd.DataFrame
    times: pd.DatetimeIndex
    sha256: str
    source: Source
    label: str
    reason: str | None = None

    @property
    def synthetic(self) -> bool:
        """Whether nobody measured this year."""
        return self.source == "synthetic"

    @property
    def test_start(self) -> datetime:
        """The time from which the last 20 % of the readings count as test."""
        readable = self.times.dropna().sort_values()
        return readable[len(readable) * 4 // 5].to_pydatetime()

    def raw_messages(self, start: datetime, until: datetime) -> Iterator[tuple[datetime, bytes]]:
        """Yield time and wire form of each reading in [start, until), in order of time.

        A row without a readable time goes out with the row before it, for its receiver to refuse.
        """
        known = self.times.to_series().ffill().bfill()
        chosen = ((known >= start) & (known < until)).to_numpy()
        sent = pd.DatetimeIndex(known[chosen]).to_pydatetime()
        for time, cells in zip(sent, self.rows[chosen].to_numpy().tolist(), strict=True):
            message = {"site": self.site.name, **dict(zip(self.rows.columns, cells, strict=True))}
            yield time, json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    def demand(self, zone: int) -> NDArray[np.float64]:
        """Return the load of a zone in kW, one number a row, as :meth:`values`."""
        return self.values(f"zone_{zone}_kw")

    def values(self, field: str) -> NDArray[np.float64]:
        """Return a field of the clean readings, one number a row, as on the wire.

        NaN where it would be null, and everywhere where the site does not publish it.
        """
        published = {name: column for column, name in self.site.columns.items()}
        if field not in published:
            return np.full(len(self.rows), np.nan)
        read = (value_of(text, field, self.site)[0] for text in self.rows[published[field]])
        return np.array([np.nan if value is None else value for value in read])


def find_year(
    data: str | None,
    cache_dir: Path,
    *,
    place: Site | None = None,
    url: str = PUBLISHED_URL,
    progress: Progress | None = None,
) -> Year:
    """Return the year of a site to work with.

    Parameters
    ----------
    data
        Path of a CSV file (or of the published zip), ``synthetic``, or None: then the cache, else a download, else the
        synthetic year, which says in its ``reason`` why.
    cache_dir
        Where a download is kept.
    place
        Whose year it is; the built-in site where none is given.
    url
        Where the published zip or CSV is downloaded from.
    progress
        Told what has come of a download.

    Raises
    ------
    DataError
        The data that was asked for, cached or downloaded cannot be used; or none was, and the site publishes none.
    """
    place = place or site(BUILT_IN)
    if data is not None and data != SYNTHETIC:
        return _of_file(place, Path(data).expanduser())
    _check_published(place)
    if data is not None:
        return _synthetic(place, reason=None)
    cached = cache_dir / CACHED_NAME
    if cached.exists():
        return _of_cache(place, cached)
    try:
        table = download(url, cached, progress or _untold)
    except UnreachableError as error:
        reason = f"the published year could not be downloaded ({error}); give a file with --data"
        return _synthetic(place, reason=reason)
    return _of_table(place, table, str(cached))


def _check_published(place: Site) -> None:
    """Raise where the published year, and the synthetic one in its likeness, are not the table of the site."""
    published = known_sites()[BUILT_IN]
    if any(getattr(place, name) != getattr(published, name) for name in TABLE):
        raise DataError(f"no year of {place.name} is published: give its readings, a CSV file, with --data")


def _of_file(place: Site, path: Path) -> Year:
    return _of_table(place, table_bytes(_read(path), str(path)), str(path))


def _of_cache(place: Site, cached: Path) -> Year:
    table = _read(cached)
    if not is_published(table):
        raise DataError(f"{cached}: the cached year has been changed: delete it, and it is downloaded anew")
    return _of_table(place, table, str(cached))


def _of_table(place: Site, table: bytes, name: str) -> Year:
    if is_published(table):
        return _year(place, table, name, "uci", "UCI Tetouan 2017")
    return _year(place, table, name, "file", f"file {Path(name).name}")


def _synthetic(place: Site, reason: str | None) -> Year:
    label = f"SYNTHETIC year {YEAR}"
    return _year(place, synthetic_csv(place), label, "synthetic", label, reason)


def _year(place: Site, table: bytes, name: str, source: Source, label: str, reason: str | None = None) -> Year:
    rows = parse(table, place, name)
    known = times(rows, place, name)
    # a row without a time stays behind the one before it
    order = known.to_series().ffill().bfill().argsort(kind="stable").to_numpy()
    rows = rows.iloc[order].reset_index(drop=True)
    return Year(present(place, rows), rows, known[order], identity(table), source, label, reason)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"{path}: is a folder: give the CSV file in it")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give the path of a CSV file that can be read") from error


def _untold(done: int, total: int | None) -> None:
    """Take no notice of progress."""
