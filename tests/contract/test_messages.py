"""The wire format of every message, pinned by the golden files: what was once written stays readable, byte for byte."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from services.ingestor.judging import Accepted, Ingestor
from shared.contracts import topics
from shared.contracts.messages import CleanReading, DeadLetter, DriftEvent, Forecast, Message, ModelEvent, Scores
from shared.data.reading import read_table
from shared.data.sites import site
from shared.data.table import times as times_of
from shared.data.year import Year
from shared.runtime.clock import now

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden" / "v1"
MODELS: dict[str, type[Message]] = {
    "readings.clean": CleanReading,
    "forecasts": Forecast,
    "scores": Scores,
    "drift.events": DriftEvent,
    "models.events": ModelEvent,
}
ALL = [(path, model) for topic, model in MODELS.items() for path in sorted(GOLDEN.glob(f"{topic}*.json"))]
BODIES = pytest.mark.parametrize(("path", "model"), ALL, ids=[path.stem for path, _ in ALL])


def golden(name: str) -> bytes:
    """Return the bytes of a golden message."""
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


def changed(path: Path, **fields: object) -> bytes:
    """Return a golden message with other values in these fields."""
    return json.dumps({**json.loads(path.read_bytes()), **fields}).encode()


def test_the_golden_files_pin_every_topic() -> None:
    """Each topic has at least one file, named after it, and no file belongs to no topic."""
    assert {f"{path.stem.split('-')[0]}.v1" for path in GOLDEN.iterdir()} == {topic.name for topic in topics.ALL}


@BODIES
def test_a_golden_message_is_written_as_it_was_read(path: Path, model: type[Message]) -> None:
    """Reading a golden file and writing the message gives the same bytes."""
    raw = golden(path.stem)
    assert model.from_bytes(raw).to_bytes() == raw


@BODIES
def test_an_unknown_field_is_refused_by_name(path: Path, model: type[Message]) -> None:
    """A message is closed: what it does not know is an error that names the field."""
    with pytest.raises(ValidationError, match="surprise"):
        model.from_bytes(changed(path, surprise=1))


@BODIES
def test_another_version_is_refused_by_name(path: Path, model: type[Message]) -> None:
    """A version that was never written is an error that names the field."""
    with pytest.raises(ValidationError, match="schema_version"):
        model.from_bytes(changed(path, schema_version=2))


@BODIES
def test_a_message_lacks_no_field(path: Path, model: type[Message]) -> None:
    """Each golden file shows every field of its message, in the declared order."""
    assert list(json.loads(path.read_bytes())) == list(model.model_fields)


@pytest.mark.parametrize(
    ("name", "model", "field"),
    [
        ("readings.clean", CleanReading, "time"),
        ("forecasts", Forecast, "origin"),
        ("scores", Scores, "time"),
        ("drift.events", DriftEvent, "started"),
        ("drift.events-ended", DriftEvent, "ended"),
        ("models.events", ModelEvent, "origin"),
    ],
)
@pytest.mark.parametrize("stamp", ["2020-02-29T04:40:00", 1582951200, "soon"])
def test_a_time_without_offset_is_refused_by_name(name: str, model: type[Message], field: str, stamp: object) -> None:
    """Naive times, epoch seconds and words are no times; the error names the field."""
    with pytest.raises(ValidationError, match=field):
        model.from_bytes(changed(GOLDEN / f"{name}.json", **{field: stamp}))


def test_a_time_with_another_offset_becomes_utc() -> None:
    """The same instant told in another offset gives the same message."""
    told = changed(GOLDEN / "readings.clean.json", time="2020-02-29T05:40:00+01:00")
    assert CleanReading.from_bytes(told).to_bytes() == golden("readings.clean")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "31000.0", True])
@pytest.mark.parametrize(
    ("name", "model", "field", "embed"),
    [
        ("readings.clean", CleanReading, "values.zone_1_kw", lambda value: {"values": {"zone_1_kw": value}}),
        ("forecasts", Forecast, "median_kw.1", lambda value: {"median_kw": [1.0, value, 1.0]}),
        ("forecasts", Forecast, "weather_estimate_kw", lambda value: {"weather_estimate_kw": value}),
        ("drift.events", DriftEvent, "score", lambda value: {"score": value}),
    ],
)
def test_what_is_no_finite_number_is_refused_by_name(
    name: str, model: type[Message], field: str, embed: Callable[[object], dict[str, object]], value: object
) -> None:
    """NaN, infinity, text and truth values are no numbers on the wire; the error names the field."""
    with pytest.raises(ValidationError, match=field):
        model.from_bytes(changed(GOLDEN / f"{name}.json", **embed(value)))


def test_a_null_without_a_flag_is_refused_by_name() -> None:
    """A clean reading says of each null why it is one."""
    with pytest.raises(ValidationError, match=r"values\.zone_2_kw is null without a flag"):
        CleanReading.from_bytes(changed(GOLDEN / "readings.clean.json", values={"zone_2_kw": None}))


def test_a_flag_of_no_value_is_refused_by_name() -> None:
    """A flag belongs to a value of the reading."""
    flags = {"zone_9_kw": {"flag": "missing", "original": None}}
    with pytest.raises(ValidationError, match=r"flags\.zone_9_kw"):
        CleanReading.from_bytes(changed(GOLDEN / "readings.clean.json", flags=flags))


def test_an_interval_has_one_number_a_lead() -> None:
    """Bounds of another length than the median are refused with both counts."""
    short = [{"coverage": 0.9, "low_kw": [1.0], "high_kw": [1.0, 2.0]}]
    with pytest.raises(ValidationError, match="1 low and 2 high numbers for 3 leads"):
        Forecast.from_bytes(changed(GOLDEN / "forecasts.json", intervals=short))


def test_a_message_cannot_be_changed() -> None:
    """A message is frozen."""
    reading = CleanReading.from_bytes(golden("readings.clean"))
    with pytest.raises(ValidationError, match="frozen"):
        reading.site = "elsewhere"  # type: ignore[misc]  # the very thing that must fail


@pytest.mark.parametrize("name", ["readings.rejected", "readings.rejected-not_json"])
def test_a_dead_letter_is_written_as_it_was_read(name: str) -> None:
    """Its headers are pinned like a body: name and JSON text, in the declared order."""
    headers = [(field, text.encode()) for field, text in json.loads(golden(name)).items()]
    assert DeadLetter.from_headers(headers).to_headers() == headers


def test_a_dead_letter_is_read_beside_other_headers() -> None:
    """Headers that others add on the way, say for tracing, are none of ours."""
    headers = [(field, text.encode()) for field, text in json.loads(golden("readings.rejected")).items()]
    assert DeadLetter.from_headers([("traceparent", b"00-1-2-01"), *headers]) == DeadLetter.from_headers(headers)


def test_a_dead_letter_lacks_no_header() -> None:
    """A missing header is an error that names it."""
    headers = [(field, text.encode()) for field, text in json.loads(golden("readings.rejected")).items()]
    with pytest.raises(ValidationError, match="received"):
        DeadLetter.from_headers(headers[:-1])


def test_a_row_of_the_file_goes_out_as_the_golden_raw_record() -> None:
    """The replay's wire form is the row as text under its published column names."""
    known = site("tetouan")
    cells = list(json.loads(golden("readings.raw")).values())[1:]
    header = ",".join([known.time_column, *known.columns])
    rows = read_table(lambda: BytesIO(f"{header}\n{','.join(cells)}\n".encode()), "one row").rows
    year = Year(known, rows, times_of(rows, known, "one row").times, "", "file", "one row")
    (time,) = year.times.to_pydatetime()
    assert list(year.raw_messages(time, time.replace(hour=5))) == [(time, golden("readings.raw"))]


def test_the_golden_raw_record_is_judged_as_the_golden_clean_reading() -> None:
    """Loads are rounded to 0.1 kW, weather stays as given, the time is UTC."""
    outcome = Ingestor([site("tetouan")], timedelta(days=30)).judge(golden("readings.raw"), now())
    assert isinstance(outcome, Accepted)
    assert outcome.reading.to_bytes() == golden("readings.clean")
