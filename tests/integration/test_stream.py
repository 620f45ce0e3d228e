"""Readings in, forecasts and scores out, through all services as processes, on every broker."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from backtest.run import judged
from backtest.tables import ScoreTable
from backtest.transcript import Transcript
from cli.settings import CommandSettings
from cli.watching import last_reading
from harness.brokers import Broker, ServiceProcess, letter_of, service, until
from harness.february import READINGS, START, UNTIL, fit_models, raw_rows, registered_again
from shared.contracts import topics
from shared.contracts.messages import Forecast, ModelEvent, ModelNames, Scores
from shared.runtime.concerns import KafkaSettings, RegistrySettings
from shared.runtime.registry import Registry
from shared.runtime.settings import load
from shared.training.announcing import announce, events_of
from shared.training.training import TrainingReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.data.year import Year


def test_the_stream_publishes_what_the_backtest_says(
    broker: Broker,
    year: Year,
    state_dir: Path,
    expected: list[Forecast],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """One forecast a reading, equal to the backtest's byte for byte, and scores equal to those of its table."""
    with (
        service("ingestor", broker, tmp_path, free_port()),
        service("monitor", broker, tmp_path, free_port()) as monitor,
        service("forecaster", broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(state_dir)) as forecaster,
    ):
        broker.send(topics.RAW, raw_rows(year))
        streamed = [m.value() for m in broker.read(topics.FORECASTS, READINGS)]
        scores = [Scores.from_bytes(m.value() or b"") for m in broker.read(topics.SCORES, 48)]
        assert monitor.metric("tetouan_waiting_readings") == 0
        assert noted(forecaster, "models").startswith("zone-demand-tetouan-2/1 with weather-demand-tetouan-2/1")
        assert forecaster.metric('tetouan_forecasts_total{level="adapted"') == READINGS

    assert streamed == [forecast.to_bytes() for forecast in expected]
    assert len(scores) == 48
    last = {str(score.lead_minutes or "mean"): score.rmse_kw for score in scores[-1].scores if score.window_days == 7}
    table = table_until(scores[-1].time, year, expected).to_json()["leads"]
    assert last == {
        group: pytest.approx(table[group]["rmse_kw"], abs=0.05) for group in ("10", "60", "360", "1440", "mean")
    }


def test_what_no_service_can_read_is_a_dead_letter_and_the_stream_goes_on(
    broker: Broker, year: Year, state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Garbage on the clean topic is refused by forecaster and monitor; the reading after it is answered."""
    (reading,) = judged(year, START, START + timedelta(minutes=10))
    broker.send(topics.CLEAN, [b"garbage", b'{"schema_version": 2}', reading.to_bytes()])
    with (
        service("monitor", broker, tmp_path, free_port()),
        service("forecaster", broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(state_dir)),
    ):
        (answer,) = broker.read(topics.FORECASTS, 1)
        letters = [letter_of(message) for message in broker.read(topics.REJECTED, 4)]
    assert Forecast.from_bytes(answer.value() or b"").origin == START
    assert [letter.reason for letter in letters] == ["invalid_clean_reading"] * 4
    assert {letter.offset for letter in letters} == {0, 1}


def test_readings_that_the_models_have_seen_are_not_answered_again(
    embedded_broker: Broker, year: Year, state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """A forecaster that gets nothing but old readings says so in /readyz, and answers the first new one."""
    old, new = judged(year, START - timedelta(minutes=10), START + timedelta(minutes=10))
    with service("forecaster", embedded_broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(state_dir)) as forecaster:
        embedded_broker.send(topics.CLEAN, [old.to_bytes()])
        until(lambda: "ignored" in forecaster.get("/readyz").json()["notes"], "the old reading to be noted")
        assert "waiting for later ones" in forecaster.get("/readyz").json()["notes"]["ignored"]
        embedded_broker.send(topics.CLEAN, [new.to_bytes()])
        (answer,) = embedded_broker.read(topics.FORECASTS, 1)
    assert Forecast.from_bytes(answer.value() or b"").origin == START


def test_a_forecaster_without_models_waits_for_them_and_says_so(
    embedded_broker: Broker, year: Year, state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Until a model with the wanted tags is registered the service is not ready; it still leaves when told to."""
    (reading,) = judged(year, START, START + timedelta(minutes=10))
    embedded_broker.send(topics.CLEAN, [reading.to_bytes()])
    tags, folder = "as_of=1999-12-31", str(state_dir)
    waiting = "no version of zone-demand-tetouan-2 with as_of=1999-12-31 is registered: run `tetouan train`"
    with service(
        "forecaster",
        embedded_broker,
        tmp_path,
        free_port(),
        ready=False,
        TETOUAN_STATE_DIR=folder,
        TETOUAN_MODEL_TAGS=tags,
    ) as forecaster:
        until(lambda: forecaster.waiting_for("models") == waiting, "the forecaster to say what it waits for")
        assert forecaster.get("/healthz").status_code == 200
        forecaster.process.terminate()
        assert forecaster.process.wait(timeout=10) == 0


def test_a_forecaster_whose_models_do_not_come_starts_without_and_takes_them_when_they_do(
    embedded_broker: Broker, year: Year, expected: list[Forecast], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """It answers from the readings alone, by a lower level, and says so; champions that are registered later take over.

    What has been answered before is folded into them: the next forecast is that of a forecaster that began with them,
    and the topic of model events says from when on they are in force.
    """
    *readings, last = judged(year, START, START + timedelta(minutes=40))
    embedded_broker.send(topics.CLEAN, [reading.to_bytes() for reading in readings])
    folder = str(tmp_path / "state")
    with service(
        "forecaster",
        embedded_broker,
        tmp_path,
        free_port(),
        TETOUAN_STATE_DIR=folder,
        TETOUAN_MODELS_WAIT_S="0",
    ) as forecaster:
        answers = [Forecast.from_bytes(m.value() or b"") for m in embedded_broker.read(topics.FORECASTS, 3)]
        until(lambda: "no champion of zone-demand-tetouan-2 is" in noted(forecaster, "champions"), "the note of why")
        assert "readings alone" in noted(forecaster, "cold")
        assert forecaster.metric("tetouan_champions_confirmed") == 0
        fit_models(year, tmp_path / "state")
        until(lambda: forecaster.metric("tetouan_champions_confirmed") == 1, "the champions to be there")
        embedded_broker.send(topics.CLEAN, [last.to_bytes()])
        *_, newest = embedded_broker.read(topics.FORECASTS, 4)
        until(lambda: "zone-demand-tetouan-2/1" in noted(forecaster, "models"), "the champions to run")
        assert noted(forecaster, "cold") == noted(forecaster, "champions") == ""
        begun, demand, weather = (
            ModelEvent.from_bytes(m.value() or b"") for m in embedded_broker.read(topics.MODELS, 3)
        )
    assert [answer.origin for answer in answers] == [reading.time for reading in readings]
    assert {answer.levels[0].level for answer in answers} == {"climatology"}
    assert newest.value() == expected[3].to_bytes()
    assert (begun.change, begun.version, begun.origin) == ("in_force", None, START)
    assert (demand.change, demand.version, demand.origin) == ("in_force", "1", last.time)
    assert (weather.model, weather.origin) == ("weather-demand-tetouan-2", last.time)


def test_a_promotion_is_heard_of_and_holds_from_the_next_reading_on(
    embedded_broker: Broker,
    year: Year,
    state_dir: Path,
    expected: list[Forecast],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """A training tells of it once, however often it is said; the forecaster says from which origin on it holds."""
    *readings, last = judged(year, START, START + timedelta(minutes=30))
    folder = tmp_path / "state"
    shutil.copytree(state_dir, folder)
    own = load(RegistrySettings, state_dir=folder)
    again = registered_again(Registry(own.registry_uri, own.artifact_root))
    settings = load(KafkaSettings, kafka_bootstrap=embedded_broker.bootstrap, topic_prefix=embedded_broker.prefix)
    embedded_broker.send(topics.CLEAN, [reading.to_bytes() for reading in readings])
    with service("forecaster", embedded_broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(folder)) as forecaster:
        embedded_broker.read(topics.FORECASTS, 2)
        report = TrainingReport("again", START - year.site.grid.length, UNTIL, again, ())
        for _ in range(2):
            assert announce(events_of(report, year.site), settings).fault is None
        until(lambda: "zone-demand-tetouan-2/2" in forecaster.log.read_text(), "the new version to be there")
        embedded_broker.send(topics.CLEAN, [last.to_bytes()])
        *before, newest = (Forecast.from_bytes(m.value() or b"") for m in embedded_broker.read(topics.FORECASTS, 3))
        said = [ModelEvent.from_bytes(m.value() or b"") for m in embedded_broker.read(topics.MODELS, 8)]
    assert before == expected[:2]
    assert newest.models == ModelNames(demand="zone-demand-tetouan-2/2", weather="weather-demand-tetouan-2/2")
    assert newest.median_kw == expected[2].median_kw
    assert Counter(event.change for event in said) == {"in_force": 4, "registered": 2, "promoted": 2}
    assert {event.origin for event in said if (event.change, event.version) == ("in_force", "2")} == {last.time}
    assert {event.origin for event in said if event.change == "promoted"} == {START}


@pytest.mark.real_kafka
def test_a_forecaster_goes_on_with_the_models_that_it_has_kept_while_the_registry_is_away(
    real_broker: Broker,
    year: Year,
    state_dir: Path,
    expected: list[Forecast],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """Started again where no registry answers it is ready, gives the same forecasts as ever, and says what it lacks."""
    first, second = judged(year, START, START + timedelta(minutes=20))
    env = {
        "TETOUAN_STATE_DIR": str(state_dir),
        "TETOUAN_SNAPSHOTS": str(tmp_path / "snapshots"),
        "TETOUAN_GROUP_INSTANCE_ID": "only",
    }
    with service("forecaster", real_broker, tmp_path, free_port(), ready=True, **env):
        real_broker.send(topics.CLEAN, [first.to_bytes()])
        real_broker.read(topics.FORECASTS, 1)
    env["TETOUAN_MLFLOW_URI"] = f"http://127.0.0.1:{free_port()}"
    with service("forecaster", real_broker, tmp_path, free_port(), ready=True, **env) as forecaster:
        real_broker.send(topics.CLEAN, [second.to_bytes()])
        answers = [m.value() for m in real_broker.read(topics.FORECASTS, 2)]
        until(lambda: "cannot be used" in noted(forecaster, "champions"), "the note that the registry is away")
        assert forecaster.metric("tetouan_champions_confirmed") == 0
        assert forecaster.ready()
    assert answers == [forecast.to_bytes() for forecast in expected[:2]]


def noted(running: ServiceProcess, what: str) -> str:
    """Return a note of the service's health, empty where it has none."""
    return str(running.get("/readyz").json()["notes"].get(what, ""))


def table_until(hour: datetime, year: Year, forecasts: list[Forecast]) -> ScoreTable:
    """Return the scores over the pairs that have come due at the hour."""
    transcript = Transcript(2, START, hour + timedelta(minutes=10), year.site.step_minutes)
    for reading in judged(year, START, UNTIL):
        transcript.add_reading(reading)
    for forecast in forecasts:
        transcript.add_forecast(forecast)
    return ScoreTable.of(transcript)


def test_the_newest_reading_is_found_among_others(broker: Broker, year: Year) -> None:
    """Where to resume is after the site's newest clean reading, whatever stands behind it; none on an empty topic."""
    settings = load(CommandSettings, kafka_bootstrap=broker.bootstrap, topic_prefix=broker.prefix)
    assert last_reading(settings, settings.site) is None
    first, second = judged(year, START, START + timedelta(minutes=20))
    broker.send(topics.CLEAN, [first.to_bytes(), second.to_bytes(), b"garbage"])
    elsewhere = second.model_copy(update={"site": "elsewhere", "time": UNTIL})
    broker.send(topics.CLEAN, [elsewhere.to_bytes()], key=b"elsewhere")
    assert last_reading(settings, settings.site) == second.time
