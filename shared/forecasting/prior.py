"""What other sites or zones have taught, for a new one to begin with: the weights of one regression of all of them.

A zone that has just begun has days where its regression needs weeks. Loads differ in size far more than in habits: what
a deviation at noon means for the evening is much the same next door. So each zone is divided by its size, the median
size of its load; the sums of their normal equations are added up and solved at once. Weights of load columns are then
those of any zone, and weights of calendar columns are per kW of size. The ridge of a zone that borrows them shrinks
towards them instead of zero (:mod:`shared.forecasting.regression`), so they fade as its own weeks come in.

References
----------
D. V. Lindley, A. F. M. Smith, Bayes estimates for the linear model, Journal of the Royal Statistical Society B 34, 1972
(regressions of several groups that shrink towards a common one).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime  # noqa: TC003 - pydantic reads the annotations at run time
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from shared.forecasting import artefact
from shared.forecasting.features import LEAD_WIDTHS
from shared.forecasting.regression import Sums, Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from shared.forecasting.features import Features
    from shared.forecasting.method import RegressionConstants
    from shared.forecasting.regression import LeadRegression
    from shared.sites.grid import Grid

__all__ = ["VERSION", "Lesson", "Prior", "PriorSource"]

Floats = NDArray[np.float64]

VERSION = 2
"""Of the file."""

_KIND = "prior"
_LONGEST = -1  # the memory whose sums are pooled
_UNIT = 1e-6  # the resolution of a load of size 1


class Lesson(NamedTuple):
    """What one zone has learned, and how large its load was."""

    regression: LeadRegression
    size_kw: float

    def sums(self, window: int) -> Sums:
        """Return the sums of a window, those of the zone divided by its size."""
        shared, cross, own = self.regression.sums(_LONGEST, window)
        left, right = self._scales(self.regression.origin_width, 0), self._scales(self.regression.lead_width, 1)
        right = np.append(right, 1.0 / self.size_kw)  # the label
        by_lead = cross.reshape(len(left), -1, len(right)) * left[:, None, None] * right
        return Sums(shared * np.outer(left, left), by_lead.reshape(len(left), -1), own * np.outer(right, right))

    def _scales(self, width: int, row: int) -> Floats:
        scales = np.ones(width)
        scales[: self.regression.load_columns[row]] = 1.0 / self.size_kw
        return scales


@dataclass(frozen=True)
class PriorSource:
    """What a prior was trained on: the zones of some data, from a time on and before another, aware UTC."""

    data_sha256: str
    site: str
    zones: tuple[int, ...]
    begin: datetime
    until: datetime

    def __str__(self) -> str:
        zones = ", ".join(map(str, self.zones))
        return f"{self.site}, zones {zones}, {self.begin:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"

    def may_judge(self, data_sha256: str, zone: int, start: datetime) -> bool:
        """Tell whether a zone's readings from a time on are a fair test: no test scores what a prior was trained on.

        Zones of one place behave alike, so neither another zone's readings of the same time are.
        """
        return data_sha256 != self.data_sha256 or (zone not in self.zones and self.until <= start)


@dataclass(frozen=True)
class _Parameters:
    """What stands in the header of a state."""

    step_minutes: int
    horizon_steps: int
    source: PriorSource


@dataclass(frozen=True, eq=False)
class Prior:
    """Weights per kW of size, for zones with this step, so many leads and the regression's windows.

    Two with the same numbers and source are equal.

    Raises
    ------
    ValueError
        If the weights are of no such regression, or not finite.
    """

    weights: Weights
    step_minutes: int
    horizon_steps: int
    source: PriorSource

    def __post_init__(self) -> None:
        beta, gamma = self.weights
        if beta.ndim != 3 or gamma.ndim != 3 or beta.shape[:2] != gamma.shape[:2]:
            raise ValueError(f"weights are {beta.shape} and {gamma.shape}: use those of windows, leads and columns")
        if gamma.shape[2] not in LEAD_WIDTHS:
            raise ValueError(f"weights of {gamma.shape[2]} columns of a lead: use {' or '.join(map(str, LEAD_WIDTHS))}")
        if not (np.isfinite(beta).all() and np.isfinite(gamma).all()):
            raise ValueError("some weights are not finite")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prior) and self._plain == other._plain

    def __hash__(self) -> int:
        return hash(self._plain)

    @cached_property
    def _plain(self) -> tuple[object, ...]:
        arrays = ((part.shape, part.tobytes()) for part in self.weights)
        return self.step_minutes, self.horizon_steps, self.source, *arrays

    @classmethod
    def pooled(cls, lessons: Iterable[Lesson], step_minutes: int, horizon_steps: int, source: PriorSource) -> Self:
        """Return what all zones together have taught.

        Raises
        ------
        ValueError
            If there is no zone with a load that is not zero and has taught a day, or they are of several shapes.
        """
        taught = [lesson for lesson in lessons if lesson.size_kw > 0.0 and lesson.regression.weight[_LONGEST] > 0.0]
        if not taught:
            raise ValueError("no zone has learned a day of load that is not zero: give about two weeks of readings")
        first = taught[0].regression
        days = sum(lesson.regression.weight[_LONGEST] for lesson in taught) / first.rows_a_day
        constants = first.constants
        ridge = constants.ridges[_LONGEST] + constants.ridge_of_one_day / days**2
        solved = [
            _added([lesson.sums(window) for lesson in taught]).solved(ridge, first.load_columns, _UNIT)
            for window in range(constants.windows)
        ]
        beta, gamma = (np.stack(parts) for parts in zip(*solved, strict=True))
        return cls(Weights(beta, gamma), step_minutes, horizon_steps, source)

    def require_fit(self, step_minutes: int, horizon_steps: int) -> None:
        """Raise ``ValueError`` where it is for another step or horizon; the message says which."""
        _require_same("step_minutes", self.step_minutes, step_minutes)
        _require_same("horizon_steps", self.horizon_steps, horizon_steps)

    def weights_for(
        self, grid: Grid, horizon_steps: int, constants: RegressionConstants, features: Features
    ) -> Weights:
        """Return the share of the weights that a zone shrinks towards, for its rows.

        Those of Ramadan are zero where only one side has such columns.

        Raises
        ------
        ValueError
            If they are for another step, horizon or number of windows; the message says which.
        """
        beta, gamma = self.weights
        self.require_fit(grid.step_minutes, horizon_steps)
        _require_same("windows", len(beta), constants.windows)
        _require_same("origin columns", beta.shape[2], features.origin_width)
        fitting = np.zeros((*gamma.shape[:2], features.lead_width))
        shared = min(gamma.shape[2], features.lead_width)
        fitting[..., :shared] = gamma[..., :shared]
        return Weights(constants.prior_share * beta, constants.prior_share * fitting)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return it as arrays by name."""
        source = asdict(self.source) | {name: getattr(self.source, name).isoformat() for name in ("begin", "until")}
        parameters = {"step_minutes": self.step_minutes, "horizon_steps": self.horizon_steps, "source": source}
        beta, gamma = self.weights
        return {**artefact.headed(_KIND, VERSION, parameters), "beta": beta.copy(), "gamma": gamma.copy()}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the prior that :meth:`state` was asked of; raises ``ValueError`` that names what does not fit."""
        parameters = artefact.parameters_of(state, _KIND, VERSION)
        if odd := sorted(state.keys() ^ {artefact.HEADER, "beta", "gamma"}):
            raise ValueError(f"lacks or adds {', '.join(odd)}")
        given = artefact.checked(_Parameters, parameters)
        if odd := [name for name in ("beta", "gamma") if state[name].dtype.kind not in "fiu"]:
            raise ValueError(f"{odd[0]} holds {state[odd[0]].dtype}, no numbers")
        weights = Weights(state["beta"].astype(np.float64), state["gamma"].astype(np.float64))
        return cls(weights, given.step_minutes, given.horizon_steps, given.source)

    def save(self, path: Path) -> None:
        """Write it to one file (``.npz``)."""
        artefact.write(path, self.state())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote; raises ``ValueError`` that names the file where it is anything else."""
        return artefact.read(path, _KIND, cls.of_state, maker="tetouan train --prior FILE")


def _require_same(name: str, ours: int, theirs: int) -> None:
    if ours != theirs:
        raise ValueError(f"the prior has {name} {ours}, the zone {theirs}: train one on data like the zone's")


def _added(sums: Sequence[Sums]) -> Sums:
    shared, cross, own = (np.add.reduce(parts) for parts in zip(*sums, strict=True))
    return Sums(shared, cross, own)
