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

What a column means changes with the time of day, so the sums are kept for each of a few windows of the day
(:mod:`shared.forecasting.windows`): a row counts in each by its share. And a row from which the forecasts were far off
counts less, v = 1 / (1 + (e / (c E))^2), for its error e beside the usual one E: the weight that maximum likelihood
gives to errors with the tails of a Cauchy distribution.

References
----------
L. Ljung, System Identification: Theory for the User, 2nd ed., 1999, ch. 11 (recursive least squares, forgetting).
G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, ch. 3-4 (block elimination).
M. H. Pesaran and A. Timmermann, Selection of estimation window in the presence of breaks, Journal of Econometrics 137,
2007 (averaging forecasts over estimation windows).
P. W. Holland and R. E. Welsch, Robust regression using iteratively reweighted least-squares, Communications in
Statistics 6, 1977 (the weights; here one step a day, from the errors of what was forecast).
T. Hastie and R. Tibshirani, Varying-coefficient models, Journal of the Royal Statistical Society B 55, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.blas import strsm

from shared.forecasting.windows import windows

if TYPE_CHECKING:
    from shared.forecasting.method import RegressionConstants

__all__ = ["ADAPTED", "FROZEN", "LeadRegression"]

Floats = NDArray[np.float64]
Sums = NDArray[np.float32]

ADAPTED, FROZEN = range(2)  # rows of the weights
_USUAL_WEIGHT = 0.8  # about that of the rows of a usual day, were it not divided by it
_NOISE = 1e-9  # a sum of squares; of loads, in units of the zone's resolution


@dataclass
class LeadRegression:
    """The sums of the normal equations in each memory and window, the weights that they gave last, and those frozen.

    The label is kept as one more column of the lead's row, [z | r]: so ``cross`` holds [B | b] of all leads side by
    side, and ``own`` holds [[C, c], [c', sum w r r]] of each. Of what is symmetric the upper triangle is kept. They are
    kept in single precision, which halves the state, and so is the large block W; what is solved is solved in double.
    """

    origin_width: int
    lead_width: int
    leads: int
    load_width: int  # the first columns of an origin's row, which are loads and have a limit
    load_columns: tuple[int, int]  # how many of the first columns of an origin's and of a lead's row are made of loads
    rows_a_day: int
    constants: RegressionConstants
    shared: Sums = field(init=False)  # A, (memories, windows, half of origin_width x origin_width)
    cross: Sums = field(init=False)  # (memories, windows, origin_width, leads * (lead_width + 1))
    own: Sums = field(init=False)  # (memories, windows, leads, half of (lead_width + 1) x (lead_width + 1))
    squares: Floats = field(init=False)  # (memories, load_width): sums of the squares of the load columns
    weight: Floats = field(init=False)  # (memories,): sum of the weights of the rows, but for window and robustness
    beta: Floats = field(init=False)  # (adapted and frozen, windows, leads, origin_width)
    gamma: Floats = field(init=False)  # (adapted and frozen, windows, leads, lead_width)
    limit: Floats = field(init=False)  # (load_width,): ``clip_rms`` times the root mean square of a load column
    daily_error_kw: Floats = field(init=False)  # (days,): mean errors of the last days learned, NaN for none

    def __post_init__(self) -> None:
        constants, joined = self.constants, self.lead_width + 1
        sums = memories, count = len(constants.half_lives_days), constants.windows
        self._windows = windows(self.rows_a_day, count)
        self._kept = 0.5 ** (1.0 / np.array(constants.half_lives_days))
        self._upper, self._whole = _triangle(self.origin_width)
        self._own_upper, self._own_whole = _triangle(joined)
        self.shared = np.zeros((*sums, len(self._upper)), dtype=np.float32)
        self.cross = np.zeros((*sums, self.origin_width, self.leads * joined), dtype=np.float32)
        self.own = np.zeros((*sums, self.leads, len(self._own_upper)), dtype=np.float32)
        self.squares = np.zeros((memories, self.load_width))
        self.weight = np.zeros(memories)
        self.beta = np.full((2, count, self.leads, self.origin_width), np.nan)
        self.gamma = np.full((2, count, self.leads, self.lead_width), np.nan)
        self.limit = np.full(self.load_width, np.inf)
        self.daily_error_kw = np.full(constants.usual_days, np.nan)

    @property
    def learned(self) -> bool:
        """Whether a day has been learned."""
        return bool(self.weight[0] > 0.0)

    def freeze(self) -> None:
        """Keep the weights as they are, beside those that go on adapting."""
        self.beta[FROZEN], self.gamma[FROZEN] = self.beta[ADAPTED], self.gamma[ADAPTED]

    def rescale(self, ratio: float) -> None:
        """Follow a lasting shift: larger loads have larger errors."""
        self.daily_error_kw *= ratio

    def fold(
        self,
        origin_rows: Floats,
        lead_rows: Floats,
        labels: Floats,
        good: NDArray[np.bool_],
        error_kw: Floats,
        unit_kw: float = 1.0,
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
        error_kw
            The mean error of what was forecast from these origins, (rows,), NaN where nothing was.
        unit_kw
            That of the zone's resolution.
        """
        if not good.any():
            return
        count = float(np.count_nonzero(good))
        squares = np.add.reduce(np.where(good[:, None], origin_rows[:, : self.load_width], 0.0) ** 2, axis=0)
        self.weight = self._kept * self.weight + count
        self.squares = self._kept[:, None] * self.squares + squares
        root = np.sqrt(self._robust(good, error_kw)[:, None] * self._windows.share).astype(np.float32)
        rows = np.concatenate((lead_rows, labels[..., None]), axis=2, dtype=np.float32, casting="same_kind")
        kept = self._kept.astype(np.float32)
        self.shared *= kept[:, None, None]
        self.cross *= kept[:, None, None, None]
        self.own *= kept[:, None, None, None]
        for window, steps in enumerate(self._windows.steps):
            weight = root[steps, window]
            left = origin_rows[steps].astype(np.float32) * weight[:, None]
            right = rows[steps] * weight[:, None, None]
            by_lead = np.ascontiguousarray(right.swapaxes(0, 1))
            self.shared[:, window] += (left.T @ left).reshape(-1)[self._upper]
            self.cross[:, window] += left.T @ right.reshape(len(right), -1)
            self.own[:, window] += (by_lead.swapaxes(1, 2) @ by_lead).reshape(self.leads, -1)[:, self._own_upper]
        self._solve(unit_kw)

    def _robust(self, good: NDArray[np.bool_], error_kw: Floats) -> Floats:
        """Return what each row weighs: less, the farther its forecasts were off, zero where it is not good, (rows,)."""
        known = good & np.isfinite(error_kw)
        weights = good.astype(np.float64)
        if not known.any():
            return weights
        before, today = self.daily_error_kw, float(error_kw[known].mean())
        seen = np.isfinite(before)
        usual = float(before[seen].mean()) if seen.any() else today
        if usual > 0.0:
            weights[known] = (
                1.0 / (1.0 + (error_kw[known] / (self.constants.robust_errors * usual)) ** 2) / _USUAL_WEIGHT
            )
        self.daily_error_kw[:-1] = before[1:]
        self.daily_error_kw[-1] = today
        return weights

    def _solve(self, unit_kw: float) -> None:
        for window in range(self.constants.windows):
            solved = [self._solved(memory, window, unit_kw) for memory in range(len(self.weight))]
            self.beta[ADAPTED, window] = np.mean([beta for beta, _ in solved], axis=0)
            self.gamma[ADAPTED, window] = np.mean([gamma for _, gamma in solved], axis=0)
        self.limit[:] = self.constants.clip_rms * np.sqrt((self.squares / self.weight[:, None]).mean(axis=0))

    def _solved(self, memory: int, window: int, unit_kw: float) -> tuple[Floats, Floats]:
        """Return beta, (leads, origin_width), and gamma, (leads, lead_width), of one memory and window."""
        ridge = self.constants.ridges[memory]
        ridge += self.constants.ridge_of_one_day * (self.rows_a_day / self.weight[memory]) ** 2
        label = self.lead_width
        shared = self.shared[memory, window].astype(np.float64).take(self._whole)
        own = self.own[memory, window].astype(np.float64).take(self._own_whole, axis=1)
        for gram, loads in zip((shared, own), self.load_columns, strict=True):
            _add_ridge(gram, ridge, loads, unit_kw)
        factor = np.linalg.cholesky(shared).astype(np.float32)
        # L W = cross, solved from the right as W' L' = cross': the rows of both are in the order that BLAS wants
        half = strsm(1.0, factor.T, self.cross[memory, window].T, side=1).T
        by_lead = np.ascontiguousarray(half.reshape(self.origin_width, self.leads, label + 1).swapaxes(0, 1))
        left = own - by_lead.swapaxes(1, 2) @ by_lead
        gamma = np.linalg.solve(left[:, :label, :label], left[:, :label, label:])[:, :, 0]
        rest = by_lead[:, :, label] - np.matvec(by_lead[:, :, :label], gamma)
        beta = solve_triangular(factor, rest.T, lower=True, trans="T", check_finite=False).T
        return beta, gamma


def _triangle(width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the upper triangle of a square matrix stands among its entries, and where each entry in it."""
    row, column = np.triu_indices(width)
    places = np.empty((width, width), dtype=np.intp)
    places[row, column] = places[column, row] = np.arange(len(row))
    return row * width + column, places


def _add_ridge(gram: Floats, share: float, loads: int, unit_kw: float) -> None:
    """Add to the matrices a share of their diagonals, and one unit where a column was never seen.

    A column that was seen only where it is zero but for rounding (a cosine at six) was never seen. So many of the first
    columns are made of loads.
    """
    diagonal = np.einsum("...ii->...i", gram)
    unit = np.ones(diagonal.shape[-1])
    unit[:loads] = unit_kw * unit_kw
    diagonal += np.where(diagonal > _NOISE * unit, share * diagonal, unit)
