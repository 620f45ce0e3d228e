"""Fixtures that every suite shares, and the line at the end that says which brokers were used."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.used import BROKERS, note


def pytest_configure(config: pytest.Config) -> None:
    """Let children be interrupted: a shell has its background jobs ignore SIGINT, and they would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[BROKERS] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts services, a broker or a training, or runs the published year, as slow."""
    here = Path(__file__).parent
    for item in items:
        starts = item.path.is_relative_to(here / "integration") or item.path.is_relative_to(here / "e2e")
        if starts or item.get_closest_marker("real_data"):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and not again and again among all that was imported and collected."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the brokers over, where this is a worker of pytest-xdist."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["brokers"] = session.config.stash[BROKERS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the brokers over from a worker of pytest-xdist; one that has crashed says nothing."""
    for name, reasons in getattr(node, "workeroutput", {}).get("brokers", {}).items():
        for why in reasons:
            note(node.config, name, why)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in one line which brokers were used and why."""
    used = config.stash[BROKERS]
    if used:
        told = (f"{name}: {' and '.join(reasons)}" for name, reasons in used.items())
        terminalreporter.write_line("brokers: " + "; ".join(told))


@pytest.fixture(scope="session")
def real_data_path() -> Path:
    """The published year, or a skip that says how to provide it."""
    path = os.environ.get("TETOUAN_DATA")
    if not path:
        pytest.skip("real_data: set TETOUAN_DATA to the published year (CSV) to run this test")
    return Path(path)
