"""The accounting of a file: every row is a reading, repeats one, or is refused, and the accounting says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backtest.accounting import Accounting, RefusedRow
from services.ingestor.judging import Accepted, Merged, Outcome, Rejected
from shared.contracts.messages import CleanReading, Flag, Flagged
from shared.data.errors import DataError
from tests.unit.backtest.transcripts import START

STEP = timedelta(minutes=10)


def reading(row: int, flag: Flag | None = None) -> CleanReading:
    """Return the reading of that many steps after the start, flagged in zone 2 where a flag is given."""
    load_kw = None if flag else 20_000.0
    flags = {"zone_2_kw": Flagged(flag=flag, original="")} if flag else {}
    return CleanReading(
        site="tetouan", time=START + row * STEP, step_minutes=10, values={"zone_2_kw": load_kw}, flags=flags
    )


def test_every_row_is_counted_once() -> None:
    """Readings with and without a load, repeated and refused rows, and the steps between without a reading."""
    outcomes: list[Outcome] = [
        Accepted(reading(0)),
        Merged(reading(0)),
        Accepted(reading(1, "missing")),
        Rejected("no_time", "DateTime", "noon"),
        Rejected("no_time", "DateTime", "tea"),
        Accepted(reading(5, "outlier")),
    ]
    accounting = Accounting.of(enumerate(outcomes, 2), 2, STEP)
    assert accounting == Accounting(
        readings=3,
        repeated=1,
        refused={"no_time": 2},
        load_missing=1,
        load_outlier=1,
        steps_without_reading=3,
        first_refused=RefusedRow(5, "no_time", "DateTime", "noon"),
    )
    assert str(accounting) == (
        "3 readings, 1 rows that repeat a reading, 2 rows refused (no_time), 1 readings without a load, "
        "1 readings with an impossible load, 3 steps without a reading"
    )
    assert accounting.to_json()["refused"] == {"no_time": 2}


def test_where_nothing_is_odd_the_line_says_so() -> None:
    """A whole file has one short line; the flag of another zone is none of this one's business."""
    accounting = Accounting.of(enumerate(Accepted(reading(row)) for row in range(3)), 1, STEP)
    assert str(accounting) == "3 readings, nothing missing, repeated or refused"


def test_a_file_without_a_reading_has_an_accounting() -> None:
    """Nothing was read, and nothing is missing between."""
    assert str(Accounting.of([(2, Rejected("no_time", None, None))], 2, STEP)) == "0 readings, 1 rows refused (no_time)"


@pytest.mark.parametrize("refused", [1, 2])
def test_more_than_a_hundredth_of_refused_rows_is_too_much(refused: int) -> None:
    """One of a hundred is passed over; with two the first is named, with its line, its cell and the way on."""
    outcomes: list[Outcome] = [Accepted(reading(row)) for row in range(100 - refused)]
    outcomes += [Rejected("off_grid", "DateTime", f"{n} past") for n in range(refused)]
    accounting = Accounting.of(enumerate(outcomes, 2), 2, STEP)
    if refused == 1:
        accounting.require_few_refused("file load.csv")
        return
    with pytest.raises(DataError) as refusal:
        accounting.require_few_refused("file load.csv")
    assert str(refusal.value) == (
        "file load.csv: 2 of 100 rows are no readings, the first is line 100, DateTime '0 past': off_grid: "
        "mend the file, or go on without them with --accept-refused"
    )
