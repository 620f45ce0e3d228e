"""The card of a file of readings: what it is, what it lacks, and what it may be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backtest.explore.part import records, upper
from backtest.markdown import bullets, document, table
from backtest.page import cell, heading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.explore.exploration import Exploration
    from backtest.explore.part import PagePart

__all__ = ["LICENCES", "data_card_of"]

LICENCES = {
    "uci": (
        'A. Salam and A. El Hibaoui, "Power Consumption of Tetouan City", UCI Machine Learning Repository, dataset '
        "849, doi 10.24432/C5B034, under CC BY 4.0"
    ),
    "synthetic": "made by this program, under its licence (Apache-2.0): nobody measured it",
    "file": "not told by the file: who gave it knows under which terms it may be used",
}
"""Where data come from, and on which terms, by their source."""

_USES = (
    "Training and testing forecasts of the load of the next 24 hours.",
    "In order of time: a random split leaks the future into the training.",
    "Not for billing, and not for other places or years without a test on them.",
)


def data_card_of(found: Exploration, parts: Sequence[PagePart]) -> str:
    """Return the card of a file as Markdown, from what was found about it; ``parts`` are its `parts_of`."""
    year, series, counts = found.year, found.series, found.cleaned.counts
    columns = records(parts[0].tables["Columns"])
    last = series.shown(series.has_reading.size - 1)
    fates = ", ".join(f"{count:,} {fate.replace('_', ' ')}" for fate, count in counts.items())
    facts = (
        f"{'**Synthetic: nobody measured it.** ' * year.synthetic}{year.counts}, sha256 `{year.sha256}`.",
        f"A reading every {year.site.step_minutes} minutes, from {series.shown(0)} to {last}.",
        f"Times are those of the clock of {year.site.time_zone}.",
        f"Steps without a reading: {found.times['without_reading']:,} of {found.times['steps']:,}.",
        f"Rows by what the ingestor makes of them: {fates}.",
    )
    rows = [[cell(value, name, found.unit) for name, value in row.items()] for row in columns]
    lacks = [line for part in parts for line in part.open]
    said = [f"{part.heading}: {part.finding}" for part in parts if part.finding]
    return document(
        (
            f"# Data card: {year.label}",
            bullets(facts),
            "## Columns",
            table([heading(name, found.unit) for name in columns[0]], rows),
            "## What it shows",
            upper(bullets(said)),
            *_listed("## What it cannot say", lacks),
            *_listed("## What speaks against how it is read", found.doubts),
            *_listed("## What is assumed of it", year.assumed),
            "## Use",
            bullets(_USES),
            "## Source and licence",
            f"{upper(LICENCES[year.source])}.",
        )
    )


def _listed(title: str, lines: Sequence[str]) -> tuple[str, ...]:
    return (title, bullets(lines)) if lines else ()
