"""A year of readings, and where it comes from: a file, the cache, the network, or nothing but arithmetic."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from shared.data.cells import power_of, register_of, value_of
from shared.data.errors import DataError
from shared.data.guessing import guessed, measured
from shared.data.hints import Hints
from shared.data.published import PUBLISHED_URL, is_published
from shared.data.reading import read_table
from shared.data.summer_time import require_no_summer_time
from shared.data.synthetic import YEAR, synthetic_csv
from shared.data.table import fits, of_site, present, times, told_apart
from shared.sites.site import WEATHER_FIELDS, load_field
from shared.sites.table import BUILT_IN, known_sites

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.data.download import Progress
    from shared.data.numbers import Mark
    from shared.data.reading import Share, Table
    from shared.data.unpacking import Open
    from shared.sites.site import Site

__all__ = ["NO_STEP", "SYNTHETIC", "DataError", "Source", "Year", "find_year"]

CACHED_NAME = "tetouan-power-2017.csv"
SYNTHETIC = "synthetic"
NO_STEP = int(np.iinfo(np.int64).min)
BLOCK_ROWS = 4096
FAR, RUN_ROWS = timedelta(days=30), 6  # as on the stream: a reading later than this is refused, the sixth is believed
NO_HINTS = Hints(guess=False)
TABLE = ("name", "step_minutes", "time_zone", "time_columns", "columns")  # what decides on the table of a site

Source = Literal["uci", "file", "synthetic"]


@dataclass(frozen=True, eq=False)
class Year:
    """The readings of one site as published, every cell as text; a time that the clock shows twice has its offset.

    Attributes
    ----------
    site
        The site without the columns that the table lacks.
    rows
        One row a reading in order of time, those of one time in file order; columns as published, the time column
        among them, which holds the date too. The index is the line of the file.
    times
        Aware UTC, one a row; NaT where the text is no readable time.
    sha256
        Identity of the table, whichever line ends it has.
    label
        What every output shows.
    reason
        Why this year stands in for the published one; None where it is what was asked for.
    assumed
        What was guessed of the site, one line each; nothing where a table describes it.
    decimal
        The mark before the decimals as the user has told it, None where the file has.
    """

    site: Site
    rows: pd.DataFrame
    times: pd.DatetimeIndex
    sha256: str
    source: Source
    label: str
    reason: str | None = None
    assumed: tuple[str, ...] = ()
    decimal: Mark | None = None

    @property
    def synthetic(self) -> bool:
        """Whether nobody measured this year."""
        return self.source == "synthetic"

    @property
    def test_start(self) -> datetime:
        """The time from which the last 20 % of the readings count as test."""
        readable = self.times[self.together].sort_values()
        return readable[len(readable) * 4 // 5].to_pydatetime()

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The times of the first and the last reading, without those far away."""
        together = self.times[self.together]
        return together.min().to_pydatetime(), together.max().to_pydatetime()

    @cached_property
    def together(self) -> NDArray[np.bool_]:
        """Whether the time of each row is one of six that are no more than 30 days apart, shape (rows,).

        A row far away from all others has a wrong date: whoever laid a grid up to it would need all memory.
        """
        known = np.flatnonzero(self.times.notna())
        time_us = self.times.as_unit("us").asi8  # as objects the times of a long file take much room
        gaps = np.flatnonzero(np.diff(time_us[known]) > FAR // timedelta(microseconds=1)) + 1
        runs = np.split(known, gaps)
        long = [run for run in runs if len(run) >= RUN_ROWS] or runs
        mask = np.zeros(len(self.times), bool)
        mask[np.concatenate(long)] = True
        return mask

    @property
    def counts(self) -> str:
        """How many rows there are, and what becomes of them, as far as their times tell."""
        steps = self.steps[self.steps != NO_STEP]
        times = np.unique(steps)
        runs = np.split(
            times, np.flatnonzero(np.diff(times) * self.site.step_minutes > FAR // timedelta(minutes=1)) + 1
        )
        readings = len(runs[0]) + sum(max(0, len(run) - (RUN_ROWS - 1)) for run in runs[1:])
        if readings == len(self.rows):
            return f"{readings:,} readings"
        refused, again = len(self.rows) - len(steps) + len(times) - readings, len(steps) - len(times)
        odd = [f"{refused:,} refused"] * (refused > 0) + [f"{again:,} of a time that came before"] * (again > 0)
        return f"{len(self.rows):,} rows: {readings:,} readings, {', '.join(odd)}"

    def only(self, zone: int) -> Year:
        """Return the readings without the loads of other zones, which the forecast of this one never sees."""
        columns = {
            column: field
            for column, field in self.site.columns.items()
            if field == load_field(zone) or field in WEATHER_FIELDS
        }
        rows = self.rows[[column for column in self.rows.columns if column in {self.site.time_column, *columns}]]
        return replace(self, site=present(self.site, rows), rows=rows)

    def before(self, until: datetime) -> Year:
        """Return the readings up to a time, itself not included, and the rows without a time between them."""
        rows = int(self.times.to_series().ffill().bfill().searchsorted(pd.Timestamp(until)))
        return replace(self, rows=self.rows.iloc[:rows], times=self.times[:rows])

    def raw_messages(self, start: datetime, until: datetime) -> Iterator[tuple[datetime, bytes]]:
        """Yield time and wire form of each reading in [start, until), in order of time.

        A row without a readable time goes out with the row before it, for its receiver to refuse.
        """
        for time, _, raw in self.numbered_messages(start, until):
            yield time, raw

    def numbered_messages(self, start: datetime, until: datetime) -> Iterator[tuple[datetime, int, bytes]]:
        """Yield those of :meth:`raw_messages` with the line of the file in which each stands."""
        known = self.times.to_series().ffill().bfill()
        chosen = np.flatnonzero((known >= start) & (known < until))
        columns = ("site", *self.rows.columns)
        for begin in range(0, len(chosen), BLOCK_ROWS):  # text of the whole file would take several times its room
            block = chosen[begin : begin + BLOCK_ROWS]
            rows, sent = self.rows.iloc[block], pd.DatetimeIndex(known.iloc[block]).to_pydatetime()
            for time, line, cells in zip(sent, rows.index.tolist(), rows.to_numpy().tolist(), strict=True):
                message = dict(zip(columns, (self.site.name, *cells), strict=True))
                yield time, line, json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    def demand(self, zone: int) -> NDArray[np.float64]:
        """Return the load of a zone in kW, one number a row, as :meth:`values`."""
        return self.values(load_field(zone))

    def values(self, field: str) -> NDArray[np.float64]:
        """Return a field of the clean readings, one number a row, as on the wire.

        NaN where it would be null, and everywhere where the site does not publish it.
        """
        published = {name: column for column, name in self.site.columns.items()}
        if field not in published:
            return np.full(len(self.rows), np.nan)
        cells = self.rows[published[field]]
        if self.site.measure(field).kind == "register":
            return self._powers(cells, field)
        values = np.full(len(cells), np.nan)
        for begin in range(0, len(cells), BLOCK_ROWS):  # as objects the cells of a long file take much room
            block = cells.iloc[begin : begin + BLOCK_ROWS].tolist()
            read = (value_of(text, field, self.site)[0] for text in block)
            values[begin : begin + len(block)] = [np.nan if value is None else value for value in read]
        return values

    def _powers(self, cells: pd.Series[str], field: str) -> NDArray[np.float64]:
        """Return what the registers of the rows say of the step before each.

        Of one time the first row has the power. What a later row adds is known for the next step, as on the stream.
        """
        powers, steps, written = np.full(len(cells), np.nan), self.steps, cells.array
        on_grid = np.flatnonzero(steps != NO_STEP)
        last_step, last_kwh = NO_STEP, None
        for row, step in zip(on_grid.tolist(), steps[on_grid].tolist(), strict=True):
            register_kwh = register_of(written[row], field, self.site)
            if step == last_step:
                last_kwh = register_kwh if last_kwh is None else last_kwh
                continue
            before_kwh = last_kwh if step - last_step == 1 else None
            power_kw, _ = power_of(register_kwh, before_kwh, field, self.site)
            powers[row] = np.nan if power_kw is None else power_kw
            last_step, last_kwh = step, register_kwh
        return powers

    @property
    def steps(self) -> NDArray[np.int64]:
        """The number of steps from 1970 to each row, ``NO_STEP`` where its time is none or off the grid."""
        step_us = 60_000_000 * self.site.step_minutes
        time_us = self.times.as_unit("us").asi8
        on_grid = np.asarray(self.times.notna()) & (time_us % step_us == 0)
        return np.where(on_grid, time_us // step_us, NO_STEP)


def find_year(
    data: str | None,
    cache_dir: Path,
    *,
    site: Site | None = None,
    url: str = PUBLISHED_URL,
    progress: Progress | None = None,
    told: Share | None = None,
    hints: Hints = NO_HINTS,
) -> Year:
    """Return the year of a site to work with.

    Parameters
    ----------
    data
        Path of a CSV or Parquet file, compressed or not, ``synthetic``, or None: then the cache, else a download, else
        the synthetic year, which says in its ``reason`` why.
    cache_dir
        Where a download is kept.
    site
        Whose year it is; the built-in site where none is given.
    url
        Where the published zip or CSV is downloaded from.
    progress
        Told what has come of a download.
    told
        Told the share of the file that has been read.
    hints
        What the user says about the file.

    Raises
    ------
    DataError
        The data that was asked for, cached or downloaded cannot be used; or none was, and the site publishes none.
    """
    site = site or known_sites()[BUILT_IN]
    if data is not None and data != SYNTHETIC:
        return _of_file(site, Path(data).expanduser(), told or _untold, hints)
    _check_published(site)
    if data is not None:
        return _synthetic(site, reason=None)
    cached = cache_dir / CACHED_NAME
    if cached.exists():
        return _of_cache(site, cached, told or _untold)
    from shared.data.download import UnreachableError, download  # noqa: PLC0415 - only a first start needs a client

    try:
        table = download(url, cached, progress or _untold)
    except UnreachableError as error:
        reason = f"the published year could not be downloaded ({error}); give a file with --data"
        return _synthetic(site, reason=reason)
    return _of_table(site, _read(lambda: io.BytesIO(table), str(cached), told or _untold), str(cached), "")


def _check_published(site: Site) -> None:
    """Raise where the published year, and the synthetic one in its likeness, are not the table of the site."""
    published = known_sites()[BUILT_IN]
    if any(getattr(site, name) != getattr(published, name) for name in TABLE):
        raise DataError(f"no year of {site.name} is published: give its readings, a CSV file, with --data")


def _of_file(site: Site, path: Path, told: Share, hints: Hints) -> Year:
    if path.is_dir():
        raise DataError(f"{path}: is a folder: give the CSV file in it")
    name, label = str(path), f"file {path.name}"
    said = {name for name in (hints.time_column, *hints.columns) if name is not None}
    table = _read(lambda: path.open("rb"), name, told, hints.separator, _known_names(site) | said)
    if hints.guess and (hints.of_a_site or not fits(table.rows, site)):
        return _guessed(table, name, label, hints)
    return _of_table(site, table, name, label, hints.decimal)


def _guessed(table: Table, name: str, label: str, hints: Hints) -> Year:
    guess = guessed(table, hints, name)
    rows = of_site(table, guess.site, name, hints.decimal)
    guess = measured(guess, rows, hints)
    year = _year(guess.site, rows, name, table.sha256, "file", label)
    if guess.naive:
        require_no_summer_time(year.times, guess.site, name)
    return replace(year, assumed=guess.assumed, decimal=hints.decimal)


def _of_cache(site: Site, cached: Path, told: Share) -> Year:
    table = _read(lambda: cached.open("rb"), str(cached), told)
    if not is_published(table.sha256):
        raise DataError(f"{cached}: the cached year has been changed: delete it, and it is downloaded anew")
    return _of_table(site, table, str(cached), "")


def _of_table(site: Site, table: Table, name: str, label: str, decimal: Mark | None = None) -> Year:
    rows = of_site(table, site, name, decimal)
    published = is_published(table.sha256)
    source: Source = "uci" if published else "file"
    year = _year(site, rows, name, table.sha256, source, "UCI Tetouan 2017" if published else label)
    return replace(year, decimal=decimal)


def _known_names(site: Site) -> set[str]:
    return {*site.time_columns, *site.columns, *site.ignore}


def _synthetic(site: Site, reason: str | None) -> Year:
    label = f"SYNTHETIC year {YEAR}"
    table = read_table(lambda: io.BytesIO(synthetic_csv(site)), label)
    year = _year(site, of_site(table, site, label), label, table.sha256, "synthetic", label)
    return replace(year, reason=reason)


def _year(site: Site, rows: pd.DataFrame, name: str, sha256: str, source: Source, label: str) -> Year:
    stamps = times(rows, site, name)
    rows, known = told_apart(rows, site, stamps), stamps.times
    if known.hasnans or not known.is_monotonic_increasing:
        # a row without a time stays behind the one before it
        order = known.to_series().ffill().bfill().argsort(kind="stable").to_numpy()
        rows, known = rows.iloc[order], known[order]
    return Year(present(site, rows), rows, known, sha256, source, label)


def _read(opened: Open, name: str, told: Share, separator: str | None = None, known: Collection[str] = ()) -> Table:
    try:
        return read_table(opened, name, separator=separator, known=known, told=told)
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}: give the path of a file that can be read") from error


def _untold(*_: object) -> None:
    """Take no notice of progress."""
