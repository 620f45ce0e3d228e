"""Servers that tests of several suites run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.kafka import missing
from harness.postgresql import PostgreSQL, PostgreSQLMissingError, postgresql
from tests.used import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

__all__ = ["served"]


def served(config: pytest.Config) -> Iterator[PostgreSQL]:
    """Yield PostgreSQL, or skip with how to provide it."""
    server = postgresql()
    try:
        found = server.__enter__()
    except PostgreSQLMissingError as error:
        missing(str(error))
    note(config, "PostgreSQL", found.why)
    yield found
    server.__exit__(None, None, None)
