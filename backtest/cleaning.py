"""What the ingestor makes of a file: its clean readings, and what became of each row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from backtest.outcomes import END_OF_TIME, JUDGED, numbered_outcomes
from services.ingestor.judging import Accepted, Merged, Rejected
from shared.data.errors import DataError
from shared.data.year import NO_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from services.ingestor.judging import Outcome
    from shared.data.year import Year
    from shared.sites.site import Site

    Progress = Callable[[str, float], None]

__all__ = ["Cleaned", "RowFate", "RowFinding", "RowKind", "cleaned", "write_table"]

PARQUET = (".parquet", ".pq")


class RowFate(IntEnum):
    """What can become of a row."""

    AS_IT_WAS = 0
    FLAGGED = 1
    REPEATED = 2
    REFUSED = 3

    @property
    def shown(self) -> str:
        """The word for tables and JSON."""
        return self.name.lower()


class RowFinding(NamedTuple):
    """Why a row did not pass as it was: its place among the rows, and reason, field and value as the ingestor says."""

    row: int
    fate: RowFate
    reason: str
    field: str | None = None
    value: str | None = None


class RowKind(NamedTuple):
    """Findings of one fate, reason and field: how many, and the first of them in order of time."""

    fate: str
    reason: str
    field: str | None
    rows: int
    first_line: int
    first_time: str | None
    first_value: str | None


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A year, what became of each row (`RowFate`, shape (rows,)), and why of those that are not as they were."""

    year: Year
    fates: NDArray[np.int8]
    findings: tuple[RowFinding, ...]

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Whether each row is a clean reading, shape (rows,)."""
        return self.fates <= RowFate.FLAGGED

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by what became of them."""
        numbers = np.bincount(self.fates, minlength=len(RowFate))
        return {fate.shown: int(numbers[fate]) for fate in RowFate}

    @property
    def kinds(self) -> list[RowKind]:
        """The findings by kind, the most frequent first."""
        groups: dict[tuple[RowFate, str, str | None], list[RowFinding]] = {}
        for finding in self.findings:
            groups.setdefault((finding.fate, finding.reason, finding.field), []).append(finding)
        kinds = [self._kind(group) for group in groups.values()]
        return sorted(kinds, key=lambda kind: -kind.rows)

    def _kind(self, group: list[RowFinding]) -> RowKind:
        first, time = group[0], self.year.times[group[0].row]
        line, shown = int(self.year.rows.index[first.row]), None if pd.isna(time) else time.isoformat()
        return RowKind(first.fate.shown, first.reason, first.field, len(group), line, shown, first.value)

    def readings(self) -> pd.DataFrame:
        """Return the clean readings as a table that the site of the year reads, a value that is flagged left out.

        Columns and units are those of the file, so that every command reads it as it reads the file. Times are ISO 8601
        in UTC, but as they were where the table of the site gives another form. A register keeps what it shows: its
        power takes two readings.

        Raises
        ------
        DataError
            If the site has a ``date_column`` and a ``time_format``: no rule tells where the date ends.
        """
        year, site = self.year, self.year.site
        table = year.rows.reset_index(drop=True)
        columns = {field: column for column, field in site.columns.items()}
        for field, rows in self._left_out().items():
            table.loc[rows, columns[field]] = ""
        table = table[self.passed]
        return _timed(table, year.times[self.passed], site, year.label)

    def _left_out(self) -> dict[str, list[int]]:
        """Return the rows in which a field is flagged, by field."""
        found: dict[str, list[int]] = {}
        for row, fate, _, field, _ in self.findings:
            if fate is RowFate.FLAGGED and field is not None and self.year.site.measure(field).kind != "register":
                found.setdefault(field, []).append(row)
        return found

    def rows(self) -> pd.DataFrame:
        """Return one line for each row, and each flagged field of it: line, time, fate, reason, field, value."""
        year, found = self.year, pd.DataFrame(self.findings, columns=RowFinding._fields).drop(columns="fate")
        words = np.array([fate.shown for fate in RowFate])
        table = pd.DataFrame({"line": year.rows.index, "time": year.times, "fate": words[self.fates]})
        return table.join(found.set_index("row"), how="left")

    @property
    def steps_without_reading(self) -> int:
        """The steps between the first clean reading and the last for which there is none."""
        steps = self.year.steps[self.passed]
        steps = np.unique(steps[steps != NO_STEP])
        return int(steps[-1] - steps[0] + 1 - len(steps)) if steps.size else 0

    def to_json(self) -> dict[str, Any]:
        """Return counts and kinds for machines."""
        year = self.year
        return {
            "data": year.label,
            "synthetic": year.synthetic,
            "data_sha256": year.sha256,
            "rows": len(year.rows),
            **self.counts,
            "readings": int(self.passed.sum()),
            "steps_without_reading": self.steps_without_reading,
            "kinds": [kind._asdict() for kind in self.kinds],
        }


def cleaned(year: Year, progress: Progress) -> Cleaned:
    """Judge each row of a year as the ingestor does, in order of time.

    ``progress`` is called with the name of the work and the share done, 0..1.
    """
    total = len(year.rows)
    fates, findings = np.zeros(total, np.int8), list[RowFinding]()
    outcomes = numbered_outcomes(year, year.times.min().to_pydatetime(), END_OF_TIME)
    for row, (_, outcome) in enumerate(outcomes):
        found = list(_findings(row, outcome))
        if found:
            fates[row] = found[0].fate
            findings += found
        if row % JUDGED == 0:
            progress("judging the readings", row / total)
    return Cleaned(year, fates, tuple(findings))


def _findings(row: int, outcome: Outcome) -> Iterator[RowFinding]:
    match outcome:
        case Accepted(reading):
            for field, flagged in reading.flags.items():
                yield RowFinding(row, RowFate.FLAGGED, flagged.flag, field, flagged.original)
        case Merged():
            yield RowFinding(row, RowFate.REPEATED, "repeats a reading")
        case Rejected(reason, field, value):
            yield RowFinding(row, RowFate.REFUSED, reason, field, value)


def _timed(table: pd.DataFrame, times: pd.DatetimeIndex, site: Site, label: str) -> pd.DataFrame:
    """Return the table with the times of its rows as the site reads them, in the columns that they came in."""
    if site.time_format is not None:
        if site.date_column is None:
            return table
        advice = "put both into one column, or leave time_format out where the times are ISO 8601"
        raise DataError(f"{label}: {site.name} has a date_column and a time_format, which cannot be written: {advice}")
    if site.date_column is None:
        return table.assign(**{site.time_column: times})
    place = list(table.columns).index(site.time_column)
    table = table.assign(**{site.time_column: times.strftime("%H:%M:%SZ")})
    table.insert(place, site.date_column, times.strftime("%Y-%m-%d"))
    return table


def write_table(table: pd.DataFrame, file: Path, numbers: tuple[str, ...] = ()) -> None:
    """Write a table as CSV with UTC times in ISO 8601, or as Parquet where the name ends so, with ``numbers`` as such.

    Raises ``OSError`` where it cannot be written.
    """
    if file.suffix.lower() in PARQUET:
        typed = {column: pd.to_numeric(table[column], errors="coerce") for column in numbers}
        table.assign(**typed).to_parquet(file, index=False)
    else:
        table.to_csv(file, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
