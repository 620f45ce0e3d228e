"""Which mark stands before the decimals is told from the whole column, or the file is refused."""

from __future__ import annotations

import pandas as pd
import pytest

from shared.data.errors import DataError
from shared.data.numbers import Mark, plain_numbers


def plain(*cells: str, separator: str = ";", decimal: Mark | None = None, beside: tuple[str, ...] = ()) -> list[str]:
    """Return the cells of a column beside another as plain numbers; line 2 holds the first."""
    columns = {"load": list(cells)} | ({"temp": list(beside)} if beside else {})
    rows = pd.DataFrame(columns, dtype="str", index=range(2, 2 + len(cells)))
    return plain_numbers(rows, columns, "f.csv", separator, decimal)["load"].tolist()


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (("900,5", "1234,25", "-3,0"), ["900.5", "1234.25", "-3.0"]),
        (("1.234,5", "980"), ["1234.5", "980"]),
        (("1,234.5", "980"), ["1234.5", "980"]),
        (("1.234.567", "1.234", "980"), ["1234567", "1234", "980"]),
        (("1,234,567", "1,234", "980"), ["1234567", "1234", "980"]),
        (("12,34,567.5", "980"), ["1234567.5", "980"]),
        (("1 234,5", "980,25"), ["1234.5", "980.25"]),
        (("1\u202f234,5", "1\u00a0234", "980,25"), ["1234.5", "1234", "980.25"]),
        (("1'234.5", "12'000"), ["1234.5", "12000"]),
        (("1\u2019234.5", "980"), ["1234.5", "980"]),
        (("0,234", "1,234"), ["0.234", "1.234"]),
        (("1234,567", "1,234"), ["1234.567", "1.234"]),
        (("0.234", "1.234"), ["0.234", "1.234"]),
        (("12,5e3", "1,5E-2"), ["12.5e3", "1.5E-2"]),
        (("12.5", "7", "1e3"), ["12.5", "7", "1e3"]),
        (("1,5", "n/a", "", " 2,5 ", ".", "3,4,5"), ["1.5", "n/a", "", "2.5", ".", "3,4,5"]),
    ],
)
def test_numbers_become_digits_with_a_decimal_point(cells: tuple[str, ...], numbers: list[str]) -> None:
    """One cell that can be read in one way only decides for the column; what is no number stays as it is."""
    assert [cell.strip() for cell in plain(*cells)] == numbers


@pytest.mark.parametrize(
    ("cell", "separator"), [("1,234", ";"), ("1,234", ","), ("1,234", "\t"), ("1.234", ";"), ("-12.000", "\t")]
)
def test_a_column_that_can_be_read_in_two_ways_is_refused(cell: str, separator: str) -> None:
    """The line names the first such cell, both numbers, and the option that decides."""
    with pytest.raises(DataError, match=r"^f\.csv: column 'load' holds '.*' \(line 3\), which is .* --decimal point"):
        plain("980", cell, separator=separator)


def test_the_option_decides() -> None:
    """What the user says holds, as far as no cell speaks against it."""
    assert plain("1,234", "980", decimal=",") == ["1.234", "980"]
    assert plain("1,234", "980", decimal=".") == ["1234", "980"]
    with pytest.raises(DataError, match=r"holds '16,1' \(line 2\): '\.' is not its decimal mark"):
        plain("16,1", decimal=".")


def test_another_column_decides() -> None:
    """A file has one way of writing numbers, where nothing speaks against it."""
    assert plain("1,234", "980", beside=("16,1", "9")) == ["1.234", "980"]
    assert plain("1,234", "980", beside=("16.1", "9"), separator=",") == ["1234", "980"]


def test_two_marks_in_one_column_are_refused() -> None:
    """Neither cell is taken for another number than it is."""
    with pytest.raises(DataError, match=r"column 'load' holds '16,1' \(line 2\) and '12\.5' \(line 4\): write all"):
        plain("16,1", "9", "12.5")


def test_between_commas_a_point_is_that_of_decimals() -> None:
    """Three decimals are no thousands where a comma parts the cells."""
    assert plain("1.234", "980", separator=",") == ["1.234", "980"]
