"""Boosted trees as arrays: what scikit-learn has grown, without scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.forecasting.state import refuse_misfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sklearn.ensemble import GradientBoostingRegressor

__all__ = ["Forest"]

_BLOCK_ROWS = 256  # what is looked up for them stays in the cache of a core


@dataclass(frozen=True, eq=False)
class Forest:
    """Boosted trees as flat arrays, level by level, so that all of them answer in a few steps of NumPy.

    Every tree is filled up to the depth of the deepest, a leaf above it being the only answer below it. Then the
    children of node i of a level are the nodes 2 i and 2 i + 1 of the next, as in a binary heap (J. W. J. Williams,
    Algorithm 232: Heapsort, 1964), and nothing but features and thresholds has to be looked up. scikit-learn's own
    ``predict`` gives the same numbers, but for rounding, at several times the cost for a row that comes alone.

    Attributes
    ----------
    levels : tuple[tuple[NDArray, NDArray], ...]
        Of each level, features and thresholds of the nodes of all trees, both of shape (trees * 2 ** level,): what is
        above the threshold goes right.
    leaves_kw : NDArray
        The answers, learning rate included, shape (trees * 2 ** depth,).
    start_kw : float
        What the answers of the trees are added to.
    """

    levels: tuple[tuple[NDArray[np.intp], NDArray[np.float64]], ...]
    leaves_kw: NDArray[np.float64]
    start_kw: float

    @classmethod
    def of(cls, booster: GradientBoostingRegressor) -> Self:
        """Return the trees of a fitted booster that starts at the mean."""
        trees = [grown.tree_ for grown in booster.estimators_[:, 0]]
        sizes = [tree.node_count for tree in trees]
        first = np.cumsum(sizes) - sizes

        def nodes(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name).reshape(-1) for tree in trees])

        itself, shift = np.arange(sum(sizes)), np.repeat(first, sizes)
        leaf = nodes("children_left") < 0
        left, right = (np.where(leaf, itself, nodes(f"children_{side}") + shift) for side in ("left", "right"))
        feature, threshold = np.where(leaf, 0, nodes("feature")), np.where(leaf, np.inf, nodes("threshold"))
        levels, at = [], first
        for _ in range(max(tree.max_depth for tree in trees)):
            levels.append((feature[at], threshold[at]))
            at = np.column_stack((left[at], right[at])).reshape(-1)
        return cls(tuple(levels), booster.learning_rate * nodes("value")[at], float(booster.init_.constant_.item()))

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]], columns: int) -> Self:
        """Read what :meth:`state` returned, for rows of so many columns.

        Raises ``ValueError`` that names what is no part of any trees.
        """
        refuse_misfit(state, cls((), np.empty(0), 0.0).state())
        feature, threshold, leaves_kw = (state[name] for name in ("feature", "threshold", "leaves_kw"))
        trees = len(leaves_kw) - len(feature)  # in a whole tree there is one leaf more than there are nodes
        depth = (len(leaves_kw) // trees).bit_length() - 1 if trees > 0 else 0
        if trees < 1 or len(threshold) != len(feature) or len(leaves_kw) != trees << depth:
            raise ValueError(f"leaves_kw: {len(leaves_kw)} leaves and {len(feature)} nodes are no whole trees")
        if feature.size and not 0 <= feature.min() <= feature.max() < columns:
            raise ValueError(f"feature holds {feature.min()} to {feature.max()}, but there are {columns} columns")
        if not np.isfinite(leaves_kw).all() or not np.isfinite(state["start_kw"]):
            raise ValueError("leaves_kw or start_kw holds what is no number")
        begins = [trees * (2**level - 1) for level in range(depth + 1)]
        levels = ((feature[begin:end].astype(np.intp), threshold[begin:end].copy()) for begin, end in pairwise(begins))
        return cls(tuple(levels), leaves_kw.copy(), float(state["start_kw"]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the trees as arrays by name, a copy: features and thresholds level by level, leaves, and the start."""
        none = (np.empty(0, np.int64), np.empty(0))
        feature, threshold = (np.concatenate(parts) for parts in zip(none, *self.levels, strict=True))
        return {
            "feature": feature,
            "threshold": threshold,
            "leaves_kw": self.leaves_kw.copy(),
            "start_kw": np.array(self.start_kw),
        }

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the answer to each row of (n, features) without NaN in kW, shape (n,), whatever the other rows are."""
        blocks = (features[at : at + _BLOCK_ROWS] for at in range(0, len(features), _BLOCK_ROWS))
        return np.concatenate([self._predict(block) for block in blocks])

    def _predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        cells = features.astype(np.float32).astype(np.float64).reshape(-1)  # the trees grew on single precision
        row = np.arange(0, cells.size, features.shape[1])[:, None]
        trees = len(self.leaves_kw) >> len(self.levels)
        at = np.broadcast_to(np.arange(trees), (len(features), trees))
        for feature, threshold in self.levels:
            at = 2 * at + (cells.take(row + feature.take(at)) > threshold.take(at))
        estimate_kw: NDArray[np.float64] = self.start_kw + self.leaves_kw.take(at).sum(axis=1)
        return estimate_kw
