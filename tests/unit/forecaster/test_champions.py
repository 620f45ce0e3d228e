"""The champions: waited for where there is nothing else, asked for beside a running service where there is."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from services.forecaster import asking
from services.forecaster import champions as champions_module
from services.forecaster.asking import Answer
from services.forecaster.champions import Champions, names_of
from services.forecaster.issuing import ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.registered import DEMAND, FILE, Question, Wanted, collect
from services.forecaster.settings import ForecasterSettings
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.weather import COLUMNS
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.registry import Registry, RegistryError, Signature
from shared.runtime.settings import load
from shared.runtime.site_notes import SiteNotes
from shared.sites.site import Site
from shared.sites.table import Sites, site

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from shared.forecasting.model import ZoneDemand
    from shared.forecasting.weather import WeatherDemand

Zones = tuple["ZoneModels", ...]
Reply = RegistryError | Answer
TABLE = Sites(
    {name: site("tetouan").model_copy(update={"name": name, "zones": (1, 2)}) for name in ("tetouan", "north")}
)
NONE = "no champion of zone-demand-tetouan-1 is registered: run `tetouan train`"
LACKING = Answer(missing={"tetouan": NONE})


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
        self.answers: list[Reply] = []
        self.asked: list[list[str]] = []
        self.notes = Notes()
        self.health = Watched(self.notes)
        self.registry: CollectorRegistry = new_registry()
        self._metrics = ForecasterMetrics(self.registry)
        monkeypatch.setattr(champions_module, "registered", self._answer)

    def champions(self, **settings: object) -> Champions:
        """Return what asks it."""
        given = load(ForecasterSettings, **settings)
        return Champions(given, TABLE, self.health, SiteNotes(self.notes), self._metrics)

    async def _answer(self, _: ForecasterSettings, sites: Iterable[Site], __: object = None) -> Answer:
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append([place.name for place in sites])
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    def confirmed(self, name: str = "tetouan") -> float | None:
        """Return the metric of a site."""
        return self.registry.get_sample_value("tetouan_champions_confirmed", {"site": name})


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A registry that can be told what to answer."""
    return Setting(monkeypatch)


def has(zones: Zones, name: str = "tetouan") -> Answer:
    """Return the answer of a registry that has these models of a site."""
    return Answer({name: zones})


def begun_cold() -> Zones:
    """Return what a site begins with that has no champions."""
    return tuple(ZoneModels.begun_cold(TABLE["tetouan"], zone) for zone in (1, 2))


def test_who_has_to_begin_again_begins_with_them_as_they_were(setting: Setting, fresh: Zones) -> None:
    """They are asked for once; what one core has made of them is not in those of the next."""
    setting.answers = [has(fresh)]
    champions = setting.champions()

    async def run() -> None:
        first = (await champions.fetch(["tetouan"], patient=True))["tetouan"]
        last_step = first[0].demand.last_step
        assert last_step is not None
        first[0].demand.partial_fit(last_step + 1, 20_000.0)
        second = (await champions.fetch(["tetouan"], patient=True))["tetouan"]
        assert second[0].demand.last_step == last_step
        champions.run("tetouan", second)

    asyncio.run(run())
    assert (setting.asked, setting.confirmed()) == ([["tetouan"]], 1)


def test_where_they_do_not_come_in_time_there_are_none(setting: Setting) -> None:
    """The registry has confirmed nothing, and health says what it lacks."""
    setting.answers = [LACKING]
    champions = setting.champions(models_wait_s=0)
    assert asyncio.run(champions.fetch(["tetouan"], patient=True)) == {}
    champions.run("tetouan", begun_cold())
    assert (setting.confirmed(), setting.health.waiting_for) == (0, {})
    assert setting.notes["champions"] == f"{NONE} (tetouan)"


@pytest.mark.parametrize("patient", [True, False])
def test_who_has_kept_its_state_does_not_wait_for_those_of_a_new_site(
    setting: Setting, fresh: Zones, *, patient: bool
) -> None:
    """Who has kept nothing does, as long as the registry has nothing for any of its sites."""
    setting.answers = [LACKING, has(fresh)]
    found = asyncio.run(setting.champions(models_wait_s=300).fetch(["tetouan"], patient=patient))
    assert (list(found), len(setting.asked)) == ((["tetouan"], 2) if patient else ([], 1))


def test_one_question_asks_for_all_sites_and_nobody_waits_for_those_of_another(setting: Setting, fresh: Zones) -> None:
    """A site that the registry knows begins with its models, whatever lacks beside it."""
    setting.answers = [Answer({"north": fresh}, missing={"tetouan": NONE})]
    found = asyncio.run(setting.champions(models_wait_s=300).fetch(["north", "tetouan"], patient=True))
    assert (list(found), setting.asked) == (["north"], [["north", "tetouan"]])


def test_a_site_whose_models_cannot_be_used_is_named_and_begins_without(setting: Setting, fresh: Zones) -> None:
    """Nobody waits for them; once there are others, the note is gone."""
    setting.answers = [Answer({"north": fresh}, refused={"tetouan": "no numbers in it"}), has(fresh)]
    champions = setting.champions(models_wait_s=300)

    async def run() -> None:
        found = await champions.fetch(["north", "tetouan"], patient=True)
        assert list(found) == ["north"]
        assert setting.notes["refused models"] == "no numbers in it (tetouan)"
        champions.run("tetouan", begun_cold())
        await asyncio.wait_for(champions.confirmed(), 30)

    asyncio.run(run())
    assert setting.notes == {}


def test_without_any_model_with_the_wanted_tags_there_is_no_start(setting: Setting) -> None:
    """Others would have seen what is to be forecast."""
    setting.answers = [LACKING]
    champions = setting.champions(models_wait_s=0, model_tags=("as_of=2018",))
    with pytest.raises(RegistryError, match="no champion"):
        asyncio.run(champions.fetch(["tetouan"], patient=True))


def test_beside_a_service_that_is_ready_the_registry_is_asked_until_it_answers(setting: Setting, fresh: Zones) -> None:
    """Not before; meanwhile health says why nothing is confirmed. Who runs other models hears of it."""
    setting.answers = [LACKING, has(fresh)]
    setting.health.waiting_for["state"] = "the state is being rebuilt"
    champions, notes = setting.champions(), setting.notes

    async def run() -> None:
        champions.run("tetouan", fresh)
        confirming = asyncio.create_task(champions.confirm())
        await asyncio.wait_for(setting.health.asked.wait(), 30)
        assert setting.asked == []
        del setting.health.waiting_for["state"]
        champions.changes.read.set()
        await notes.until(NONE)
        await asyncio.wait_for(champions.confirmed(), 30)
        confirming.cancel()

    asyncio.run(run())
    assert (len(setting.asked), setting.confirmed(), notes) == (2, 1, {})
    one, two = fresh
    assert champions.wanted("tetouan", fresh) == {}
    champions.run("tetouan", fresh)
    other = replace(one, names=ModelNames(demand="zone-demand-tetouan-1/2", weather=None))
    assert champions.wanted("tetouan", (other, replace(two, digest="another"))) == {1: one, 2: two}
    assert champions.wanted("north", fresh) == {}


def test_what_the_registry_lacks_is_logged_once(
    setting: Setting, fresh: Zones, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again and again; the log has a line where the reason is a new one, and one when it has answered."""
    monkeypatch.setattr(champions_module, "LONGEST_PAUSE_S", 0.0)
    away = "the registry did not answer within 120 s: see that its server runs"
    setting.answers = [*[LACKING] * 5, *[RegistryError(away)] * 5, *[LACKING] * 5, has(fresh)]
    champions = setting.champions(models_wait_s=0)

    async def run() -> None:
        await champions.fetch(["tetouan"], patient=True)
        champions.run("tetouan", begun_cold())
        await asyncio.wait_for(champions.confirmed(), 30)

    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())
    assert len(setting.asked) == 16
    assert [line["why"] for line in lines if "why" in line] == [NONE, away, NONE]
    assert [line["event"] for line in lines][-1] == "the registry has said which models are to run"


def test_who_has_begun_with_models_of_its_own_never_goes_on_without(setting: Setting, fresh: Zones) -> None:
    """Where its state has to go back, and the registry is away just then, it waits; even where it has left since."""
    setting.answers = [LACKING, LACKING, has(fresh)]
    champions = setting.champions(models_wait_s=0)
    champions.run("tetouan", fresh)
    assert champions.leave("tetouan", fresh)
    found = asyncio.run(champions.fetch(["tetouan"], patient=True))["tetouan"]
    assert [zone.origin for zone in found] == [zone.origin for zone in fresh]
    assert setting.health.waiting_for == {}


def test_who_runs_without_models_does_not_wait_for_them_again(setting: Setting) -> None:
    """Where its state has to go back, it is a cold one again at once."""
    setting.answers = [LACKING]
    champions = setting.champions(models_wait_s=300)
    champions.run("tetouan", begun_cold())
    assert asyncio.run(champions.fetch(["tetouan"], patient=True)) == {}
    assert len(setting.asked) == 1


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
    answer = asyncio.run(asking.registered(load(ForecasterSettings, state_dir=tmp_path), TABLE.values()))
    none = "no champion of zone-demand-{}-1 is registered: run `tetouan train`"
    assert answer == Answer(missing={name: none.format(name) for name in TABLE})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def question(tmp_path: Path) -> Question:
    """A question to a registry that is there and has nothing."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    Registry(uri, tmp_path / "artifacts")
    folder = tmp_path / "models"
    folder.mkdir()
    wanted = {"here": Wanted(zones=(3,), weather=())}
    return Question(registry_uri=uri, artifact_root=tmp_path, tags={}, sites=wanted, folder=folder)


def here(weather: Sequence[str]) -> Site:
    """Return a site of one zone that publishes these fields of the weather."""
    columns = {field: field for field in (*weather, "zone_3_kw")}
    return Site(name="here", step_minutes=10, time_zone="UTC", time_column="time", columns=columns)


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
        wanted = {"here": Wanted(zones=(3,), weather=published)}
        posed = question.model_copy(update={"sites": wanted, "folder": folder})
        collect(posed)
        (models,) = asking.models_in(posed, {"here": here(published)}).found["here"]
        told[len(published)] = models.weather is not None, models.names.demand, models.names.weather
    assert told == {
        5: (True, "zone-demand-here-3/1", "weather-demand-here-3/1"),
        2: (False, "zone-demand-here-3/1", None),
        0: (False, "zone-demand-here-3/1", None),
    }


def test_a_demand_model_alone_is_enough(question: Question, fresh: Zones) -> None:
    """A training registers it last: no weather model beside it means that there is none to wait for."""
    promoted(question, "zone-demand-here-3", fresh[0].demand)
    posed = question.model_copy(update={"sites": {"here": Wanted(zones=(3,), weather=COLUMNS)}})
    collect(posed)
    (models,) = asking.models_in(posed, {"here": here(COLUMNS)}).found["here"]
    assert (models.weather, models.names.weather) == (None, None)
    assert names_of([models]) == "zone-demand-here-3/1 with no weather model"


def test_a_site_without_models_or_with_bad_ones_does_not_disturb_the_others(question: Question, fresh: Zones) -> None:
    """One has champions, one has none, those of two cannot be used: each is answered by itself."""
    for name in ("here-3", "garbage-3", "hourly-3"):
        promoted(question, f"zone-demand-{name}", fresh[0].demand)
    names = ("here", "none", "garbage", "hourly")
    posed = question.model_copy(update={"sites": dict.fromkeys(names, Wanted(zones=(3,), weather=()))})
    collect(posed)
    (posed.folder_of("garbage", 3) / DEMAND / FILE).write_bytes(b"garbage")
    changes = {"hourly": {"step_minutes": 60}}
    sites = {name: here(()).model_copy(update=changes.get(name, {})) for name in names}
    answer = asking.models_in(posed, sites)
    assert (list(answer.found), list(answer.missing)) == (["here"], ["none"])
    assert list(answer.refused) == ["garbage", "hourly"]
    assert answer.missing["none"] == "no champion of zone-demand-none-3 is registered: run `tetouan train`"
    assert answer.refused["garbage"].startswith("the files of zone-demand-garbage-3/1 cannot be used: ")
    assert answer.refused["hourly"] == (
        "zone-demand-hourly-3/1 cannot be used: its step is 10 minutes, that of the site 60: run `tetouan train`"
    )


def test_files_that_cannot_be_fetched_are_those_of_their_site(question: Question, fresh: Zones, tmp_path: Path) -> None:
    """The registry names them, and they are gone."""
    promoted(question, "zone-demand-here-3", fresh[0].demand)
    for file in tmp_path.rglob(f"artifacts/**/{FILE}"):
        file.unlink()
    collect(question)
    answer = asking.models_in(question, {"here": here(())})
    assert "zone-demand-here-3/1" in answer.refused["here"]


def test_a_question_that_cannot_be_answered_is_one_line(
    question: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that asks says why; of what it could not foresee only the kind is told, which holds no password."""
    away = question.model_copy(update={"registry_uri": "http://127.0.0.1:9"})
    with pytest.raises(RegistryError, match=r"^the registry at http://127.0.0.1:9 cannot be used"):
        asyncio.run(asking.answered(away))
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho 'KeyError: secret' >&2\nexit 1\n")
    failing.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(RegistryError, match=r"^asking the registry has failed \(KeyError\): see"):
        asyncio.run(asking.answered(question))


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
        waiting = asyncio.create_task(asking.answered(question.model_copy(update={"registry_uri": uri})))
        connection, _ = await asyncio.wait_for(asyncio.to_thread(silent.accept), 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        asyncio.run(stopped(silent))
    assert [process.returncode for process in processes] == [-signal.SIGKILL]


def test_a_registry_that_is_silent_for_too_long_has_not_answered(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again then, like one that is away."""
    monkeypatch.setattr(asking, "ANSWER_S", 0.05)
    with pytest.raises(RegistryError, match="the registry did not answer within 0 s"):
        asyncio.run(asking.answered(question))


def test_a_machine_that_has_no_room_for_a_question_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs goes on running."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(RegistryError, match="the registry cannot be asked"):
        asyncio.run(asking.registered(load(ForecasterSettings, state_dir=tmp_path), TABLE.values()))
