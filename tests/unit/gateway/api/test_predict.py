"""`/predict` as the clients of the first version send it: what the weather model says, corrected, with bounds."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.sites.grid import Grid
from tests.unit.gateway import told

if TYPE_CHECKING:
    import httpx

    from shared.forecasting.weather import WeatherDemand
    from tests.unit.gateway.api.filled import Asked

SEED = {
    "Timestamp": "2024-04-20 14:30:00",
    "Temperature": 22.5,
    "Humidity": 75,
    "WindSpeed": 3.2,
    "GeneralDiffuseFlows": 450.0,
    "DiffuseFlows": 120.5,
}
RAW = json.dumps(SEED)
SEEN_YEAR = SEED | {"Timestamp": "2017-04-20 14:30:00"}
OTHER_YEAR = (
    "Timestamp 2024-04-20 is in a year that the model has not seen, only 2017-04-02 to 2017-05-21: it answers as for "
    "the same time of those"
)


def post(asked: Asked, body: object = SEED, path: str = "/predict") -> httpx.Response:
    """Ask."""
    return asked.gateway.post(path, json.dumps(body).encode())


def uncorrected_kw(model: WeatherDemand, time: datetime) -> float:
    """Return what the model says when it is called directly."""
    weather = np.array([[22.5, 75.0, 3.2, 450.0, 120.5]])
    return float(model.predict(np.array([Grid(10).step_of(time)]), weather)[0])


def test_the_request_of_the_first_version_is_answered(filled: Asked, weather_model: WeatherDemand) -> None:
    """With its field of the load; the uncorrected value is that of the model called directly.

    The model has seen no day of that year, which is said.
    """
    answer = post(filled).json()
    assert list(answer) == [
        "predicted_power_consumption_zone2",
        "uncorrected_kw",
        "correction_kw",
        "low_kw",
        "high_kw",
        "model",
        "warnings",
    ]
    direct_kw = uncorrected_kw(weather_model, datetime(2024, 4, 20, 14, 30, tzinfo=UTC))
    assert abs(answer["uncorrected_kw"] - direct_kw) <= 0.1
    assert answer["correction_kw"] == 1100.0
    assert answer["predicted_power_consumption_zone2"] == pytest.approx(answer["uncorrected_kw"] + 1100.0, abs=0.1)
    assert answer["model"] == "weather-demand-tetouan-2/1"
    assert answer["warnings"] == [OTHER_YEAR]


def test_the_bounds_hold_nine_of_ten_loads(filled: Asked) -> None:
    """They lie where loads lay off the corrected estimate: 20 100 kW, and loads from 20 000 to 20 099 kW."""
    answer = post(filled).json()
    estimate_kw = answer["predicted_power_consumption_zone2"]
    off_kw = np.array([step % 100 - 100.0 for step in range(295) if step != 7])
    low_kw, high_kw = np.quantile(off_kw, (0.05, 0.95))
    assert answer["low_kw"] == pytest.approx(estimate_kw + low_kw, abs=0.2)
    assert answer["high_kw"] == pytest.approx(estimate_kw + high_kw, abs=0.2)


def test_the_correction_is_that_of_the_newest_forecast_of_the_time_of_day(filled: Asked) -> None:
    """Of another time of day it stays as it is; a forecast that comes changes it at once."""
    assert post(filled).json()["correction_kw"] == 1100.0
    at = 144 + 87  # half past two on the next day
    told.tell(filled.database, [told.forecast(at + 144, weather_estimate_kw=18_000.0)])
    assert post(filled).json()["correction_kw"] == -1000.0
    assert post(filled, SEED | {"Timestamp": "2024-04-20T14:40:00Z"}).json()["correction_kw"] == 1100.0
    told.tell(filled.database, [told.forecast(at + 145, weather_estimate_kw=18_500.0)])
    assert post(filled, SEED | {"Timestamp": "2024-04-20T14:40:00Z"}).json()["correction_kw"] == -500.0


def test_a_naive_time_is_utc(filled: Asked) -> None:
    """The same time with an offset has the same answer."""
    assert post(filled).json() == post(filled, SEED | {"Timestamp": "2024-04-20T15:30:00+01:00"}).json()


def test_without_forecasts_the_estimate_stands_alone(asked: Asked, weather_model: WeatherDemand) -> None:
    """It says that it is not corrected, and that it has no bounds."""
    asked.shelf.put("1", weather_model)
    answer = post(asked, SEEN_YEAR).json()
    assert answer["predicted_power_consumption_zone2"] == answer["uncorrected_kw"]
    assert (answer["correction_kw"], answer["low_kw"], answer["high_kw"]) == (0.0, None, None)
    assert [warning.partition(":")[0] for warning in answer["warnings"]] == [
        "no forecast of this time of day in the last 28 days",
        "too few loads of the last 28 days to tell how far off the estimate is",
    ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Temperature", 45.0, "Temperature 45 is beyond what the model has seen, 10 to 30"),
        ("Humidity", 3, "Humidity 3 is beyond what the model has seen, 20 to 90"),
        ("WindSpeed", 30, "WindSpeed 30 is beyond what the model has seen, 0 to 6"),
        ("GeneralDiffuseFlows", 1200, "GeneralDiffuseFlows 1200 is beyond what the model has seen, 0 to 900"),
        ("DiffuseFlows", -5, "DiffuseFlows -5 is beyond what the model has seen, 0 to 500"),
        ("Timestamp", "2017-12-20 14:30:00", "Timestamp 2017-12-20 14:30 (day 354 of the year) is beyond"),
        ("Timestamp", "2017-04-20 14:33:00", "Timestamp: it lies in a step of 10 minutes"),
    ],
)
def test_an_input_beyond_what_the_model_has_seen_is_named(filled: Asked, name: str, value: object, says: str) -> None:
    """One warning for each, and an answer nevertheless."""
    answer = post(filled, SEEN_YEAR | {name: value})
    assert answer.status_code == 200
    (warning,) = answer.json()["warnings"]
    assert warning.startswith(says)


def test_a_batch_is_answered_in_its_order(filled: Asked) -> None:
    """Each as if it were alone."""
    requests = [SEED, SEED | {"Temperature": 12.0}, SEED | {"Timestamp": "2024-05-01 03:00:00"}]
    together = post(filled, requests, "/predict/batch").json()
    assert together == [post(filled, one).json() for one in requests]


@pytest.mark.parametrize("count", [0, 1009])
def test_a_batch_has_a_size(filled: Asked, count: int) -> None:
    """None at all, and more than a week of ten minutes, are refused."""
    assert post(filled, [SEED] * count, "/predict/batch").status_code == 422


def test_the_wrong_one_of_a_batch_is_named(filled: Asked) -> None:
    """By its number and field."""
    answer = post(filled, [SEED, SEED | {"Humidity": 101}], "/predict/batch")
    assert answer.json()["field"] == "[1].Humidity"


@pytest.mark.parametrize("path", ["/predict", "/api/v1/sites/tetouan/zones/2/predict"])
@pytest.mark.parametrize("name", list(SEED))
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda raw, name: {key: value for key, value in raw.items() if key != name}, id="missing"),
        pytest.param(lambda raw, name: raw | {name: None}, id="null"),
        pytest.param(lambda raw, name: raw | {name: "warm"}, id="text"),
        pytest.param(lambda raw, name: raw | {name: math.inf}, id="infinite"),
        pytest.param(lambda raw, name: raw | {name: math.nan}, id="no number"),
        pytest.param(lambda raw, name: raw | {name: 1e6 if name != "Timestamp" else "2024-13-45 14:30:00"}, id="range"),
        pytest.param(lambda raw, name: raw | {name: True}, id="boolean"),
        pytest.param(lambda raw, name: raw | {name: [1]}, id="list"),
    ],
)
def test_a_field_that_is_wrong_is_named(filled: Asked, name: str, wrong: Any, path: str) -> None:
    """422 with the field, and its value where there is one."""
    answer = post(filled, wrong(SEED, name), path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == name
    given = wrong(SEED, name).get(name)
    if given is not None:
        assert answer.json()["value"] == (given if isinstance(given, str) else json.dumps(given))


def test_number_as_text_is_refused(filled: Asked) -> None:
    """A client that sends text would otherwise never learn of its mistake."""
    assert post(filled, SEED | {"Temperature": "22.5"}).json()["field"] == "Temperature"


@pytest.mark.parametrize(
    ("content", "kind", "status", "says"),
    [
        (RAW, "text/plain", 415, "application/json"),
        (RAW, "application/x-www-form-urlencoded", 415, "application/json"),
        ("{", "application/json", 400, "no JSON (Expecting property name enclosed in double quotes at character 2)"),
        ("", "application/json", 422, "send JSON"),
        ("[]", "application/json", 422, "body=[]: it should be a JSON object"),
        (" " * 2_000_000, "application/json", 413, "bytes"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(filled: Asked, content: str, kind: str, status: int, says: str) -> None:
    """Each with what to do instead."""
    answer = filled.gateway.post("/predict", content.encode(), kind)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_bytes_that_are_no_text_are_refused(filled: Asked) -> None:
    """400 that says what to send."""
    answer = filled.gateway.post("/predict", b"\xff\xfe{")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "body: it is not encoded as JSON has to be: send it in UTF-8"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"[" * 100_000, 400, "body: it is nested too deep"),
        (b'{"Humidity": ' + b"9" * 5000 + b"}", 400, "body: it holds a number of too many digits"),
        (b"[" * 300 + b"]" * 300, 422, "it should be a JSON object"),
    ],
)
def test_a_body_that_is_too_much_is_said_to_be(filled: Asked, body: bytes, status: int, says: str) -> None:
    """What is deep, or has a number that nothing holds, is not taken for another encoding."""
    answer = filled.gateway.post("/predict", body)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_get_says_what_the_path_takes(filled: Asked) -> None:
    """405, and the method that it takes."""
    answer = filled.gateway.get("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_without_a_weather_model_it_says_to_train_one(asked: Asked) -> None:
    """503, and which model is missing."""
    answer = post(asked)
    assert answer.status_code == 503
    assert "no champion of weather-demand-tetouan-2 is registered: run `tetouan train`" in answer.json()["detail"]


def test_a_registry_that_is_away_says_so(asked: Asked) -> None:
    """503 with what to do."""
    asked.shelf.away = True
    answer = post(asked)
    assert answer.status_code == 503
    assert "start its server" in answer.json()["detail"]


def test_a_champion_that_was_promoted_answers_the_next_request(filled: Asked, weather_model: WeatherDemand) -> None:
    """As soon as the history has the event; one that cannot be had is named, and the one before goes on."""
    assert post(filled).json()["model"].endswith("/1")
    filled.shelf.put("2", weather_model, champion=False)
    assert post(filled).json()["model"].endswith("/1")
    told.tell(filled.database, [told.model_event("2", "promoted")], first_offset=50)
    assert post(filled).json()["model"].endswith("/2")
    told.tell(filled.database, [told.model_event("3", "promoted")], first_offset=51)
    answer = post(filled, SEEN_YEAR).json()
    assert answer["model"].endswith("/2")
    (warning,) = answer["warnings"]
    assert warning.startswith("a newer champion cannot be used: weather-demand-tetouan-2/3 is not registered")


@pytest.mark.parametrize(
    ("path", "field"),
    [("/api/v1/sites/nowhere/zones/2/predict", "site"), ("/api/v1/sites/tetouan/zones/1/predict", "zone")],
)
def test_an_unknown_zone_is_named(filled: Asked, path: str, field: str) -> None:
    """404."""
    answer = post(filled, SEED, path)
    assert answer.status_code == 404
    assert answer.json()["field"] == field
    assert "TETOUAN_" not in answer.json()["detail"]


def test_a_model_is_fetched_once(filled: Asked) -> None:
    """Later requests are answered from memory."""
    for _ in range(3):
        assert post(filled).status_code == 200
    assert filled.shelf.fetched == 1
