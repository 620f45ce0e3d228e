"""The figures of a load, and the forecaster's parts without a broker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.stream import Inside, Phase, at_rest
from services.forecaster.issuing import ZoneModels
from shared.contracts.messages import CleanReading
from shared.sites.table import site


def test_rounds_of_one_load_are_figures_of_all() -> None:
    """Two rounds give one rate, weighted by what each has cost, and one distribution of latencies."""
    both = Phase("load", 300, 3, 0.1, 0.05, [1.0, 2.0]) + Phase("load", 100, 1, 0.3, 0.2, [3.0])
    assert (both.name, both.per_cpu_second, both.per_batch, both.percentile_ms(50)) == ("load", 1000, 100, 2.0)
    assert both.core_cpu_s == 0.25


class Sleeper:
    """A forecaster that takes the same CPU each time it is looked at, and then answers after so many ms."""

    def __init__(self, cpu_s: float, *lone_ms: float) -> None:
        self._each_s = cpu_s
        self._spent_s = 0.0
        self._answers_ms = list(lone_ms)
        self.heard: list[CleanReading] = []

    def cpu_s(self) -> float:
        """Return what it has taken."""
        self._spent_s += self._each_s
        return self._spent_s

    def lone_ms(self, reading: CleanReading) -> float:
        """Answer."""
        self.heard.append(reading)
        return self._answers_ms.pop(0)


def test_rest_is_the_cpu_of_quiet_times_and_the_median_of_lone_readings() -> None:
    """Each forecaster has figures of its own; each hears its readings, one after a quiet time."""
    time = datetime(2018, 3, 1, tzinfo=UTC)
    readings = [
        CleanReading(site="tetouan", time=time + n * timedelta(minutes=10), step_minutes=10, values={})
        for n in range(3)
    ]
    slow, fast = Sleeper(0.002, 9.0, 30.0, 8.0), Sleeper(0.001, 5.0, 4.0, 6.0)
    rests = at_rest([slow, fast], [readings, readings], 0.01)
    assert [rest.idle_ms_per_s for rest in rests] == pytest.approx([200, 100])
    assert [rest.lone_reading_ms for rest in rests] == [9.0, 5.0]
    assert slow.heard == fast.heard == readings


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
