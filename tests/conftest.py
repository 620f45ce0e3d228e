"""Fixtures that every suite shares."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Let children be interrupted: a shell has its background jobs ignore SIGINT, and they would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data_path() -> Path:
    """The published year, or a skip that says how to provide it."""
    path = os.environ.get("TETOUAN_DATA")
    if not path:
        pytest.skip("real_data: set TETOUAN_DATA to the published year (CSV) to run this test")
    return Path(path)
