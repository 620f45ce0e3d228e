"""Counts the values of a year outside its site's limits: where they are many, the limits may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

    from shared.data.year import Year

__all__ = ["Beyond", "beyond_limits", "loads_refused"]

TOLD = 0.01  # of the values of a field: more outliers point to wrong limits
MOST = 0.5  # of the loads of a zone: beyond it, the rest does not represent the zone


@dataclass(frozen=True)
class Beyond:
    """How many values of one field are outside its limits.

    Attributes
    ----------
    refused, numbers
        How many numbers are outside the limits, and how many numbers there are.
    lowest, highest
        The smallest and the largest of all the numbers, in the unit that ends the name of the field.
    first_line
        The line of the earliest number outside the limits; None for the published and the synthetic year.
    """

    field: str
    column: str
    site: str
    limits: tuple[float, float]
    refused: int
    numbers: int
    lowest: float
    highest: float
    first_line: int | None

    def __str__(self) -> str:
        """Say it in one line, and what to change."""
        low, high = self.limits
        first = "" if self.first_line is None else f", the first in line {self.first_line}"
        what = f"{self.refused:,} of {self.numbers:,} values ({self.refused / self.numbers:.1%}) are refused{first}"
        why = f"the limits are {low:g} to {high:g}, and the values go from {self.lowest:g} to {self.highest:g}"
        return (
            f"{self.field} ({self.column!r}) of {self.site}: {what}: {why}: change {self.site}.limits.{self.field}, or "
            "the unit of the column (TETOUAN_SITES)"
        )


def beyond_limits(year: Year) -> Iterator[Beyond]:
    """Yield each field with more than 1 % of its numbers outside the limits."""
    return _beyond(year, year.site.fields)


def loads_refused(year: Year, zones: Iterable[int]) -> Beyond | None:
    """Return the first zone with more than half of its loads outside the limits; None if there is none."""
    found = _beyond(year, [load_field(zone) for zone in zones])
    return next((beyond for beyond in found if beyond.refused > MOST * beyond.numbers), None)


def _beyond(year: Year, fields: Collection[str]) -> Iterator[Beyond]:
    unlimited = replace(year, site=year.site.model_copy(update={"limits": {}}))
    for column, field in year.site.columns.items():
        limits = year.site.limits.get(field)
        if field not in fields or limits is None or not _may_be_many(_quick_values(year, column, field), limits):
            continue
        values = unlimited.values(field)
        if _may_be_many(values, limits):
            wrong, line = np.flatnonzero(_refused(values, limits)), None
            if year.source == "file":
                line = int(year.rows.index[wrong[0]])
            known = values[np.isfinite(values)]
            spread = float(known.min()), float(known.max())
            yield Beyond(field, column, year.site.name, limits, len(wrong), len(known), *spread, line)


def _quick_values(year: Year, column: str, field: str) -> NDArray[np.float64] | None:
    """Return a field as pandas parses it, fast, to rule out most fields; None for a register."""
    measure = year.site.measure(field)
    if measure.kind == "register":
        return None
    hours = year.site.step_minutes / 60 if measure.kind == "energy" else 1.0
    cells = pd.to_numeric(year.rows[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return cells * (measure.kilo / hours) if field.endswith("_kw") else cells


def _may_be_many(values: NDArray[np.float64] | None, limits: tuple[float, float]) -> bool:
    return values is None or bool(_refused(values, limits).sum() > TOLD * np.isfinite(values).sum())


def _refused(values: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (values < limits[0]) | (values > limits[1])
