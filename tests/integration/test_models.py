"""Another champion for a forecaster that is at work: from one reading to the next, and nothing lost or doubled."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest

from backtest.run import issued, judged
from cli.__main__ import main
from harness.brokers import service, until
from harness.february import START, champions_of, registered_again
from services.forecaster.settings import ForecasterSettings
from shared.contracts import topics
from shared.contracts.messages import Forecast, ModelEvent, ModelNames
from shared.runtime.concerns import KafkaSettings, RegistrySettings
from shared.runtime.registered import FILE
from shared.runtime.registry import ModelVersion, Registry, Signature
from shared.runtime.settings import load
from shared.sites.table import site
from shared.training.announcing import announce, event_of
from tests.unit.forecasting.test_artefact import rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from confluent_kafka import Message

    from harness.brokers import Broker, ServiceProcess
    from shared.contracts.messages import CleanReading
    from shared.data.year import Year
    from shared.training.announcing import Change

DEMAND, WEATHER = "zone-demand-tetouan-2", "weather-demand-tetouan-2"
PAIRS = {version: ModelNames(demand=f"{DEMAND}/{version}", weather=f"{WEATHER}/{version}") for version in ("1", "2")}
EVERY_S = 0.05  # between two readings: a day of them in seven seconds
AFTER = 24  # readings once the other version answers


@dataclass
class Load:
    """Readings that are sent one after the other, beside the test."""

    broker: Broker
    readings: Sequence[CleanReading]
    sent: list[CleanReading] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    def run(self) -> None:
        """Send them until they end, or it is told to stop."""
        for reading in self.readings:
            if self.over.wait(EVERY_S):
                return
            self.broker.send(topics.CLEAN, [reading.to_bytes()])
            self.sent.append(reading)


@contextmanager
def under_load(broker: Broker, readings: Sequence[CleanReading]) -> Iterator[Load]:
    """Send readings until the block ends."""
    load_ = Load(broker, readings)
    sender = Thread(target=load_.run, name="load", daemon=True)
    sender.start()
    try:
        yield load_
    finally:
        load_.over.set()
        sender.join()


def own_registry(state_dir: Path, folder: Path) -> Registry:
    """Return a registry of the test's own, whose champions are those of the folder."""
    shutil.copytree(state_dir, folder)
    own = load(RegistrySettings, state_dir=folder)
    return Registry(own.registry_uri, own.artifact_root)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Return the exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["tetouan", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def forecast_in(message: Message) -> Forecast:
    """Return the forecast in a record."""
    return Forecast.from_bytes(message.value() or b"")


def test_a_rollback_is_in_force_from_one_reading_to_the_next(
    broker: Broker,
    year: Year,
    state_dir: Path,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each reading has one forecast, by the version that the topic names for its origin, as one fold would have it.

    Both versions have the same in them, so that a fold by the one is what the two together must say.
    """
    folder = tmp_path / "state"
    registry = own_registry(state_dir, folder)
    for trained in registered_again(registry):
        registry.promote(trained.version)
    for name, value in {**broker.env, "TETOUAN_STATE_DIR": str(folder)}.items():
        monkeypatch.setenv(name, value)
    readings = judged(year, START, START + timedelta(days=8))
    with service("forecaster", broker, tmp_path, free_port()):
        with under_load(broker, readings) as load_:
            until(lambda: broker.held(topics.FORECASTS) >= AFTER, "the newer version to answer")
            assert run(monkeypatch, "models", "rollback", DEMAND) == 0
            until(lambda: newest(broker).models == PAIRS["1"], "the version before to answer")
            answered = len(load_.sent)
            until(lambda: len(load_.sent) >= answered + AFTER, "more readings")
        until(lambda: len(broker.everything(topics.FORECASTS)) >= len(load_.sent), "all readings to be answered")
    records = broker.everything(topics.FORECASTS)
    forecasts = [forecast_in(record) for record in records]
    told = [(ModelEvent.from_bytes(record.value() or b""), record) for record in broker.everything(topics.MODELS)]
    (changed,) = {event.origin for event, _ in told if (event.change, event.version) == ("in_force", "1")}
    assert [each.origin for each in forecasts] == [each.time for each in load_.sent]
    assert [each.models for each in forecasts] == [PAIRS["2" if each.origin < changed else "1"] for each in forecasts]
    (models,) = champions_of(site("tetouan"), load(ForecasterSettings))
    expected = issued(year, models, load_.sent)
    assert [each.median_kw for each in forecasts] == [each.median_kw for each in expected]
    (first,) = (record for record in records if forecast_in(record).origin == changed)
    said_ms = max(record.timestamp()[1] for event, record in told if event.change == "rolled_back")
    with capsys.disabled():
        sys.stdout.write(
            f"\n{broker.kind}: a rollback is in force {first.timestamp()[1] - said_ms} ms after its event\n"
        )


def noted(forecaster: ServiceProcess) -> str:
    """Return what the forecaster says of models that it cannot use."""
    return str(forecaster.get("/readyz").json()["notes"].get("refused models"))


def newest(broker: Broker) -> Forecast:
    """Return the newest forecast."""
    return forecast_in(broker.everything(topics.FORECASTS)[-1])


def test_a_champion_is_told_wherever_the_topic_wants_another(broker: Broker) -> None:
    """Once, however often it is said, and again where it was left meanwhile. A registration is told once for all."""
    settings = load(KafkaSettings, kafka_bootstrap=broker.bootstrap, topic_prefix=broker.prefix)
    said: list[tuple[Change, str, int]] = [
        ("registered", "2", 1),
        ("promoted", "1", 1),
        ("promoted", "2", 1),
        ("promoted", "2", 0),
        ("rolled_back", "1", 1),
        ("rolled_back", "1", 0),
        ("promoted", "2", 1),
        ("registered", "2", 0),
    ]
    for change, version, written in said:
        event = event_of(ModelVersion(DEMAND, version, {}, {}), change, "tetouan", START, "why")
        assert announce([event], settings) == (written, None)


def test_a_promoted_file_that_is_no_model_leaves_the_champion(
    embedded_broker: Broker, year: Year, state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Whoever promotes past the command: the forecaster names what is wrong with it, and answers with what it has."""
    folder = tmp_path / "state"
    registry = own_registry(state_dir, folder)
    champion = registry.champion(DEMAND)
    assert champion is not None
    files = tmp_path / "files"
    shutil.copytree(registry.fetch(champion), files)
    rewritten(files / FILE, **{"history.series": np.array([{"kw": 1.0}], dtype=object)})
    signature = Signature({"step": "long"}, {"demand_kw": "double"})
    hostile = registry.register(DEMAND, files, params={}, metrics={}, tags={}, signature=signature, run_name=DEMAND)
    first, second = judged(year, START, START + timedelta(minutes=20))
    settings = load(KafkaSettings, kafka_bootstrap=embedded_broker.bootstrap, topic_prefix=embedded_broker.prefix)
    with service("forecaster", embedded_broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(folder)) as forecaster:
        embedded_broker.send(topics.CLEAN, [first.to_bytes()])
        (before,) = embedded_broker.read(topics.FORECASTS, 1)
        assert announce([event_of(hostile, "promoted", "tetouan", START, "why not")], settings).fault is None
        until(lambda: "nothing is unpickled" in noted(forecaster), "the file to be refused")
        assert forecaster.ready()
        embedded_broker.send(topics.CLEAN, [second.to_bytes()])
        *_, after = embedded_broker.read(topics.FORECASTS, 2)
    assert forecast_in(before).models == forecast_in(after).models == PAIRS["1"]
