"""Models that take over: at a stated origin, with the state of a fold, and at the same one after every restart."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from services.forecaster.app import ForecasterCore, ForecasterShared
from services.forecaster.issuing import Issuer
from services.forecaster.settings import ForecasterSettings
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast, ModelEvent
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.settings import load
from shared.sites.grid import Grid
from shared.sites.table import Sites
from tests.unit.consumed import Consumed
from tests.unit.forecaster.conftest import START, STEP, fitted
from tests.unit.forecaster.library import Library, event, promoted
from tests.unit.forecaster.test_app import TETOUAN, Clean, arrays_of, events_in, forecasts_in
from tests.unit.runtime.local import settled
from tests.unit.states import resume, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import CollectorRegistry

    from services.forecaster.issuing import ZoneModels
    from shared.runtime.records import Outgoing
    from shared.sites.site import Site

    Reading = Callable[..., CleanReading]

NORTH = TETOUAN.model_copy(update={"name": "north", "zones": (1,)})
AT = 10  # the reading at which the second version takes over


@dataclass
class Setting:
    """A library of models, and what the cores of a process with two sites have in common."""

    library: Library
    shared: ForecasterShared
    registry: CollectorRegistry

    @classmethod
    def of(cls, library: Library, place: Site = TETOUAN, **settings: Any) -> Setting:
        """Return that of a process that has just started and has read the topic."""
        given = load(ForecasterSettings, **settings)
        table = Sites({each.name: each for each in (place, NORTH)})
        registry = new_registry()
        shared = ForecasterShared.of(given, table, registry, Health(broker_up=True), library)
        shared.champions.changes.read.set()
        return cls(library, shared, registry)

    def core(self) -> ForecasterCore:
        """Return a core that has seen nothing."""
        return ForecasterCore(self.shared)

    def promote(self, site: str, zone: int, version: str) -> None:
        """Promote a version, and fetch it beside the running service."""
        promoted(self.shared.champions, site, zone, version)
        asyncio.run(asyncio.wait_for(self.shared.champions.confirmed(), 30))

    def count(self, name: str, **labels: str) -> float | None:
        """Return a metric."""
        return self.registry.get_sample_value(name, labels)


@pytest.fixture(scope="module")
def second() -> tuple[ZoneModels, ZoneModels]:
    """The models of zones 1 and 2 that have seen five more readings than the first."""
    until = Grid(10).step_of(START) + 5
    return fitted(1, until), fitted(2, until)


@pytest.fixture
def library(fresh: tuple[ZoneModels, ZoneModels], second: tuple[ZoneModels, ZoneModels]) -> Library:
    """A registry with two versions of each zone; the first are the champions."""
    library = Library()
    for site, count in (("tetouan", 2), ("north", 1)):
        for one, other in zip(fresh[:count], second[:count], strict=True):
            library.put(site, "1", one, champion=True)
            library.put(site, "2", other)
    return library


@pytest.fixture
def setting(library: Library) -> Setting:
    """A process that has just started."""
    return Setting.of(library)


def of(site: str, readings: Iterable[CleanReading]) -> list[Clean]:
    """Return the records of readings at a site."""
    moved = (each.model_copy(update={"site": site}) for each in readings)
    return [Clean(each.to_bytes(), offset=n, key=site.encode()) for n, each in enumerate(moved)]


def run(core: ForecasterCore, records: Sequence[Consumed], batch: int = 4, *, restore: bool = False) -> list[Outgoing]:
    """Hand records to a core as the runtime does."""
    outgoing: list[Outgoing] = []
    for first in range(0, len(records), batch):
        part = records[first : first + batch]
        asyncio.run(core.prepare(part))
        if restore:
            core.restore(part)
        else:
            outgoing += core.handle(part)
    return outgoing


def in_force(outgoing: Iterable[Outgoing]) -> list[tuple[int, str, str | None, int]]:
    """Return zone, kind, version and the number of the reading of what is said to be in force."""
    events = [ModelEvent.from_bytes(out.value) for out in outgoing if out.topic == topics.MODELS.name]
    assert {each.change for each in events} <= {"in_force"}
    return [(each.zone, each.model[:4], each.version, (each.origin - START) // STEP) for each in events]


def alone(models: ZoneModels | str | None, readings: Sequence[CleanReading]) -> dict[Any, bytes]:
    """Return, by origin, the forecasts of models that have folded all readings one by one."""
    assert not isinstance(models, str)
    assert models is not None
    issuer = Issuer(TETOUAN.model_copy(update={"zones": (models.zone,)}), (deepcopy(models),))
    return {issue.origin: issue.to_bytes() for each in readings for issue in issuer.answer([each])}


def of_zone(zone: int, outgoing: Iterable[Outgoing]) -> list[bytes]:
    """Return the forecasts of a zone."""
    return [value for value in forecasts_in(outgoing) if Forecast.from_bytes(value).zone == zone]


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_forecasts_are_by_the_new_version_from_one_origin_on(setting: Setting, reading: Reading, batch: int) -> None:
    """Before it by the old one, from it on what a fold of the new one gives; the other zone goes on."""
    readings = [reading(n) for n in range(40)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:AT]), batch)
    setting.promote("tetouan", 2, "2")
    published += run(core, of("tetouan", readings[AT:]), batch)
    held = setting.library.held
    old, new = (alone(held["tetouan", 2, version], readings) for version in ("1", "2"))
    origins = [each.time for each in readings]
    assert of_zone(2, published) == [old[time] for time in origins[:AT]] + [new[time] for time in origins[AT:]]
    assert of_zone(1, published) == list(alone(held["tetouan", 1, "1"], readings).values())
    first = [(zone, kind, "1", 0) for zone in (1, 2) for kind in ("zone", "weat")]
    assert in_force(published) == [*first, (2, "zone", "2", AT), (2, "weat", "2", AT)]
    assert "zone-demand-tetouan-2/2" in setting.shared.health.notes["models"]


def test_a_site_that_is_not_promoted_is_untouched(setting: Setting, library: Library, reading: Reading) -> None:
    """Its forecasts and its state are to the bit those without a change beside it."""
    readings = [reading(n) for n in range(20)]
    pairs = [pair for both in zip(of("tetouan", readings), of("north", readings), strict=True) for pair in both]
    core, without = setting.core(), Setting.of(library).core()
    published = run(core, pairs[: 2 * AT])
    setting.promote("tetouan", 2, "2")
    published += run(core, pairs[2 * AT :])
    undisturbed = run(without, of("north", readings))
    assert [out for out in published if out.key == b"north"] == undisturbed
    assert {name: array for name, array in arrays_of(core).items() if name.startswith("north/")} == {
        name: array for name, array in arrays_of(without).items() if name.startswith("north/")
    }


@pytest.mark.parametrize(("snapshot", "cut"), [(None, AT + 1), (None, 40), (5, AT + 1), (5, 40), (15, 25), (15, 15)])
def test_whoever_rebuilds_the_state_changes_at_the_same_reading(
    setting: Setting,
    library: Library,
    reading: Reading,
    snapshot: int | None,
    cut: int,
) -> None:
    """From the topics, or from a snapshot before or after it: same bytes, same state, whoever is champion by now."""
    readings = [reading(n) for n in range(cut + 4)]
    core, published, states = setting.core(), [], {}
    for n in range(cut):
        if n == AT:
            setting.promote("tetouan", 2, "2")
        published += run(core, of("tetouan", readings[n : n + 1]))
        states[n + 1] = state_of(core)
    library.champions["tetouan", 2] = "3"
    again = Setting.of(library).core()
    if snapshot is not None:
        resume(again, states[snapshot])
    run(again, events_in(published), restore=True)
    run(again, of("tetouan", readings[snapshot or 0 : cut]), 7, restore=True)
    assert arrays_of(again) == arrays_of(core)
    assert run(again, of("tetouan", readings[cut:])) == run(core, of("tetouan", readings[cut:]))
    assert arrays_of(again) == arrays_of(core)


def test_a_change_that_was_not_published_has_not_been(setting: Setting, library: Library, reading: Reading) -> None:
    """Killed before its transaction: the next process changes where it comes to it, and that is what is written."""
    readings = [reading(n) for n in range(30)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:AT]))
    setting.promote("tetouan", 2, "2")
    run(core, of("tetouan", readings[AT : AT + 4]))
    after = Setting.of(library)
    again = after.core()
    run(again, events_in(published), restore=True)
    run(again, of("tetouan", readings[:AT]), restore=True)
    published += run(again, of("tetouan", readings[AT:20]))
    after.promote("tetouan", 2, "2")
    published += run(again, of("tetouan", readings[20:]))
    old, new = (alone(library.held["tetouan", 2, version], readings) for version in ("1", "2"))
    origins = [each.time for each in readings]
    assert of_zone(2, published) == [old[time] for time in origins[:20]] + [new[time] for time in origins[20:]]
    assert in_force(published)[-2:] == [(2, "zone", "2", 20), (2, "weat", "2", 20)]


@pytest.mark.parametrize("snapshot", [False, True])
def test_what_was_said_without_being_committed_is_said_again(
    setting: Setting, library: Library, reading: Reading, *, snapshot: bool
) -> None:
    """Without transactions a change may be written whose reading is not committed: it holds there all the same.

    So it does for who goes on from a snapshot that holds all that is committed.
    """
    readings = [reading(n) for n in range(20)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:AT]))
    state = state_of(core)
    setting.promote("tetouan", 2, "2")
    published += run(core, of("tetouan", readings[AT:]))
    again = Setting.of(library).core()
    committed = AT if snapshot else 5
    if snapshot:
        resume(again, state)
    run(again, events_in(published), restore=True)
    if not snapshot:
        run(again, of("tetouan", readings[:committed]), restore=True)
    assert forecasts_in(run(again, of("tetouan", readings[committed:]))) == forecasts_in(published)[2 * committed :]


def test_a_version_that_is_gone_is_named_and_what_was_before_it_goes_on(
    setting: Setting, library: Library, reading: Reading
) -> None:
    """So is one under whose name something else is registered by now."""
    readings = [reading(n) for n in range(30)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:AT]))
    setting.promote("tetouan", 2, "2")
    published += run(core, of("tetouan", readings[AT:]))
    first, second = library.held["tetouan", 1, "1"], library.held["tetouan", 2, "1"]
    del library.held["tetouan", 2, "2"]
    assert not isinstance(first, str)
    library.put("tetouan", "1", first, champion=True)
    after = Setting.of(library)
    again = after.core()
    run(again, events_in(published), restore=True)
    run(again, of("tetouan", readings[:20]), restore=True)
    assert after.shared.health.notes["gone models"] == (
        f"zone-demand-tetouan-2/2 was in force from {readings[AT].time} and cannot be had "
        "(it is not in the registry): what was before it goes on (tetouan)"
    )
    rest = run(again, of("tetouan", readings[20:]))
    assert of_zone(2, rest) == list(alone(second, readings).values())[20:]


def test_what_was_in_force_of_a_zone_that_is_no_longer_forecast_is_passed_over(
    setting: Setting, library: Library, reading: Reading
) -> None:
    """The table may change between two starts; the other zone changes where it did."""
    readings = [reading(n) for n in range(20)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:AT]))
    for zone in (1, 2):
        setting.promote("tetouan", zone, "2")
    published += run(core, of("tetouan", readings[AT:16]))
    after = Setting.of(library, TETOUAN.model_copy(update={"zones": (2,)}))
    again = after.core()
    run(again, events_in(published), restore=True)
    run(again, of("tetouan", readings[:16]), restore=True)
    assert of_zone(2, run(again, of("tetouan", readings[16:]))) == of_zone(2, run(core, of("tetouan", readings[16:])))
    resume(after.core(), state_of(again))


def test_what_is_in_force_is_waited_for_while_the_registry_is_away(
    setting: Setting, library: Library, reading: Reading
) -> None:
    """Its forecasts are published: nobody goes on without, whatever the time of the settings."""
    published = run(setting.core(), of("tetouan", [reading(0)]))
    after = Setting.of(library)
    again = after.core()
    again.restore(events_in(published))
    library.away = True

    async def prepared() -> None:
        preparing = asyncio.create_task(again.prepare(of("tetouan", [reading(0)])))
        await settled(lambda: after.shared.health.waiting_for.get("models") == "the registry is away")
        library.away = False
        await asyncio.wait_for(preparing, 30)

    asyncio.run(prepared())
    again.restore(of("tetouan", [reading(0)]))
    assert run(again, of("tetouan", [reading(1)]))[0].topic == topics.FORECASTS.name


def test_models_that_cannot_take_over_are_named_and_counted(library: Library, reading: Reading) -> None:
    """Too old for the readings at hand, or unreadable: the site goes on with what it has, and is not asked to again."""
    setting = Setting.of(library, max_gap_days=1)
    readings = [reading(n) for n in range(300)]
    core = setting.core()
    run(core, of("tetouan", readings[:200]), 50)
    setting.promote("tetouan", 2, "2")
    published = run(core, of("tetouan", readings[200:250]), 50)
    assert setting.shared.health.notes["refused models"] == (
        "zone-demand-tetouan-2/2 with weather-demand-tetouan-2/2 end too long before the readings, at "
        "2018-03-01 00:40:00+00:00: run `tetouan train` on newer data (tetouan)"
    )
    library.held["tetouan", 2, "3"] = "no numbers in it"
    promoted(setting.shared.champions, "tetouan", 2, "3")
    asyncio.run(one_question(setting))
    published += run(core, of("tetouan", readings[250:]), 50)
    assert setting.shared.health.notes["refused models"] == "no numbers in it (tetouan)"
    assert setting.count("tetouan_refused_models_total", site="tetouan") == 2
    assert in_force(published) == []
    assert of_zone(2, published) == list(alone(library.held["tetouan", 2, "1"], readings).values())[200:]


async def one_question(setting: Setting) -> None:
    """Let the registry be asked once."""
    asked = len(setting.library.asked)
    confirming = asyncio.create_task(setting.shared.champions.confirmed())
    await settled(lambda: len(setting.library.asked) > asked)
    confirming.cancel()


def test_models_that_have_seen_more_than_the_stream_wait_for_it(setting: Setting, reading: Reading) -> None:
    """Each reading is answered, and the one after the last that they have seen by them."""
    readings = [reading(n) for n in range(10)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:2]))
    setting.promote("tetouan", 2, "2")
    published += run(core, of("tetouan", readings[2:]), 3)
    assert [(zone, version, n) for zone, kind, version, n in in_force(published) if kind == "zone"] == [
        (1, "1", 0),
        (2, "1", 0),
        (2, "2", 5),
    ]
    assert len(of_zone(2, published)) == 10


def test_what_a_model_has_to_fold_holds_nobody_up(setting: Setting, reading: Reading) -> None:
    """It pauses after each day, before the batch is handled; nothing is left for the batch itself."""
    readings = [reading(n) for n in range(3 * 144 + 1)]
    core = setting.core()
    run(core, of("tetouan", readings[:-1]), 144)
    setting.promote("tetouan", 2, "2")
    (models,) = setting.shared.champions.wanted("tetouan").values()
    seen = list[datetime]()
    preparing = core.prepare(of("tetouan", readings[-1:]))
    with suppress(StopIteration):  # it has ended
        while True:
            assert models.as_of is not None
            seen.append(models.as_of)
            preparing.send(None)  # until its next pause
    assert max(later - earlier for earlier, later in pairwise(seen)) <= timedelta(days=1)
    assert models.as_of == readings[-2].time > seen[0] + timedelta(days=2)
    core.handle(of("tetouan", readings[-1:]))
    assert models.as_of == readings[-1].time
    assert setting.shared.champions.wanted("tetouan") == {}


def test_a_version_that_is_rolled_back_before_it_takes_over_does_not(setting: Setting, reading: Reading) -> None:
    """It has seen more than the stream, and waits; what runs is wanted again meanwhile."""
    readings = [reading(n) for n in range(12)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:2]))
    setting.promote("tetouan", 2, "2")
    published += run(core, of("tetouan", readings[2:4]))
    promoted(setting.shared.champions, "tetouan", 2, "1", change="rolled_back")
    published += run(core, of("tetouan", readings[4:]))
    assert {version for _, _, version, _ in in_force(published)} == {"1"}
    assert of_zone(2, published) == list(alone(setting.library.held["tetouan", 2, "1"], readings).values())


def test_a_version_that_is_rolled_back_to_takes_over_again(setting: Setting, reading: Reading) -> None:
    """It has folded what the site had meanwhile: its forecasts are those of a fold that nobody has interrupted."""
    readings = [reading(n) for n in range(30)]
    core = setting.core()
    published = run(core, of("tetouan", readings[:AT]))
    setting.promote("tetouan", 2, "2")
    published += run(core, of("tetouan", readings[AT:20]))
    promoted(setting.shared.champions, "tetouan", 2, "1", change="rolled_back")
    asyncio.run(asyncio.wait_for(setting.shared.champions.confirmed(), 30))
    published += run(core, of("tetouan", readings[20:]))
    held, origins = setting.library.held, [each.time for each in readings]
    old, new = (alone(held["tetouan", 2, version], readings) for version in ("1", "2"))
    times = [(old, origins[:AT]), (new, origins[AT:20]), (old, origins[20:])]
    assert of_zone(2, published) == [by[time] for by, span in times for time in span]
    assert in_force(published)[-2:] == [(2, "zone", "1", 20), (2, "weat", "1", 20)]


def test_a_site_that_began_cold_says_so_and_takes_its_first_champion(library: Library, reading: Reading) -> None:
    """No version stands for none; the champion folds the readings since its own last one."""
    library.champions.clear()
    setting = Setting.of(library, models_wait_s=0)
    readings = [reading(n) for n in range(20)]
    core = setting.core()
    published = run(core, of("north", readings[:AT]))
    assert "readings alone" in setting.shared.health.notes["cold"]
    setting.promote("north", 1, "2")
    published += run(core, of("north", readings[AT:]))
    assert in_force(published) == [(1, "zone", None, 0), (1, "zone", "2", AT), (1, "weat", "2", AT)]
    assert "cold" not in setting.shared.health.notes
    assert setting.count("tetouan_cold_zones", site="north") == 0
    assert setting.count("tetouan_model_info", site="north", model="zone-demand-north-1", version="2") == 1
    assert setting.count("tetouan_model_takeovers_total", site="north", zone="1") == 1


def test_the_newest_change_of_a_zone_wins_and_others_are_none(setting: Setting, library: Library) -> None:
    """Rolled back is a change too; what is registered, in force, of a challenger, or no event changes nothing."""
    changes, champions = setting.shared.champions.changes, setting.shared.champions
    promoted(champions, "tetouan", 2, "1")
    promoted(champions, "tetouan", 2, "2")
    promoted(champions, "tetouan", 2, "1", change="rolled_back")
    for change in ("registered", "in_force"):
        promoted(champions, "tetouan", 2, "7", change=change)
    changes.take([event("north", 1, "zone-demand", "7", "registered"), Consumed(b"nothing", topic=topics.MODELS.name)])
    assert changes.versions_of("tetouan") == {"weather-demand-tetouan-2": "1", "zone-demand-tetouan-2": "1"}
    assert changes.versions_of("north") == {}
    assert setting.count("tetouan_invalid_model_events_total") == 1
    assert library.asked == []


def test_who_runs_what_the_topic_wants_asks_nobody(setting: Setting, library: Library, reading: Reading) -> None:
    """A snapshot has its models, the topic says that they are the right ones: the registry may be away."""
    core = setting.core()
    run(core, of("tetouan", [reading(0)]))
    after = Setting.of(library)
    for zone in (1, 2):
        promoted(after.shared.champions, "tetouan", zone, "1")
    library.asked.clear()
    library.away = True
    resume(after.core(), state_of(core))
    asyncio.run(asyncio.wait_for(after.shared.champions.confirmed(), 30))
    assert library.asked == []
    assert after.count("tetouan_champions_confirmed", site="tetouan") == 1
