"""The figures of a load, and the forecaster's parts without a broker."""

from __future__ import annotations

from datetime import UTC, datetime

from benchmarks.stream import Inside, Phase
from services.forecaster.issuing import ZoneModels
from shared.contracts.messages import CleanReading
from shared.sites.table import site


def test_rounds_of_one_load_are_figures_of_all() -> None:
    """Two rounds give one rate, weighted by what each has cost, and one distribution of latencies."""
    both = Phase("load", 300, 3, 0.1, 0.05, [1.0, 2.0]) + Phase("load", 100, 1, 0.3, 0.2, [3.0])
    assert (both.name, both.per_cpu_second, both.per_batch, both.percentile_ms(50)) == ("load", 1000, 100, 2.0)
    assert both.core_cpu_s == 0.25


def test_each_part_has_its_cost() -> None:
    """What a reading costs is split over the four parts, of which none is left out."""
    tetouan = site("tetouan")
    inside = Inside(ZoneModels.begun_cold(tetouan, 2), tetouan)
    values = {"zone_2_kw": 20_000.0}
    time = datetime(2018, 3, 1, tzinfo=UTC)
    inside.run([CleanReading(site="tetouan", time=time, step_minutes=10, values=values)])
    assert inside.readings == 1
    assert set(inside.us_per_forecast()) == {"step", "weather", "decode", "encode"}
    assert all(inside.us_per_forecast()[part] > 0 for part in ("step", "decode", "encode"))
