"""Makes a gateway, a history of two days and a weather model for the tests of the REST interface."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import URL

from services.gateway.api.predict import Estimating
from services.gateway.api.routers import FAILURES, rest_routers
from services.gateway.database import Database
from services.gateway.page.day import Days
from services.gateway.page.routes import page_routers
from services.gateway.queries import History
from services.gateway.registered_metrics import RegisteredMetrics
from services.gateway.weather_models import WeatherModels
from shared.forecasting.boosting import Boosting
from shared.forecasting.method import WeatherMethod
from shared.runtime.clock import now
from shared.runtime.registered import FILE, Question
from shared.runtime.registry import RegistryError
from shared.sites.grid import Grid
from shared.sites.table import known_sites
from tests.unit.gateway import told
from tests.unit.gateway.http.asked import Gateway
from tests.unit.gateway.told import START

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from shared.forecasting.weather import WeatherDemand
    from shared.sites.table import Sites

RANGES = ((10, 30), (20, 90), (0, 6), (0, 900), (0, 500))
NAME = "weather-demand-tetouan-2"


@dataclass
class Shelf:
    """A registry in memory: the champions, and the files of versions."""

    folder: Path
    champions: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    away: bool = False
    fetched: int = 0

    def put(self, version: str, model: WeatherDemand, *, champion: bool = True) -> None:
        """Register a version."""
        path = self.folder / f"{version}.npz"
        model.save(path)
        self.files[f"{NAME}/{version}"] = path
        if champion:
            self.champions[NAME] = version

    def versions(self) -> Mapping[str, str]:
        """Return the champions."""
        if self.away:
            raise RegistryError("the registry is away: start its server")
        return dict(self.champions)

    @contextmanager
    def files_of(self, labels: Iterable[str]) -> Iterator[Question]:
        """Fetch files."""
        if self.away:
            raise RegistryError("the registry is away: start its server")
        self.fetched += 1
        place = self.folder / f"fetched-{self.fetched}"
        question = Question(registry_uri="", artifact_root=None, tags={}, folder=place, files_of=tuple(labels))
        for label in question.files_of:
            if label in self.files:
                question.folder_of(label).mkdir(parents=True)
                (question.folder_of(label) / FILE).write_bytes(self.files[label].read_bytes())
        yield question

    def metrics_of(self, labels: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
        """Return the metrics of versions."""
        return {label: {"rmse_kw/raw": 2.0} for label in labels if label in self.files}

    def stop(self) -> None:
        """There is nothing to end."""


@dataclass
class Asked:
    """A gateway, its database and its registry."""

    gateway: Gateway
    database: Database
    shelf: Shelf


def small_model() -> WeatherDemand:
    """Return a weather model that has seen April and May, and temperatures from 10 to 30 degrees."""
    first = Grid(10).step_of(START) - 200 * 144
    steps = first + np.arange(50 * 144)
    share = (np.arange(len(steps)) % 1000) / 999
    weather = np.column_stack([low + share * (high - low) for low, high in RANGES])
    load_kw = 15_000 + 200 * weather[:, 0] + 1000 * np.sin(2 * np.pi * steps / 144)
    return Boosting(method=WeatherMethod(n_estimators=20)).fit(steps, weather, load_kw)


def begun(
    folder: Path,
    sites: Sites | None = None,
    clock: Callable[[], datetime] = now,
    control: str | None = None,
) -> Asked:
    """Return a gateway without history, and without models."""
    sites = sites or known_sites()
    database = Database(URL.create("sqlite", database=str(folder / "history.db")))
    database.migrate()
    history, shelf = History(database.reader), Shelf(folder)
    models = WeatherModels(shelf, history.champions)
    estimating = Estimating(history, models, sites)
    rest = rest_routers(history, estimating, RegisteredMetrics(shelf.metrics_of))
    routers = (*rest, *page_routers(history, Days(history, sites, clock, lambda *_: None), sites, now(), control))
    return Asked(Gateway(*routers, failures=FAILURES), database, shelf)


def fill(asked: Asked, model: WeatherDemand | None = None) -> None:
    """Tell a gateway of two days, and give it a champion."""
    asked.shelf.put("1", model or small_model())
    loads = [told.reading(step, 20_000.0 + (step % 100)) for step in range(300)]
    told.tell(asked.database, [*loads, told.reading(7, None, revision=1)])
    told.tell(asked.database, [told.forecast(step) for step in range(295)])
    told.tell(asked.database, [told.scores(hour) for hour in range(1, 30)])
    told.tell(asked.database, [told.drift_event("a", 1), told.drift_event("b", 2, ended_hour=3)])
    told.tell(asked.database, [told.model_event("1", "registered"), told.model_event("1", "promoted")])
    told.tell(asked.database, [told.dead_letter(offset) for offset in range(3)])
