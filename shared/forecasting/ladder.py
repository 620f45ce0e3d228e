"""Which of several forecasts to send: the best that can be computed, and that has not been worse lately.

Every level forecasts from every origin, and is scored once the load is known. A lower level takes over a group of leads
where the better one cannot answer, or where its own error over the last days was clearly smaller; it gives back as soon
as it is smaller no more. So the choice does not flutter, and none is made on a handful of errors. This is tracking the
best expert (M. Herbster and M. K. Warmuth, Tracking the Best Expert, Machine Learning 32, 1998) with a strong prior for
the order of the ladder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.intervals import BLOCK_MINUTES

if TYPE_CHECKING:
    from shared.forecasting.method import LadderConstants
    from shared.sites.grid import Grid

__all__ = ["ADAPTED", "ANALOGUE", "CLIMATOLOGY", "FROZEN", "NAMES", "WEATHER", "Ladder", "LeadSpan"]

Floats = NDArray[np.float64]

Name = Literal["adapted", "frozen", "weather", "analogue", "climatology"]

NAMES: tuple[Name, ...] = ("adapted", "frozen", "weather", "analogue", "climatology")
ADAPTED, FROZEN, WEATHER, ANALOGUE, CLIMATOLOGY = range(len(NAMES))

_GROUP_MINUTES = (60, 360, 720, 1440)  # leads up to and including
_FEWEST_ERRORS = 24
_NEGLIGIBLE = 1.0  # squared error, in units of the zone's resolution


class LeadSpan(NamedTuple):
    """Leads from the first to the last, and the level that answers them."""

    first: int
    last: int
    level: int


@dataclass
class Ladder:
    """The squared errors of each level lately, beside those of the best one, and the level chosen for each group.

    Examples
    --------
    >>> from shared.forecasting.method import METHOD
    >>> from shared.sites.grid import Grid
    >>> ladder = Ladder(Grid(60), np.array([1, 6, 24]), METHOD.ladder)
    >>> ladder.choose([False, False, False, True, True])  # the first days: nothing that was fitted can answer
    >>> [(span.first, span.last, NAMES[span.level]) for span in ladder.spans()]
    [(1, 24, 'analogue')]
    """

    grid: Grid
    leads: NDArray[np.int64]
    constants: LadderConstants
    borrowed: int | None = None  # the level that needs no proof of its own: another site has given it
    square_kw2: Floats = field(init=False)  # (levels, groups)
    joint_kw2: Floats = field(init=False)  # (2, levels, groups): its own, and the first level's, where both answered
    errors: NDArray[np.int64] = field(init=False)  # (2, levels): how many lie behind the former, and the latter
    chosen: NDArray[np.int64] = field(init=False)  # (groups,)
    first: int = field(init=False, default=CLIMATOLOGY)  # the highest level that could be chosen then
    computable: NDArray[np.bool_] = field(init=False)  # (levels,): which could be computed then

    def __post_init__(self) -> None:
        horizon = int(self.leads[-1])
        self._ends = sorted({min(horizon, end) for end in self.grid.steps(*_GROUP_MINUTES)} | {horizon})
        starts = np.searchsorted(self.leads, self._ends[:-1], side="right")
        self._starts = np.concatenate(([0], starts))
        self._sizes = np.diff(np.append(self._starts, len(self.leads)))
        block = self.grid.steps(BLOCK_MINUTES)[0]
        self._newest = 1.0 - 0.5 ** (block / (self.constants.half_life_days * self.grid.day))
        self._better = self.constants.better_ratio**2  # of the squared error
        self._spans: list[LeadSpan] | None = None
        self._due = False  # errors are taken and a choice is made at the same reading: no state stands between them
        self.square_kw2 = np.zeros((len(NAMES), len(self._ends)))
        self.joint_kw2 = np.zeros((2, len(NAMES), len(self._ends)))
        self.errors = np.zeros((2, len(NAMES)), dtype=np.int64)
        self.chosen = np.full(len(self._ends), CLIMATOLOGY, dtype=np.int64)
        self.computable = np.zeros(len(NAMES), dtype=np.bool_)

    def learn(self, error_kw: Floats) -> None:
        """Take the absolute errors of one target a block, (levels, leads), NaN for a level without any."""
        self._due = True
        square = np.add.reduceat(error_kw * error_kw, self._starts, axis=1) / self._sizes
        known = square[:, 0] == square[:, 0]  # NaN differs from itself
        self.errors[0] += known
        self.errors[1] += known & known[ADAPTED]
        own, joint = np.maximum(1.0 / np.maximum(self.errors, 1), self._newest)[:, :, None]
        np.add(self.square_kw2, (square - self.square_kw2) * own, out=self.square_kw2, where=known[:, None])
        if known[ADAPTED]:
            pair = np.stack((square, np.broadcast_to(square[ADAPTED], square.shape)))
            np.add(self.joint_kw2, (pair - self.joint_kw2) * joint, out=self.joint_kw2, where=known[:, None])

    def choose(self, computable: list[bool], unit_kw: float = 1.0) -> None:
        """Choose the level of each group, after every block and whenever another set can be computed; the last can.

        Errors well below ``unit_kw`` tell nothing.
        """
        if self._due or computable != self.computable.tolist():
            self._due = False
            self.computable[:] = computable
            self.chosen[:] = self._choice(computable, _NEGLIGIBLE * unit_kw * unit_kw)
            self._spans = None

    def _choice(self, computable: list[bool], negligible_kw2: float) -> list[int]:
        proven = (self.errors >= _FEWEST_ERRORS).tolist()
        # what was fitted must have shown what it is worth; a rule needs no proof
        levels = [
            level
            for level, can in enumerate(computable)
            if can and (proven[0][level] or level >= ANALOGUE or level == self.borrowed)
        ]
        first = levels[0]
        if first == ADAPTED:
            ours, theirs, judged = self.joint_kw2[0], self.joint_kw2[1], proven[1]
        else:
            ours, theirs, judged = self.square_kw2, self.square_kw2[first], proven[0]
        others = [level for level in levels[1:] if judged[level] and judged[first]]
        share = (ours + negligible_kw2) / (theirs + negligible_kw2)
        # what was chosen in place of another level than the first one has not been found better than that
        now = self.chosen.tolist() if first == self.first else [first] * len(self._ends)
        self.first = first
        return [self._best(first, others, now[group], by_level) for group, by_level in enumerate(share.T.tolist())]

    def _best(self, first: int, others: list[int], now: int, share: list[float]) -> int:
        """Return the best of those whose error is clearly less, of the one chosen now less at all; else the first."""
        better = [level for level in others if share[level] < (1.0 if level == now else self._better)]
        return min(better, key=share.__getitem__, default=first)

    def spans(self) -> list[LeadSpan]:
        """Return which level answers which leads, neighbours with the same level together."""
        if self._spans is None:
            self._spans = self._joined()
        return self._spans

    def _joined(self) -> list[LeadSpan]:
        starts = [1, *(end + 1 for end in self._ends[:-1])]
        groups = zip(starts, self._ends, self.chosen.tolist(), strict=True)
        same = (list(members) for _, members in groupby(groups, key=lambda group: group[2]))
        return [LeadSpan(members[0][0], members[-1][1], members[0][2]) for members in same]

    def lately_kw(self, span: LeadSpan) -> tuple[float, float]:
        """Return the root mean square errors that speak for a lower level, its own and the first level's.

        They are over the same targets of the last days, at the longest leads of the span.
        """
        group = int(np.searchsorted(self._ends, span.last))
        ours, theirs = np.sqrt(self.joint_kw2[:, span.level, group]).tolist()
        return ours, theirs
