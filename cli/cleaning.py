"""The clean readings of a file as a command."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backtest.cleaning import cleaned, write_table
from cli.outputs import whole
from cli.printing import print_whole
from cli.provision import say_doubts, steps_shown, year_for
from shared.data.errors import DataError
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from backtest.cleaning import Cleaned
    from cli.settings import HistorySettings
    from shared.data.hints import Hints

__all__ = ["CleanOptions", "run_clean"]

SHOWN_CHARACTERS = 60  # of a value, in the table for people
SYNTHETIC = (
    "nobody measured a synthetic year, and a file of it would not say so: give a file with --data, or leave --out"
)


@dataclass(frozen=True)
class CleanOptions:
    """What to clean, and where to write the clean readings and what became of each row; None: not at all."""

    data: str | None
    hints: Hints
    out_file: Path | None
    rows_file: Path | None


def run_clean(options: CleanOptions, settings: HistorySettings, console: Console) -> dict[str, Any]:
    """Judge the rows of a file as the ingestor does, show what became of them, write the files, return the result."""
    year = year_for(options.data or settings.data, settings, console, options.hints)
    if year.synthetic and options.out_file:
        raise Refused(SYNTHETIC)
    say_doubts(year, console)
    with steps_shown(console) as progress:
        result = cleaned(year, progress)
        progress("writing the tables", 0.0)
        told = result.to_json() | {"out": _written(result, options.out_file)}
        if options.rows_file:
            with whole(options.rows_file) as draft:
                write_table(result.rows(), draft)
    shown = Console()
    if result.findings:
        print_whole(shown, _table(result))
    shown.print(f"{year.label}: {_summary(result)}", soft_wrap=True, highlight=False, markup=False)
    if options.out_file:
        shown.print(f"wrote {options.out_file}: sha256 {told['out']['sha256']}", soft_wrap=True, highlight=False)
    return told


def _written(result: Cleaned, file: Path | None) -> dict[str, Any] | None:
    """Write the clean readings; returns where they are and what tells the file from others."""
    if file is None:
        return None
    if not result.passed.any():
        raise Refused(
            f"{result.year.label}: no row is a reading: mend what the table of kinds says (--rows FILE has all)"
        )
    try:
        readings = result.readings()
    except DataError as error:
        raise Refused(str(error)) from None
    with whole(file) as draft:
        write_table(readings, draft, tuple(result.year.site.columns))
        digest = sha256(draft.read_bytes()).hexdigest()
    return {"file": str(file), "sha256": digest, "rows": len(readings)}


def _summary(result: Cleaned) -> str:
    counts = result.counts
    said = [f"{counts['as_it_was']:,} rows passed as they were"]
    said += [f"{counts[fate]:,} {fate}" for fate in ("flagged", "repeated", "refused") if counts[fate]]
    said += [f"{absent:,} steps without a reading"] if (absent := result.steps_without_reading) else []
    return f"{len(result.fates):,} rows: {', '.join(said)}"


def _table(result: Cleaned) -> Table:
    """Return the kinds of findings for people."""
    table = Table(box=SIMPLE, title="what did not pass as it was (times are UTC)", title_justify="left")
    for head in ("became", "reason", "field", "rows", "first line", "first time", "first value"):
        table.add_column(head, justify="right" if head in ("rows", "first line") else "left", no_wrap=True)
    for kind in result.kinds:
        value, time = kind.first_value or "-", (kind.first_time or "-")[:16].replace("T", " ")
        shortened = value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…"
        cells = (kind.fate, kind.reason, kind.field or "-", f"{kind.rows:,}", f"{kind.first_line:,}", time, shortened)
        table.add_row(*map(Text, cells))
    return table
