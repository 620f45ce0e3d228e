"""One ridge regression for every lead, learned together, forgetting exponentially, and at two speeds.

The forecast of lead h is linear in a row x of the origin, which all leads share, and a row z of the lead:
r = x' beta_h + z' gamma_h. Its normal equations have the blocks

    | A    B_h |   | beta_h  |     | b_h |        A   = sum w x x'     b_h = sum w x r
    | B_h' C_h | * | gamma_h |  =  | c_h | ,      B_h = sum w x z'     c_h = sum w z r      C_h = sum w z z' .

Only B, C, b and c differ between leads, so one Cholesky factor of A = L L' serves all of them: with W = L^-1 [B | b],
the Schur complement of A gives gamma = (C - W_B' W_B)^-1 (c - W_B' W_b) and beta = L'^-1 (W_b - W_B gamma). A ridge in
proportion to the diagonal, rho diag(A) and rho diag(C), makes the shrinkage independent of the units of the columns.

Weights w halve every so many days: recursive least squares with a forgetting factor, here in its information form,
which is exact, cannot blow up, and costs one solve a day. How fast to forget depends on whether the load has just
changed, which nobody knows; so there is a short and a long memory, and the forecast is their mean, which beats either.
It costs nothing to serve: a mean of linear forecasts is the forecast of the mean weights.

References
----------
L. Ljung, System Identification: Theory for the User, 2nd ed., 1999, ch. 11 (recursive least squares, forgetting).
G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, ch. 3-4 (block elimination).
M. H. Pesaran and A. Timmermann, Selection of estimation window in the presence of breaks, Journal of Econometrics 137,
2007 (averaging forecasts over estimation windows).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

if TYPE_CHECKING:
    from shared.forecasting.method import RegressionConstants

__all__ = ["ADAPTED", "FROZEN", "LeadRegression"]

Floats = NDArray[np.float64]
Sums = NDArray[np.float32]

ADAPTED, FROZEN = range(2)  # rows of the weights
_NOISE = 1e-9  # a sum of squares; of loads, in units of the zone's resolution


@dataclass
class LeadRegression:
    """The sums of the normal equations in each memory, the weights that they gave last, and those once frozen.

    The label is kept as one more column of the lead's row, [z | r]: so ``cross`` holds [B | b] of all leads side by
    side, and ``own`` holds [[C, c], [c', sum w r r]] of each. They are kept in single precision, which halves the
    state, and so is the large block W; what is solved is solved in double.
    """

    origin_width: int
    lead_width: int
    leads: int
    load_width: int  # the first columns of an origin's row, which are loads and have a limit
    load_columns: tuple[int, int]  # how many of the first columns of an origin's and of a lead's row are made of loads
    rows_a_day: int
    constants: RegressionConstants
    shared: Sums = field(init=False)  # A, (memories, origin_width, origin_width)
    cross: Sums = field(init=False)  # (memories, origin_width, leads * (lead_width + 1))
    own: Sums = field(init=False)  # (memories, leads, lead_width + 1, lead_width + 1)
    weight: Floats = field(init=False)  # (memories,): sum of the weights of the rows
    beta: Floats = field(init=False)  # (adapted and frozen, leads, origin_width)
    gamma: Floats = field(init=False)  # (adapted and frozen, leads, lead_width)
    limit: Floats = field(init=False)  # (load_width,): ``clip_rms`` times the root mean square of a load column

    def __post_init__(self) -> None:
        memories = len(self.constants.half_lives_days)
        self.shared = np.zeros((memories, self.origin_width, self.origin_width), dtype=np.float32)
        self.cross = np.zeros((memories, self.origin_width, self.leads * (self.lead_width + 1)), dtype=np.float32)
        self.own = np.zeros((memories, self.leads, self.lead_width + 1, self.lead_width + 1), dtype=np.float32)
        self.weight = np.zeros(memories)
        self.beta = np.full((2, self.leads, self.origin_width), np.nan)
        self.gamma = np.full((2, self.leads, self.lead_width), np.nan)
        self.limit = np.full(self.load_width, np.inf)

    @property
    def learned(self) -> bool:
        """Whether a day has been learned."""
        return bool(self.weight[0] > 0.0)

    def freeze(self) -> None:
        """Keep the weights as they are, beside those that go on adapting."""
        self.beta[FROZEN], self.gamma[FROZEN] = self.beta[ADAPTED], self.gamma[ADAPTED]

    def fold(
        self, origin_rows: Floats, lead_rows: Floats, labels: Floats, good: NDArray[np.bool_], unit_kw: float = 1.0
    ) -> None:
        """Learn a day: forget a little, add the good rows of a block, and solve.

        The block always has the same shape, and what is not good weighs zero, so that the sums come out the same to the
        bit however the readings arrived. A day without a good row forgets nothing.

        Parameters
        ----------
        origin_rows, lead_rows, labels
            The origins' rows, (rows, origin_width), their leads', (rows, leads, lead_width), and what the base left
            unexplained at their targets, (rows, leads), in kW. The load columns of the former are within ``limit``.
        good
            Which rows count, (rows,).
        unit_kw
            That of the zone's resolution.
        """
        if not good.any():
            return
        left = (origin_rows * good[:, None]).astype(np.float32)
        right = np.empty((*labels.shape, self.lead_width + 1), dtype=np.float32)
        np.multiply(lead_rows, good[:, None, None], out=right[..., :-1], casting="same_kind")
        np.multiply(labels, good[:, None], out=right[..., -1], casting="same_kind")
        shared = left.T @ left
        cross = left.T @ right.reshape(len(right), -1)
        by_lead = np.ascontiguousarray(right.swapaxes(0, 1))
        own = by_lead.swapaxes(1, 2) @ by_lead
        kept = 0.5 ** (1.0 / np.array(self.constants.half_lives_days))
        self.weight = kept * self.weight + float(np.count_nonzero(good))
        for memory, share in enumerate(kept.astype(np.float32)):
            self.shared[memory] = share * self.shared[memory] + shared
            self.cross[memory] = share * self.cross[memory] + cross
            self.own[memory] = share * self.own[memory] + own
        self._solve(unit_kw)

    def _solve(self, unit_kw: float) -> None:
        solved = [self._solved(memory, unit_kw) for memory in range(len(self.constants.half_lives_days))]
        self.beta[ADAPTED] = np.mean([beta for beta, _ in solved], axis=0)
        self.gamma[ADAPTED] = np.mean([gamma for _, gamma in solved], axis=0)
        squares = np.diagonal(self.shared, axis1=1, axis2=2)[:, : self.load_width] / self.weight[:, None]
        self.limit[:] = self.constants.clip_rms * np.sqrt(squares.mean(axis=0))

    def _solved(self, memory: int, unit_kw: float) -> tuple[Floats, Floats]:
        """Return beta, (leads, origin_width), and gamma, (leads, lead_width), of one memory."""
        constants = self.constants
        ridge = constants.ridge + constants.ridge_of_one_day * (self.rows_a_day / self.weight[memory]) ** 2
        label = self.lead_width
        shared, own = self.shared[memory].astype(np.float64), self.own[memory].astype(np.float64)
        for gram, loads in zip((shared, own), self.load_columns, strict=True):
            _add_ridge(gram, ridge, loads, unit_kw)
        factor = np.linalg.cholesky(shared).astype(np.float32)
        half = solve_triangular(factor, self.cross[memory], lower=True, check_finite=False)
        by_lead = np.ascontiguousarray(half.reshape(self.origin_width, self.leads, label + 1).swapaxes(0, 1))
        left = own - by_lead.swapaxes(1, 2) @ by_lead
        gamma = np.linalg.solve(left[:, :label, :label], left[:, :label, label:])[:, :, 0]
        rest = by_lead[:, :, label] - np.matvec(by_lead[:, :, :label], gamma)
        beta = solve_triangular(factor, rest.T, lower=True, trans="T", check_finite=False).T
        return beta, gamma


def _add_ridge(gram: Floats, share: float, loads: int, unit_kw: float) -> None:
    """Add to the matrices a share of their diagonals, and one unit where a column was never seen.

    A column that was seen only where it is zero but for rounding (a cosine at six) was never seen. So many of the first
    columns are made of loads.
    """
    diagonal = np.einsum("...ii->...i", gram)
    unit = np.ones(diagonal.shape[-1])
    unit[:loads] = unit_kw * unit_kw
    diagonal += np.where(diagonal > _NOISE * unit, share * diagonal, unit)
