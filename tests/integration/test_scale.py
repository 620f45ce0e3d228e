"""The benchmark of many sites, with few of them: it comes to an end and its figures add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from benchmarks.scale import SitesLoad, measure

if TYPE_CHECKING:
    from harness.kafka import Kafka


@pytest.mark.real_kafka
def test_the_benchmark_of_many_sites_measures_few(kafka: Kafka) -> None:
    """Each of eight sites is answered in every round, once, and each figure that has a bar is there."""
    result = measure(kafka.bootstrap, SitesLoad(sites=8, rounds=3, days=1, pace_s=0.5, idle_s=1.0), Console(quiet=True))
    figures = ("forecasts_per_cpu_second", "monitor_us_per_reading", "ingestor_us_per_reading", "us_ratio_1000_to_10")
    assert (result["sites"], result["doubled"]) == (8, 0)
    assert all(result["with_idle"][name] > 0 for name in figures[:3])
    assert all(isinstance(result[name], float) for name in (*figures, "round_s", "snapshot_cpu_share"))
    assert result["slowest_round_ratio"] >= 1
    assert result["mb_per_zone"].keys() == {"forecaster", "monitor"}
