"""The monitor's state: it survives a stop anywhere, and what is repeated changes nothing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.monitor.app import FORMAT
from shared.contracts.messages import CleanReading, ModelNames
from shared.runtime.state import OutdatedError
from shared.sites.unserved import UNSERVED
from tests.unit.consumed import Consumed
from tests.unit.monitor.places import place
from tests.unit.monitor.test_app import core_with, of_site, records
from tests.unit.monitor.test_forecast_error import BROKEN_AT, DAY, errors, forecast, loads, reading
from tests.unit.states import (
    assert_misfits_are_refused,
    assert_numbered,
    assert_same,
    assert_writable,
    resume,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.monitor.app import MonitorCore
    from shared.runtime.records import Outgoing
    from shared.sites.site import Site

WEATHER = ("temperature_c",)
LOADS_KW = [None if step % 17 in {1, 2} else load for step, load in enumerate(loads(errors(9), 1.15, BROKEN_AT))]
MISSING = range(2 * DAY + 5, 2 * DAY + 12)
PLACE = place(weather=WEATHER)
NORTH = place("north", weather=WEATHER)
ZONE = "tetouan/zone2"


def warm(one: CleanReading) -> CleanReading:
    """Return the reading with a temperature."""
    return one.model_copy(update={"values": {**one.values, "temperature_c": one.time.hour / 3}})


STEPS = [step for step in range(len(LOADS_KW)) if step not in MISSING]
READINGS = records([warm(reading(step, LOADS_KW[step])) for step in STEPS])
FORECASTS = records(
    [
        forecast(step).model_copy(update={"models": ModelNames(demand=f"zone-demand/{step // 100}", weather=None)})
        for step in STEPS
    ]
)


def core(*sites: Site) -> MonitorCore:
    """Return the core of a monitor that has seen nothing; by default of a site that is read every half hour."""
    return core_with(CollectorRegistry(), *(sites or (PLACE,)))


@st.composite
def races(draw: st.DrawFn) -> list[Consumed]:
    """Draw an order of the two topics with readings at most 40 ahead, of which some records are delivered again."""
    stream, readings, forecasts = list[Consumed](), 0, 0
    runs = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60), st.integers(0, 9)), max_size=12))
    for more_readings, more_forecasts, again in [*runs, *[(40, 40, 0)] * (len(READINGS) // 40 + 1)]:
        end = min(readings + more_readings, len(READINGS), forecasts + 40)
        stream += READINGS[readings:end]
        readings = max(readings, end)
        end = min(forecasts + more_forecasts, len(FORECASTS))
        stream += [*FORECASTS[forecasts:end], *stream[len(stream) - again :]]
        forecasts = end
    return stream


def values(sent: Sequence[Outgoing]) -> list[tuple[str, bytes]]:
    """Return topic and bytes of the answers."""
    return [(one.topic, one.value) for one in sent]


@settings(max_examples=12, derandomize=True, deadline=None)
@given(races(), st.data())
def test_cut_anywhere_it_goes_on_as_if_it_had_not_stopped(stream: list[Consumed], data: st.DataObject) -> None:
    """A snapshot, what was committed after it folded in silence, then the rest: same bytes, same arrays."""
    kept, committed = sorted(data.draw(st.tuples(*[st.integers(0, len(stream))] * 2)))
    old, new = core(), core()
    old.handle(stream[:kept])
    state = state_of(old)
    resume(new, state)
    assert_same(state_of(new), state)
    old.handle(stream[kept:committed])
    new.restore(stream[kept:committed])
    assert values(new.handle(stream[committed:])) == values(old.handle(stream[committed:]))
    assert_same(state_of(new), state_of(old))
    assert_writable(state)


@pytest.fixture(scope="module")
def stream() -> list[Consumed]:
    """Return the stream as it is published, each reading before its forecast."""
    return [record for pair in zip(READINGS, FORECASTS, strict=True) for record in pair]


@pytest.fixture(scope="module")
def used(stream: list[Consumed]) -> MonitorCore:
    """Return a monitor with an episode open, a report made, readings that wait and forecasts that came early."""
    one = core()
    one.handle([*stream, *records([warm(reading(len(LOADS_KW) + step, 1.0)) for step in (0, 1, 2)])])
    return one


def test_the_state_under_test_has_something_in_every_array(used: MonitorCore) -> None:
    """Whatever can be open, made, waited for or counted is."""
    state = state_of(used)
    assert state["tetouan/reports.made_s"][0, 0] > 0
    assert state[f"{ZONE}.waiting"].shape == (2, 3)
    assert str(state[f"{ZONE}.recent.model"]) == "zone-demand/4"
    assert any(state[f"{ZONE}.errors.{name}.open"][0] > 0 for name in ("page_hinkley_1h", "adwin_1h"))
    assert state[f"{ZONE}.scores.issued.packed"].size


def test_a_fold_over_the_same_records_has_the_same_state(stream: list[Consumed]) -> None:
    """Rebuilt from the topics, whichever of them is read first, the state is that of the run that never stopped."""
    old, new = core(), core()
    old.handle(stream)
    half = len(READINGS) // 2
    for part in (READINGS[:half], FORECASTS[: half + 20], READINGS[half:], FORECASTS[half + 20 :]):
        new.restore(part)
    assert_same(state_of(new), state_of(old))


@pytest.mark.parametrize(
    "repeated", [slice(-1, None), slice(-2, -1), slice(10, 11), slice(-99, -98), slice(-200, None)]
)
def test_what_is_repeated_changes_nothing(stream: list[Consumed], repeated: slice) -> None:
    """The last forecast or reading, an old one, a whole batch again after a stop: no answer, and the same arrays."""
    old, new = core(), core()
    old.handle(stream)
    resume(new, state_of(old))
    again = stream[repeated]
    assert new.handle(again) == []
    assert_same(state_of(new), state_of(old))


def test_a_reading_that_waits_is_not_taken_twice() -> None:
    """Delivered again before its forecast has come, it waits once."""
    once, twice = core(), core()
    once.handle([*READINGS[:9]])
    twice.handle([*READINGS[:9], *READINGS[3:9]])
    name = f"{ZONE}.waiting"
    assert_same({name: state_of(once)[name]}, {name: state_of(twice)[name]})


def test_the_forecast_of_an_older_model_does_not_bring_it_back() -> None:
    """Delivered again after the next version took over, it says nothing about which model is in force."""
    one = core()
    one.handle([*FORECASTS[98:102], FORECASTS[98]])
    assert str(state_of(one)[f"{ZONE}.recent.model"]) == "zone-demand/1"


def test_what_is_folded_in_silence_is_not_counted(stream: list[Consumed]) -> None:
    """Detections, reports and dead letters of the past leave every series as it was."""
    registry = CollectorRegistry()
    one = core_with(registry, PLACE)
    blank = [sample for metric in registry.collect() for sample in metric.samples if "created" not in sample.name]
    one.restore([*stream, Consumed(b"{}", stream[0].topic)])
    assert [
        sample for metric in registry.collect() for sample in metric.samples if "created" not in sample.name
    ] == blank


def test_what_does_not_fit_is_refused_by_name(used: MonitorCore) -> None:
    """An array that is missing, foreign or misshapen is named, and the core is as it was."""
    assert_misfits_are_refused(core(), state_of(used))


def test_a_value_that_cannot_be_used_leaves_the_core_as_it_was(used: MonitorCore) -> None:
    """An episode at a time that no calendar has is refused after other parts were read, and none of them is taken."""
    fresh, state = core(), state_of(used)
    blank = state_of(fresh)
    state[f"{ZONE}.errors.adwin_1h.open"] = np.full(4, 1e18)
    with pytest.raises(ValueError, match="adwin_1h"):
        resume(fresh, state)
    assert_same(state_of(fresh), blank)


def test_the_state_is_a_copy(stream: list[Consumed]) -> None:
    """It can be written while the monitor goes on."""
    one = core()
    one.handle(stream[:200])
    state = state_of(one)
    kept = {name: array.copy() for name, array in state.items()}
    one.handle(stream[200:])
    assert_same(state, kept)


def test_the_state_belongs_to_a_monitor_of_any_sites() -> None:
    """Its sites stand in the state."""
    assert core().identity() == core(place("north", (1, 3))).identity() == {"format": FORMAT}
    assert core().parts().keys() == {UNSERVED}


def test_a_site_that_has_left_the_table_is_dropped(used: MonitorCore) -> None:
    """The others go on; should it come back, its past is on the topics."""
    state = state_of(used)
    both, north = core(PLACE, NORTH), core(NORTH)
    resume(both, state)
    both.handle(of_site("north", READINGS[:9]))
    resume(north, state_of(both))
    again = core(PLACE, NORTH)
    with pytest.raises(OutdatedError, match="there were messages of tetouan before the table of sites had it"):
        resume(again, state_of(north))
    assert north.parts().keys() == {UNSERVED, "north"}


@pytest.mark.parametrize(
    "changed",
    [
        place(weather=WEATHER, step_minutes=15),
        place(zones=(1, 2), weather=WEATHER),
        place(),
        PLACE.model_copy(update={"time_zone": "Europe/Madrid"}),
        PLACE.model_copy(update={"country": "ES"}),
    ],
)
def test_a_site_that_was_another_begins_anew(used: MonitorCore, changed: Site) -> None:
    """A step, zones, weather, a time zone or a calendar of its own: the state is outdated, and the core as it was."""
    fresh = core(changed)
    with pytest.raises(OutdatedError, match="tetouan: table is step 30, zones 2, weather temperature_c, UTC"):
        resume(fresh, state_of(used))
    assert fresh.parts().keys() == {UNSERVED}


def test_a_site_that_comes_to_the_table_after_its_messages_begins_anew(stream: list[Consumed]) -> None:
    """What was passed over is on the topics: the state that lacks it is outdated; without such messages it is not."""
    one = core()
    one.handle([*stream[:20], *of_site("north", stream[:2])])
    resume(core(), state_of(one))
    with pytest.raises(OutdatedError, match="there were messages of north before the table of sites had it"):
        resume(core(PLACE, NORTH), state_of(one))
    resume(core(PLACE, place("south")), state_of(one))


def test_each_change_of_a_part_is_numbered(stream: list[Consumed]) -> None:
    """Whether messages are scored or folded again; what is taken up begins with 0, what is dropped is a change."""
    both = core(PLACE, NORTH)
    assert_numbered(both, lambda: both.handle(stream[:9]), "tetouan")
    assert_numbered(both, lambda: both.handle(of_site("north", stream[:9])), "north")
    assert_numbered(both, lambda: both.restore(stream[9:12]), "tetouan")
    assert_numbered(both, lambda: both.handle(of_site("south", stream[:9])), UNSERVED)
    again, without = core(PLACE, NORTH), core()
    resume(again, state_of(both))
    assert set(again.parts().values()) == {0}
    resume(without, state_of(both))
    assert without.parts() == {"tetouan": 0, UNSERVED: 1}


@pytest.mark.parametrize("seed", range(3))
def test_two_sites_through_one_core_are_each_what_they_are_alone(stream: list[Consumed], seed: int) -> None:
    """In any interleaving, cut anywhere: the same bytes, the same arrays."""
    rng = np.random.default_rng(seed)
    ahead = [*READINGS[:90], *(one for pair in zip(FORECASTS, READINGS[90:], strict=False) for one in pair)]
    streams = {"tetouan": stream, "north": of_site("north", ahead)}
    left = {name: list(records_of_site) for name, records_of_site in streams.items()}
    together = list[Consumed]()
    while any(left.values()):
        name = ("tetouan", "north")[int(rng.integers(2))]
        count = int(rng.integers(1, 60))
        together += left[name][:count]
        del left[name][:count]
    cut = int(rng.integers(len(together)))
    before, after = core(PLACE, NORTH), core(PLACE, NORTH)
    sent = before.handle(together[:cut])
    resume(after, state_of(before))
    sent += after.handle(together[cut:])
    arrays = state_of(after)
    for name, own in streams.items():
        alone = core(PLACE, NORTH)
        assert values(alone.handle(own)) == values([one for one in sent if one.key == name.encode()])
        state = {key: array for key, array in state_of(alone).items() if not key.startswith(UNSERVED)}
        assert_same({key: arrays[key] for key in state}, state)
