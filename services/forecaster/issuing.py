"""Answers each clean reading of a site with one forecast a zone: a fold over readings, pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from services.forecaster.issue import Issue
from services.forecaster.recent import Rows
from shared.contracts.messages import ModelNames
from shared.forecasting.method import METHOD
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import COLUMNS
from shared.sites.grid import Grid
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading
    from shared.forecasting.model import ZoneForecast
    from shared.forecasting.prior import Prior
    from shared.forecasting.weather import WeatherDemand
    from shared.sites.site import Site

__all__ = ["Issuer", "ZoneModels", "end_of_run", "parameters_of"]


@dataclass(frozen=True)
class ZoneModels:
    """The champions of one zone and their names in the registry; without any, a state that has seen nothing.

    ``digest`` tells champions of the same name that were registered with something else in them.
    """

    zone: int
    demand: ZoneDemand
    weather: WeatherDemand | None
    names: ModelNames
    digest: str = ""

    @property
    def cold(self) -> bool:
        """Whether it has begun without champions."""
        return self.names.demand is None

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of its models that have names, as ``name/version``."""
        return tuple(label for label in (self.names.demand, self.names.weather) if label is not None)

    @property
    def origin(self) -> tuple[int, ModelNames, str]:
        """What they were before they went on learning."""
        return self.zone, self.names, self.digest

    @classmethod
    def begun_cold(cls, site: Site, zone: int, prior: Prior | None = None) -> Self:
        """Return what a zone begins with that has no champion; raises ``ValueError`` where the prior does not fit."""
        return cls(zone, ZoneDemand(**parameters_of(site, zone, prior)), None, ModelNames(demand=None, weather=None))

    @property
    def began(self) -> datetime | None:
        """The time of the first good reading that the demand model's state has seen, None before it."""
        first_step = self.demand.first_step
        return None if first_step is None else self._time_of(first_step)

    @property
    def as_of(self) -> datetime | None:
        """The time of the last reading that the demand model's state holds, None before the first."""
        last_step = self.demand.last_step
        return None if last_step is None else self._time_of(last_step)

    def _time_of(self, step: int) -> datetime:
        return Grid(self.demand.step_minutes).time_of(step)


def parameters_of(site: Site, zone: int, prior: Prior | None) -> dict[str, Any]:
    """Return the parameters of the demand model with which a zone begins that has no champion."""
    return {
        "calendar": site.calendar,
        "step_minutes": site.step_minutes,
        "horizon_steps": site.grid.day,
        "method": METHOD,
        "floor_kw": site.floor_kw(zone),
        "prior": prior,
    }


class Issuer:
    """The forecasts of one site; its state is that of its models and moves with every reading.

    Parameters
    ----------
    site
        The site; readings of others are none of its business and must not be handed in.
    zones
        The models of each zone.
    coverages
        The intervals that the messages carry, of ``shared.forecasting.intervals.COVERAGES``.
    """

    def __init__(self, site: Site, zones: tuple[ZoneModels, ...], coverages: tuple[float, ...] = (0.8, 0.9)) -> None:
        self._site = site.name
        self._grid = site.grid
        self._zones = zones
        self._coverages = coverages

    def answer(self, readings: Sequence[CleanReading]) -> list[Issue]:
        """Fold readings of rising time into the state; returns their forecasts, by reading and then by zone.

        A reading that a zone's state already holds (up to ``as_of``, or sent twice) is not answered again.
        """
        if not readings:
            return []
        fields = COLUMNS if any(models.weather for models in self._zones) else ()  # else nobody looks at them
        rows = Rows.of(self._grid, [load_field(models.zone) for models in self._zones], readings, fields)
        return self.answer_rows([reading.time for reading in readings], rows)

    def answer_rows(self, origins: Sequence[datetime], rows: Rows) -> list[Issue]:
        """Do the same for readings as rows, whose loads are those of the zones in their order."""
        by_zone = [
            self._answer_zone(models, origins, rows.steps, rows.weather, rows.demand_kw[:, column])
            for column, models in enumerate(self._zones)
        ]
        return [issue for issues in zip(*by_zone, strict=True) for issue in issues if issue is not None]

    def _answer_zone(
        self,
        models: ZoneModels,
        origins: Sequence[datetime],
        steps: NDArray[np.int64],
        weather: NDArray[np.float64],
        demand_kw: NDArray[np.float64],
    ) -> list[Issue | None]:
        # one call for the batch: a row's number does not depend on its neighbours, the cost of a call does
        now_kw = tomorrow_kw = [math.nan] * len(steps)
        if models.weather is not None:
            both = np.concatenate((steps, steps + self._grid.day)), np.concatenate((weather, weather))
            now_kw, tomorrow_kw = models.weather.predict(*both).reshape(2, -1).tolist()
        rows = zip(origins, steps.tolist(), demand_kw.tolist(), now_kw, tomorrow_kw, strict=True)
        forecasts = self._forecasts(models.demand, steps, demand_kw)
        return [self._issue(models, forecast, *row) for forecast, row in zip(forecasts, rows, strict=True)]

    def _forecasts(
        self, demand: ZoneDemand, steps: NDArray[np.int64], demand_kw: NDArray[np.float64]
    ) -> Iterator[ZoneForecast | None]:
        """Yield the forecast from each reading, None where its step is known or nothing was ever read.

        Readings of consecutive steps are answered together; what the weather says of them is noted between two calls.
        """
        first = 0
        while first < len(steps):
            seen = demand.last_step
            if seen is not None and steps[first] <= seen:
                first += 1
                yield None
                continue
            forecasts = demand.answer(int(steps[first]), demand_kw[first : end_of_run(steps, first)], self._coverages)
            first += len(forecasts)
            yield from forecasts

    def _issue(
        self,
        models: ZoneModels,
        forecast: ZoneForecast | None,
        origin: datetime,
        step: int,
        demand_kw: float,
        now_kw: float,
        tomorrow_kw: float,
    ) -> Issue | None:
        """Return the answer to a reading, and let the weather model learn from it.

        Its estimates, for now and for a day later, are uncorrected.
        """
        if forecast is None:
            return None
        estimate_kw = now_kw
        if models.weather is not None:
            estimate_kw = max(models.weather.correct(step, now_kw), models.demand.lowest_kw)
            # the two champions of a zone may be of different ages
            if step > models.weather.last_step:
                label_kw = demand_kw if forecast.teaches else math.nan
                models.weather.partial_fit(step, now_kw, label_kw)
            models.demand.foresee(step, models.weather.correct(step + self._grid.day, tomorrow_kw))
        return Issue(
            site=self._site,
            zone=models.zone,
            origin=origin,
            step_minutes=self._grid.step_minutes,
            forecast=forecast,
            estimate_kw=estimate_kw,
            weather_model_kw=now_kw,
            models=models.names,
        )


def end_of_run(steps: NDArray[np.int64], first: int) -> int:
    """Return where the consecutive steps that begin at an index end."""
    if first == len(steps) - 1:
        return len(steps)
    following = steps[first:]
    whole = following == following[0] + np.arange(len(following))
    return first + (len(following) if whole.all() else int(whole.argmin()))
