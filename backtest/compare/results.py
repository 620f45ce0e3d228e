"""One line of the comparison: what a model came to on a task, what it knew, and what it cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "KNOWS_DAY_OLD_LOAD",
    "KNOWS_LOAD",
    "KNOWS_WEATHER",
    "TARGETS",
    "Fingerprint",
    "ModelResult",
    "Target",
    "Warmed",
]

KNOWS_WEATHER = "the weather of the target hour, no load after the fit"
KNOWS_DAY_OLD_LOAD = "the weather of the target hour, and loads a day older"
KNOWS_LOAD = "the load up to the origin, no weather"


@dataclass(frozen=True)
class Target:
    """What the batch system was to reach: a bound of a figure."""

    figure: str
    shown: str
    bound: float
    below: bool

    def met(self, value: float) -> bool:
        """Tell whether a value is on the right side of the bound; NaN is not."""
        return value < self.bound if self.below else value > self.bound


TARGETS = (
    Target("rmse_kw", "RMSE < 4000 kW", 4000.0, below=True),
    Target("mape", "MAPE < 12 %", 0.12, below=True),
    Target("r2", "R2 > 0.9", 0.9, below=False),
)


class Fingerprint(NamedTuple):
    """What tells results of other data or code apart: the checksum of the data, and the version of the code."""

    data_sha256: str
    code_version: str


@dataclass(frozen=True)
class ModelResult:
    """What a model came to.

    Attributes
    ----------
    knows
        What it is given of the time that it speaks of.
    figures
        ``rmse_kw``, ``mae_kw``, ``mape`` (a ratio), ``r2``; NaN where one cannot be computed.
    lead_minutes
        How far ahead it speaks; None where that makes no difference to it.
    fit_cpu_s
        CPU seconds of all fits, of all threads; None where nothing is fitted.
    predict_us
        CPU microseconds of one answer, asked for among others; of the stream, one forecast of all leads.
    trained_on_this_data
        Whether it had seen readings of the days that it is scored on before it was asked.
    """

    model: str
    split: str
    knows: str
    figures: Mapping[str, float]
    fingerprint: Fingerprint
    lead_minutes: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fit_cpu_s: float | None = None
    predict_us: float | None = None
    trained_on_this_data: bool = False

    @property
    def verdicts(self) -> tuple[bool, ...]:
        """Whether each of ``TARGETS`` is met."""
        return tuple(target.met(self.figures[target.figure]) for target in TARGETS)

    def row(self) -> dict[str, Any]:
        """Return it as one flat row of a table; what cannot be computed is None."""
        return {
            "model": self.model,
            "split": self.split,
            "knows": self.knows,
            "lead_minutes": self.lead_minutes,
            **{name: None if math.isnan(value) else value for name, value in self.figures.items()},
            "fit_cpu_s": self.fit_cpu_s,
            "predict_us": self.predict_us,
            "trained_on_this_data": self.trained_on_this_data,
            **self.fingerprint._asdict(),
        }


@dataclass(frozen=True)
class Warmed:
    """What more degrees do to a model that is fitted: its RMSE on some rows as they are, and with them."""

    model: str
    rows: int
    warmer_c: float
    rmse_kw: float
    warmer_rmse_kw: float

    @property
    def growth(self) -> float:
        """By what share the RMSE grows."""
        return self.warmer_rmse_kw / self.rmse_kw - 1

    def to_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {**vars(self), "growth": self.growth}
