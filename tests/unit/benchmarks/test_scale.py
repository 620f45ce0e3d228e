"""What the rounds of many sites and of few come to."""

from __future__ import annotations

import pytest

from benchmarks.fleet import Usage
from benchmarks.scale import Measured, figures_of

IDLE = {"forecaster": 0.1, "monitor": 0.0, "ingestor": 0.02}


def measured(
    sites: int, forecaster_s: float, forecaster_core_s: float, rss_mb: float, round_s: list[float]
) -> Measured:
    """Return rounds of so many sites with a rest of 15 s, and what the forecaster has taken."""
    others = {"monitor": 2.0, "ingestor": 1.0}
    core_s, snapshot_s = others | {"forecaster": forecaster_core_s}, others | {"forecaster": 0.05}
    usage = Usage(others | {"forecaster": forecaster_s}, core_s, snapshot_s, others | {"forecaster": 0.004})
    return Measured(sites, round_s, 15.0, usage, {"forecaster": rss_mb, "monitor": rss_mb / 2, "ingestor": 100.0})


FEW = measured(10, 1.6, 0.005, 300.0, [0.1, 0.1])
MANY = measured(1000, 2.5, 1.0, 2000.0, [2.0, 3.0])


def test_the_cost_of_rest_is_no_cost_of_forecasts() -> None:
    """CPU at rest is deducted for the time between the rounds, and given beside it; a zone is what it adds."""
    result = figures_of([FEW, MANY], measured(1000, 2.5, 1.0, 2280.0, [5.0, 2.0]), IDLE)
    assert result["forecasts_per_cpu_second"] == pytest.approx(2000)
    assert result["with_idle"]["forecasts_per_cpu_second"] == pytest.approx(800)
    assert result["monitor_us_per_reading"] == pytest.approx(1000)
    assert result["ingestor_us_per_reading"] == pytest.approx(350)
    assert result["us_ratio_1000_to_10"] == pytest.approx(2.0)
    assert result["mb_per_zone"] == {"forecaster": pytest.approx(2.0), "monitor": pytest.approx(1.0)}
    assert result["snapshot_cpu_share"] == pytest.approx(0.02)
    assert result["snapshot_processor_share"] == pytest.approx(0.0025)
    assert result["snapshot_us_per_reading"]["forecaster"] == pytest.approx(25)
    assert result["core_us_per_reading"]["ingestor"] == pytest.approx(500)
    assert (result["round_s"], result["slowest_round_ratio"]) == (2.5, 2.0)
    assert result["idle_ms_per_s"]["forecaster"] == 100
    assert result["scrape_ms"]["forecaster"] == pytest.approx(4)


def test_what_the_benchmark_asks_is_no_cost_of_readings() -> None:
    """The answer about the first moment lies between two; that about the second comes after it."""
    begun = Usage({"monitor": 5.0}, {"monitor": 1.0}, {"monitor": 0.1}, {"monitor": 0.5})
    ended = Usage({"monitor": 8.0}, {"monitor": 3.0}, {"monitor": 0.3}, {"monitor": 0.6})
    taken = ended.since(begun)
    assert (taken.cpu_s, taken.core_cpu_s) == ({"monitor": 2.5}, {"monitor": 2.0})
    assert taken.snapshot_cpu_s["monitor"] == pytest.approx(0.2)
    assert taken.scrape_cpu_s == {"monitor": 0.6}


def test_what_the_end_of_the_day_costs_more_is_shared_by_its_readings() -> None:
    """Two rounds of 3,500 us instead of 500 make 41.7 us for each of the 144 readings of a day."""
    result = figures_of([FEW, MANY], measured(1000, 8.5, 7.0, 2280.0, [5.0, 2.0]), IDLE)
    assert 1e6 / result["forecasts_per_cpu_second"] == pytest.approx(500 + 2 * 3000 / 144)
    assert result["core_us_per_forecast_at_day_end"] == pytest.approx(3500)
