"""Words of the command line: what is none of them is refused in one line that says what to give."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from cli.__main__ import app
from cli.words import at_least, moment, one_of, whole_number


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("backtest --zone two", "Invalid value for '--zone': 'two': give a whole number from 1 to 10000"),
        ("forecast --zone 0", "Invalid value for '--zone': '0': give a whole number from 1 to 10000"),
        ("demo --days 1.5", "Invalid value for '--days': '1.5': give a whole number from 1 to 36525"),
        (
            "replay --days 100000000000",
            "Invalid value for '--days': '100000000000': give a whole number from 1 to 36525",
        ),
        ("replay --speed fast", "Invalid value for '--speed': 'fast': give a number from 0 on"),
        ("demo --speed -1", "Invalid value for '--speed': '-1': give a number from 0 on"),
        ("demo --speed nan", "Invalid value for '--speed': 'nan': give a number from 0 on"),
        ("watch drift --count 0", "Invalid value for '--count': '0': give a whole number from 1 to "),
        ("watch forcast", "'forcast': did you mean forecasts? Choose one of forecasts, readings, rejected, drift"),
        ("run trainer", "'trainer': choose one of ingestor, forecaster, monitor"),
        ("run", "Missing argument 'ingestor|forecaster|monitor|gateway'"),
        ("backtest --from 2017-13-01", "'2017-13-01' is no date: give one such as 2017-10-19 or 2017-10-19T04:40"),
        ("backtest --until 0001-01-01T00:00+05:00", "is no date: give one such as 2017-10-19"),
        ("train --until yesterday", "'yesterday' is no date: give one such as 2017-10-19"),
        ("forecast --unit GW", "'GW': choose one of W, kW, MW, Wh, kWh, MWh"),
    ],
)
def test_a_wrong_word_is_refused_in_plain_words(words: str, line: str) -> None:
    """Exit code 2, the option, the word, and what to give: no words of the library that reads it."""
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 2
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_right_words_are_read() -> None:
    """Ends included; a time without an offset is in UTC, and a word may stand for another."""
    assert [whole_number(1, 3)(text) for text in ("1", "3")] == [1, 3]
    assert [at_least(0)(text) for text in ("0", "0.5", "1e3")] == [0.0, 0.5, 1000.0]
    assert moment("2017-10-19") == datetime(2017, 10, 19, tzinfo=UTC)
    assert moment("2017-10-19T04:40+02:00") == datetime(2017, 10, 19, 2, 40, tzinfo=UTC)
    assert [one_of({"point": "."})(text) for text in ("point", ".")] == [".", "."]
    with pytest.raises(typer.BadParameter, match=r"^'pint': did you mean point\? Choose one of point$"):
        one_of({"point": "."})("pint")
