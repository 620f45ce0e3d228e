"""The forecaster's wiring without a broker: records in, forecasts and dead letters out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from services.forecaster.app import ForecasterCore, ForecasterShared
from services.forecaster.asking import Asking
from services.forecaster.issuing import ZoneModels
from services.forecaster.settings import ForecasterSettings
from services.forecaster.state import FORMAT
from shared.contracts import topics
from shared.contracts.messages import DeadLetter, Forecast
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.settings import load
from shared.runtime.state import OutdatedError
from shared.sites.site import Site
from shared.sites.table import Sites, site
from shared.sites.unserved import UNSERVED
from tests.unit.consumed import Consumed
from tests.unit.forecaster.conftest import START, STEP
from tests.unit.states import resume, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry

    from shared.contracts.messages import CleanReading
    from shared.runtime.records import Outgoing

    Reading = Callable[..., CleanReading]


@dataclass
class Clean(Consumed):
    """One of the topic that a forecaster reads."""

    topic: str = topics.CLEAN.name


TETOUAN = site("tetouan").model_copy(update={"zones": (1, 2)})
NORTH = Site(
    name="t", step_minutes=15, country="ES", time_zone="Europe/Madrid", time_column="t", columns={"L": "zone_1_kw"}
)


def started(zones: tuple[ZoneModels, ...]) -> ForecasterCore:
    """Return a forecaster that begins with copies of these models."""
    return running(deepcopy(zones), Health(), new_registry())


def shared(health: Health, registry: CollectorRegistry, *sites: Site) -> ForecasterShared:
    """Return what the cores of a process with these sites have in common; by default with zones 1 and 2."""
    table = Sites({place.name: place for place in sites or (TETOUAN,)})
    settings = load(ForecasterSettings, models_wait_s=0, mlflow_uri="sqlite:////no/such/registry")
    return ForecasterShared.of(settings, table, registry, health, Asking(settings))


def running(
    zones: tuple[ZoneModels, ...], health: Health, registry: CollectorRegistry, place: Site | None = None
) -> ForecasterCore:
    """Return a forecaster of these models."""
    place = place or TETOUAN.model_copy(update={"zones": tuple(models.zone for models in zones)})
    core = ForecasterCore(shared(health, registry, place))
    core.adopt(place, zones)
    return core


def forecasts_in(outgoing: Iterable[Outgoing]) -> list[bytes]:
    """Return the forecasts among what is to be published."""
    return [record.value for record in outgoing if record.topic == topics.FORECASTS.name]


def events_in(outgoing: Iterable[Outgoing]) -> list[Clean]:
    """Return the model events among what was published, as they are read again."""
    return [Clean(out.value, topic=out.topic, key=out.key) for out in outgoing if out.topic == topics.MODELS.name]


def arrays_of(core: ForecasterCore) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Return every array of the state to the bit."""
    return {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in state_of(core).items()}


@pytest.fixture
def health() -> Health:
    """What /readyz shows."""
    return Health()


@pytest.fixture
def core(models: tuple[ZoneModels, ZoneModels], health: Health) -> ForecasterCore:
    """A forecaster of zones 1 and 2."""
    return running(models, health, new_registry())


def test_readings_are_answered_and_what_is_none_is_a_dead_letter(core: ForecasterCore, reading: Reading) -> None:
    """Garbage and a foreign step are refused with a reason, other sites are passed over, the rest is answered."""
    foreign_step = reading(1).model_copy(update={"step_minutes": 5})
    elsewhere = reading(1).model_copy(update={"site": "elsewhere"})
    messages = [b"garbage", None, foreign_step.to_bytes(), elsewhere.to_bytes(), reading(0).to_bytes()]
    outgoing = core.handle([Clean(value, offset=n) for n, value in enumerate(messages)])
    letters = [DeadLetter.from_headers(o.headers) for o in outgoing if o.topic == topics.REJECTED.name]
    assert [(letter.reason, letter.offset) for letter in letters] == [
        ("invalid_clean_reading", 0),
        ("invalid_clean_reading", 1),
        ("wrong_step", 2),
    ]
    answers = [Forecast.from_bytes(o.value) for o in outgoing if o.topic == topics.FORECASTS.name]
    assert [answer.zone for answer in answers] == [1, 2]


def test_records_of_sites_that_the_table_does_not_have_are_counted_and_told(
    core: ForecasterCore, health: Health, reading: Reading
) -> None:
    """They are passed over, whatever else stands in them; the note names them and says what to do."""
    north = [reading(step).model_copy(update={"site": "north"}).to_bytes() for step in range(2)]
    north.append(b'{"site": "north", "no": "reading"}')
    core.restore([Clean(value) for value in north])
    assert "unknown sites" not in health.notes
    assert core.handle([Clean(value, key=b"north") for value in north]) == []
    assert health.notes["unknown sites"] == (
        "records of sites that the table does not have are passed over: north (3): give each a table in the file of "
        "TETOUAN_SITES, and start anew"
    )


@pytest.mark.parametrize("key", [None, b"", b"north", b"\xff"])
def test_a_reading_with_another_key_than_its_site_is_answered_and_counted(
    models: tuple[ZoneModels, ZoneModels], reading: Reading, key: bytes | None
) -> None:
    """What the message says holds."""
    registry = new_registry()
    core = running(models, Health(), registry)
    answers = core.handle([Clean(reading(0).to_bytes(), key=key), Clean(reading(1).to_bytes())])
    assert len(forecasts_in(answers)) == 4
    assert registry.get_sample_value("tetouan_odd_keys_total", {"site": "tetouan"}) == 1


def test_a_message_that_names_two_sites_is_a_dead_letter(core: ForecasterCore, reading: Reading) -> None:
    """Nobody knows which one it is of."""
    twice = reading(0).to_bytes().replace(b'"site":"tetouan"', b'"site":"tetouan","site":"north"')
    (letter,) = core.handle([Clean(twice)])
    refused = DeadLetter.from_headers(letter.headers)
    assert (refused.reason, refused.field) == ("invalid_clean_reading", "site")


def test_a_reading_years_after_the_models_is_refused_with_advice(core: ForecasterCore, reading: Reading) -> None:
    """A state that old cannot be folded on: the dead letter says to train."""
    (letter,) = core.handle([Clean(reading(144 * 400).to_bytes())])
    refused = DeadLetter.from_headers(letter.headers)
    assert refused.reason == "too_far_ahead"
    assert "run `tetouan train`" in str(refused.value)
    assert len(forecasts_in(core.handle([Clean(reading(0).to_bytes())]))) == 2


def test_health_tells_which_models_run_and_where_the_stream_is(
    core: ForecasterCore, health: Health, reading: Reading
) -> None:
    """Versions from the start; then the gap before the first reading, and its origin."""
    assert health.notes["models"] == (
        "zone-demand-tetouan-1/1 with weather-demand-tetouan-1/1, "
        "zone-demand-tetouan-2/1 with weather-demand-tetouan-2/1 (tetouan)"
    )
    core.handle([Clean(reading(3).to_bytes())])
    assert health.notes["origin"] == "2018-03-01T00:30:00+00:00 (tetouan)"
    assert health.notes["gap"].startswith("3 readings between 2018-02-28 23:50:00+00:00")


def test_a_restored_forecaster_answers_as_one_that_never_stopped(
    fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """What was answered before is folded in silence, garbage passed over; what follows gets the same bytes."""
    raw = [reading(n).to_bytes() for n in range(6)]

    undisturbed, restored = started(fresh), ForecasterCore(shared(Health(), new_registry()))
    undisturbed.handle([Clean(value) for value in raw[:5]])
    restored.adopt(TETOUAN, deepcopy(fresh), announced=(1, 2))
    restored.restore([Clean(value) for value in [b"garbage", None, *raw[:5]]])
    assert restored.handle([Clean(raw[5])]) == undisturbed.handle([Clean(raw[5])])
    assert restored.handle([Clean(raw[4])]) == []


@pytest.mark.parametrize("at", [1, 40, 150])
def test_a_state_that_is_taken_up_goes_on_to_the_bit(
    at: int, fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """Wherever the stream is cut: the same answers, and at the end the same arrays, as without the cut."""
    raw = [reading(n).to_bytes() for n in range(at + 20)]
    whole, first, second = (started(fresh) for _ in range(3))
    undisturbed = whole.handle([Clean(value) for value in raw])
    answers = first.handle([Clean(value) for value in raw[:at]])
    resume(second, state_of(first))
    assert arrays_of(second) == arrays_of(first)
    assert answers + second.handle([Clean(value) for value in raw[at:]]) == undisturbed
    assert arrays_of(second) == arrays_of(whole)


def test_a_state_does_not_move_with_the_forecaster(fresh: tuple[ZoneModels, ZoneModels], reading: Reading) -> None:
    """It is written later, and taken up by others: it must stay what it was."""
    core = started(fresh)
    state = state_of(core)
    before = {name: array.tobytes() for name, array in state.items()}
    resume(core, state)
    core.handle([Clean(reading(n).to_bytes()) for n in range(150)])
    assert {name: array.tobytes() for name, array in state.items()} == before


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        ("tetouan/large/zone2.champion.demand.history.series", None, "zone2.champion.demand: .*history.series"),
        ("tetouan/large/zone2.champion.demand.history.series", np.zeros(3), "zone2.champion.demand: history.series"),
        ("tetouan/large/zone2.champion.demand.header", None, "zone2.champion.demand: header"),
        ("tetouan/zone2.champion.demand.today.history.series", None, "zone2.champion.demand: .*history.series"),
        ("tetouan/zone2.champion.demand.today.intervals.scores", np.zeros(3), "zone2.champion.demand: .*scores"),
        ("tetouan/zone2.champion.weather.correction.steps", None, "zone2.champion.weather: .*correction.*steps"),
        ("tetouan/zone2.champion.weather.correction.steps", np.zeros(3), "zone2.champion.weather: correction: steps"),
        ("tetouan/large/recent.steps", None, "tetouan: recent.*steps"),
        ("tetouan/recent.steps", np.zeros(3, np.int64), "tetouan: recent.*steps"),
        ("tetouan/announced", np.array([7]), "tetouan: announced does not name zones"),
        ("tetouan/announced", None, "tetouan: announced"),
        ("tetouan/zone2.champion.colour", np.zeros(3), "adds zone2.champion.colour"),
        ("tetouan/large/zone2.champion.origin", None, "zone2.champion.origin"),
        ("tetouan/large/zone2.champion.origin", np.zeros(3, np.uint8), "zone2.champion.origin"),
        ("tetouan/zone3.champion.demand.history.series", np.zeros(3), "adds zone3.champion.demand.history.series"),
        ("tetouan/zone2.champion.demand.outlook.last_step", None, "zone2.champion.demand: .*outlook.last_step"),
        ("tetouan/zone2.champion.demand.outlook.last_step", np.array(2**62), "zone2.champion.demand: "),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    name: str, array: np.ndarray | None, why: str, fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """The line names what is missing, added or of another shape; the forecaster stays as it was made."""
    other, core = started(fresh), started(fresh)
    other.handle([Clean(reading(n).to_bytes()) for n in range(3)])
    state = {key: value for key, value in state_of(other).items() if key != name}
    before = arrays_of(core)
    with pytest.raises(ValueError, match=why):
        resume(core, state if array is None else {**state, name: array})
    assert arrays_of(core) == before


def without_weather(models: ZoneModels) -> ZoneModels:
    """Return the same without its weather model."""
    names = models.names.model_copy(update={"weather": None})
    return replace(models, weather=None, names=names)


def test_the_state_of_models_without_weather_is_taken_up(
    fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """To the bit, and what follows has the same bytes."""
    zones = (without_weather(fresh[0]), fresh[1])
    first, second = started(zones), started(zones)
    first.handle([Clean(reading(n).to_bytes()) for n in range(3)])
    resume(second, state_of(first))
    assert arrays_of(second) == arrays_of(first)
    following = [Clean(reading(3).to_bytes())]
    assert [o.value for o in second.handle(following)] == [o.value for o in first.handle(following)]


def test_health_says_that_there_is_no_weather_model(fresh: tuple[ZoneModels, ZoneModels], health: Health) -> None:
    """Where the site has none that is all right; else it says what to do. Champions run, so nobody is cold."""
    core = running((without_weather(fresh[1]),), health, new_registry())
    assert health.notes["weather"].startswith("no weather model: run `tetouan train`")
    assert "cold" not in health.notes
    assert [note for note in health.notes if note.startswith("weather-demand")] == []
    core.close()
    core.adopt(TETOUAN.model_copy(update={"zones": (2,)}), (fresh[1],))
    assert "weather" not in health.notes


def test_the_state_before_the_first_reading_is_taken_up_too(reading: Reading) -> None:
    """A forecaster without champions has nothing to keep yet, and says so."""
    cold = (ZoneModels.begun_cold(TETOUAN, 2),)
    first, second = started(cold), started(cold)
    second.handle([Clean(reading(0).to_bytes())])
    resume(second, state_of(first))
    assert arrays_of(second) == arrays_of(first)


def test_the_identity_names_the_tags_and_no_site(core: ForecasterCore) -> None:
    """The state of models with other tags is not taken up; what it holds of which site stands in the state."""
    assert core.identity() == {"tags of the models": "", "state format": FORMAT}
    assert core.parts().keys() == {UNSERVED, "tetouan", "tetouan/large"}


@pytest.mark.parametrize(
    "changes",
    [
        {"time_zone": "Europe/Madrid"},
        {"country": "ES"},
        {"step_minutes": 15},
        {"zones": (1, 2, 3)},
        {"columns": {"Zone 1 Power Consumption": "zone_1_kw", "Zone 2  Power Consumption": "zone_2_kw"}},
    ],
)
def test_the_state_of_a_site_that_is_another_by_now_is_outdated(
    fresh: tuple[ZoneModels, ZoneModels], changes: dict[str, Any]
) -> None:
    """Its past is on the topic: the state is made of it anew."""
    core = ForecasterCore(shared(Health(), new_registry(), TETOUAN.model_copy(update=changes)))
    with pytest.raises(OutdatedError, match=r"tetouan is .* by the table of sites it is "):
        resume(core, state_of(started(fresh)))


def test_a_site_that_the_table_no_longer_has_is_dropped_from_the_state(
    fresh: tuple[ZoneModels, ZoneModels],
) -> None:
    """The others go on; that there was one is kept. A name may begin like that of another one."""
    health, registry = Health(), new_registry()
    first = ForecasterCore(shared(health, registry, TETOUAN, NORTH))
    first.adopt(TETOUAN, fresh)
    first.adopt(NORTH, (ZoneModels.begun_cold(NORTH, 1),))
    second = started(fresh)
    resume(second, state_of(first))
    kept = {name: array for name, array in arrays_of(first).items() if name.startswith("tetouan/")}
    assert arrays_of(second) == {"/unserved/names": ("uint8", (5,), b'["t"]'), **kept}


def test_a_cold_state_of_another_table_is_refused(reading: Reading) -> None:
    """Nobody trains it anew: it must not go on with a lowest load that the site no longer has."""
    other = TETOUAN.model_copy(update={"zones": (2,), "limits": {"zone_2_kw": (-5.0, 1e9)}})
    first = running((ZoneModels.begun_cold(other, 2),), Health(), new_registry(), other)
    second = started((ZoneModels.begun_cold(TETOUAN, 2),))
    first.handle([Clean(reading(0).to_bytes())])
    with pytest.raises(ValueError, match="tetouan: zone2: the calendar"):
        resume(second, state_of(first))


def test_the_state_holds_the_models_themselves(fresh: tuple[ZoneModels, ZoneModels], reading: Reading) -> None:
    """A forecaster that has none yet goes on from it under their names, and to the bit; nothing else is asked."""
    first, nothing = started(fresh), ForecasterCore(shared(Health(), new_registry()))
    first.handle([Clean(reading(n).to_bytes()) for n in range(3)])
    resume(nothing, state_of(first))
    answer, _ = map(Forecast.from_bytes, forecasts_in(nothing.handle([Clean(reading(3).to_bytes())])))
    assert answer.models == fresh[0].names
    first.handle([Clean(reading(3).to_bytes())])
    assert arrays_of(nothing) == arrays_of(first)


def test_a_forecaster_without_champions_answers_and_learns(reading: Reading, health: Health) -> None:
    """From the first reading on, whatever its time; a later start folds what was answered, and goes on."""
    registry = new_registry()
    core = running((ZoneModels.begun_cold(TETOUAN, 2),), health, registry)
    core.restore([Clean(reading(n).to_bytes(), offset=n) for n in range(3)])
    outgoing = core.handle([Clean(reading(n).to_bytes(), offset=n) for n in range(3, 6)])
    assert [Forecast.from_bytes(value).origin for value in forecasts_in(outgoing)] == [
        START + n * STEP for n in range(3, 6)
    ]
    assert registry.get_sample_value("tetouan_forecasts_on_lower_levels_total", {"site": "tetouan", "zone": "2"}) == 3
