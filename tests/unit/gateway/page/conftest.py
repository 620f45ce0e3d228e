"""Gateways whose histories end in prepared situations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.gateway.api.filled import begun
from tests.unit.gateway.page.situations import SITES, SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.gateway.api.filled import Asked
    from tests.unit.gateway.page.situations import Situation


@pytest.fixture(scope="session")
def situated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Asked]]:
    """Return the gateway of a situation by its name; it is filled once."""
    made: dict[str, Asked] = {}

    def of(name: str) -> Asked:
        if name not in made:
            situation = SITUATIONS[name]
            made[name] = begun(tmp_path_factory.mktemp("situation"), SITES, lambda: situation.now)
            situation.fill(made[name].database)
        return made[name]

    yield of
    for asked in made.values():
        asked.database.close()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """A gateway without history."""
    asked = begun(tmp_path)
    yield asked
    asked.database.close()


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Callable[[Situation], Asked]]:
    """Return the gateway of a situation that a test makes up."""
    made: list[Asked] = []

    def of(situation: Situation) -> Asked:
        made.append(begun(tmp_path, SITES, lambda: situation.now))
        situation.fill(made[-1].database)
        return made[-1]

    yield of
    for asked in made:
        asked.database.close()
