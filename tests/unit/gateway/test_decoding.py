"""Each message on the topics becomes the row that it is; what is none is refused with field and value."""

from __future__ import annotations

import json
import zlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.gateway import tables
from services.gateway.decoding import CONSUMES, UndecodableError, row_of, site_rows
from services.gateway.packing import unpacked
from services.gateway.writing import Row
from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from tests.unit.consumed import Consumed

if TYPE_CHECKING:
    from shared.contracts.topics import Topic

GOLDEN = Path(__file__).parents[2] / "contract" / "golden"
LONG = "x" * 10_000
NESTED = b'{"x":%s%s}' % (b"[" * 10_000, b"]" * 10_000)
FAR = "0001-01-01T00:00:00+14:00"
NOTE = {"kind": "outage", "text": "a", "since": "2017-01-01T00:00:00Z"}


def golden(name: str, version: str = "v2") -> dict[str, Any]:
    """Return a golden message as an object."""
    message: dict[str, Any] = json.loads((GOLDEN / version / f"{name}.json").read_bytes())
    return message


def consumed(topic: Topic, message: object, offset: int = 7) -> Consumed:
    """Return a record of a topic with a message."""
    return Consumed(json.dumps(message).encode(), f"prefix.{topic.name}", offset=offset, timestamp=1234)


def test_a_reading_becomes_a_row() -> None:
    """Values and flags stand in it as they came, and its time as seconds."""
    message = golden("readings.clean-judged")
    row = row_of(consumed(topics.CLEAN, message))
    assert row.table is tables.READINGS
    assert datetime.fromisoformat(message["time"]).timestamp() == row.values["time_s"]
    assert json.loads(row.values["values_json"]) == message["values"]
    assert json.loads(row.values["flags_json"]) == message["flags"]
    assert (row.values["site"], row.values["step_minutes"], row.values["revision"]) == (
        message["site"],
        message["step_minutes"],
        message["revision"],
    )


def test_a_reading_without_flags_has_none() -> None:
    """What has nothing to say takes no room."""
    message = {**golden("readings.clean"), "flags": {}}
    assert row_of(consumed(topics.CLEAN, message)).values["flags_json"] is None


@pytest.mark.parametrize("name", ["forecasts", "forecasts-levels"])
def test_a_forecast_becomes_a_row(name: str) -> None:
    """Its numbers come back as they stand in the message, and so does what is said of them."""
    message = golden(name)
    values = row_of(consumed(topics.FORECASTS, message)).values
    bounds = [one[end] for one in message["intervals"] for end in ("low_kw", "high_kw")]
    assert unpacked(values["arrays"]).tolist() == [message["median_kw"], *bounds]
    assert json.loads(values["coverages_json"]) == [one["coverage"] for one in message["intervals"]]
    assert json.loads(values["levels_json"]) == message["levels"]
    assert json.loads(values["notes_json"] or "[]") == message["notes"]
    assert values["weather_estimate_kw"] == message["weather_estimate_kw"]
    assert (values["demand_model"], values["weather_model"]) == (
        message["models"]["demand"],
        message["models"]["weather"],
    )
    assert values["product"] == tables.ROLLING
    assert values["leads_json"] is None


def test_why_a_forecast_has_moved_is_kept() -> None:
    """As its model reads it; what a later release adds to it is passed over."""
    group = {"lead_minutes": None, "change_kw": 1.5, "parts_kw": {"weather": 1.0, "load": 0.5}}
    moved = {"against": "2017-01-01T00:00:00Z", "groups": [group]}
    message = {**golden("forecasts"), "moved": {**moved, "later": 10**400}}
    assert json.loads(row_of(consumed(topics.FORECASTS, message)).values["moved_json"]) == moved


@pytest.mark.parametrize("name", ["forecasts", "forecasts-ladder"])
def test_a_forecast_of_the_first_version_is_read(name: str) -> None:
    """Topics hold what earlier releases have written; levels have their present names."""
    message = golden(name, "v1")
    values = row_of(consumed(topics.FORECASTS, message)).values
    assert [span["level"] for span in json.loads(values["levels_json"])] == [span["rung"] for span in message["rungs"]]
    assert values["weather_model_kw"] is None


def test_scores_become_a_row() -> None:
    """The list of scores comes back from its bytes."""
    message = golden("scores")
    values = row_of(consumed(topics.SCORES, message)).values
    assert json.loads(zlib.decompress(values["payload"])) == message["scores"]
    assert datetime.fromisoformat(message["time"]).timestamp() == values["time_s"]


def test_a_drift_event_becomes_a_row() -> None:
    """The whole message is kept, beside what is asked for, and where it stood."""
    message = golden("drift.events-ended")
    values = row_of(consumed(topics.DRIFT, message, offset=9)).values
    assert json.loads(values["payload_json"]) == message
    assert (values["id"], values["kind"], values["severity"]) == (message["id"], message["kind"], message["severity"])
    assert datetime.fromisoformat(message["ended"]).timestamp() == values["ended_s"]
    assert (values["sent_ms"], values["topic_offset"]) == (1234, 9)


def test_a_model_event_becomes_a_row() -> None:
    """One without a version has an empty one, as a key has no null."""
    message = {**golden("models.events-in_force"), "version": None}
    values = row_of(consumed(topics.MODELS, message)).values
    assert json.loads(values["payload_json"]) == message
    assert (values["version"], values["change"], values["sent_ms"]) == ("", "in_force", 1234)


def test_a_dead_letter_becomes_a_row() -> None:
    """It is known by where the original stands, and its key names the site."""
    letter = DeadLetter(
        reason="not_json",
        field="a\x00b",
        topic="readings.raw.v1",
        partition=2,
        offset=17,
        received=datetime.fromisoformat("2024-01-02T03:04:05.5Z"),
    )
    record = Consumed(b"\xff", topics.REJECTED.name, key=b"no\x00rth", headers=letter.to_headers())
    values = row_of(record).values
    assert (values["topic"], values["partition"], values["offset"]) == ("readings.raw.v1", 2, 17)
    assert (values["site"], values["field"], values["reason"]) == ("no\\x00rth", "a\\x00b", "not_json")
    assert values["received_s"] == 1704164645


@pytest.mark.parametrize("topic", CONSUMES, ids=lambda topic: topic.name)
@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b'{"site": "\xed\xa0\x80"}',
        b"9" * 5000,
        pytest.param(NESTED, id="nested"),
    ],
)
def test_what_is_no_message_is_refused(topic: Topic, value: bytes | None) -> None:
    """Whatever stands on a topic, it is a row or is refused, and nothing else is raised."""
    with pytest.raises(UndecodableError) as raised:
        row_of(Consumed(value, topic.name))
    assert raised.value.reason.startswith("invalid_")
    assert raised.value.why


@pytest.mark.parametrize(
    ("topic", "name", "changed", "why"),
    [
        (topics.CLEAN, "readings.clean", {"site": LONG}, "site"),
        (topics.CLEAN, "readings.clean", {"site": "x" * (tables.LONGEST_SITE_BYTES + 1)}, "site"),
        (topics.CLEAN, "readings.clean", {"site": "a\x00b"}, "character 0"),
        (topics.CLEAN, "readings.clean", {"time": "0001-01-01T00:00:00+14:00"}, "time\n.*beyond the calendar.*0001"),
        (topics.FORECASTS, "forecasts", {"origin": "9999-12-31T23:59:59-14:00"}, "origin\n.*beyond the calendar.*9999"),
        (topics.FORECASTS, "forecasts", {"notes": [{**NOTE, "since": FAR}]}, "beyond the calendar"),
        (topics.FORECASTS, "forecasts", {"moved": {"x": 10**400}}, "moved"),
        (topics.FORECASTS, "forecasts", {"moved": {"against": FAR, "groups": []}}, "beyond the calendar"),
        (topics.MODELS, "models.events", {"evidence": {"n": 10**400}}, "n.:1000"),
        (
            topics.SCORES,
            "scores",
            {"scores": [{**golden("scores")["scores"][0], "window_days": 10**400}]},
            "days.:1000",
        ),
        (topics.CLEAN, "readings.clean", {"revision": 2**40}, "revision"),
        (topics.CLEAN, "readings.clean", {"revision": 2**70}, "revision"),
        (topics.CLEAN, "readings.clean", {"time": "2017-01-01T00:00:00.5Z"}, "time: .*whole seconds"),
        (topics.CLEAN, "readings.clean", {"time": "2017-01-01T00:00:00"}, "time"),
        (topics.CLEAN, "readings.clean", {"values": {"zone_1_kw": None}, "flags": {}}, "zone_1_kw"),
        (topics.CLEAN, "readings.clean", {"step_minutes": 7}, "step_minutes"),
        (topics.FORECASTS, "forecasts", {"step_minutes": 7}, "step_minutes"),
        (topics.FORECASTS, "forecasts", {"zone": 0}, "zone"),
        (topics.FORECASTS, "forecasts", {"zone": 2**31}, "zone"),
        (topics.FORECASTS, "forecasts", {"median_kw": [1.0]}, "intervals"),
        (topics.FORECASTS, "forecasts", {"median_kw": ["1"]}, "median_kw"),
        (topics.FORECASTS, "forecasts", {"models": {"demand": "a\x00", "weather": None}}, "models.demand"),
        (topics.SCORES, "scores", {"zone": 2**31}, "zone"),
        (topics.DRIFT, "drift.events", {"id": LONG}, "id"),
        (topics.DRIFT, "drift.events", {"id": "a\x00"}, "id"),
        (topics.MODELS, "models.events", {"model": LONG}, "model"),
        (topics.MODELS, "models.events", {"zone": 2**31}, "zone"),
    ],
)
def test_what_the_history_cannot_take_is_refused_by_name(
    topic: Topic, name: str, changed: dict[str, Any], why: str
) -> None:
    """No key is too long for an index, no number too large for a column, and no text holds a character 0."""
    with pytest.raises(UndecodableError, match=f"(?s){why}"):
        row_of(consumed(topic, {**golden(name), **changed}))


@pytest.mark.parametrize(
    "topic", [each for each in CONSUMES if each is not topics.REJECTED], ids=lambda topic: topic.name
)
def test_the_history_takes_whatever_its_writers_can_write(topic: Topic) -> None:
    """A field that a later release adds is passed over."""
    name = topic.name.removesuffix(".v1")
    assert row_of(consumed(topic, {**golden(name), "added_later": 1})) == row_of(consumed(topic, golden(name)))


def test_texts_of_operators_may_hold_anything() -> None:
    """A note with a character 0 or an emoji is text of JSON, which every database takes."""
    note = {"kind": "outage", "text": "a\x00b \N{ELECTRIC PLUG}", "since": "2017-01-01T00:00:00Z"}
    values = row_of(consumed(topics.FORECASTS, {**golden("forecasts"), "notes": [note]})).values
    assert json.loads(values["notes_json"]) == [note]
    assert "\x00" not in values["notes_json"]


def test_the_readings_of_a_batch_tell_the_span_of_their_sites() -> None:
    """Each site once, from its first to its last reading, with the step of the last."""

    def reading(site: str, time_s: int, step_minutes: int) -> Row:
        return Row(tables.READINGS, {"site": site, "time_s": time_s, "step_minutes": step_minutes})

    rows = [reading("a", 600, 10), reading("b", 0, 60), reading("a", 1200, 5), reading("a", 300, 10)]
    other = Row(tables.SCORES, {"site": "c", "time_s": 0})
    assert [row.values for row in site_rows([*rows, other])] == [
        {"site": "a", "step_minutes": 5, "first_s": 300, "last_s": 1200},
        {"site": "b", "step_minutes": 60, "first_s": 0, "last_s": 0},
    ]
    assert {row.table for row in site_rows(rows)} == {tables.SITES}
