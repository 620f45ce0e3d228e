"""What holds of every test of the command line."""

from __future__ import annotations

import pytest

from shared.runtime import logs


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no command that runs in this process set up its logs: they would be those of all tests after it."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)
