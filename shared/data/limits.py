"""Which values of a year the limits of its site refuse, as outliers: where they are many, the limits may be wrong."""

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

TOLD = 0.01  # of the values of a field: the outliers of a meter are fewer
MOST = 0.5  # of the loads of a zone: what is scored or fitted on the rest is something else


@dataclass(frozen=True)
class Beyond:
    """What the limits of one field refuse.

    Attributes
    ----------
    refused, numbers
        How many of the numbers lie beyond the limits, of how many.
    lowest, highest
        Of all the numbers, in the unit that ends the name of the field.
    first_line
        Of the file, where the first stands that is refused; None where the year is no file.
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
    """Yield the fields of which the limits refuse more than a hundredth of the numbers."""
    return _beyond(year, year.site.fields)


def loads_refused(year: Year, zones: Iterable[int]) -> Beyond | None:
    """Return the first of these zones of whose loads most are refused, None where there is none."""
    found = _beyond(year, [load_field(zone) for zone in zones])
    return next((beyond for beyond in found if beyond.refused > MOST * beyond.numbers), None)


def _beyond(year: Year, fields: Collection[str]) -> Iterator[Beyond]:
    unlimited = replace(year, site=year.site.model_copy(update={"limits": {}}))
    for column, field in year.site.columns.items():
        limits = year.site.limits.get(field)
        if field not in fields or limits is None or not _may_be_many(_roughly(year, column, field), limits):
            continue
        values = unlimited.values(field)
        if _may_be_many(values, limits):
            wrong, line = np.flatnonzero(_refused(values, limits)), None
            if year.source == "file":
                line = int(year.rows.index[wrong[0]])
            known = values[np.isfinite(values)]
            spread = float(known.min()), float(known.max())
            yield Beyond(field, column, year.site.name, limits, len(wrong), len(known), *spread, line)


def _roughly(year: Year, column: str, field: str) -> NDArray[np.float64] | None:
    """Return the values of a field at a fraction of the cost, as pandas reads numbers; None of a register."""
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
