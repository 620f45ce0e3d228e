"""Several sites in one core: each as if it were alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.forecaster.app import ForecasterCore, ForecasterShared
from services.forecaster.asking import Asking
from services.forecaster.issuing import ZoneModels
from services.forecaster.settings import ForecasterSettings
from shared.contracts.messages import CleanReading, DeadLetter, Flagged
from shared.forecasting.prior import Prior, PriorSource
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.settings import Refused, load
from shared.runtime.state import OutdatedError
from shared.sites.site import Site
from shared.sites.table import Sites
from shared.sites.unserved import UNSERVED
from tests.unit.forecaster.conftest import START
from tests.unit.forecaster.test_app import Clean, events_in, forecasts_in
from tests.unit.states import resume, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from shared.runtime.records import Outgoing

SITES = Sites(
    {
        "north": Site(
            name="north",
            step_minutes=10,
            country="MA",
            time_zone="Africa/Casablanca",
            time_column="t",
            columns={"L": "zone_1_kw"},
        ),
        "north.2": Site(
            name="north.2",
            step_minutes=15,
            country="ES",
            time_zone="Europe/Madrid",
            time_column="t",
            columns={"A": "zone_1_kw", "B": "zone_2_kw", "T": "temperature_c"},
        ),
    }
)
DAYS = 4


def core_of(
    *names: str, health: Health | None = None, registry: CollectorRegistry | None = None, **settings: object
) -> ForecasterCore:
    """Return a forecaster of these sites alone, without a registry of models."""
    sites = Sites({name: SITES[name] for name in names})
    given = load(ForecasterSettings, **{"models_wait_s": 0, "mlflow_uri": "sqlite:////no/such/registry", **settings})
    return ForecasterCore(
        ForecasterShared.of(given, sites, registry or new_registry(), health or Health(), Asking(given))
    )


def readings_of(site: Site) -> list[CleanReading]:
    """Return some days of a load with a daily shape, a gap and a value that is missing."""
    noise = np.random.default_rng(len(site.name)).normal(0, 40, DAYS * site.grid.day)
    readings = []
    for n, off_kw in enumerate(noise.tolist()):
        load_kw = round(3_000 + 800 * float(np.sin(2 * np.pi * n / site.grid.day)) + off_kw, 1)
        values: dict[str, float | None] = {field: load_kw if field.endswith("_kw") else 14.5 for field in site.fields}
        flags: dict[str, Flagged] = {}
        if n == 30:
            values[site.fields[0]], flags[site.fields[0]] = None, Flagged(flag="missing")
        if n not in range(200, 205):
            time = START + n * timedelta(minutes=site.step_minutes)
            of_step = CleanReading(
                site=site.name, time=time, step_minutes=site.step_minutes, values=values, flags=flags
            )
            readings.append(of_step)
    return readings


def records_of(readings: Iterable[CleanReading]) -> list[Clean]:
    """Return the records of some readings."""
    return [Clean(reading.to_bytes(), offset=n, key=reading.site.encode()) for n, reading in enumerate(readings)]


def run(core: ForecasterCore, records: Sequence[Clean], batch: int, *, restore: bool = False) -> list[Outgoing]:
    """Hand the records to a core, so many at once."""
    outgoing: list[Outgoing] = []
    for first in range(0, len(records), batch):
        part = records[first : first + batch]
        asyncio.run(core.prepare(part))
        if restore:
            core.restore(part)
        else:
            outgoing += core.handle(part)
    return outgoing


def arrays_of(core: ForecasterCore) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Return every array of the sites to the bit."""
    of_sites = {name: array for name, array in state_of(core).items() if not name.startswith(UNSERVED)}
    return {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in of_sites.items()}


@pytest.fixture(scope="module")
def interleaved() -> list[CleanReading]:
    """Return the readings of both sites by time."""
    return sorted((reading for site in SITES.values() for reading in readings_of(site)), key=lambda each: each.time)


@pytest.fixture(scope="module")
def alone() -> dict[str, tuple[list[bytes], dict[str, tuple[str, tuple[int, ...], bytes]]]]:
    """Return, by site, the forecasts and the state of a core that has it alone and is handed all at once."""
    found = {}
    for name, site in SITES.items():
        core, records = core_of(name), records_of(readings_of(site))
        found[name] = forecasts_in(run(core, records, len(records))), arrays_of(core)
    return found


def test_a_state_is_taken_up_site_by_site(interleaved: list[CleanReading]) -> None:
    """With a pause after each, in which the core is as it was; after the last one all of them are there."""
    core, again = core_of(*SITES), core_of(*SITES)
    run(core, records_of(interleaved[:40]), 40)
    resuming = again.resuming({part: core.state(part) for part in core.parts()})
    for _ in SITES:
        next(resuming)
        assert arrays_of(again) == {}
    assert list(resuming) == []
    assert arrays_of(again) == arrays_of(core)


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_each_site_is_forecast_as_if_it_were_alone(
    interleaved: list[CleanReading],
    alone: dict[str, tuple[list[bytes], dict[str, tuple[str, tuple[int, ...], bytes]]]],
    batch: int,
) -> None:
    """Byte for byte and array for array, whatever comes together; so is what is cut by a restart."""
    core, records = core_of(*SITES), records_of(interleaved)
    answers = run(core, records[:500], batch)
    resumed = core_of(*SITES)
    resume(resumed, state_of(core))
    answers += run(resumed, records[500:], batch)
    folded = core_of(*SITES)
    folded.restore(events_in(answers))
    run(folded, records, batch, restore=True)
    for name, (forecasts, state) in alone.items():
        assert forecasts_in(answer for answer in answers if answer.key == name.encode()) == forecasts
        for both in (resumed, folded):
            assert {key: array for key, array in arrays_of(both).items() if key.startswith(f"{name}/")} == state
    assert len(arrays_of(resumed)) == sum(len(state) for _, state in alone.values())


def test_a_site_whose_readings_came_before_the_table_had_it_begins_from_the_topic(
    interleaved: list[CleanReading],
) -> None:
    """They were passed over: what a core without it has kept is not what the topic makes of it."""
    without, records = core_of("north"), records_of(interleaved[:50])
    run(without, records, 50)
    with pytest.raises(OutdatedError, match=r"there were readings of north\.2 before the table of sites had it"):
        resume(core_of(*SITES), state_of(without))
    dropped = core_of("north")
    run(dropped, records_of(each for each in interleaved[:50] if each.site == "north"), 50)
    resume(core_of(*SITES), state_of(dropped))


def test_what_is_taken_up_begins_with_zero(interleaved: list[CleanReading]) -> None:
    """Of all parts; but what is dropped is a change of what is known of sites that are not served."""
    both, again = core_of(*SITES), core_of(*SITES)
    run(both, records_of(interleaved)[:9], 9)
    resume(again, state_of(both))
    assert set(again.parts().values()) == {0}
    without = core_of("north")
    resume(without, state_of(both))
    assert without.parts() == {"north": 0, "north/large": 0, UNSERVED: 1}


def test_what_is_wrong_at_one_site_stays_there(interleaved: list[CleanReading]) -> None:
    """A wrong step is a dead letter that begins nothing; the other site is answered."""
    health = Health()
    core = core_of(*SITES, health=health)
    north, other = (next(each for each in interleaved if each.site == name) for name in SITES)
    wrong = north.model_copy(update={"step_minutes": 15})
    letter, *answers = run(core, records_of([wrong, other]), 2)
    assert DeadLetter.from_headers(letter.headers).reason == "wrong_step"
    assert {answer.key for answer in answers} == {b"north.2"}
    assert core.parts().keys() == {UNSERVED, "north.2", "north.2/large"}
    assert "(north.2)" in health.notes["cold"]


def test_what_a_core_shows_goes_away_with_it(interleaved: list[CleanReading]) -> None:
    """Series and notes; but not what another core shows of the site by then."""
    health, registry = Health(), new_registry()
    first = core_of(*SITES, health=health, registry=registry)
    run(first, records_of(interleaved[:10]), 10)
    second = ForecasterCore(first.shared)
    resume(second, state_of(first))
    first.close()
    assert shown(registry) == set(SITES)
    assert "north, north.2" in health.notes["cold"]
    second.close()
    assert shown(registry) == set()
    assert health.notes.keys() == {"origin"}


def shown(registry: CollectorRegistry) -> set[str]:
    """Return the sites of which there is a series."""
    return {s.labels["site"] for family in registry.collect() for s in family.samples if "site" in s.labels}


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a prior for steps of ten minutes."""
    load_kw = 3_000 + 800 * np.sin(2 * np.pi * np.arange(18 * 144) / 144)
    lesson = ZoneModels.begun_cold(SITES["north"], 1).demand.fit(0, load_kw).lesson(load_kw)
    path = tmp_path_factory.mktemp("prior") / "prior.npz"
    Prior.pooled([lesson], 10, 144, PriorSource("0" * 64, "there", (1,), START, START + timedelta(days=18))).save(path)
    return path


def test_a_prior_is_what_the_sites_begin_with_that_it_fits(interleaved: list[CleanReading], prior: Path) -> None:
    """It stands in their state, so that a start with another one folds them anew; where it does not fit, a note."""
    health = Health()
    core = core_of(*SITES, health=health, prior=prior)
    run(core, records_of(interleaved[:50]), 50)
    assert health.notes["prior"].startswith(
        f"begun without TETOUAN_PRIOR={str(prior)!r}: the prior has step_minutes 10"
    )
    assert health.notes["prior"].endswith("(north.2)")
    again = core_of(*SITES, prior=prior)
    resume(again, state_of(core))
    assert arrays_of(again) == arrays_of(core)
    with pytest.raises(ValueError, match="north: zone1: the calendar of the site, its step, a lower limit, the prior"):
        resume(core_of(*SITES), state_of(core))


@pytest.mark.parametrize("content", [None, b"no prior"])
def test_a_file_that_is_no_prior_stops_the_start_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    """The line names the setting and the file."""
    file = tmp_path / "prior.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Refused, match=r"^TETOUAN_PRIOR.*prior\.npz") as refusal:
        core_of("north", prior=file)
    assert "\n" not in str(refusal.value)
