"""A gateway with some hours of history, and a weather model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.gateway.api.filled import begun, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.forecasting.weather import WeatherDemand
    from tests.unit.gateway.api.filled import Asked


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """A gateway without history, and without models."""
    asked = begun(tmp_path)
    yield asked
    asked.database.close()


@pytest.fixture
def filled(asked: Asked, weather_model: WeatherDemand) -> Asked:
    """A gateway that has seen two days, and has a champion."""
    fill(asked, weather_model)
    return asked
