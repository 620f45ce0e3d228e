"""The wire format of every message, pinned by the golden files: what was once written stays readable.

``golden/v2`` is what the services write, byte for byte; ``golden/v1`` is what earlier releases wrote.
"""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Accepted
from shared.contracts import topics
from shared.contracts.messages import CleanReading, DeadLetter, DriftEvent, Forecast, Message, ModelEvent, Scores
from shared.data.reading import read_table
from shared.data.table import times as times_of
from shared.data.year import Year
from shared.runtime.clock import now
from shared.sites.table import site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLDEN = Path(__file__).parent / "golden" / "v2"
EARLIER = Path(__file__).parent / "golden" / "v1"
MODELS: dict[str, type[Message]] = {
    "readings.clean": CleanReading,
    "forecasts": Forecast,
    "scores": Scores,
    "drift.events": DriftEvent,
    "models.events": ModelEvent,
}
ALL = [(path, model) for topic, model in MODELS.items() for path in sorted(GOLDEN.glob(f"{topic}*.json"))]
BODIES = pytest.mark.parametrize(("path", "model"), ALL, ids=[path.stem for path, _ in ALL])


# by field names of its own: what stands there is data
MAPS = {"values", "flags", "evidence", "parts_kw"}


def golden(name: str, folder: Path = GOLDEN) -> bytes:
    """Return the bytes of a golden message."""
    return (folder / f"{name}.json").read_bytes().rstrip(b"\n")


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


def with_one_more_field(part: Any, name: str = "") -> Iterator[Any]:
    """Yield the message once for each object in it, that object with one more field."""
    if isinstance(part, dict):
        if name not in MAPS:
            yield {**part, "surprise": {"nested": [1, None]}}
        for field, value in part.items():
            yield from ({**part, field: more} for more in with_one_more_field(value, field))
    elif isinstance(part, list):
        for place, value in enumerate(part):
            yield from ([*part[:place], more, *part[place + 1 :]] for more in with_one_more_field(value))


@BODIES
def test_a_reader_ignores_a_field_that_it_does_not_know(path: Path, model: type[Message]) -> None:
    """The message is read as if the field were not there, wherever in it that is."""
    messages = list(with_one_more_field(json.loads(path.read_bytes())))
    read = [model.from_bytes(json.dumps(message).encode()) for message in messages]
    assert read
    assert set(map(Message.to_bytes, read)) == {golden(path.stem)}


def test_every_object_of_every_message_was_given_one_more_field() -> None:
    """The test above reaches each kind of object that stands in a message."""
    seen = {path.stem: sum(1 for _ in with_one_more_field(json.loads(path.read_bytes()))) for path, _ in ALL}
    assert seen["readings.clean-judged"] == 1 + 4  # flags
    assert seen["forecasts"] == 1 + 1 + 1 + 1  # intervals, levels, models
    assert seen["forecasts-levels"] == 1 + 3 + 1 + 3 + 1  # levels, notes, moved and its groups, models
    assert seen["scores"] == 1 + 3


@BODIES
def test_a_writer_is_strict(path: Path, model: type[Message]) -> None:
    """A message that is made with a field that it does not have is an error that names the field, nested or not."""
    for message in with_one_more_field(json.loads(path.read_bytes())):
        with pytest.raises(ValidationError, match="surprise"):
            model.model_validate_json(json.dumps(message))


@BODIES
@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_another_version_is_refused_by_name(path: Path, model: type[Message], version: object) -> None:
    """A version that was never written is an error that names the field."""
    with pytest.raises(ValidationError, match="schema_version"):
        model.from_bytes(changed(path, schema_version=version))


@pytest.mark.parametrize("path", sorted(EARLIER.glob("[!.]*.json")), ids=lambda path: path.stem)
def test_a_message_of_an_earlier_release_is_still_read(path: Path) -> None:
    """Each is read without a word, with fields that it does not know as well, and is written in today's form."""
    topic = path.stem.split("-")[0]
    if topic == "readings.rejected":
        assert DeadLetter.from_headers(headers_of(path.stem, EARLIER)).reason
        return
    message = MODELS[topic].from_bytes(golden(path.stem, EARLIER))
    assert MODELS[topic].from_bytes(message.to_bytes()) == message
    for more in with_one_more_field(json.loads(path.read_bytes())):
        assert MODELS[topic].from_bytes(json.dumps(more).encode()) == message


@pytest.mark.parametrize("name", ["readings.clean", "readings.clean-judged", "readings.clean-missing"])
def test_a_reading_without_a_revision_is_the_first_one(name: str) -> None:
    """What was written before there were amendments is none."""
    assert CleanReading.from_bytes(golden(name, EARLIER)) == CleanReading.from_bytes(golden(name))


@pytest.mark.parametrize("name", ["drift.events", "drift.events-ended"])
def test_a_drift_event_without_a_text_has_an_empty_one(name: str) -> None:
    """All else is as it was told."""
    told = DriftEvent.from_bytes(golden(name)).model_copy(update={"text": ""})
    assert DriftEvent.from_bytes(golden(name, EARLIER)) == told


def test_a_forecast_of_version_1_is_one_of_version_2_that_says_less() -> None:
    """Its rungs are fallback levels; the weather model uncorrected, notes and what moved are not known."""
    told = Forecast.from_bytes(golden("forecasts")).model_copy(update={"weather_model_kw": None})
    assert Forecast.from_bytes(golden("forecasts", EARLIER)) == told
    levels = Forecast.from_bytes(golden("forecasts-levels"))
    assert Forecast.from_bytes(golden("forecasts-ladder", EARLIER)).levels == levels.levels


def test_scores_of_version_1_are_read_as_of_steps_of_ten_minutes() -> None:
    """Groups 1, 6, 36 and 144 are 10 minutes, 1, 6 and 24 hours; the mean has no lead."""
    assert Scores.from_bytes(golden("scores", EARLIER)) == Scores.from_bytes(golden("scores"))


@pytest.mark.parametrize(
    ("name", "model", "fields", "match"),
    [
        ("forecasts", Forecast, {"rungs": None}, "levels"),
        ("forecasts", Forecast, {"rungs": [{"from_lead": 1, "to_lead": 3, "rung": "best"}]}, r"levels\.0\.level"),
        ("forecasts", Forecast, {"median_kw": [1.0, "2", 3.0]}, r"median_kw\.1"),
        ("forecasts", Forecast, {"origin": "soon"}, "origin"),
        ("scores", Scores, {"scores": [{"group": "7"}]}, r"scores\.0\.lead_minutes"),
        ("scores", Scores, {"scores": [{"group": [1]}]}, r"scores\.0\.lead_minutes"),
    ],
)
def test_a_message_of_version_1_is_checked_like_any(
    name: str, model: type[Message], fields: dict[str, object], match: str
) -> None:
    """What is wrong in it is an error that names the field as version 2 calls it."""
    with pytest.raises(ValidationError, match=match):
        model.from_bytes(changed(EARLIER / f"{name}.json", **fields))


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


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:50:00-10:00"])
def test_a_time_beyond_the_calendar_of_utc_is_refused(stamp: str) -> None:
    """As any other that is wrong: the record is a dead letter, and the service goes on."""
    with pytest.raises(ValidationError, match=r"time\n.*beyond the calendar in UTC"):
        CleanReading.from_bytes(changed(GOLDEN / "readings.clean.json", time=stamp))


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


def headers_of(name: str, folder: Path = GOLDEN) -> list[tuple[str, bytes]]:
    """Return the headers of a golden dead letter."""
    return [(field, text.encode()) for field, text in json.loads(golden(name, folder)).items()]


@pytest.mark.parametrize("name", ["readings.rejected", "readings.rejected-not_json"])
def test_a_dead_letter_is_written_as_it_was_read(name: str) -> None:
    """Its headers are pinned like a body: name and plain text, in the declared order."""
    assert DeadLetter.from_headers(headers_of(name)).to_headers() == headers_of(name)


@pytest.mark.parametrize("name", ["readings.rejected", "readings.rejected-not_json"])
def test_a_dead_letter_of_an_earlier_release_says_the_same(name: str) -> None:
    """There each header held JSON, and null where nothing was to be said."""
    assert DeadLetter.from_headers(headers_of(name, EARLIER)) == DeadLetter.from_headers(headers_of(name))


def letter(**fields: object) -> DeadLetter:
    """Return a dead letter with these fields."""
    known = DeadLetter.from_headers(headers_of("readings.rejected"))
    return DeadLetter.model_validate({**known.model_dump(), **fields})


@pytest.mark.parametrize("value", ["null", "17", '"quoted"', "20 °C", "\\x00{é", "電力"])
def test_what_stood_there_comes_back_as_it_was(value: str) -> None:
    """Text that looks like JSON and any script are plain UTF-8, and read as such."""
    told = letter(value=value)
    assert dict(told.to_headers())["value"] == value.encode()
    assert DeadLetter.from_headers(told.to_headers()) == told


def test_what_is_not_there_is_empty() -> None:
    """A record that is refused as a whole names no field, an absent cell has no value: a letter has all headers."""
    told = letter(field=None, value=None)
    headers = dict(told.to_headers())
    assert list(headers) == list(DeadLetter.model_fields)
    assert headers["field"] == headers["value"] == b""
    assert DeadLetter.from_headers(told.to_headers()) == told


@pytest.mark.parametrize(
    ("value", "header"), [("a\nb\x1b[31m", rb"a\nb\x1b[31m"), ("\ud800", rb"\ud800"), ("\u202e", rb"\u202e")]
)
def test_control_characters_are_escaped(value: str, header: bytes) -> None:
    """What would write over a terminal, or is no UTF-8, goes out as its escape."""
    assert dict(letter(value=value).to_headers())["value"] == header


@pytest.mark.parametrize("reason", ["Not JSON", '"not_json"', ""])
def test_a_reason_is_one_word(reason: str) -> None:
    """So that it can be counted, and an earlier letter is told from one of today."""
    with pytest.raises(ValidationError, match="reason"):
        letter(reason=reason)


def test_a_dead_letter_is_read_beside_other_headers() -> None:
    """Headers that others add on the way, say for tracing, are none of ours."""
    headers = headers_of("readings.rejected")
    assert DeadLetter.from_headers([("traceparent", b"00-1-2-01"), *headers]) == DeadLetter.from_headers(headers)


def test_a_dead_letter_lacks_no_header() -> None:
    """A missing header is an error that names it."""
    with pytest.raises(ValidationError, match="received"):
        DeadLetter.from_headers(headers_of("readings.rejected")[:-1])


@pytest.mark.parametrize("reason", [b'"no', b"\xff"])
def test_headers_that_nobody_wrote_are_refused(reason: bytes) -> None:
    """Neither plain text nor JSON: an error that names the header."""
    with pytest.raises(ValidationError, match="reason"):
        DeadLetter.from_headers([("reason", reason), *headers_of("readings.rejected")[1:]])


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
    """Loads and weather stay as given, the time is UTC."""
    outcome = Ingestor([site("tetouan")], timedelta(days=30)).judge(golden("readings.raw"), now())
    assert isinstance(outcome, Accepted)
    sent = golden("readings.clean").replace(b"31000.0,", b"31000.04,").replace(b"21000.5,", b"21000.55,")
    assert outcome.reading.to_bytes() == sent
