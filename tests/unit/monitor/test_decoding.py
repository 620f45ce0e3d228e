"""What the monitor reads of forecasts and readings: what the message says, and refused in the words of its model."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.monitor.decoding import FORECASTS, READINGS
from shared.contracts.messages import CleanReading, Flagged, Forecast
from shared.forecasting.scores import issued_kw, load_kw
from tests.unit.monitor.test_verification import forecast

RAW = forecast(7, error_kw=3.25).to_bytes()
SAID: dict[str, Any] = json.loads(RAW)
ROW = SAID["intervals"][0]["low_kw"]


def test_what_is_scored_is_what_the_message_says() -> None:
    """Site, zone, origin, step, model and numbers."""
    read, whole = FORECASTS.read(RAW), Forecast.from_bytes(RAW)
    for name in ("site", "zone", "origin", "step_minutes"):
        assert getattr(read, name) == getattr(whole, name)
    assert read.models.demand == whole.models.demand
    assert issued_kw(read).tolist() == issued_kw(whole).tolist()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"zone": 0}, "zone"),
        ({"zone": True}, "zone"),
        ({"zone": "2"}, "zone"),
        ({"step_minutes": 0}, "step_minutes"),
        ({"origin": "2017-10-19T04:40:00"}, "origin"),
        ({"origin": "yesterday"}, "origin"),
        ({"origin": "0001-01-01T00:00:00+02:00"}, "beyond the calendar"),
        ({"median_kw": [*SAID["median_kw"][1:], None]}, "median_kw"),
        ({"median_kw": [*SAID["median_kw"][1:], "1.0"]}, "median_kw"),
        ({"median_kw": [*SAID["median_kw"][1:], True]}, "median_kw"),
        ({"median_kw": [*SAID["median_kw"][1:], float("nan")]}, "median_kw"),
        ({"median_kw": SAID["median_kw"][1:]}, "leads"),
        ({"intervals": [{"coverage": 1.5, "low_kw": ROW, "high_kw": ROW}]}, "coverage"),
        ({"intervals": [{"coverage": 0.8, "low_kw": ROW, "high_kw": ROW[1:]}]}, "leads"),
        ({"models": {"demand": 1, "weather": None}}, "models.demand"),
        ({"schema_version": 3}, "schema_version"),
        ({"site": None}, "site"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_the_words_of_the_model(changed: dict[str, Any], said: str) -> None:
    """They name field and value."""
    with pytest.raises(ValidationError, match=said) as refused:
        FORECASTS.read(json.dumps({**SAID, **changed}).encode())
    assert refused.value.title == "Forecast"


NESTED = pytest.param(b'{"later":%s%s}' % (b"[" * 10_000, b"]" * 10_000), id="nested")


@pytest.mark.parametrize("raw", [b"", b"{", RAW.replace(b'"site":"', b'"site":"\xff'), b"[]", NESTED])
def test_what_is_no_message_is_refused_in_the_words_of_the_model(raw: bytes) -> None:
    """Bytes that are no JSON, no UTF-8, or no object, and JSON that is nested too deep."""
    with pytest.raises(ValidationError):
        FORECASTS.read(raw)


def test_a_message_of_version_1_is_read() -> None:
    """Its model knows what it was then."""
    old = {**SAID, "schema_version": 1, "rungs": SAID["levels"]}
    del old["levels"], old["weather_model_kw"]
    old["rungs"] = [
        {**{key: value for key, value in one.items() if key != "level"}, "rung": one["level"]} for one in old["rungs"]
    ]
    read = FORECASTS.read(json.dumps(old).encode())
    assert issued_kw(read).tolist() == issued_kw(Forecast.from_bytes(RAW)).tolist()


READING = CleanReading(
    site="tetouan",
    time=datetime(2017, 10, 19, 4, 40, tzinfo=UTC),
    step_minutes=10,
    values={"zone_1_kw": 31000.5, "zone_2_kw": None, "temperature_c": 18},
    flags={"zone_2_kw": Flagged(flag="missing"), "temperature_c": Flagged(flag="stuck", original="18")},
)
READ: dict[str, Any] = json.loads(READING.to_bytes())


@pytest.mark.parametrize("changed", [{}, {"time": "2017-10-19T06:40:00+02:00"}, {"later": [1]}, {"revision": 2}])
def test_what_is_scored_of_a_reading_is_what_the_message_says(changed: dict[str, Any]) -> None:
    """Site, time, step, values and which of them have a flag."""
    raw = json.dumps({**READ, **changed}).encode()
    read, whole = READINGS.read(raw), CleanReading.from_bytes(raw)
    for name in ("site", "time", "step_minutes", "values", "revision"):
        assert getattr(read, name) == getattr(whole, name)
    assert read.time.utcoffset() == timedelta()
    assert read.flags.keys() == whole.flags.keys()
    assert [load_kw(read, zone) for zone in (1, 2)] == [
        load_kw(whole, 1),
        pytest.approx(load_kw(whole, 2), nan_ok=True),
    ]


def test_a_reading_without_flags_needs_none() -> None:
    """Readers take a message that leaves a default out."""
    read = READINGS.read(json.dumps({"schema_version": 1, **_less(READ, "flags"), "values": {"zone_1_kw": 1}}).encode())
    assert read.flags == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"site": None}, "site"),
        ({"time": "2017-10-19T04:40:00"}, "time"),
        ({"time": "9999-12-31T23:50:00-01:00"}, "beyond the calendar"),
        ({"step_minutes": 0}, "step_minutes"),
        ({"step_minutes": 10.5}, "step_minutes"),
        ({"revision": -1}, "revision"),
        ({"schema_version": 2}, "schema_version"),
        ({"values": {"zone_1_kw": "31000.5"}, "flags": {}}, "zone_1_kw"),
        ({"values": {"zone_1_kw": float("inf")}, "flags": {}}, "zone_1_kw"),
        ({"values": {"zone_1_kw": None}, "flags": {}}, "null without a flag"),
        ({"values": {"zone_1_kw": 1.0}, "flags": {"zone_2_kw": {"flag": "stuck"}}}, "belongs to no value"),
        ({"flags": {**READ["flags"], "zone_2_kw": {"flag": "odd"}}}, "flags.zone_2_kw.flag"),
        ({"flags": {**READ["flags"], "zone_2_kw": {"flag": "stuck", "original": 3}}}, "flags.zone_2_kw.original"),
    ],
)
def test_a_reading_that_cannot_be_scored_is_refused_in_the_words_of_the_model(
    changed: dict[str, Any], said: str
) -> None:
    """They name field and value."""
    with pytest.raises(ValidationError, match=said) as refused:
        READINGS.read(json.dumps({**READ, **changed}).encode())
    assert refused.value.title == "CleanReading"


@pytest.mark.parametrize("raw", [b"", b"{", b'{"site":"\xff"}', b"[]", NESTED])
def test_what_is_no_reading_is_refused_in_the_words_of_the_model(raw: bytes) -> None:
    """Bytes that are no JSON, no UTF-8, or no object, and JSON that is nested too deep."""
    with pytest.raises(ValidationError):
        READINGS.read(raw)


def _less(message: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != field}
