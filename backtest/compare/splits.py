"""Splits of the rows into a training and a test set; the random split leaks, and is shown as a leak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.model_selection import RepeatedKFold, TimeSeriesSplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["CHRONOLOGICAL", "FULL", "RANDOM", "ROLLING", "Part", "Split"]

_ORIGINS = 4
_FOLDS, _REPEATS, _SEED = 5, 2, 42


class Part(NamedTuple):
    """Rows to fit on and rows to score on, by their places among rows of rising time."""

    fit: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """A way to split rows.

    Attributes
    ----------
    leaks
        Whether a model has seen readings of the days that it is scored on.
    parts
        Of so many rows, and so many of them before the test, the parts: each is fitted and scored by itself.
    """

    name: str
    leaks: bool
    parts: Callable[[int, int], tuple[Part, ...]]


def _chronological(rows: int, seen: int) -> tuple[Part, ...]:
    return (Part(np.arange(seen), np.arange(seen, rows)),)


def _rolling(rows: int, seen: int) -> tuple[Part, ...]:
    """Return parts whose tests lie one behind the other, as long as the test of the chronological split is in all."""
    test_rows = (rows - seen) // _ORIGINS
    if not test_rows:
        return _chronological(rows, seen)
    found = TimeSeriesSplit(_ORIGINS, test_size=test_rows).split(np.empty(rows))
    return tuple(Part(fit, test) for fit, test in found)


def _random(rows: int, _seen: int) -> tuple[Part, ...]:
    found = RepeatedKFold(n_splits=_FOLDS, n_repeats=_REPEATS, random_state=_SEED).split(np.empty(rows))
    return tuple(Part(fit, test) for fit, test in found)


CHRONOLOGICAL = Split("chronological 80/20", leaks=False, parts=_chronological)
"""Fit on what came before the test, as a model must in operation."""

ROLLING = Split(f"rolling, {_ORIGINS} origins", leaks=False, parts=_rolling)
"""The same test set in quarters; before each, the model is fitted on all earlier rows (`TimeSeriesSplit`)."""

RANDOM = Split(f"random {_FOLDS}-fold x {_REPEATS}", leaks=True, parts=_random)
"""Rows at random (`RepeatedKFold`), as in the notebooks of the batch system: nearly every row that is scored lies
between two that were fitted on, ten minutes before and after it. What comes out says nothing of the future."""

FULL = (CHRONOLOGICAL, ROLLING, RANDOM)
