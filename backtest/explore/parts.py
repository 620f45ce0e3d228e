"""What the page says of a file: each part in one sentence how to read it, with the figure that matters."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.explore import charts, columns
from backtest.explore.load_parts import load_parts
from backtest.explore.part import PagePart, extreme, records, upper, zone_table
from backtest.explore.words import listed, named, share, unit_of, value_shown
from backtest.page import Chart

if TYPE_CHECKING:
    from backtest.explore.exploration import Exploration

__all__ = ["parts_of"]

NO_LOAD = "The file has no load that can be used, so nothing is said of its course."
ABOUT_COLUMNS = (
    "Each column of the file, and what its clean values come to. Beyond limits are numbers that cannot be true, by "
    "the limits of the site. The deviation is the standard deviation. Unchanged is the longest time for which the "
    "value stays as it is: many hours of a load point to a meter that hangs."
)
ABOUT_CLEANING = (
    "The code that judges readings on the stream judged the rows: a value that is missing or impossible is left out, "
    'a row that is no reading is refused. The command "tetouan clean" writes what is left.'
)
ABOUT_UNUSUAL = (
    "Far outside is more than three quartile ranges below the first or above the third quartile of the hour (Tukey's "
    "far out): possible, but worth a look."
)


def parts_of(found: Exploration) -> list[PagePart]:
    """Return the parts of the page in their order."""
    always = [_columns(found), _readings(found), _cleaning(found), _distributions(found)]
    if not found.series.loads:
        return [*always, PagePart("loads", "The loads", open=(NO_LOAD,))]
    return [*always, *load_parts(found), _unusual(found)]


def _columns(found: Exploration) -> PagePart:
    profiles, unit = records(found.frames["columns"]), found.unit
    rows = []
    for row in profiles:
        field = row["field"]
        counts = ("numbers", "empty", "text", "beyond_limits", "distinct")
        figures = ("lowest", "median", "mean", "highest", "deviation")
        rows.append(
            {"column": row["column"], "read_as": named(field), "unit": unit_of(field, unit)}
            | {name: f"{row[name]:,}" for name in counts}
            | {name: value_shown(row[name], field, unit) for name in figures}
            | {"unchanged_h": row["unchanged_h"]}
        )
    known = [row for row in profiles if np.isfinite(row["mean"])]
    means = listed(
        f"{named(row['field'])} {value_shown(row['mean'], row['field'], unit)} {unit_of(row['field'], unit)}"
        for row in known
    )
    constant = [row["column"] for row in known if row["lowest"] == row["highest"]]
    empty = [row["column"] for row in profiles if row not in known]
    lacks = (
        [f"{listed(constant)}: constant, so that nothing can be said to go with it."] * bool(constant),
        [f"{listed(empty)}: no value that can be used."] * bool(empty),
    )
    return PagePart(
        "columns",
        "Columns",
        f"the means are {means}." if means else "",
        tables={"Columns": pd.DataFrame(rows)},
        remarks=(ABOUT_COLUMNS,),
        open=tuple(chain(*lacks)),
    )


def _readings(found: Exploration) -> PagePart:
    times, gaps = found.times, found.frames["gaps"]
    absent, steps = times["without_reading"], times["steps"]
    said = [f"{absent:,} of {steps:,} steps ({share(absent / steps)}) have no reading"]
    if not absent:
        said = [f"each of the {steps:,} steps has a reading"]
    said += [f"the longest gap is {row['length_h']:,.1f} h from {row['first_missing']} on" for row in records(gaps[:1])]
    odd = {
        "repeated_times": "rows repeat a time",
        "off_the_grid": "times lie between two steps",
        "no_time": "rows have no time",
    }
    said += [f"{times[name]:,} {what}" for name, what in odd.items() if times[name]]
    finding = f"{'; '.join(said)}."
    how = f"Each cell is the share of the steps of a day that have a value: the brighter, the more. {upper(finding)}"
    chart = Chart("Readings by day", how, charts.presence(columns.present_by_day(found.series)))
    tables = {"The longest gaps": gaps} if len(gaps) else {}
    return PagePart("readings", "Missing and repeated readings", finding, (chart,), tables)


def _cleaning(found: Exploration) -> PagePart:
    counts, kinds, rows = found.cleaned.counts, found.cleaned.kinds, len(found.year.rows)
    finding = (
        f"of {rows:,} rows {counts['as_it_was']:,} pass as they are, {counts['flagged']:,} with a value left out, "
        f"{counts['repeated']:,} repeat a reading, and {counts['refused']:,} are refused."
    )
    if counts["as_it_was"] == rows:
        finding = f"all {rows:,} rows pass as they are."
    tables = {"What becomes of rows": pd.DataFrame(kinds).fillna("-")} if kinds else {}
    remarks = (f"{ABOUT_CLEANING} {upper(finding)}",)
    return PagePart("cleaning", "What the ingestor makes of it", finding, tables=tables, remarks=remarks)


def _distributions(found: Exploration) -> PagePart:
    shares, unit = columns.histograms(found.series), found.unit
    profiles = {row["field"]: row for row in records(found.frames["columns"])}
    loads = {name: of.set_axis(of.index / unit.kw) for name, of in shares.items() if name in found.series.loads}
    drawn = []
    if loads:
        half = listed(f"{value_shown(profiles[name]['median'], name, unit)} in {named(name)}" for name in loads)
        how = f"How often a load lies in each of forty ranges. Half of the loads are below {half} ({unit.name})."
        drawn.append(Chart("Distribution of the loads", how, charts.histogram(loads, f"load, {unit.name}")))
    for name in [name for name in shares if name in found.series.weather]:
        shown = {figure: value_shown(profiles[name][figure], name, unit) for figure in ("lowest", "median", "highest")}
        axis = f"{named(name)}, {unit_of(name, unit)}"
        ends = f"{shown['lowest']} to {shown['highest']} {unit_of(name, unit)}"
        how = f"Values go from {ends}; half of them are below {shown['median']}."
        drawn.append(Chart(f"Distribution of {named(name)}", how, charts.histogram({name: shares[name]}, axis)))
    lacks = () if drawn else ("No distribution: no column has two different values.",)
    return PagePart("distributions", "Distributions", charts=tuple(drawn), open=lacks)


def _unusual(found: Exploration) -> PagePart:
    frame, jumps, unit = found.frames["unusual"], found.frames["jumps"], found.unit
    said = [f"{int(frame['unusual'].sum()):,} loads lie far outside of those of their hour of the day"]
    tables = {"Far from their hour": zone_table(frame).fillna({"farthest": "-"})}
    if len(jumps):
        changes = jumps.assign(change_kw=(jumps["after_kw"] - jumps["before_kw"]).abs())
        row = extreme(changes, "change_kw", highest=True)
        said.append(
            f"the largest change from one reading to the next is {unit.shown(row['change_kw'])} {unit.name} in "
            f"{named(row['field'])} at {row['when']}, where {unit.shown(row['usual_kw'])} is usual"
        )
        tables["The largest changes"] = zone_table(jumps)
    finding = f"{'; '.join(said)}."
    return PagePart("unusual", "Unusual loads", finding, tables=tables, remarks=(f"{ABOUT_UNUSUAL} {upper(finding)}",))
