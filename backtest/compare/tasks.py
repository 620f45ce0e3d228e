"""What is to be predicted from what: a value that says it, and the rows that it is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.forecasting.boosting import known_rows
from shared.forecasting.resolution import Resolution
from shared.forecasting.weather_trees import CALENDAR, COLUMNS, features_of
from shared.sites.site import load_field

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from backtest.compare.splits import Split
    from shared.data.year import Year
    from shared.training.data import TrainingData

__all__ = ["ForecastingTask", "LabelledRows"]


@dataclass(frozen=True)
class ForecastingTask:
    """One question to many models; two results are of the same question where their tasks are equal.

    Attributes
    ----------
    target
        The field that is to be predicted.
    columns
        What a model of weather and calendar is given: the fields of the weather at the time of the target, then what
        `features_of` reads from the time.
    split
        Splits the rows into a training and a test set.
    fit_rows, test_rows
        How many of each there are, over all parts of the split.
    test_from, test_until
        Times of the first and the last row that is scored.
    data, data_sha256
        What the readings are, and the fingerprint of their table.
    """

    site: str
    zone: int
    target: str
    columns: tuple[str, ...]
    split: str
    fit_rows: int
    test_rows: int
    test_from: datetime
    test_until: datetime
    data: str
    data_sha256: str
    synthetic: bool

    def to_json(self) -> dict[str, Any]:
        """Return the task for machines."""
        times = {"test_from": self.test_from.isoformat(), "test_until": self.test_until.isoformat()}
        return {**vars(self), "columns": list(self.columns), **times}


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """The rows of one zone that have a load, and all weather that is used, by rising time.

    Attributes
    ----------
    fields
        Those of the weather; they are the first features.
    features
        Shape (n, fields + 7), see `features_of`.
    load_kw
        Shape (n,).
    steps
        The step index of each row, shape (n,).
    seen
        How many of them lie before the test.
    """

    history: TrainingData
    fields: tuple[str, ...]
    features: NDArray[np.float64]
    load_kw: NDArray[np.float64]
    steps: NDArray[np.int64]
    seen: int

    @classmethod
    def of(cls, history: TrainingData) -> Self:
        """Take the rows of a history; of a site without weather those with a load, and the calendar alone."""
        fields, whole = known_rows(history.weather, history.demand_kw)
        if not fields:
            whole = np.isfinite(history.demand_kw)
        steps = history.steps[whole]
        weather = history.weather[whole][:, [COLUMNS.index(field) for field in fields]]
        return cls(
            history=history,
            fields=fields,
            features=features_of(steps, weather, history.site.step_minutes),
            load_kw=history.demand_kw[whole],
            steps=steps,
            seen=int(np.count_nonzero(whole[: history.seen])),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the features."""
        return (*self.fields, *CALENDAR)

    @property
    def resolution(self) -> Resolution:
        """The resolution of the loads that are scored, as in a backtest."""
        return Resolution.of_first_day(self.history.demand_kw[self.history.seen :], self.history.site.grid.day)

    def task(self, year: Year, split: Split) -> ForecastingTask:
        """Return what is asked where these rows are split so; ``year`` is where they come from."""
        history, parts = self.history, split.parts(len(self.load_kw), self.seen)
        scored = np.concatenate([part.test for part in parts])
        return ForecastingTask(
            site=history.site.name,
            zone=history.zone,
            target=load_field(history.zone),
            columns=self.columns,
            split=split.name,
            fit_rows=sum(part.fit.size for part in parts),
            test_rows=scored.size,
            test_from=history.time_of(int(self.steps[scored.min()])),
            test_until=history.time_of(int(self.steps[scored.max()])),
            data=year.label,
            data_sha256=year.sha256,
            synthetic=year.synthetic,
        )
