"""The champions: asked for at the start, and beside a running service where others are wanted."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import structlog

from services.forecaster import champions as champions_module
from services.forecaster.asking import Asking, Pair, pairs_of
from services.forecaster.champions import Champions, names_of
from services.forecaster.issuing import ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.settings import ForecasterSettings
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.weather import COLUMNS
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.registered import FILE
from shared.runtime.registry import Registry, RegistryError, Signature
from shared.runtime.settings import load
from shared.runtime.site_notes import SiteNotes
from shared.sites.site import Site
from shared.sites.table import Sites, site
from tests.unit.forecaster.library import Library, promoted
from tests.unit.runtime.local import settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from shared.forecasting.model import ZoneDemand
    from shared.forecasting.weather import WeatherDemand
    from shared.runtime.registry import ModelVersion

TABLE = Sites(
    {name: site("tetouan").model_copy(update={"name": name, "zones": (1, 2)}) for name in ("tetouan", "north")}
)
NONE = "no champion of zone-demand-tetouan-1 is registered: run `tetouan train`"
BOUND_S = 30


class Setting:
    """A library of models, and what asks it."""

    def __init__(self) -> None:
        self.library = Library()
        self.notes: dict[str, str] = {}
        self.health = Health(notes=self.notes, broker_up=True)
        self.registry: CollectorRegistry = new_registry()
        self._metrics = ForecasterMetrics(self.registry)

    def champions(self, **settings: object) -> Champions:
        """Return those of a process that has just started."""
        given = load(ForecasterSettings, **settings)
        champions = Champions(given, TABLE, self.health, SiteNotes(self.notes), self._metrics, self.library)
        champions.changes.read.set()
        return champions

    def register(self, zones: Sequence[ZoneModels], name: str = "tetouan", version: str = "1") -> list[ZoneModels]:
        """Register models as the champions of a site."""
        return [self.library.put(name, version, models, champion=True) for models in zones]

    def confirmed(self, name: str = "tetouan") -> float | None:
        """Return the metric of a site."""
        return self.registry.get_sample_value("tetouan_champions_confirmed", {"site": name})


@pytest.fixture
def setting() -> Setting:
    """A registry that has nothing."""
    return Setting()


def begun_cold() -> tuple[ZoneModels, ...]:
    """Return what a site begins with that has no champions."""
    return tuple(ZoneModels.begun_cold(TABLE["tetouan"], zone) for zone in (1, 2))


def fetched(champions: Champions, *names: str, patient: bool = True) -> Mapping[str, tuple[ZoneModels, ...]]:
    """Return what sites begin with."""
    return asyncio.run(asyncio.wait_for(champions.fetch(names, patient=patient), BOUND_S))


def confirmed(champions: Champions) -> None:
    """Ask beside the running service until all is said."""
    asyncio.run(asyncio.wait_for(champions.confirmed(), BOUND_S))


def origins(zones: Sequence[ZoneModels]) -> list[object]:
    """Return what models were before they learned."""
    return [zone.origin for zone in zones]


def test_who_has_to_begin_again_begins_with_them_as_they_were(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """What one site has made of them is not in those of the next; which they are is asked once."""
    setting.register(fresh)
    champions = setting.champions()
    first = fetched(champions, "tetouan")["tetouan"]
    last_step = first[0].demand.last_step
    assert last_step is not None
    first[0].demand.partial_fit(last_step + 1, 20_000.0)
    second = fetched(champions, "tetouan")["tetouan"]
    assert second[0].demand.last_step == last_step
    champions.begin("tetouan", second)
    assert setting.confirmed() == 1
    assert setting.library.asked.count("versions") == 1


def test_nobody_is_asked_for_sites_that_have_none(setting: Setting, fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """One answer says it of all sites, and holds for those that come later."""
    setting.register(fresh)
    champions = setting.champions()
    assert (list(fetched(champions, "north")), list(fetched(champions, "tetouan"))) == ([], ["tetouan"])
    assert list(fetched(champions, "north")) == []
    labels = [f"zone-demand-tetouan-{zone}/1" for zone in (1, 2)]
    assert setting.library.asked == ["versions", *labels]


def test_the_registry_is_asked_before_any_site_begins(setting: Setting, fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """Whatever the service still waits for. A site that begins meanwhile shares the answer."""
    setting.register(fresh)
    setting.health.waiting_for["state"] = "the state is being rebuilt"
    champions = setting.champions()

    async def run() -> None:
        confirming = asyncio.create_task(champions.confirm())
        found = await asyncio.gather(*(champions.fetch([name], patient=True) for name in ("tetouan", "north")))
        assert [list(each) for each in found] == [["tetouan"], []]
        confirming.cancel()

    asyncio.run(asyncio.wait_for(run(), BOUND_S))
    assert setting.library.asked.count("versions") == 1


class Silent(Library):
    """A registry that does not answer."""

    async def versions(self) -> Mapping[str, str]:
        """Do not answer."""
        await asyncio.Event().wait()
        return {}


def test_who_may_not_wait_does_not_wait_for_an_answer(setting: Setting, fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """It begins without, and takes them over once the registry has answered."""
    setting.library = Silent()
    assert fetched(setting.champions(models_wait_s=0), "tetouan") == {}
    setting.library = Library()
    setting.register(fresh)
    champions = setting.champions(models_wait_s=0)
    champions.begin("tetouan", begun_cold())
    assert setting.confirmed() == 0
    confirmed(champions)
    assert (setting.confirmed(), setting.notes) == (1, {})
    assert list(champions.wanted("tetouan")) == [1, 2]


def test_where_they_do_not_come_in_time_there_are_none(setting: Setting) -> None:
    """The registry has confirmed nothing, and health says what it lacks."""
    champions = setting.champions(models_wait_s=0)
    assert fetched(champions, "tetouan") == {}
    champions.begin("tetouan", begun_cold())
    assert (setting.confirmed(), setting.health.waiting_for) == (0, {})
    assert setting.notes["champions"] == f"{NONE} (tetouan)"


@pytest.mark.parametrize("patient", [True, False])
def test_who_has_kept_its_state_does_not_wait_for_those_of_a_new_site(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels], *, patient: bool
) -> None:
    """Who has kept nothing does, as long as the registry has none of any site."""
    champions = setting.champions(models_wait_s=300)

    async def run() -> Mapping[str, tuple[ZoneModels, ...]]:
        fetching = asyncio.create_task(champions.fetch(["tetouan"], patient=patient))
        await settled(lambda: fetching.done() or setting.health.waiting_for.get("models") == NONE)
        setting.register(fresh)
        return await asyncio.wait_for(fetching, BOUND_S)

    assert list(asyncio.run(run())) == (["tetouan"] if patient else [])


def test_nobody_waits_where_the_registry_has_champions_of_others(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """They begin without at once."""
    setting.register(fresh, "north")
    assert list(fetched(setting.champions(models_wait_s=300), "north", "tetouan")) == ["north"]
    assert fetched(setting.champions(models_wait_s=300), "tetouan") == {}


def test_a_site_whose_models_cannot_be_used_is_named_and_begins_without(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """Nobody waits for them; once there are others, the note is gone."""
    setting.register(fresh, "north")
    setting.register(fresh)
    setting.library.held["tetouan", 1, "1"] = setting.library.held["tetouan", 2, "1"] = "no numbers in it"
    champions = setting.champions(models_wait_s=300)
    assert list(fetched(champions, "north", "tetouan")) == ["north"]
    assert setting.notes["refused models"] == "no numbers in it (tetouan)"
    champions.begin("tetouan", begun_cold())
    setting.register(fresh, version="2")
    confirmed(champions)
    assert setting.notes == {}


def test_without_any_model_with_the_wanted_tags_there_is_no_start(setting: Setting) -> None:
    """Others would have seen what is to be forecast."""
    champions = setting.champions(models_wait_s=0, model_tags=("as_of=2018",))
    with pytest.raises(RegistryError, match="no version of zone-demand-tetouan-1 with as_of=2018 is registered"):
        fetched(champions, "tetouan")


def test_of_versions_with_tags_those_of_all_zones_are_waited_for(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """A training that is under way has registered one zone, and no site begins without the other."""
    first, second = fresh
    setting.library.put("tetouan", "1", first, champion=True)
    champions = setting.champions(models_wait_s=BOUND_S, model_tags=("as_of=2018",))

    async def run() -> Mapping[str, tuple[ZoneModels, ...]]:
        fetching = asyncio.create_task(champions.fetch(["tetouan"], patient=True))
        await settled(lambda: "zone-demand-tetouan-2" in setting.health.waiting_for.get("models", ""))
        setting.library.put("tetouan", "1", second, champion=True)
        return await fetching

    begun = asyncio.run(asyncio.wait_for(run(), BOUND_S))["tetouan"]
    assert [zone.names for zone in begun] == [zone.names for zone in fresh]


def test_a_site_without_versions_with_the_tags_does_not_wait_once_another_has_all(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """Its readings may come before the training of the other has ended; it begins from them alone."""
    champions = setting.champions(models_wait_s=BOUND_S, model_tags=("as_of=2018",))

    async def run() -> Mapping[str, tuple[ZoneModels, ...]]:
        fetching = asyncio.create_task(champions.fetch(["north"], patient=True))
        await settled(lambda: "zone-demand-north-1" in setting.health.waiting_for.get("models", ""))
        setting.register(fresh)
        return await fetching

    assert asyncio.run(asyncio.wait_for(run(), BOUND_S)) == {}
    assert list(fetched(champions, "tetouan")) == ["tetouan"]


def test_beside_a_service_that_is_ready_the_registry_is_asked_until_it_answers(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """Meanwhile health says why nothing is confirmed. Who runs other models is offered those of the registry."""
    champions, library = setting.champions(), setting.library
    library.away = True

    async def run() -> None:
        champions.begin("tetouan", begun_cold())
        confirming = asyncio.create_task(champions.confirm())
        await settled(lambda: "the registry is away" in setting.notes["champions"])
        library.away = False
        await settled(lambda: NONE in setting.notes["champions"])
        setting.register(fresh)
        await settled(lambda: setting.confirmed() == 1)
        confirming.cancel()

    asyncio.run(asyncio.wait_for(run(), BOUND_S))
    assert setting.notes == {}
    one, two = (library.held["tetouan", zone, "1"] for zone in (1, 2))
    assert isinstance(one, ZoneModels)
    assert isinstance(two, ZoneModels)
    assert origins(list(champions.wanted("tetouan").values())) == origins([one, two])
    champions.run("tetouan", (one, two))
    assert (champions.wanted("tetouan"), champions.wanted("north")) == ({}, {})


def test_a_change_is_not_delayed_by_what_another_site_has_lacked_for_long(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is asked ever more seldom for a champion of the one; what the topic wants of the other, at once."""
    monkeypatch.setattr(champions_module, "FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(champions_module, "LONGEST_PAUSE_S", 3600.0)
    first = setting.register(fresh, "north")
    setting.library.put("north", "2", fresh[0])
    champions = setting.champions(models_wait_s=0)

    async def run() -> None:
        champions.begin("tetouan", begun_cold())
        champions.begin("north", tuple(first))
        confirming = asyncio.create_task(champions.confirmed())
        await settled(lambda: NONE in setting.notes.get("champions", ""))
        promoted(champions, "north", 1, "2")
        await settled(lambda: 1 in champions.wanted("north"))
        confirming.cancel()

    asyncio.run(asyncio.wait_for(run(), BOUND_S))


def test_models_of_the_same_name_with_something_else_in_them_are_others(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """A registry that was made anew counts from one again: who goes on from a state with its own is offered them."""
    one, two = setting.register(fresh)
    champions = setting.champions()
    champions.begin("tetouan", (one, replace(two, digest="another")))
    confirmed(champions)
    assert list(champions.wanted("tetouan")) == [2]


def test_what_runs_is_not_kept_a_second_time(setting: Setting, fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """The models that are offered are those that run then, and nothing else of them stays."""
    setting.register(fresh)
    champions = setting.champions(models_wait_s=0)
    champions.begin("tetouan", begun_cold())
    confirmed(champions)
    offered = champions.wanted("tetouan")
    champions.run("tetouan", tuple(offered.values()))
    held = [value for name, value in vars(champions).items() if name not in ("_running", "_asked")]
    assert not [models for models in offered.values() if holds(held, models)]


def holds(value: object, wanted: object) -> bool:
    """Tell whether a value is somewhere in nested collections."""
    if value is wanted:
        return True
    inner = list(value.values()) if isinstance(value, dict) else value
    return isinstance(inner, list | tuple | set) and any(holds(each, wanted) for each in inner)


def test_what_the_registry_lacks_is_logged_once(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again and again; the log has a line where the reason is a new one, and one when it has answered."""
    monkeypatch.setattr(champions_module, "LONGEST_PAUSE_S", 0.0)
    library = setting.library
    champions = setting.champions(models_wait_s=0)

    async def asked(times: int) -> None:
        until = len(library.asked) + times
        await settled(lambda: len(library.asked) >= until)

    async def run() -> None:
        await champions.fetch(["tetouan"], patient=True)
        champions.begin("tetouan", begun_cold())
        confirming = asyncio.create_task(champions.confirmed())
        for away in (False, True, False):
            library.away = away
            await asked(5)
        setting.register(fresh)
        await asyncio.wait_for(confirming, BOUND_S)

    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())
    assert [line["why"] for line in lines if "why" in line] == [NONE, "the registry is away", NONE]
    assert [line["event"] for line in lines][-1] == "the registry has said which models are to run"


def test_who_has_begun_with_models_of_its_own_never_goes_on_without(
    setting: Setting, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """Where its state has to go back, and the registry is away just then, it waits; even where it has left since."""
    champions = setting.champions(models_wait_s=0)
    setting.library.away = True
    champions.begin("tetouan", fresh)
    assert champions.leave("tetouan", fresh)

    async def run() -> Mapping[str, tuple[ZoneModels, ...]]:
        fetching = asyncio.create_task(champions.fetch(["tetouan"], patient=True))
        await settled(lambda: setting.health.waiting_for.get("models") == "the registry is away")
        setting.register(fresh)
        setting.library.away = False
        return await asyncio.wait_for(fetching, BOUND_S)

    assert [models.zone for models in asyncio.run(run())["tetouan"]] == [1, 2]
    assert setting.health.waiting_for == {}


def test_who_runs_without_models_does_not_wait_for_them_again(setting: Setting) -> None:
    """Where its state has to go back, it is a cold one again at once."""
    champions = setting.champions(models_wait_s=300)
    champions.begin("tetouan", begun_cold())
    assert fetched(champions, "tetouan") == {}


def test_the_digest_tells_models_of_one_name_apart(fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """By their parameters and by what they have seen; that of the same is the same."""
    one, other = fresh[0], deepcopy(fresh[0])
    assert digest_of(one) == digest_of(other)
    assert other.demand.last_step is not None
    other.demand.partial_fit(other.demand.last_step + 1, 20_000.0)
    assert digest_of(one) != digest_of(other)
    assert digest_of(one) != digest_of(replace(one, demand=one.demand.anew(horizon_steps=6)))


@dataclass
class Here:
    """A registry on SQLite, and a process that asks it."""

    registry: Registry
    asking: Asking
    folder: Path

    def promote(self, name: str, model: ZoneDemand | WeatherDemand | None) -> None:
        """Register a model as the champion."""
        assert model is not None
        files = self.folder / f"files of {name}"
        files.mkdir()
        model.save(files / FILE)
        self.registry.promote(self.register(name, files))

    def register(self, name: str, files: Path, **tags: str) -> ModelVersion:
        """Register files as the next version of a model."""
        signature = Signature({"step": "long"}, {"demand_kw": "double"})
        return self.registry.register(
            name, files, params={}, metrics={}, tags=tags, signature=signature, run_name="a run"
        )

    def found(self, *sites: Site) -> list[ZoneModels | str | None]:
        """Return what is registered of the zones of some sites."""

        async def asked() -> list[ZoneModels | str | None]:
            versions = await self.asking.versions()
            pairs = {pair: place for place in sites for pair in pairs_of(place, versions).values()}
            return list((await self.asking.models(pairs)).values())

        return asyncio.run(asked())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A registry for all tests: making its tables takes seconds, and so does the first question."""
    folder = tmp_path_factory.mktemp("registry")
    settings = load(ForecasterSettings, state_dir=folder)
    registry = Registry(settings.registry_uri, settings.artifact_root)
    asking = Asking(settings)
    yield Here(registry, asking, folder)
    asking.stop()


def place(name: str, *weather: str) -> Site:
    """Return a site of one zone that publishes these fields of the weather."""
    columns = {field: field for field in (*weather, "zone_3_kw")}
    return Site(name=name, step_minutes=10, time_zone="UTC", time_column="time", columns=columns)


def test_a_registry_that_nobody_has_made_has_nothing_and_is_not_made(tmp_path: Path) -> None:
    """Nor is a process begun that could ask it."""
    asking = Asking(load(ForecasterSettings, state_dir=tmp_path))
    pair = Pair("tetouan", 1, ModelNames(demand="zone-demand-tetouan-1/1", weather=None))
    assert asyncio.run(asking.versions()) == {}
    assert asyncio.run(asking.models({pair: TABLE["tetouan"]})) == {pair: None}
    assert list(tmp_path.iterdir()) == []


def test_a_weather_model_runs_where_the_site_has_its_fields(made: Here, fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """Else it is not used, whatever the registry has: it could say nothing, and the message must not name it."""
    made.promote("zone-demand-here-3", fresh[0].demand)
    made.promote("weather-demand-here-3", fresh[0].weather)
    told = {}
    for published in (COLUMNS, COLUMNS[:2], ()):
        (models,) = made.found(place("here", *published))
        assert isinstance(models, ZoneModels)
        told[len(published)] = models.weather is not None, models.names.demand, models.names.weather
    assert told == {
        5: (True, "zone-demand-here-3/1", "weather-demand-here-3/1"),
        2: (False, "zone-demand-here-3/1", None),
        0: (False, "zone-demand-here-3/1", None),
    }


def test_a_demand_model_alone_is_enough(made: Here, fresh: tuple[ZoneModels, ZoneModels]) -> None:
    """A training registers it last: no weather model beside it means that there is none to wait for."""
    made.promote("zone-demand-lonely-3", fresh[0].demand)
    (models,) = made.found(place("lonely", *COLUMNS))
    assert isinstance(models, ZoneModels)
    assert names_of([models]) == "zone-demand-lonely-3/1 with no weather model"
    assert models.digest == digest_of(models)


def test_a_site_without_models_or_with_bad_ones_does_not_disturb_the_others(
    made: Here, fresh: tuple[ZoneModels, ZoneModels]
) -> None:
    """Those of one are good, of two cannot be used, of one cannot be fetched: each is answered by itself."""
    for name in ("good", "hourly", "garbage", "gone"):
        made.promote(f"zone-demand-{name}-3", fresh[0].demand)
    files = {name: made.registry.fetch(made.registry.get(f"zone-demand-{name}-3", "1")) for name in ("garbage", "gone")}
    (files["garbage"] / FILE).write_bytes(b"garbage")
    (files["gone"] / FILE).unlink()
    hourly = place("hourly").model_copy(update={"step_minutes": 60})
    good, hours, garbage, gone = made.found(place("good"), hourly, place("garbage"), place("gone"), place("none"))
    assert isinstance(good, ZoneModels)
    assert hours == (
        "zone-demand-hourly-3/1 cannot be used: its step is 10 minutes, that of the site 60: run `tetouan train`"
    )
    assert str(garbage).startswith("the files of zone-demand-garbage-3/1 cannot be used: ")
    assert str(gone).startswith(f"zone-demand-gone-3/1 has no {FILE} that can be read ")


def test_a_version_that_is_not_registered_is_none(made: Here) -> None:
    """Whether its number or its name is unknown, or it is no number."""
    labels = ("zone-demand-here-3/77", "zone-demand-nowhere-3/1", "zone-demand-here-3/newest")
    pairs = {Pair("here", 3, ModelNames(demand=label, weather=None)): place("here") for label in labels}
    assert set(asyncio.run(made.asking.models(pairs)).values()) == {None}


def test_versions_with_tags_are_the_newest_that_have_them_all(made: Here, tmp_path: Path) -> None:
    """Whoever is champion; of a model without such a version there is none."""
    (tmp_path / FILE).write_bytes(b"numbers")
    for tag in ("a", "b", "b", "c"):
        made.register("zone-demand-tagged-3", tmp_path, as_of=tag, x="1")
    asking = Asking(load(ForecasterSettings, state_dir=made.folder, model_tags=("as_of=b", "x=1")))
    try:
        assert asyncio.run(asking.versions()) == {"zone-demand-tagged-3": "3"}
    finally:
        asking.stop()


def test_a_question_that_cannot_be_answered_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that asks says why; of what it could not foresee only the kind is told, which holds no password."""
    settings = load(ForecasterSettings, state_dir=tmp_path, mlflow_uri="http://127.0.0.1:9")
    away = Asking(settings)
    with pytest.raises(RegistryError, match=r"^the registry at http://127.0.0.1:9 cannot be used"):
        asyncio.run(away.versions())
    away.stop()
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\nread question\necho 'KeyError: secret' >&2\nexit 1\n")
    failing.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(failing))
    for _ in range(2):  # the next question begins another process
        with pytest.raises(RegistryError, match=r"^asking the registry has failed \(KeyError\): see"):
            asyncio.run(Asking(settings).versions())


def test_a_machine_that_has_no_room_for_a_question_ends_nothing(
    made: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs goes on running."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(RegistryError, match="the registry cannot be asked"):
        asyncio.run(made.asking.models({Pair("here", 3, ModelNames(demand="a/1", weather=None)): place("here")}))
