"""Small years of readings, and a registry that all tests of the trainer share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.runtime.registry import Registry
from tests.unit.years import small_year

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.data.year import Year


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Return an empty registry on SQLite; creating its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts")


@pytest.fixture(scope="session")
def make_year() -> Callable[..., Year]:
    """Return the maker of small years."""
    return small_year
