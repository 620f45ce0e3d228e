"""Fits an algorithm on each part of a split and scores what it says of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backtest.compare.results import KNOWS_WEATHER, ModelResult
from backtest.tables import estimate_figures
from shared.runtime.clock import process_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from backtest.compare.algorithms import Algorithm
    from backtest.compare.results import Fingerprint
    from backtest.compare.splits import Part, Split
    from backtest.compare.tasks import LabelledRows

__all__ = ["Scored", "score"]


@dataclass(frozen=True, eq=False)
class Scored:
    """The result of an algorithm, and what it is drawn from.

    Attributes
    ----------
    steps, actual_kw, predicted_kw
        Of each row that was scored, by part of the split, shape (n,).
    last
        The pipeline as it was fitted on the last part.
    """

    result: ModelResult
    steps: NDArray[np.int64]
    actual_kw: NDArray[np.float64]
    predicted_kw: NDArray[np.float64]
    last: Pipeline


def score(
    algorithm: Algorithm,
    rows: LabelledRows,
    split: Split,
    fingerprint: Fingerprint,
    progress: Callable[[float], None],
) -> Scored:
    """Fit and score an algorithm; ``progress`` receives the share of the work done, 0..1.

    Raises ``ImportError`` where its package is not installed.
    """
    parts = split.parts(len(rows.load_kw), rows.seen)
    predicted, fit_cpu_s, predict_cpu_s = [], 0.0, 0.0
    for place, part in enumerate(parts):

        def told(share: float, place: int = place) -> None:
            progress((place + share) / len(parts))

        told(0.0)
        started_s = process_cpu_s()
        pipeline = _fitted(algorithm, rows, part, told)
        fitted_s = process_cpu_s()
        predicted.append(pipeline.predict(rows.features[part.test]).astype(np.float64))
        fit_cpu_s, predict_cpu_s = fit_cpu_s + fitted_s - started_s, predict_cpu_s + process_cpu_s() - fitted_s
    progress(1.0)
    scored, predicted_kw = np.concatenate([part.test for part in parts]), np.concatenate(predicted)
    actual_kw = rows.load_kw[scored]
    result = ModelResult(
        model=algorithm.name,
        split=split.name,
        knows=KNOWS_WEATHER,
        figures=estimate_figures(actual_kw, predicted_kw, rows.resolution),
        fingerprint=fingerprint,
        parameters=algorithm.parameters,
        fit_cpu_s=fit_cpu_s,
        predict_us=1e6 * predict_cpu_s / scored.size,
        trained_on_this_data=split.leaks,
    )
    return Scored(result, rows.steps[scored], actual_kw, predicted_kw, pipeline)


def _fitted(algorithm: Algorithm, rows: LabelledRows, part: Part, progress: Callable[[float], None]) -> Pipeline:
    pipeline = algorithm.pipeline(len(rows.fields))
    return pipeline.fit(rows.features[part.fit], rows.load_kw[part.fit], **algorithm.fitting(progress))
