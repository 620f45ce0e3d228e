"""A table small enough to read, in the published form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.data import published as published_year
from shared.sites.table import site
from tests.unit.data.tables import identity

if TYPE_CHECKING:
    from shared.sites.site import Site


@pytest.fixture
def tetouan() -> Site:
    """Return the site whose columns the tables have."""
    return site("tetouan")


@pytest.fixture
def table(tetouan: Site) -> bytes:
    """Return five readings from 3 March 2019 23:40 on."""
    times = ("3/3/2019 23:40", "3/3/2019 23:50", "3/4/2019 0:00", "3/4/2019 0:10", "3/4/2019 0:20")
    rows = [f"{time},14.9,80.2,0.08,0.1,0.12,25012.{n}5,15880.2,9800.123456" for n, time in enumerate(times)]
    return "".join(f"{line}\n" for line in (",".join((tetouan.time_column, *tetouan.columns)), *rows)).encode()


@pytest.fixture
def published(table: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return the same table, taken for the published year."""
    monkeypatch.setattr(published_year, "PUBLISHED_SHA256", identity(table))
    return table
