"""Runs all that was asked for on one zone of a year, and brings it onto one leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from backtest.compare.algorithms import ALGORITHMS
from backtest.compare.beside import NAIVE, STREAM, StepCosts, naive_results, stream_results
from backtest.compare.leaderboard import Leaderboard
from backtest.compare.results import Fingerprint, Warmed
from backtest.compare.scoring import score
from backtest.compare.splits import CHRONOLOGICAL, FULL
from backtest.compare.tasks import LabelledRows
from backtest.run import backtest
from backtest.units import LoadUnit
from shared.data.errors import DataError
from shared.runtime.extras import lacking_workbench
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backtest.compare.results import ModelResult
    from backtest.compare.scoring import Scored
    from backtest.compare.splits import Split
    from shared.data.year import Year

    Progress = Callable[[str, float], None]

__all__ = ["Asked", "Compared", "compared"]

WARMER_C, WARMED_ROWS = 5.0, 5000
"""What the batch system tried: so many degrees more on so many rows."""
_TEMPERATURE = "temperature_c"


@dataclass(frozen=True)
class Asked:
    """What to compare.

    Attributes
    ----------
    only
        Keys of algorithms, `naive`, `stream`; empty: all of them.
    full
        Whether the algorithms are scored on every split, and in warmer weather, too.
    accept_refused
        Whether to go on where many rows are no readings.
    """

    only: frozenset[str] = frozenset()
    full: bool = False
    accept_refused: bool = False

    def wants(self, key: str) -> bool:
        """Tell whether a part was asked for."""
        return not self.only or key in self.only

    @property
    def splits(self) -> tuple[Split, ...]:
        """How the rows are split, one after the other."""
        return FULL if self.full else (CHRONOLOGICAL,)


@dataclass(frozen=True, eq=False)
class Compared:
    """The leaderboard, and what the algorithms predicted, by model and split."""

    board: Leaderboard
    scored: tuple[Scored, ...]


def compared(year: Year, zone: int, asked: Asked, code_version: str, progress: Progress) -> Compared:
    """Fit and score on the readings before the last fifth of a year, and on that.

    Parameters
    ----------
    progress
        Told what is being done and the share of it that is, 0..1.

    Raises
    ------
    DataError
        If there is no load on one side of where the last fifth begins.
    """
    history, fingerprint = TrainingData.of(year, zone, year.test_start), Fingerprint(year.sha256, code_version)
    rows = LabelledRows.of(history)
    if not 0 < rows.seen < len(rows.load_kw):
        raise DataError(
            f"{year.label}: zone {zone} has no load on one side of {year.test_start:%Y-%m-%d %H:%M}, where the last "
            "fifth of the readings begins: give a file that has"
        )
    scored, absent = _scored(rows, asked, fingerprint, progress)
    results: list[ModelResult] = [each.result for each in scored]
    if asked.wants(NAIVE):
        results += naive_results(history, fingerprint)
    if asked.wants(STREAM):
        try:
            results += _stream(year, zone, asked, fingerprint, progress)
        except DataError as error:
            absent.append(f"no {STREAM}: {error}")
    board = Leaderboard(
        tasks=tuple(rows.task(year, split) for split in asked.splits),
        results=tuple(results),
        unit=LoadUnit.of(history.demand_kw[history.seen :]),
        absent=tuple(absent),
        warmed=tuple(_warmed(rows, scored)) if asked.full else (),
    )
    return Compared(board, tuple(scored))


def _scored(
    rows: LabelledRows, asked: Asked, fingerprint: Fingerprint, progress: Progress
) -> tuple[list[Scored], list[str]]:
    """Return what the algorithms came to, and of which there is nothing and why."""
    chosen = [algorithm for algorithm in ALGORITHMS if asked.wants(algorithm.key)]
    lacking = {algorithm: lacking_workbench(algorithm.name, algorithm.package) for algorithm in chosen}
    scored = []
    for split in asked.splits:
        for algorithm in (algorithm for algorithm, why in lacking.items() if not why):
            told = partial(progress, f"zone {rows.history.zone}: fitting {algorithm.name}, {split.name}")
            scored.append(score(algorithm, rows, split, fingerprint, told))
    return scored, [why for why in lacking.values() if why]


def _stream(year: Year, zone: int, asked: Asked, fingerprint: Fingerprint, progress: Progress) -> list[ModelResult]:
    costs, until = StepCosts(progress), year.span[1] + year.site.grid.length
    result = backtest(year, zone, year.test_start, until, costs, accept_refused=asked.accept_refused)
    return stream_results(result, costs, fingerprint)


def _warmed(rows: LabelledRows, scored: list[Scored]) -> Iterator[Warmed]:
    """Yield what the models of the chronological split say in warmer weather, of rows spread evenly over the test."""
    if _TEMPERATURE not in rows.fields:
        return
    last = len(rows.load_kw) - 1
    spread = np.unique(np.linspace(rows.seen, last, WARMED_ROWS).astype(np.int64))
    load_kw, features = rows.load_kw[spread], rows.features[spread]
    warmer = features + WARMER_C * (np.array(rows.columns) == _TEMPERATURE)
    for each in scored:
        if each.result.split == CHRONOLOGICAL.name:
            rmse_kw, warmer_rmse_kw = (
                float(np.sqrt(np.mean((each.last.predict(given) - load_kw) ** 2))) for given in (features, warmer)
            )
            yield Warmed(each.result.model, len(load_kw), WARMER_C, rmse_kw, warmer_rmse_kw)
