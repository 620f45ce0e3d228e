"""The table of readings as a site publishes it: which columns it has, and when its rows were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.data.errors import DataError
from shared.data.numbers import plain_numbers
from shared.data.times import FORMS, MIDNIGHT, NoTime, read_time, read_times
from shared.sites.likeness import closest

if TYPE_CHECKING:
    import pandas as pd

    from shared.data.numbers import Mark
    from shared.data.reading import Table
    from shared.data.times import Stamps
    from shared.sites.site import Site

__all__ = ["fits", "joined", "of_site", "present", "times", "told_apart"]


def of_site(table: Table, site: Site, name: str, decimal: Mark | None = None) -> pd.DataFrame:
    """Return the columns that the site reads, in file order, each number with a decimal point.

    A table may lack columns of the site, but not the times, and not all of the loads.

    Parameters
    ----------
    name
        What an error calls the file.
    decimal
        The mark before the decimals, None where it is to be found out.

    Raises
    ------
    DataError
        If the columns are not those of the site, or the decimal mark of a number is ambiguous.
    """
    _check_columns(table.rows, site, name)
    rows = table.rows if site.date_column is None else joined(table.rows, site.date_column, site.time_column)
    read = [column for column in rows.columns if column not in site.ignore]
    loads_and_weather = [column for column in read if column in site.columns]
    return plain_numbers(rows[read], loads_and_weather, name, table.separator, decimal)


def joined(rows: pd.DataFrame, date_column: str, time_column: str) -> pd.DataFrame:
    """Return the rows with the date put before the time of day in the time column."""
    days = rows[date_column].str.replace(MIDNIGHT, "", regex=True)
    return rows.assign(**{time_column: days + " " + rows[time_column]}).drop(columns=date_column)


def fits(rows: pd.DataFrame, site: Site) -> bool:
    """Tell whether the columns are those of the site."""
    try:
        _check_columns(rows, site, "")
    except DataError:
        return False
    return True


def times(rows: pd.DataFrame, site: Site, name: str) -> Stamps:
    """Return the time of each row, as :mod:`shared.data.times` reads it.

    Raises `DataError` if no row has a readable time, or if one shows that day and month are swapped.
    """
    written = rows[site.time_column]
    stamps = read_times(written, site)
    if stamps.misread is not None:
        row, misread = stamps.misread
        raise DataError(
            f"{name}: line {rows.index[row]}: {site.time_column} {written.iloc[row]!r} is no time: {misread.advice}"
        )
    if stamps.times.isna().all():
        first = read_time(written.iloc[0], site)
        told = first.advice if isinstance(first, NoTime) else None
        advice = told or f"write {FORMS}, or set time_format in the table of {site.name} (TETOUAN_SITES)"
        raise DataError(f"{name}: {site.time_column} {written.iloc[0]!r} is no time: {advice}")
    return stamps


def told_apart(rows: pd.DataFrame, site: Site, stamps: Stamps) -> pd.DataFrame:
    """Return the rows with the offset in each time that the clock shows twice, which only the whole file tells."""
    if not stamps.repeated.any():
        return rows
    shown = stamps.times[stamps.repeated].tz_convert(site.time_zone)
    written = rows[site.time_column].mask(stamps.repeated)
    written[stamps.repeated] = [time.isoformat() for time in shown]
    return rows.assign(**{site.time_column: written})


def present(site: Site, rows: pd.DataFrame) -> Site:
    """Return the site without the columns that the table does not have."""
    return site.narrowed(set(rows.columns))


def _check_columns(rows: pd.DataFrame, site: Site, name: str) -> None:
    """Refuse a table without times or any load, and a column that is unknown or probably misspelt."""
    expected = {*site.time_columns, *site.columns, *site.ignore}
    missing = [column for column in (*site.time_columns, *site.columns) if column not in rows.columns]
    unknown = [column for column in rows.columns if column not in expected]
    if meant := _meant(missing, unknown):
        lacks, has = _quoted(list(meant)), _quoted(list(meant.values()))
        advice = f"name it so in the table of {site.name} (TETOUAN_SITES), or mend the head of the file"
        raise DataError(f"{name}: the file has no column {lacks}: did you mean {has}? Then {advice}")
    if set(site.time_columns) & set(missing) or not present(site, rows).load_zones:
        has = f"it has {_quoted(list(rows.columns))}: "
        advice = f"name its columns in the table of {site.name} (TETOUAN_SITES), to the space"
        raise DataError(f"{name}: the file has no column {_quoted(missing)}: {has}{advice}")
    if unknown:
        advice = f"remove it, or name it in the columns or in ignore of {site.name} (TETOUAN_SITES)"
        raise DataError(f"{name}: unknown column {_quoted(unknown)}: {advice}")


def _meant(missing: list[str], unknown: list[str]) -> dict[str, str]:
    """Return, for each missing column, the unknown column that it probably is."""
    meant: dict[str, str] = {}
    for column in missing:
        left = [other for other in unknown if other not in meant.values()]
        if like := _like(column, left):
            meant[column] = like
    return meant


def _like(column: str, others: list[str]) -> str | None:
    """Return the one of other names that is like it, or of which one begins with the other; None where none is."""
    plain = column.casefold()
    begins = (other for other in others if plain.startswith(other.casefold()) or other.casefold().startswith(plain))
    return closest(column, others) or next(begins, None)


def _quoted(columns: list[str]) -> str:
    return ", ".join(map(repr, columns))
