"""Time and load, no weather: a site of two zones through all services, and a forecaster that is started again."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from backtest.run import judged
from harness.brokers import service
from harness.february import START, champions_of
from services.forecaster.issuing import Issuer
from services.forecaster.settings import ForecasterSettings
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast, Scores
from shared.data.year import find_year
from shared.runtime.registry import Registry
from shared.runtime.settings import load
from shared.sites.table import known_sites
from shared.training.training import ensure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.brokers import Broker
    from shared.data.year import Year

SITES = """
[grid]
step_minutes = 10
country = "MA"
time_zone = "UTC"
time_column = "time"

[grid.columns]
"Load A" = "zone_1_kw"
"Load B" = "zone_2_kw"
"""
READINGS = 20
UNTIL = START + READINGS * timedelta(minutes=10)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of the site."""
    file = tmp_path_factory.mktemp("sites") / "sites.toml"
    file.write_text(SITES)
    return file


@pytest.fixture(scope="module")
def grid(year: Year, sites: Path) -> Year:
    """The loads of two zones of the synthetic year, as a file of the site."""
    columns = dict(
        zip([year.site.time_column, *list(year.site.columns)[5:7]], ("time", "Load A", "Load B"), strict=True)
    )
    file = sites.with_name("loads.csv")
    year.rows[list(columns)].rename(columns=columns).to_csv(file, index=False)
    return find_year(str(file), sites.parent, site=known_sites(sites)["grid"])


@pytest.fixture(scope="module")
def settings(grid: Year, sites: Path) -> ForecasterSettings:
    """The settings of the site; the registry of its state folder holds the champions that were fitted on January."""
    settings = load(ForecasterSettings, state_dir=sites.with_name("state"), sites=sites, site="grid", zones=(1, 2))
    registry = Registry(settings.registry_uri, settings.artifact_root)
    report = ensure(grid, START, settings.zones, registry, lambda *_: None)
    for trained in report.models:
        registry.promote(trained.version)
    assert [trained.version.name for trained in report.models] == ["zone-demand-grid-1", "zone-demand-grid-2"]
    return settings


@pytest.fixture(scope="module")
def expected(grid: Year, settings: ForecasterSettings) -> list[bytes]:
    """What the champions answer, by reading and then by zone."""
    models = champions_of(settings.chosen_site, settings)
    return [issue.to_bytes() for issue in Issuer(grid.site, models).answer(judged(grid, START, UNTIL))]


@pytest.mark.real_kafka
def test_a_site_without_weather_is_streamed_and_started_again(
    real_broker: Broker,
    grid: Year,
    settings: ForecasterSettings,
    expected: list[bytes],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """One forecast a reading and zone, the same across a restart from the snapshot, no value is missing, and scores."""
    env = {
        "TETOUAN_STATE_DIR": str(settings.state_dir),
        "TETOUAN_SNAPSHOTS": str(tmp_path / "snapshots"),
        "TETOUAN_SITES": str(settings.sites),
        "TETOUAN_SITE": "grid",
        "TETOUAN_ZONES": "1,2",
        "TETOUAN_GROUP_INSTANCE_ID": "only",
    }
    rows = [raw for _, raw in grid.raw_messages(START, UNTIL)]
    with ExitStack() as stack:
        for name in ("ingestor", "monitor"):
            stack.enter_context(service(name, real_broker, tmp_path, free_port(), ready=True, **env))
        with service("forecaster", real_broker, tmp_path, free_port(), ready=True, **env) as forecaster:
            real_broker.send(topics.RAW, rows[:12], key=b"grid")
            real_broker.read(topics.FORECASTS, 24)
            notes = forecaster.get("/readyz").json()["notes"]
        with service("forecaster", real_broker, tmp_path, free_port(), ready=True, **env):
            real_broker.send(topics.RAW, rows[12:], key=b"grid")
            answers = [message.value() for message in real_broker.read(topics.FORECASTS, 2 * READINGS)]
        scores = [Scores.from_bytes(message.value() or b"") for message in real_broker.read(topics.SCORES, 8)]
        readings = [CleanReading.from_bytes(m.value() or b"") for m in real_broker.read(topics.CLEAN, READINGS)]
    assert answers == expected
    assert notes["weather"].startswith("no weather at this site")
    assert not [note for note in notes if note == "cold" or note.startswith("weather-demand")]
    assert {score.zone for score in scores} == {1, 2}
    assert {tuple(reading.values) for reading in readings} == {("zone_1_kw", "zone_2_kw")}
    assert not any(reading.flags for reading in readings)
    assert list((tmp_path / "snapshots").rglob("*forecaster*"))


def test_champions_without_weather_answer_a_site_that_has_it(
    embedded_broker: Broker, year: Year, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Trained on a file of loads alone: messages with weather or without are answered, and health says what lacks."""
    file = tmp_path / "loads.csv"
    year.rows[[year.site.time_column, *list(year.site.columns)[5:]]].to_csv(file, index=False)
    loads = find_year(str(file), tmp_path)
    own = load(ForecasterSettings, state_dir=tmp_path / "state")
    registry = Registry(own.registry_uri, own.artifact_root)
    for trained in ensure(loads, START, (2,), registry, lambda *_: None).models:
        registry.promote(trained.version)
    step = timedelta(minutes=10)
    rows = [*year.raw_messages(START, START + step), *loads.raw_messages(START + step, START + 2 * step)]
    env = {"TETOUAN_STATE_DIR": str(own.state_dir)}
    with (
        service("ingestor", embedded_broker, tmp_path, free_port(), ready=True, **env),
        service("forecaster", embedded_broker, tmp_path, free_port(), ready=True, **env) as forecaster,
    ):
        embedded_broker.send(topics.RAW, [raw for _, raw in rows])
        answers = [Forecast.from_bytes(m.value() or b"") for m in embedded_broker.read(topics.FORECASTS, 2)]
        notes = forecaster.get("/readyz").json()["notes"]
    assert [answer.models.demand for answer in answers] == ["zone-demand-tetouan-2/1"] * 2
    assert {(answer.models.weather, answer.weather_estimate_kw) for answer in answers} == {(None, None)}
    assert notes["weather"].startswith("no weather model: run `tetouan train`")
