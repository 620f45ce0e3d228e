"""What the tests used of what this machine has, to be told at their end."""

from __future__ import annotations

import pytest

__all__ = ["BROKERS", "note"]

BROKERS = pytest.StashKey[dict[str, list[str]]]()
"""By the name of a broker why it was chosen, each reason once."""


def note(config: pytest.Config, broker: str, why: str) -> None:
    """Note down that the tests use a broker, and why."""
    reasons = config.stash[BROKERS].setdefault(broker, [])
    if why not in reasons:
        reasons.append(why)
