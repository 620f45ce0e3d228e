"""The champions: waited for where there is nothing else, asked for beside a running service where there is."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from services.forecaster import champions as asked
from services.forecaster.champions import Champions, names_of
from services.forecaster.issuing import ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.registered import FILE, Question, collect
from services.forecaster.settings import ForecasterSettings
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.scores import step_of
from shared.forecasting.weather import COLUMNS
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.registry import Registry, RegistryError, Signature
from shared.runtime.settings import load
from shared.sites.table import site
from tests.unit.forecaster.conftest import START

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from shared.forecasting.model import ZoneDemand
    from shared.forecasting.weather import WeatherDemand

Zones = tuple["ZoneModels", ...]
Answers = Callable[..., list[RegistryError | Zones]]


class Notes(dict[str, str]):
    """What health notes of the champions, and the wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def __setitem__(self, name: str, note: str) -> None:
        super().__setitem__(name, note)
        self._changed.set()

    async def until(self, part: str) -> None:
        """Wait until the note of the champions has this in it."""
        async with asyncio.timeout(30):
            while part not in self.get("champions", ""):
                self._changed.clear()
                await self._changed.wait()


class Watched(Health):
    """Health that tells when somebody has asked whether the service is ready."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes=notes, broker_up=True)
        self.asked = asyncio.Event()

    def ready(self) -> tuple[bool, dict[str, object]]:
        """Tell and answer."""
        self.asked.set()
        return super().ready()


class Setting:
    """A registry that answers as it is told, the last answer for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[RegistryError | Zones] = []
        self.questions = 0
        self.notes = Notes()
        self.health = Watched(self.notes)
        self.registry: CollectorRegistry = new_registry()
        self._gauge = ForecasterMetrics(self.registry).champions_confirmed
        monkeypatch.setattr(asked, "registered", self._answer)

    def champions(self, **settings: object) -> Champions:
        """Return what asks it."""
        return Champions(load(ForecasterSettings, zones=(1, 2), **settings), self.health, self._gauge)

    async def _answer(self, _: ForecasterSettings) -> Zones:
        answer = self.answers[min(self.questions, len(self.answers) - 1)]
        self.questions += 1
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    @property
    def confirmed(self) -> float | None:
        """The metric."""
        return self.registry.get_sample_value("tetouan_champions_confirmed")


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A registry that can be told what to answer."""
    return Setting(monkeypatch)


NONE = RegistryError("no champion of zone-demand-tetouan-1 is registered: run `tetouan train`")


def test_who_has_to_begin_again_begins_with_them_as_they_were(setting: Setting, fresh: Zones) -> None:
    """They are asked for once; what one core has made of them is not in those of the next."""
    setting.answers = [fresh]
    champions = setting.champions()

    async def run() -> None:
        first = await champions.fetch()
        last_step = first[0].demand.last_step
        assert last_step is not None
        first[0].demand.partial_fit(last_step + 1, 20_000.0)
        second = await champions.fetch()
        assert second[0].demand.last_step == last_step

    asyncio.run(run())
    assert (setting.questions, setting.confirmed) == (1, 1)


def test_where_they_do_not_come_in_time_there_are_none(setting: Setting) -> None:
    """Each zone begins with a state that has seen nothing, and the registry has confirmed nothing."""
    setting.answers = [NONE]
    zones = asyncio.run(setting.champions(models_wait_s=0).fetch())
    assert [zone.zone for zone in zones] == [1, 2]
    assert not any(zone.names.demand or zone.demand.last_step for zone in zones)
    assert setting.confirmed == 0
    assert setting.health.waiting_for == {}


def test_without_the_models_with_the_wanted_tags_there_is_no_start(setting: Setting) -> None:
    """Others would have seen what is to be forecast."""
    setting.answers = [NONE]
    with pytest.raises(RegistryError, match="no champion"):
        asyncio.run(setting.champions(models_wait_s=0, model_tags=("as_of=2018",)).fetch())


def test_beside_a_service_that_is_ready_the_registry_is_asked_until_it_answers(setting: Setting, fresh: Zones) -> None:
    """Not before; meanwhile health says why nothing is confirmed. Who runs other models hears of it."""
    setting.answers = [NONE, fresh]
    setting.health.waiting_for["state"] = "the state is being rebuilt"
    champions, notes = setting.champions(), setting.notes

    async def run() -> None:
        confirming = asyncio.create_task(champions.confirm())
        await asyncio.wait_for(setting.health.asked.wait(), 30)
        assert setting.questions == 0
        assert not champions.supersede(fresh)
        del setting.health.waiting_for["state"]
        await notes.until(str(NONE))
        await asyncio.wait_for(confirming, 30)

    asyncio.run(run())
    assert (setting.questions, setting.confirmed, notes) == (2, 1, {})
    one, two = fresh
    assert not champions.supersede(fresh)
    assert champions.supersede((one, replace(two, digest="another")))
    assert champions.supersede((replace(one, names=ModelNames(demand="zone-demand-tetouan-1/2", weather=None)), two))


@pytest.mark.parametrize("begins", [False, True], ids=["with a state", "without champions"])
def test_what_the_registry_lacks_is_logged_once(
    setting: Setting, fresh: Zones, monkeypatch: pytest.MonkeyPatch, *, begins: bool
) -> None:
    """It is asked again and again; the log has a line where the reason is a new one, and one when it has answered."""
    monkeypatch.setattr(asked, "LONGEST_PAUSE_S", 0.0)
    away = RegistryError("the registry did not answer within 120 s: see that its server runs")
    setting.answers = [*[NONE] * 5, *[away] * 5, *[NONE] * 5, fresh]
    champions = setting.champions(models_wait_s=0)

    async def run() -> None:
        if begins:
            champions.run(await champions.fetch())
        await asyncio.wait_for(champions.confirm(), 30)

    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())
    assert setting.questions == 16
    assert [line["why"] for line in lines if "why" in line] == [str(NONE), str(away), str(NONE)]
    assert [line["event"] for line in lines][-1] == "the registry has said which models are to run"


def test_who_has_fetched_them_asks_no_more(setting: Setting, fresh: Zones) -> None:
    """The registry has said what is to run."""
    setting.answers = [fresh]
    champions = setting.champions()

    async def run() -> None:
        await champions.fetch()
        await champions.confirm()

    asyncio.run(run())
    assert setting.questions == 1


def test_champions_that_end_too_long_before_the_readings_do_not_take_over(setting: Setting, fresh: Zones) -> None:
    """They could answer nothing, and a cold start answers: it goes on, health says why, newer ones are asked for."""
    newer = tuple(replace(models, demand=deepcopy(models.demand)) for models in fresh)
    for models in newer:
        models.demand.partial_fit(step_of(START, 10) + 20 * 144, 20_000.0)
    setting.answers = [fresh, newer]
    champions = setting.champions()
    running = tuple(ZoneModels.begun_cold(site("tetouan"), zone) for zone in (1, 2))
    champions.run(running)
    for models in running:
        models.demand.partial_fit(step_of(START, 10) + 40 * 144, 20_000.0)

    async def run() -> None:
        confirming = asyncio.create_task(champions.confirm())
        await setting.notes.until("run `tetouan train` on newer data")
        assert not champions.supersede(running)
        await asyncio.wait_for(confirming, 30)

    asyncio.run(run())
    assert champions.supersede(running)
    assert setting.questions == 2


def test_who_has_begun_with_models_of_its_own_never_goes_on_without(setting: Setting, fresh: Zones) -> None:
    """Where its state has to go back, and the registry is away just then, it waits."""
    setting.answers = [NONE, NONE, fresh]
    champions = setting.champions(models_wait_s=0)
    champions.run(fresh)
    assert [zone.origin for zone in asyncio.run(champions.fetch())] == [zone.origin for zone in fresh]
    assert setting.health.waiting_for == {}


def test_who_runs_without_models_does_not_wait_for_them_again(setting: Setting) -> None:
    """Where its state has to go back, it is a cold one again at once."""
    setting.answers = [NONE]
    champions = setting.champions(models_wait_s=300)
    champions.run(tuple(ZoneModels.begun_cold(site("tetouan"), zone) for zone in (1, 2)))
    assert all(zone.cold for zone in asyncio.run(champions.fetch()))
    assert setting.questions == 1


def test_the_digest_tells_models_of_one_name_apart(fresh: Zones) -> None:
    """By their parameters and by what they have seen; that of the same is the same."""
    one, other = fresh[0], deepcopy(fresh[0])
    assert digest_of(one) == digest_of(other)
    assert other.demand.last_step is not None
    other.demand.partial_fit(other.demand.last_step + 1, 20_000.0)
    assert digest_of(one) != digest_of(other)
    assert digest_of(one) != digest_of(replace(one, demand=one.demand.anew(horizon_steps=6)))


def test_a_registry_that_nobody_has_made_has_nothing_and_is_not_made(tmp_path: Path) -> None:
    """Whoever asks may be ended at any moment, and half a schema would be no registry for anybody."""
    settings = load(ForecasterSettings, state_dir=tmp_path)
    none = r"^no champion of zone-demand-tetouan-2 is registered: run `tetouan train`$"
    with pytest.raises(RegistryError, match=none):
        asyncio.run(asked.registered(settings))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def question(tmp_path: Path) -> Question:
    """A question to a registry that is there and has nothing."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    Registry(uri, tmp_path / "artifacts")
    folder = tmp_path / "models"
    folder.mkdir()
    return Question(
        registry_uri=uri, artifact_root=tmp_path, tags={}, site="here", zones=(3,), weather=(), folder=folder
    )


def promoted(question: Question, name: str, model: ZoneDemand | WeatherDemand | None) -> None:
    """Put a model into the registry of a question, as a champion."""
    assert model is not None
    files = question.folder.with_name(name)
    files.mkdir()
    model.save(files / FILE)
    registry, signature = (
        Registry(question.registry_uri, question.artifact_root),
        Signature({"step": "long"}, {"demand_kw": "double"}),
    )
    registry.promote(registry.register(name, files, params={}, metrics={}, tags={}, signature=signature, run_name=name))


def test_a_weather_model_runs_where_the_site_has_its_fields(question: Question, fresh: Zones) -> None:
    """Else it is not used, whatever the registry has: it could say nothing, and the message must not name it."""
    promoted(question, "zone-demand-here-3", fresh[0].demand)
    promoted(question, "weather-demand-here-3", fresh[0].weather)
    told = {}
    for published in (COLUMNS, COLUMNS[:2], ()):
        folder = question.folder / str(len(published))
        folder.mkdir()
        asking = question.model_copy(update={"weather": published, "folder": folder})
        collect(asking)
        (models,) = asked.zones_in(asking)
        told[len(published)] = models.weather is not None, models.names.demand, models.names.weather
    assert told == {
        5: (True, "zone-demand-here-3/1", "weather-demand-here-3/1"),
        2: (False, "zone-demand-here-3/1", None),
        0: (False, "zone-demand-here-3/1", None),
    }


def test_a_demand_model_alone_is_enough(question: Question, fresh: Zones) -> None:
    """A training registers it last: no weather model beside it means that there is none to wait for."""
    promoted(question, "zone-demand-here-3", fresh[0].demand)
    asking = question.model_copy(update={"weather": COLUMNS})
    collect(asking)
    (models,) = asked.zones_in(asking)
    assert (models.weather, models.names.weather) == (None, None)
    assert names_of([models]) == "zone-demand-here-3/1 with no weather model"


def test_a_question_that_cannot_be_answered_is_one_line(
    question: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that asks says why; of what it could not foresee only the kind is told, which holds no password."""
    with pytest.raises(RegistryError, match=r"^no champion of zone-demand-here-3 is registered: run `tetouan train`$"):
        asyncio.run(asked.answered(question))
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho 'KeyError: secret' >&2\nexit 1\n")
    failing.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(RegistryError, match=r"^asking the registry has failed \(KeyError\): see"):
        asyncio.run(asked.answered(question))


def test_who_is_told_to_stop_does_not_wait_for_a_registry_that_is_silent(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes the question and never answers: the process that asks ends with who has asked."""
    processes: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)

    async def stopped(silent: socket.socket) -> None:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asking = asyncio.create_task(asked.answered(question.model_copy(update={"registry_uri": uri})))
        connection, _ = await asyncio.wait_for(asyncio.to_thread(silent.accept), 60)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        asyncio.run(stopped(silent))
    assert [process.returncode for process in processes] == [-signal.SIGKILL]


def test_a_registry_that_is_silent_for_too_long_has_not_answered(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again then, like one that is away."""
    monkeypatch.setattr(asked, "ANSWER_S", 0.05)
    with pytest.raises(RegistryError, match="the registry did not answer within 0 s"):
        asyncio.run(asked.answered(question))


def test_a_machine_that_has_no_room_for_a_question_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs goes on running."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(RegistryError, match="the registry cannot be asked"):
        asyncio.run(asked.registered(load(ForecasterSettings, state_dir=tmp_path)))
