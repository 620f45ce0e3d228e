"""The two batch models as the trainer sees them: fit, save, load, and score on what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np

from shared.forecasting.calendar import Calendar
from shared.forecasting.model import ZoneDemand
from shared.forecasting.scores import ABSENT, Term, figures_of, grouped, pair_terms, r2_of, to_tenths
from shared.forecasting.weather import COLUMNS, WeatherDemand
from shared.runtime.registry import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from services.trainer.history import History

__all__ = ["CANDIDATES", "Candidate", "WeatherCandidate", "ZoneCandidate"]

_SHOWN = ("rmse_kw", "mae_kw", "mape", "bias_kw")


class Candidate(Protocol):
    """One fitted state; its ``criterion`` names the score, lower is better, that decides a promotion."""

    kind: ClassVar[str]
    criterion: ClassVar[str]
    signature: ClassVar[Signature]

    @classmethod
    def fit(cls, history: History, progress: Callable[[float], None]) -> Self:
        """Fit on the rows that have been seen; ``progress`` is told the share done, 0..1."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; raises ``ValueError`` where this program cannot use it."""

    def save(self, folder: Path) -> None:
        """Write the whole state into the folder."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What it was fitted with."""

    def score(self, history: History, progress: Callable[[float], None]) -> dict[str, float]:
        """Fold on from where the state stands to the end, each reading answered before the next is seen.

        Returns the figures over the pairs whose origin and target lie after the rows that have been seen; what cannot be computed is left out.
        """


class ZoneCandidate:
    """``zone-demand``, scored at its lead groups."""

    kind: ClassVar[str] = "zone-demand"
    criterion: ClassVar[str] = "rmse_kw/mean"
    signature: ClassVar[Signature] = Signature(
        inputs={"step": "long", "demand_kw": "double"},
        outputs={"median_kw": "doubles", "low_kw": "doubles", "high_kw": "doubles"},
    )

    def __init__(self, model: ZoneDemand) -> None:
        self._model = model

    @classmethod
    def fit(cls, history: History, progress: Callable[[float], None]) -> Self:
        """Feed the readings day by day, which is the same as at once."""
        site = history.site
        calendar = Calendar(site.country, site.time_zone, site.holidays.add, site.holidays.remove)
        day = 24 * 60 // site.step_minutes
        model = ZoneDemand(calendar=calendar, step_minutes=site.step_minutes, horizon_steps=day)
        for row, demand_kw in enumerate(history.demand_kw[: history.seen].tolist()):
            model.partial_fit(history.first_step + row, demand_kw)
            if row % day == 0:
                progress(row / history.seen)
        return cls(model)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``state.npz``."""
        return cls(ZoneDemand.load(folder / "state.npz"))

    def save(self, folder: Path) -> None:
        """Write ``state.npz``."""
        self._model.save(folder / "state.npz")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The parameters of the model."""
        parameters: dict[str, object] = self._model.get_params(deep=False)
        return parameters
