"""The forecaster's wiring without a broker: records in, forecasts and dead letters out."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from services.forecaster import champions as champions_module
from services.forecaster.app import ForecasterCore
from services.forecaster.champions import Champions
from services.forecaster.issuing import ZoneModels
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.settings import ForecasterSettings
from shared.contracts import topics
from shared.contracts.messages import DeadLetter, Forecast
from shared.forecasting.weather import COLUMNS
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.other_sites import OtherSites
from shared.runtime.settings import load
from shared.sites.table import site
from tests.unit.forecaster.conftest import START, STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import CollectorRegistry

    from shared.contracts.messages import CleanReading

    Reading = Callable[..., CleanReading]


@dataclass
class Consumed:
    """A record as a broker hands it over."""

    value: bytes | None
    topic: str = topics.CLEAN.name
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"tetouan"
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1


def started(zones: tuple[ZoneModels, ...]) -> ForecasterCore:
    """Return a forecaster that begins with copies of these models."""
    return running(deepcopy(zones), Health(), new_registry())


def asked(zones: tuple[ZoneModels, ...], monkeypatch: pytest.MonkeyPatch) -> tuple[ForecasterCore, Champions]:
    """Return a forecaster that has nothing yet, and what has asked a registry that has these models."""

    async def answer(_: ForecasterSettings) -> tuple[ZoneModels, ...]:
        return zones

    monkeypatch.setattr(champions_module, "registered", answer)
    registry, settings = new_registry(), load(ForecasterSettings, zones=tuple(models.zone for models in zones))
    metrics, letters = ForecasterMetrics(registry), DeadLetters(registry)
    champions = Champions(settings, Health(broker_up=True), metrics.champions_confirmed)
    others = OtherSites("forecaster", settings.site, registry, Health())
    return ForecasterCore(settings, champions, metrics, letters, Health(), others), champions


def running(zones: tuple[ZoneModels, ...], health: Health, registry: CollectorRegistry) -> ForecasterCore:
    """Return a forecaster of these models."""
    settings = load(ForecasterSettings, zones=tuple(models.zone for models in zones))
    metrics, letters = ForecasterMetrics(registry), DeadLetters(registry)
    champions = Champions(settings, health, metrics.champions_confirmed)
    others = OtherSites("forecaster", settings.site, registry, health)
    core = ForecasterCore(settings, champions, metrics, letters, health, others)
    core.adopt(zones)
    return core


def arrays_of(core: ForecasterCore) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Return every array of the state to the bit."""
    return {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in core.state().items()}


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
    outgoing = core.handle([Consumed(value, offset=n) for n, value in enumerate(messages)])
    letters = [DeadLetter.from_headers(o.headers) for o in outgoing if o.topic == topics.REJECTED.name]
    assert [(letter.reason, letter.offset) for letter in letters] == [
        ("invalid_clean_reading", 0),
        ("invalid_clean_reading", 1),
        ("wrong_step", 2),
    ]
    answers = [Forecast.from_bytes(o.value) for o in outgoing if o.topic == topics.FORECASTS.name]
    assert [answer.zone for answer in answers] == [1, 2]


def test_records_of_other_sites_are_counted_and_told(core: ForecasterCore, health: Health, reading: Reading) -> None:
    """A forecaster serves one site: it names the others, how many records they have, and how to have them served."""
    north = [reading(step).model_copy(update={"site": "north"}).to_bytes() for step in range(3)]
    core.restore([Consumed(value) for value in north])
    assert "other sites" not in health.notes
    assert core.handle([Consumed(value) for value in north]) == []
    assert health.notes["other sites"] == (
        "this forecaster serves tetouan alone, and there are records of other sites: north (3): start a forecaster "
        "with TETOUAN_SITE=north and a group of its own, TETOUAN_GROUP=north"
    )


def test_a_reading_years_after_the_models_is_refused_with_advice(core: ForecasterCore, reading: Reading) -> None:
    """A state that old cannot be folded on: the dead letter says to train."""
    (letter,) = core.handle([Consumed(reading(144 * 400).to_bytes())])
    refused = DeadLetter.from_headers(letter.headers)
    assert refused.reason == "too_far_ahead"
    assert "run `tetouan train`" in str(refused.value)
    assert len(core.handle([Consumed(reading(0).to_bytes())])) == 2


def test_health_tells_which_models_run_and_where_the_stream_is(
    core: ForecasterCore, health: Health, reading: Reading
) -> None:
    """Versions from the start; then the gap before the first reading, and its origin."""
    assert health.notes["zone-demand-tetouan-1"] == "1"
    core.handle([Consumed(reading(3).to_bytes())])
    assert health.notes["origin"] == "2018-03-01T00:30:00+00:00"
    assert health.notes["gap"].startswith("3 readings between 2018-02-28T23:50:00+00:00")


def test_a_restored_forecaster_answers_as_one_that_never_stopped(
    fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """What was answered before is folded in silence, garbage passed over; what follows gets the same bytes."""
    raw = [reading(n).to_bytes() for n in range(6)]

    undisturbed, restored = started(fresh), started(fresh)
    undisturbed.handle([Consumed(value) for value in raw[:5]])
    restored.restore([Consumed(value) for value in [b"garbage", None, *raw[:5]]])
    assert restored.handle([Consumed(raw[5])]) == undisturbed.handle([Consumed(raw[5])])
    assert restored.handle([Consumed(raw[4])]) == []


@pytest.mark.parametrize("at", [1, 40, 150])
def test_a_state_that_is_taken_up_goes_on_to_the_bit(
    at: int, fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """Wherever the stream is cut: the same answers, and at the end the same arrays, as without the cut."""
    raw = [reading(n).to_bytes() for n in range(at + 20)]
    whole, first, second = (started(fresh) for _ in range(3))
    undisturbed = whole.handle([Consumed(value) for value in raw])
    answers = first.handle([Consumed(value) for value in raw[:at]])
    second.resume(first.state())
    assert arrays_of(second) == arrays_of(first)
    assert answers + second.handle([Consumed(value) for value in raw[at:]]) == undisturbed
    assert arrays_of(second) == arrays_of(whole)


def test_a_state_does_not_move_with_the_forecaster(fresh: tuple[ZoneModels, ZoneModels], reading: Reading) -> None:
    """It is written later, and taken up by others: it must stay what it was."""
    core = started(fresh)
    state = core.state()
    before = {name: array.tobytes() for name, array in state.items()}
    core.resume(state)
    core.handle([Consumed(reading(n).to_bytes()) for n in range(150)])
    assert {name: array.tobytes() for name, array in state.items()} == before


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        ("zone2.demand.history.series", None, "zone2.demand: .*history.series"),
        ("zone2.demand.history.series", np.zeros(3), "zone2.demand: history.series"),
        ("zone2.demand.header", None, "zone2.demand: header"),
        ("zone2.weather.correction.steps", None, "zone2.weather: .*correction.*steps"),
        ("zone2.weather.correction.steps", np.zeros(3), "zone2.weather: correction: steps"),
        ("zone2.colour", np.zeros(3), "adds zone2.colour"),
        ("zone2.origin", None, "zone2.origin"),
        ("zone2.origin", np.zeros(3, np.uint8), "zone2.origin"),
        ("zone3.demand.history.series", np.zeros(3), "adds zone3.demand.history.series"),
        ("zone2.demand.outlook.last_step", None, "zone2.demand: .*outlook.last_step"),
        ("zone2.demand.outlook.last_step", np.array(2**62), "zone2.demand: "),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    name: str, array: np.ndarray | None, why: str, fresh: tuple[ZoneModels, ZoneModels], reading: Reading
) -> None:
    """The line names what is missing, added or of another shape; the forecaster stays as it was made."""
    other, core = started(fresh), started(fresh)
    other.handle([Consumed(reading(n).to_bytes()) for n in range(3)])
    state = {key: value for key, value in other.state().items() if key != name}
    before = arrays_of(core)
    with pytest.raises(ValueError, match=why):
        core.resume(state if array is None else {**state, name: array})
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
    first.handle([Consumed(reading(n).to_bytes()) for n in range(3)])
    second.resume(first.state())
    assert arrays_of(second) == arrays_of(first)
    following = [Consumed(reading(3).to_bytes())]
    assert [o.value for o in second.handle(following)] == [o.value for o in first.handle(following)]


def test_health_says_that_there_is_no_weather_model(fresh: tuple[ZoneModels, ZoneModels], health: Health) -> None:
    """Where the site has none that is all right; else it says what to do. Champions run, so nobody is cold."""
    core = running((without_weather(fresh[1]),), health, new_registry())
    assert health.notes["weather"].startswith("no weather model: run `tetouan train`")
    assert "cold" not in health.notes
    assert [note for note in health.notes if note.startswith("weather-demand")] == []
    core.adopt((fresh[1],))
    assert "weather" not in health.notes


def test_the_state_before_the_first_reading_is_taken_up_too(reading: Reading) -> None:
    """A forecaster without champions has nothing to keep yet, and says so."""
    cold = (ZoneModels.begun_cold(site("tetouan"), 2),)
    first, second = started(cold), started(cold)
    second.handle([Consumed(reading(0).to_bytes())])
    second.resume(first.state())
    assert arrays_of(second) == arrays_of(first)


def test_the_identity_names_what_is_asked_of_the_forecaster(core: ForecasterCore) -> None:
    """So that the state of other zones, or of models with other tags, is not taken up."""
    identity = core.identity()
    assert (identity["site"], identity["zones"], identity["tags of the models"]) == ("tetouan", "1,2", "")
    assert identity["weather"].split(",") == list(COLUMNS)


@pytest.mark.parametrize("changes", [{"time_zone": "Europe/Madrid"}, {"limits": {"zone_2_kw": (-5.0, 1e9)}}])
def test_a_cold_state_of_another_table_is_refused(reading: Reading, changes: dict[str, Any]) -> None:
    """Nobody trains it anew: it must not go on with holidays, or a lowest load, that the site no longer has."""
    other = site("tetouan").model_copy(update=changes)
    first, second = started((ZoneModels.begun_cold(other, 2),)), started((ZoneModels.begun_cold(site("tetouan"), 2),))
    first.handle([Consumed(reading(0).to_bytes())])
    with pytest.raises(ValueError, match="zone2: the calendar"):
        second.resume(first.state())


def test_who_runs_others_than_are_registered_is_outdated_and_their_state_is_refused(
    fresh: tuple[ZoneModels, ZoneModels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names them. Before the registry has answered, the state is taken up; with its models, it stays."""
    state = started(fresh).state()
    core, champions = asked((replace(fresh[0], digest="made anew"), fresh[1]), monkeypatch)
    core.resume(state)
    outdated = [core.outdated()]
    asyncio.run(champions.confirm())
    with pytest.raises(ValueError, match=r"zone-demand-tetouan-1/1 with .* and other champions are registered"):
        core.resume(state)
    outdated.append(core.outdated())
    asyncio.run(core.begin())
    assert [*outdated, core.outdated()] == [False, True, False]


def test_the_state_holds_the_models_themselves(fresh: tuple[ZoneModels, ZoneModels], reading: Reading) -> None:
    """A forecaster that has none yet goes on from it under their names, and to the bit; nothing else is asked."""
    first, nothing = started(fresh), started(fresh)
    nothing.adopt(())
    first.handle([Consumed(reading(n).to_bytes()) for n in range(3)])
    nothing.resume(first.state())
    (answer, _) = (Forecast.from_bytes(o.value) for o in nothing.handle([Consumed(reading(3).to_bytes())]))
    assert answer.models == fresh[0].names
    first.handle([Consumed(reading(3).to_bytes())])
    assert arrays_of(nothing) == arrays_of(first)


def test_a_forecaster_without_champions_answers_and_learns(reading: Reading, health: Health) -> None:
    """From the first reading on, whatever its time; a later start folds what was answered, and goes on."""
    registry = new_registry()
    core = running((ZoneModels.begun_cold(site("tetouan"), 2),), health, registry)
    core.restore([Consumed(reading(n).to_bytes(), offset=n) for n in range(3)])
    outgoing = core.handle([Consumed(reading(n).to_bytes(), offset=n) for n in range(3, 6)])
    assert [Forecast.from_bytes(record.value).origin for record in outgoing] == [START + n * STEP for n in range(3, 6)]
    assert registry.get_sample_value("tetouan_forecasts_on_lower_levels_total", {"site": "tetouan", "zone": "2"}) == 3
