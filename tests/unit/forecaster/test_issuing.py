"""One forecast a reading and zone, whatever the reading lacks and however readings are batched."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.forecaster.issuing import Issuer, ZoneModels
from shared.forecasting.weather import COLUMNS
from shared.sites.grid import Grid
from shared.sites.table import site
from tests.unit.forecaster.conftest import START, STEP, fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.forecaster.issue import Issue
    from shared.contracts.messages import CleanReading, Forecast

    Reading = Callable[..., CleanReading]
    Models = tuple[ZoneModels, ZoneModels]


def messages(issues: Iterable[Issue]) -> list[Forecast]:
    """Return what a reader of the topic gets."""
    return [issue.message() for issue in issues]


def test_every_reading_is_answered_for_every_zone(models: Models, reading: Reading) -> None:
    """Forecasts come by reading and then by zone, each with all leads, an interval around them, and its models."""
    issues = messages(Issuer(site("tetouan"), models).answer([reading(0), reading(1)]))
    assert [(issue.origin, issue.zone) for issue in issues] == [
        (START + n * STEP, zone) for n in range(2) for zone in (1, 2)
    ]
    issue = issues[-1]
    assert [interval.coverage for interval in issue.intervals] == [0.8, 0.9]
    assert len(issue.median_kw) == 144
    narrow, wide = issue.intervals
    ends = (wide.low_kw, narrow.low_kw, issue.median_kw, narrow.high_kw, wide.high_kw)
    assert all(list(kw) == sorted(kw) for kw in zip(*ends, strict=True))
    assert issue.models.demand == "zone-demand-tetouan-2/1"
    assert all(round(value, 1) == value for value in issue.median_kw)


@pytest.mark.parametrize("size", [1, 7])
def test_the_batch_does_not_matter(fresh: Models, reading: Reading, size: int) -> None:
    """Fed at once, by seven or one by one: the same bytes."""
    readings = [reading(n) for n in range(21)]
    at_once = Issuer(site("tetouan"), deepcopy(fresh)).answer(readings)
    issuer = Issuer(site("tetouan"), deepcopy(fresh))
    parts = [issue for i in range(0, 21, size) for issue in issuer.answer(readings[i : i + size])]
    assert [issue.to_bytes() for issue in parts] == [issue.to_bytes() for issue in at_once]


def test_neighbours_change_nothing(fresh: Models, reading: Reading) -> None:
    """A zone among a hundred others, by the dozen, says what it says alone and reading by reading, to the byte."""
    readings, (other, ours) = [reading(n) for n in range(12)], fresh
    crowd = [deepcopy(other) for _ in range(99)]
    among = (*crowd[:50], deepcopy(ours), *crowd[50:])
    answers = Issuer(site("tetouan"), among).answer(readings)
    issuer = Issuer(site("tetouan"), (deepcopy(ours),))
    alone = [issue for one in readings for issue in issuer.answer([one])]
    assert [issue.to_bytes() for issue in answers if issue.zone == ours.zone] == [issue.to_bytes() for issue in alone]


def test_a_reading_that_the_state_holds_is_not_answered_again(models: Models, reading: Reading) -> None:
    """Neither one from before as_of nor one that is sent twice."""
    issuer = Issuer(site("tetouan"), models)
    assert issuer.answer([reading(-1)]) == []
    assert len(issuer.answer([reading(0)])) == 2
    assert issuer.answer([reading(0)]) == []


def test_a_missing_load_is_answered_with_its_reason(models: Models, reading: Reading) -> None:
    """A forecast always comes out, and says that the load at its origin is not the meter's."""
    first, second = messages(Issuer(site("tetouan"), models).answer([reading(0, zone_2_kw=None)]))
    assert first.levels[0].reason is None
    assert second.levels[0].reason


def test_missing_weather_leaves_only_the_estimate_open(models: Models, reading: Reading) -> None:
    """Without weather there is no virtual meter, but a forecast."""
    issuer = Issuer(site("tetouan"), models[:1])
    without, with_weather = messages(issuer.answer([reading(0, humidity_pct=None), reading(1)]))
    assert (without.weather_estimate_kw, without.weather_model_kw) == (None, None)
    assert with_weather.weather_estimate_kw is not None


def test_the_weather_model_is_told_as_it_was_trained(fresh: Models, reading: Reading) -> None:
    """Beside the corrected estimate stands what the trees alone say of the weather at the origin."""
    boosted = fresh[0].weather
    assert boosted is not None
    readings = [reading(n) for n in range(3)]
    issues = messages(Issuer(site("tetouan"), deepcopy(fresh[:1])).answer(readings))
    steps = np.array([Grid(10).step_of(one.time) for one in readings])
    told_kw = boosted.predict(steps, np.full((3, len(COLUMNS)), 10.0))
    assert [issue.weather_model_kw for issue in issues] == [round(kw, 1) for kw in told_kw.tolist()]
    assert issues[-1].weather_estimate_kw != issues[-1].weather_model_kw


@pytest.mark.parametrize("size", [1, 30, 400])
def test_a_lasting_shift_is_noted_for_a_day(fresh: Models, reading: Reading, size: int) -> None:
    """Once it is believed, each message says since when; before it, and a day after its onset, none does."""
    onset = 50
    usual = [reading(n).values["zone_1_kw"] or 0.0 for n in range(260)]
    loads = [kw if n < onset else round(1.25 * kw, 1) for n, kw in enumerate(usual)]
    readings = [reading(n, zone_1_kw=kw) for n, kw in enumerate(loads)]
    issuer = Issuer(site("tetouan"), deepcopy(fresh[:1]))
    issues = [
        issue for first in range(0, 260, size) for issue in messages(issuer.answer(readings[first : first + size]))
    ]
    noted = [n for n, issue in enumerate(issues) if issue.notes]
    assert noted == list(range(noted[0], onset + 144))
    assert onset + 40 < noted[0] < onset + 60
    for n in noted:
        (note,) = issues[n].notes
        assert (note.kind, note.since) == ("shift", START + onset * STEP)
        assert note.text.startswith("the load has shifted for good to 1.2")
    assert {issue.moved for issue in issues} == {None}


@pytest.mark.parametrize("size", [1, 30, 400])
def test_an_outage_is_noted_and_teaches_nobody(fresh: Models, reading: Reading, size: int) -> None:
    """As long as it lasts and for a day after it the messages say since when; the weather model sees no label of it."""
    begin, end = 50, 74
    usual = [reading(n).values["zone_1_kw"] or 0.0 for n in range(260)]
    readings = [reading(n, zone_1_kw=round(0.5 * kw, 1) if begin <= n < end else kw) for n, kw in enumerate(usual)]
    models = deepcopy(fresh[0])
    issuer = Issuer(site("tetouan"), (models,))
    issues = [
        issue for first in range(0, 260, size) for issue in messages(issuer.answer(readings[first : first + size]))
    ]
    noted = [n for n, issue in enumerate(issues) if issue.notes]
    assert noted == list(range(begin + 1, end + 144))
    for n in noted:
        (note,) = issues[n].notes
        assert (note.kind, note.since) == ("outage", START + begin * STEP)
        assert note.text.startswith("load is out: " if n < end else "load was out from 2018-03-01 08:20 to")
    assert issues[end - 1].notes[0].text.startswith(f"{issues[end - 1].levels[0].reason}; ")
    assert issues[end].levels[0].reason is None
    assert models.weather is not None
    correction, start = models.weather.correction, Grid(10).step_of(START)
    without = [n for n in range(260) if np.isnan(correction.residual_kw[(start + n) % len(correction.residual_kw)])]
    assert without == list(range(begin, end))


def test_without_a_weather_model_only_what_it_says_is_missing(fresh: Models, reading: Reading) -> None:
    """The forecast is that of the demand model, to the bit, and names no weather model."""
    (issuer, alone), readings = deepcopy(fresh), [reading(n, humidity_pct=None) for n in range(20)]
    bare = replace(alone, weather=None, names=alone.names.model_copy(update={"weather": None}))
    beside = messages(Issuer(site("tetouan"), (issuer, deepcopy(fresh[1]))).answer(readings))
    without = messages(Issuer(site("tetouan"), (bare,)).answer(readings))
    assert [issue.median_kw for issue in without] == [issue.median_kw for issue in beside if issue.zone == 2]
    assert {(issue.weather_estimate_kw, issue.weather_model_kw) for issue in without} == {(None, None)}
    assert {(issue.models.demand, issue.models.weather) for issue in without} == {("zone-demand-tetouan-2/1", None)}


def test_champions_of_different_ages_work_together(models: Models, reading: Reading) -> None:
    """A zone that has seen more answers later; a weather model that has seen more does not stop its zone."""
    start = models[0].demand.last_step
    assert start is not None
    older, newer = fitted(1, start - 1), models[1]
    mixed = ZoneModels(2, newer.demand, deepcopy(newer.weather), newer.names)
    assert mixed.weather is not None
    mixed.weather.partial_fit(start + 2, 20_000.0, 20_000.0)
    issues = Issuer(site("tetouan"), (older, mixed)).answer([reading(-1), reading(0), reading(1), reading(2)])
    assert [(issue.zone, issue.origin) for issue in issues] == [
        (1, START - STEP),
        *[(zone, START + n * STEP) for n in range(3) for zone in (1, 2)],
    ]


def test_a_zone_without_champions_is_forecast_from_its_first_reading(reading: Reading) -> None:
    """Nothing can be said before the first load; then there is a forecast that names no model, by the lowest level."""
    tetouan = site("tetouan")
    issuer = Issuer(tetouan, (ZoneModels.begun_cold(tetouan, 2),))
    (issue,) = messages(issuer.answer([reading(0, zone_2_kw=None), reading(1)]))
    assert issue.origin == START + STEP
    assert [(span.from_lead, span.to_lead, span.level) for span in issue.levels] == [(1, 144, "climatology")]
    assert issue.levels[0].reason == "the model has too little history: it answers after about two weeks"
    assert (issue.models.demand, issue.models.weather, issue.weather_estimate_kw) == (None, None, None)
    load = reading(1).values["zone_2_kw"]
    assert load is not None
    assert set(issue.median_kw) == {load}
    assert all(max(interval.low_kw) < load < min(interval.high_kw) for interval in issue.intervals)


def test_the_message_carries_the_intervals_that_are_asked_for(models: Models, reading: Reading) -> None:
    """Each of them, in the order given."""
    (issue,) = messages(Issuer(site("tetouan"), models[:1], (0.5, 0.9, 0.95)).answer([reading(0)]))
    assert [interval.coverage for interval in issue.intervals] == [0.5, 0.9, 0.95]


def test_what_is_sent_is_the_message_byte_for_byte(models: Models, reading: Reading) -> None:
    """The shortcut from arrays to the wire writes what the message's own model writes."""
    readings = [reading(0), reading(1, humidity_pct=None), reading(2, zone_2_kw=None)]
    issues = Issuer(site("tetouan"), models, (0.5, 0.8, 0.9, 0.95)).answer(readings)
    assert len(issues) == 6
    assert [issue.to_bytes() for issue in issues] == [issue.message().to_bytes() for issue in issues]


def test_a_number_that_is_none_is_not_sent(models: Models, reading: Reading) -> None:
    """JSON has no NaN: a forecast that holds one is a bug, and ends the service."""
    (issue,) = Issuer(site("tetouan"), models[:1]).answer([reading(0)])
    issue.forecast.low_kw[1, 7] = float("nan")
    with pytest.raises(ValueError, match=r"zone 1, 2018-03-01T00:00:00\+00:00: a number of the forecast is not finite"):
        issue.to_bytes()
