"""What is said about a file on the command line."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from cli.options import with_hints
from shared.data.hints import Hints


def said(*words: str) -> tuple[int, Hints | None, str]:
    """Return the exit code of a command with these words, the hints that it got, and what it printed."""
    app, got = typer.Typer(), list[Hints]()

    @app.command()
    @with_hints
    def command(hints: Hints, days: int = 3) -> None:
        """Take the hints."""
        assert days == 3
        got.append(hints)

    done = CliRunner().invoke(app, list(words))
    return done.exit_code, got[0] if got else None, done.output


def test_nothing_said_is_nothing_known() -> None:
    """All is found out from the file."""
    assert said() == (0, Hints(), "")


def test_every_word_reaches_its_hint() -> None:
    """A mark is given by its name or as it is; loads are named one by one."""
    words = "--time-column t --column a --column b --unit MW --kind energy --step 15 --time-zone Europe/Madrid"
    words += " --country ES --day-first --separator semicolon --decimal comma"
    code, hints, _ = said(*words.split())
    assert code == 0
    assert hints == Hints(
        separator=";",
        decimal=",",
        time_column="t",
        columns=("a", "b"),
        time_zone="Europe/Madrid",
        country="ES",
        day_first=True,
        step_minutes=15,
        unit="MW",
        kind="energy",
    )
    assert said("--month-first", "--decimal", ".")[1] == Hints(day_first=False, decimal=".")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--decimal", "dot"), "'dot': choose one of point, comma"),
        (("--step", "20"), "'20': choose one of 5, 10, 15, 30, 60"),
        (("--unit", "GW"), "'GW': choose one of W, kW, MW, Wh, kWh, MWh"),
    ],
)
def test_another_word_is_refused(words: tuple[str, ...], line: str) -> None:
    """The line lists what is known."""
    code, hints, output = said(*words)
    assert (code, hints) == (2, None)
    assert line in output
