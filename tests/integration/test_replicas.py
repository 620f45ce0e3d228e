"""Replicas that come and go: a sample of the table of `tests.integration.replicas`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.lab import Lab
from tests.integration.replicas import scenarios

if TYPE_CHECKING:
    from pathlib import Path

    from harness.kafka import Kafka


@pytest.mark.real_kafka
@pytest.mark.parametrize("name", ["1 to 2 to 1, all together"])
def test_replicas_come_and_go_as_undisturbed(kafka: Kafka, tmp_path: Path, name: str) -> None:
    """A second replica of each service joins and leaves: nothing lost, different or doubled, nothing stays paused."""
    lab = Lab(kafka.bootstrap, tmp_path, days=1, sites=2, replicas=2)
    (scenario,) = (each for each in scenarios(2) if each.name == name)
    result = lab.run(scenario)
    assert result.passed, result.verdict
    assert result.arrays > 0
