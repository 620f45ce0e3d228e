"""One ridge regression for every lead, learned together and forgetting exponentially.

The forecast of lead h is linear in a row x of the origin, which all leads share, and a row z of the lead:
r = x' beta_h + z' gamma_h. Its normal equations have the blocks

    | A    B_h |   | beta_h  |     | b_h |        A   = sum w x x'     b_h = sum w x r
    | B_h' C_h | * | gamma_h |  =  | c_h | ,      B_h = sum w x z'     c_h = sum w z r      C_h = sum w z z' .

Only B, C, b and c differ between leads, so one factor of A serves all of them: with S = A^-1 [B | b] the Schur
complement of A gives gamma = (C - B' S_B)^-1 (c - B' S_b) and beta = S_b - S_B gamma. A ridge in proportion to the
diagonal, rho diag(A) and rho diag(C), makes the shrinkage independent of the units of the columns.

Weights w halve every ``half_life_days``: recursive least squares with a forgetting factor, here in its information
form, which is exact, cannot blow up, and costs one solve a day.

References
----------
L. Ljung, System Identification: Theory for the User, 2nd ed., 1999, ch. 11 (recursive least squares, forgetting).
G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, ch. 3-4 (block elimination).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["LeadRegression"]

Floats = NDArray[np.float64]

_RIDGE, _RIDGE_OF_ONE_DAY = 0.005, 30.0
_CLIP_RMS = 8.0


@dataclass
class LeadRegression:
    """The sums of the normal equations and the weights that they gave last.

    The label is kept as one more column of the lead's row, [z | r]: so ``cross`` holds [B | b] of all leads side by
    side, and ``own`` holds [[C, c], [c', sum w r r]] of each.
    """

    origin_width: int
    lead_width: int
    leads: int
    load_width: int  # the first columns of an origin's row, which are loads: a wild one is clipped
    rows_a_day: int
    half_life_days: float
    shared: Floats = field(init=False)  # A, (origin_width, origin_width)
    cross: Floats = field(init=False)  # (origin_width, leads * (lead_width + 1))
    own: Floats = field(init=False)  # (leads, lead_width + 1, lead_width + 1)
    weight: float = field(init=False, default=0.0)  # sum of the weights of the rows
    beta: Floats = field(init=False)  # (leads, origin_width)
    gamma: Floats = field(init=False)  # (leads, lead_width)
    limit: Floats = field(init=False)  # (origin_width,): eight times the root mean square of a load column

    def __post_init__(self) -> None:
        self.shared = np.zeros((self.origin_width, self.origin_width))
        self.cross = np.zeros((self.origin_width, self.leads * (self.lead_width + 1)))
        self.own = np.zeros((self.leads, self.lead_width + 1, self.lead_width + 1))
        self.beta = np.zeros((self.leads, self.origin_width))
        self.gamma = np.zeros((self.leads, self.lead_width))
        self.limit = np.full(self.origin_width, np.inf)

    def predict(self, origin_row: Floats, lead_rows: Floats) -> Floats:
        """Return the residual of the base of each lead, (leads,), from (origin_width,) and (leads, lead_width)."""
        rest: Floats = self.beta @ self._clipped(origin_row) + np.vecdot(lead_rows, self.gamma)
        return rest

    def fold(self, origin_rows: Floats, lead_rows: Floats, labels: Floats, good: NDArray[np.bool_]) -> None:
        """Learn a day: forget a little, add the good rows of a block, and solve.

        The block always has the same shape, and what is not good weighs zero, so that the sums come out the same to the
        bit however the readings arrived. A day without a good row forgets nothing.

        Parameters
        ----------
        origin_rows, lead_rows, labels
            The origins' rows, (rows, origin_width), their leads', (rows, leads, lead_width), and what the base left
            unexplained at their targets, (rows, leads), in kW.
        good
            Which rows count, (rows,).
        """
        if not good.any():
            return
        left = self._clipped(origin_rows) * good[:, None]
        right = np.concatenate((lead_rows, labels[:, :, None]), axis=2) * good[:, None, None]
        kept = 0.5 ** (1.0 / self.half_life_days)
        self.weight = kept * self.weight + float(np.count_nonzero(good))
        self.shared *= kept
        self.cross *= kept
        self.own *= kept
        self.shared += left.T @ left
        self.cross += left.T @ right.reshape(len(right), -1)
        self.own += right.transpose(1, 2, 0) @ right.transpose(1, 0, 2)
        self._solve()

    def _solve(self) -> None:
        ridge = _RIDGE + _RIDGE_OF_ONE_DAY * (self.rows_a_day / self.weight) ** 2
        label, by_lead = self.lead_width, (self.origin_width, self.leads, self.lead_width + 1)
        solved = np.linalg.solve(self.shared + _ridge(self.shared, ridge), self.cross)
        solved = solved.reshape(by_lead).transpose(1, 0, 2)
        explained = self.cross.reshape(by_lead).transpose(1, 2, 0) @ solved
        left = self.own - explained + _ridge(self.own, ridge)
        self.gamma[:] = np.linalg.solve(left[:, :label, :label], left[:, :label, label:])[:, :, 0]
        self.beta[:] = solved[:, :, label] - np.matvec(solved[:, :, :label], self.gamma)
        loads = slice(self.load_width)
        self.limit[loads] = _CLIP_RMS * np.sqrt(np.diagonal(self.shared)[loads] / self.weight)

    def _clipped(self, origin_rows: Floats) -> Floats:
        return np.minimum(np.maximum(origin_rows, -self.limit), self.limit)


def _ridge(gram: Floats, share: float) -> Floats:
    """Return what to add to the matrices: a share of their diagonals, and one where a column was never seen."""
    diagonal = np.diagonal(gram, axis1=-2, axis2=-1)
    return np.where(diagonal > 0.0, share * diagonal, 1.0)[..., None] * np.eye(gram.shape[-1])
