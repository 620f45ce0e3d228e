"""Answers each clean reading of a site with one forecast a zone: a fold over readings, pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import NotFittedError

from shared.contracts.messages import Forecast, Interval, ModelNames, RungSpan
from shared.forecasting.scores import step_of
from shared.forecasting.weather import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading
    from shared.data.sites import Site
    from shared.forecasting.model import ZoneDemand, ZoneForecast
    from shared.forecasting.weather import WeatherDemand

__all__ = ["Issuer", "ZoneModels"]


@dataclass(frozen=True)
class ZoneModels:
    """The champions of one zone and their names in the registry."""

    zone: int
    demand: ZoneDemand
    weather: WeatherDemand
    names: ModelNames

    @property
    def as_of(self) -> datetime:
        """The time of the last reading that the demand model's state holds."""
        if self.demand.last_step_ is None:
            raise NotFittedError(f"{self.names.demand} has seen no reading: run `tetouan train`")
        return datetime.fromtimestamp(self.demand.last_step_ * 60 * self.demand.step_minutes, UTC)


class Issuer:
    """The forecasts of one site; its state is that of its models and moves with every reading.

    Parameters
    ----------
    site
        The site; readings of others are none of its business and must not be handed in.
    zones
        The models of each zone.
    """

    def __init__(self, site: Site, zones: tuple[ZoneModels, ...]) -> None:
        self._site = site.name
        self._step_minutes = site.step_minutes
        self._zones = zones

    def answer(self, readings: Sequence[CleanReading]) -> list[Forecast]:
        """Fold readings of rising time into the state; returns their forecasts, by reading and then by zone.

        A reading that a zone's state already holds (up to ``as_of``, or sent twice) is not answered again.
        """
        if not readings:
            return []
        steps = np.array([self._step(reading) for reading in readings], dtype=np.int64)
        weather = np.array([[_number(r.values.get(f)) for f in COLUMNS] for r in readings])
        by_zone = [self._answer_zone(models, readings, steps, weather) for models in self._zones]
        return [issue for issues in zip(*by_zone, strict=True) for issue in issues if issue is not None]

    def _step(self, reading: CleanReading) -> int:
        return step_of(reading.time, self._step_minutes)

    def _answer_zone(
        self,
        models: ZoneModels,
        readings: Sequence[CleanReading],
        steps: NDArray[np.int64],
        weather: NDArray[np.float64],
    ) -> list[Forecast | None]:
        # one call for the batch: a row's number does not depend on its neighbours, the cost of a call does
        uncorrected_kw = models.weather.predict(steps, weather)
        return [
            self._answer_one(models, reading, int(step), float(estimate_kw))
            for reading, step, estimate_kw in zip(readings, steps, uncorrected_kw, strict=True)
        ]

    def _answer_one(
        self, models: ZoneModels, reading: CleanReading, step: int, uncorrected_kw: float
    ) -> Forecast | None:
        seen = models.demand.last_step_
        if seen is not None and step <= seen:
            return None
        demand_kw = _number(reading.values.get(f"zone_{models.zone}_kw"))
        issue = models.demand.partial_fit(step, demand_kw).predict()
        estimate_kw = models.weather.correct(step, uncorrected_kw)
        if step > models.weather.last_step_:  # the two champions of a zone may be of different ages
            label_kw = demand_kw if issue.reason is None else math.nan  # what the guard refused teaches nobody
            models.weather.partial_fit(step, uncorrected_kw, label_kw)
        return self._message(models, reading, issue, estimate_kw)

    def _message(self, models: ZoneModels, reading: CleanReading, issue: ZoneForecast, estimate_kw: float) -> Forecast:
        interval = Interval(coverage=0.9, low_kw=_wire(issue.low_kw), high_kw=_wire(issue.high_kw))
        leads = len(issue.median_kw)
        return Forecast(
            site=self._site,
            zone=models.zone,
            origin=reading.time,
            step_minutes=self._step_minutes,
            median_kw=_wire(issue.median_kw),
            intervals=(interval,),
            rungs=(RungSpan(from_lead=1, to_lead=leads, rung="adapted", reason=issue.reason),),
            weather_estimate_kw=None if math.isnan(estimate_kw) else round(estimate_kw, 1),
            models=models.names,
        )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _wire(demand_kw: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(demand_kw, 1).tolist())
