"""A part of the page, and what the parts are written with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.explore.words import listed, named, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from backtest.page import Chart

__all__ = ["PagePart", "by_zone", "extreme", "of_zones", "records", "upper", "zone_table"]


@dataclass(frozen=True)
class PagePart:
    """A heading and what stands under it.

    Attributes
    ----------
    key
        Its anchor.
    finding
        One sentence with the figure that matters; it stands at the top of the page, too.
    tables
        By what they are called.
    remarks
        Sentences before the charts.
    open
        What the file cannot say, and why.
    """

    key: str
    heading: str
    finding: str = ""
    charts: tuple[Chart, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table by the names of their columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def by_zone(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what each zone is called, and its rows, in their order."""
    for name, of in frame.groupby("field", sort=False):
        yield named(str(name)), of


def of_zones(ratios: pd.Series[float]) -> str:
    """Return shares by field as a list: ``-5.7 % in zone 1 and -9.4 % in zone 2``; those that are NaN left out."""
    return listed(f"{share(ratio)} in {named(str(name))}" for name, ratio in ratios.dropna().items())


def extreme(frame: pd.DataFrame, column: str, *, highest: bool) -> dict[str, Any]:
    """Return the row in which a column is highest, or lowest; NaN is neither."""
    values = frame[column].to_numpy(np.float64)
    place = int(np.nanargmax(values) if highest else np.nanargmin(values))
    return records(frame.iloc[[place]])[0]


def zone_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose first column names the zone."""
    rest = frame.drop(columns="field")
    rest.insert(0, "zone", frame["field"].map(named))
    return rest


def upper(sentence: str) -> str:
    """Return a sentence that begins with a capital letter."""
    return sentence[:1].upper() + sentence[1:]
