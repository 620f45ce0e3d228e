"""The five algorithms of the batch system, as scikit-learn pipelines, with their parameters in one table."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sklearn.pipeline import Pipeline

__all__ = ["ALGORITHMS", "Algorithm"]

_MODEL = "model"


@dataclass(frozen=True, eq=False)
class Algorithm:
    """An estimator and the parameters that it is made with; what is not named has the default of its library.

    Attributes
    ----------
    key
        What a user calls it.
    estimator
        Module and class, imported when it is needed.
    scaled
        Whether the weather comes to it as 0..1; trees do not need that.
    monitored
        Whether its fit tells how far it is.
    """

    key: str
    name: str
    estimator: str
    parameters: Mapping[str, Any]
    scaled: bool = False
    monitored: bool = False

    @property
    def package(self) -> str:
        """The package that it is of."""
        return self.estimator.partition(".")[0]

    def pipeline(self, weather_fields: int) -> Pipeline:
        """Return it as it is before any fit; raises ``ImportError`` where its package is not installed.

        The first columns it is given are so many fields of the weather; the calendar is never scaled.
        """
        from sklearn.compose import ColumnTransformer  # noqa: PLC0415 - who only names algorithms need not wait for it
        from sklearn.pipeline import Pipeline  # noqa: PLC0415 - as above
        from sklearn.preprocessing import MinMaxScaler  # noqa: PLC0415 - as above

        module, _, kind = self.estimator.rpartition(".")
        weather = MinMaxScaler() if self.scaled else "passthrough"
        columns = ColumnTransformer([("weather", weather, slice(weather_fields))], remainder="passthrough")
        return Pipeline([("columns", columns), (_MODEL, getattr(import_module(module), kind)(**self.parameters))])

    def fitting(self, progress: Callable[[float], None]) -> dict[str, Any]:
        """Return what a fit is to be given so that it tells the share of it that is done, 0..1."""
        if not self.monitored:
            return {}

        def monitor(stage: int, *_: object) -> bool:
            progress((stage + 1) / self.parameters["n_estimators"])
            return False  # not to be stopped

        return {f"{_MODEL}__monitor": monitor}


ALGORITHMS = (
    Algorithm(
        "random-forest",
        "Random Forest",
        "sklearn.ensemble.RandomForestRegressor",
        {"n_estimators": 700, "max_features": "sqrt", "min_samples_leaf": 2, "random_state": 42, "n_jobs": -1},
    ),
    Algorithm(
        "gradient-boosting",
        "Gradient Boosting",
        "sklearn.ensemble.GradientBoostingRegressor",
        {
            "n_estimators": 600,
            "learning_rate": 0.1,
            "max_depth": 5,
            "min_samples_split": 5,
            "min_samples_leaf": 3,
            "random_state": 42,
        },
        monitored=True,
    ),
    Algorithm(
        "xgboost",
        "XGBoost",
        "xgboost.XGBRegressor",
        {"n_estimators": 500, "learning_rate": 0.05, "max_depth": 5, "random_state": 42},
    ),
    Algorithm(
        "elastic-net",
        "ElasticNet",
        "sklearn.linear_model.ElasticNet",
        {"alpha": 0.1, "max_iter": 10_000, "random_state": 42},
        scaled=True,
    ),
    Algorithm("svr", "SVR", "sklearn.svm.SVR", {"C": 100.0}, scaled=True),
)
"""Gradient Boosting is the one that the batch system had in service."""
