"""Many sites through the services at once: each is answered, scored and kept as if it were alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from harness.rows import placed
from harness.synthetic_sites import synthetic_sites, table_of
from shared.sites.table import known_sites
from tests.integration.many_sites import START, settings_for, stream_sites
from tests.integration.outcome import compare, of_sites
from tests.integration.undisturbed import Undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.brokers import Broker
    from shared.data.year import Year


def test_cores_answer_sites_in_company_as_each_alone(year: Year, tmp_path: Path) -> None:
    """Five sites of two steps and five time zones through the same cores: every byte is that of the site alone."""
    sites = synthetic_sites(year, 5)
    rows = placed(sites, START, START + timedelta(days=2, minutes=10), 1)
    undisturbed = Undisturbed(tmp_path, [rows], settings_for(tmp_path, table_of(sites)))
    names = [site.name for site in sites]
    together = of_sites(undisturbed.of(*names))
    assert sorted(together) == names
    for name in names:
        differences = compare(undisturbed.of(name), together[name])
        assert not [str(each) for each in differences if each.wrong or each.doubled]
    assert all(len(together[site.name]["forecasts.v1"]) > 2 * 1440 / site.step_minutes for site in sites)
    assert all(len(outcome["scores.v1"]) == 49 for outcome in together.values())


def test_a_synthetic_site_says_the_same_whatever_span_is_asked_for(year: Year, tmp_path: Path) -> None:
    """A reading depends on site and time alone; the table describes what is sent."""
    site = synthetic_sites(year, 2)[1]
    noon = START + timedelta(hours=12)
    whole, part = list(site.values(START, noon)), list(site.values(START + timedelta(hours=6), noon))
    assert (site.step_minutes, len(whole), whole[24:]) == (15, 48, part)
    assert set(whole[0][1]) == {"zone_1_kw", "temperature_c"}
    file = tmp_path / "sites.toml"
    file.write_text(site.table)
    described = known_sites(file)[site.name]
    assert (described.step_minutes, described.fields) == (15, ("zone_1_kw", "temperature_c"))


@pytest.mark.real_kafka
def test_sites_on_one_kafka_are_answered_as_each_alone(
    real_broker: Broker, year: Year, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Two sites of two steps in turn, on two partitions: nothing lost, different or doubled, states to the bit."""
    result = stream_sites(real_broker, tmp_path, year, free_port, sites=2, days=3)
    assert result.wrong == []
    assert result.records > 2 * result.rows
