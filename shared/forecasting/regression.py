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

The weights may shrink towards others than zero, which another site has taught (:mod:`shared.forecasting.prior`): with
beta_0 and gamma_0 for those, rho diag(A) beta_0 is added to b and rho diag(C) gamma_0 to c. So they are what is served
before the first day, what a column never seen keeps, and what fades as the own days come in.

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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.blas import strsm

from shared.forecasting.ladder import ADAPTED, FROZEN
from shared.forecasting.windows import windows

if TYPE_CHECKING:
    from shared.forecasting.method import RegressionConstants

__all__ = ["LeadRegression", "Sums", "Weights"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_USUAL_WEIGHT = 0.8  # about that of the rows of a usual day, were it not divided by it
_NOISE = 1e-9  # a sum of squares; of loads, in units of the zone's resolution


class Weights(NamedTuple):
    """What an origin's row and its leads' are multiplied by, in each window."""

    beta: Floats  # (windows, leads, origin_width)
    gamma: Floats  # (windows, leads, lead_width)

    def of_size(self, size_kw: float, load_columns: tuple[int, int]) -> Weights:
        """Return weights per kW of a zone's size as those of a zone: those of load columns are the same in both."""
        beta, gamma = self.beta.copy(), self.gamma.copy()
        for weights, loads in zip((beta, gamma), load_columns, strict=True):
            weights[..., loads:] *= size_kw
        return Weights(beta, gamma)

    def of_window(self, window: int) -> tuple[Floats, Floats]:
        """Return those of one window, (leads, origin_width) and (leads, lead_width)."""
        return self.beta[window], self.gamma[window]


class Sums(NamedTuple):
    """The sums of one memory and window."""

    shared: Floats  # A, (origin_width, origin_width)
    cross: NDArray[np.floating]  # [B | b] of all leads side by side, (origin_width, leads * (lead_width + 1))
    own: Floats  # [[C, c], [c', sum w r r]] of each lead, (leads, lead_width + 1, lead_width + 1)

    def solved(
        self,
        ridge: float,
        load_columns: tuple[int, int],
        unit_kw: float,
        towards: tuple[Floats, Floats] | None = None,
    ) -> tuple[Floats, Floats]:
        """Return beta, (leads, origin_width), and gamma, (leads, lead_width); the sums are not to be used again.

        Parameters
        ----------
        ridge
            What is added to the diagonals, as a share of them.
        load_columns
            How many of the first columns of an origin's and of a lead's row are made of loads.
        unit_kw
            The resolution of the loads.
        towards
            The weights that the ridge shrinks towards, of the same shapes as those returned; None for zero.
        """
        shared, cross, own = self
        leads, joined = own.shape[:2]
        label = joined - 1
        added = [
            _add_ridge(gram, ridge, loads, unit_kw) for gram, loads in zip((shared, own), load_columns, strict=True)
        ]
        if towards is not None:
            beta, gamma = towards
            cross = cross.astype(np.float64)
            cross.reshape(-1, leads, joined)[:, :, label] += added[0][:, None] * beta.T
            own[:, :label, label] += added[1][:, :label] * gamma
        factor = np.linalg.cholesky(shared).astype(np.float32)
        # L W = cross, solved from the right as W' L' = cross': the rows of both are in the order that BLAS wants
        half = strsm(1.0, factor.T, cross.astype(np.float32, copy=False).T, side=1).T
        by_lead = np.ascontiguousarray(half.reshape(-1, leads, joined).swapaxes(0, 1))
        left = own - by_lead.swapaxes(1, 2) @ by_lead
        gamma = np.linalg.solve(left[:, :label, :label], left[:, :label, label:])[:, :, 0]
        rest = by_lead[:, :, label] - np.matvec(by_lead[:, :, :label], gamma)
        beta = solve_triangular(factor, rest.T, lower=True, trans="T", check_finite=False).T
        return beta, gamma


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
    prior: Weights | None = None  # per kW of size: shrunk towards; None for zero
    ahead_steps: int = 0  # of the site's clock to UTC
    shared: Singles = field(init=False)  # A, (memories, windows, half of origin_width x origin_width)
    cross: Singles = field(init=False)  # (memories, windows, origin_width, leads * (lead_width + 1))
    own: Singles = field(init=False)  # (memories, windows, leads, half of (lead_width + 1) x (lead_width + 1))
    squares: Floats = field(init=False)  # (memories, load_width): sums of the squares of the load columns
    weight: Floats = field(init=False)  # (memories,): sum of the weights of the rows, but for window and robustness
    beta: Floats = field(init=False)  # (adapted and frozen, windows, leads, origin_width)
    gamma: Floats = field(init=False)  # (adapted and frozen, windows, leads, lead_width)
    limit: Floats = field(init=False)  # (load_width,): ``clip_rms`` times the root mean square of a load column
    daily_error_kw: Floats = field(init=False)  # (days,): mean errors of the last days learned, NaN for none

    def __post_init__(self) -> None:
        self.changes = 0  # how often any of these has changed: that is not often, and they are large
        constants, joined = self.constants, self.lead_width + 1
        sums = memories, count = len(constants.half_lives_days), constants.windows
        self._windows = windows(self.rows_a_day, count, self.ahead_steps)
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
        """Whether a day has been learned, or a prior stands in for it."""
        return not np.isnan(self.beta[ADAPTED, 0, 0, 0])

    def freeze(self) -> None:
        """Keep the weights as they are, beside those that go on adapting."""
        self.changes += 1
        self.beta[FROZEN], self.gamma[FROZEN] = self.beta[ADAPTED], self.gamma[ADAPTED]

    def borrow(self, size_kw: float) -> None:
        """Answer with the prior, where there is one, as long as no day has been learned."""
        if self.prior is not None and not self.weight[0]:
            self.changes += 1
            self.beta[ADAPTED], self.gamma[ADAPTED] = self.prior.of_size(size_kw, self.load_columns)

    def rescale(self, ratio: float) -> None:
        """Follow a lasting shift: larger loads have larger errors."""
        self.changes += 1
        self.daily_error_kw *= ratio

    def resize(self, ratio: float) -> None:
        """Take all loads that were learned for so many times as large.

        The weights of what is made of loads stay, those of the calendar go with the loads.
        """
        self.changes += 1
        self.limit *= ratio
        self.squares *= ratio * ratio
        origin, lead = (np.ones(width) for width in (self.origin_width, self.lead_width + 1))
        for columns, weights, loads in zip((origin, lead), (self.beta, self.gamma), self.load_columns, strict=True):
            columns[:loads] = ratio
            weights[..., loads:] *= ratio
        lead[-1] = ratio  # the label
        self.shared *= np.outer(origin, origin).reshape(-1)[self._upper]
        self.cross *= np.outer(origin, np.tile(lead, self.leads))
        self.own *= np.outer(lead, lead).reshape(-1)[self._own_upper]

    def fold(
        self,
        origin_rows: Floats,
        lead_rows: Floats,
        labels: Floats,
        good: NDArray[np.bool_],
        error_kw: Floats,
        unit_kw: float = 1.0,
        size_kw: float = 1.0,
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
        size_kw
            How large the load of the zone is, which the calendar columns of a prior go by.
        """
        if not good.any():
            return
        self.changes += 1
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
        self._solve(unit_kw, size_kw)

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

    def sums(self, memory: int, window: int) -> Sums:
        """Return the sums of one memory and window, a copy but for ``cross``."""
        shared = self.shared[memory, window].astype(np.float64).take(self._whole)
        own = self.own[memory, window].astype(np.float64).take(self._own_whole, axis=1)
        return Sums(shared, self.cross[memory, window], own)

    def ridge(self, memory: int) -> float:
        """Return what is added to the diagonals of one memory, as a share of them."""
        constants = self.constants
        of_one_day = constants.ridge_of_one_day if self.prior is None else constants.prior_of_one_day
        return constants.ridges[memory] + of_one_day * (self.rows_a_day / float(self.weight[memory])) ** 2

    def _solve(self, unit_kw: float, size_kw: float) -> None:
        prior = None if self.prior is None else self.prior.of_size(size_kw, self.load_columns)
        ridges = [self.ridge(memory) for memory in range(len(self.weight))]
        for window in range(self.constants.windows):
            towards = None if prior is None else prior.of_window(window)
            solved = [
                self.sums(memory, window).solved(ridge, self.load_columns, unit_kw, towards)
                for memory, ridge in enumerate(ridges)
            ]
            self.beta[ADAPTED, window] = np.mean([beta for beta, _ in solved], axis=0)
            self.gamma[ADAPTED, window] = np.mean([gamma for _, gamma in solved], axis=0)
        self.limit[:] = self.constants.clip_rms * np.sqrt((self.squares / self.weight[:, None]).mean(axis=0))


def _triangle(width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the upper triangle of a square matrix stands among its entries, and where each entry in it."""
    row, column = np.triu_indices(width)
    places = np.empty((width, width), dtype=np.intp)
    places[row, column] = places[column, row] = np.arange(len(row))
    return row * width + column, places


def _add_ridge(gram: Floats, share: float, loads: int, unit_kw: float) -> Floats:
    """Add to the matrices a share of their diagonals, and one unit where a column was never seen; return what.

    A column that was seen only where it is zero but for rounding (a cosine at six) was never seen. So many of the first
    columns are made of loads.
    """
    diagonal = np.einsum("...ii->...i", gram)
    unit = np.ones(diagonal.shape[-1])
    unit[:loads] = unit_kw * unit_kw
    added: Floats = np.where(diagonal > _NOISE * unit, share * diagonal, unit)
    diagonal += added
    return added
