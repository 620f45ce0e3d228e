"""The unit in which people are shown loads: one for all numbers of an output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from shared.forecasting.digits import digits

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["LoadUnit"]

HIGH = 0.99  # of the loads are no higher than the one that decides
SMALL_KW, LARGE_KW = 1.0, 1e6  # below, a load is shown in W; from there on in MW


@dataclass(frozen=True)
class LoadUnit:
    """A unit of loads, and of their errors, with what one of it is in kW."""

    name: str
    kw: float

    @classmethod
    def of(cls, loads_kw: NDArray[np.float64]) -> Self:
        """Return the unit of loads as large as these, NaN where there is none: kW for most, W for a standby meter.

        A number has up to six digits before its point: no more than a column of a table has room for. A few readings
        that are off by far do not decide.
        """
        sizes_kw = np.abs(loads_kw[np.isfinite(loads_kw)])
        high_kw = float(np.quantile(sizes_kw, HIGH, method="higher")) if sizes_kw.size else 0.0
        if 0 < high_kw < SMALL_KW:
            return cls("W", 1e-3)
        return cls("MW", 1e3) if high_kw >= LARGE_KW else cls("kW", 1.0)

    def shown(self, kw: float) -> str:
        """Return a load as a number in the unit, with as many digits as people need."""
        return digits(kw / self.kw)

    def scaled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame whose columns that end in ``_kw`` are in the unit, under the same names."""
        return frame.assign(**{name: frame[name] / self.kw for name in frame.columns if name.endswith("_kw")})
