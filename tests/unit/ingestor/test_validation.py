"""What one raw record is by itself: a reading, or a refusal with its reason, field and value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestor.validation import Rejected, Valid, validate
from shared.contracts.messages import CleanReading, Flagged
from shared.sites.site import Measure
from tests.unit.ingestor.readings import SITES, raw, record


def valid(message: bytes) -> Valid:
    """Return what the message holds."""
    outcome = validate(message, SITES)
    assert isinstance(outcome, Valid)
    return outcome


def reading_of(message: bytes) -> CleanReading:
    """Return the reading in the message."""
    return valid(message).reading


def refusal_of(message: bytes) -> Rejected:
    """Return why there is no reading in the message."""
    outcome = validate(message, SITES)
    assert isinstance(outcome, Rejected)
    return outcome


def test_a_complete_record_is_a_reading_without_flags() -> None:
    """Loads are rounded to nine digits, weather stays as given, every field is there."""
    reading = reading_of(raw(temperature_c="11.5678", zone_1_kw="31000.0499999996", zone_2_kw="-0.0"))
    assert reading.time == datetime(2020, 3, 1, tzinfo=UTC)
    assert tuple(reading.values) == SITES["tetouan"].fields
    assert reading.values["temperature_c"] == 11.5678
    assert reading.values["zone_1_kw"] == 31000.05
    assert str(reading.values["zone_2_kw"]) == "0.0"
    assert reading.flags == {}


@pytest.mark.parametrize("cell", ["31000.5", " 31000.5\t", 31000.5, "+31000.5", "3.10005e4", "31000.50", "31000.5E0"])
def test_a_number_may_come_as_text_or_number(cell: object) -> None:
    """Spelling, sign and blanks around a number do not matter."""
    assert reading_of(raw(zone_2_kw=cell)).values["zone_2_kw"] == 31000.5


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("zone_2_kw", "-5"),
        ("zone_2_kw", "1e12"),
        ("zone_2_kw", "1e300"),
        ("temperature_c", "1e39"),
        ("humidity_pct", "101"),
    ],
)
def test_a_value_beyond_what_its_quantity_can_be_is_an_outlier(field: str, cell: str) -> None:
    """One impossible number must neither teach nor score: it is null, flagged, and quoted."""
    reading = reading_of(raw(**{field: cell}))
    assert reading.values[field] is None
    assert reading.flags == {field: Flagged(flag="outlier", original=cell)}


@pytest.mark.parametrize(("field", "cell"), [("zone_2_kw", "0"), ("humidity_pct", "100"), ("temperature_c", "-30")])
def test_the_limits_themselves_are_possible(field: str, cell: str) -> None:
    """Both ends belong to what can be."""
    assert reading_of(raw(**{field: cell})).flags == {}


@pytest.mark.parametrize("cell", [None, "", "  ", "\t"])
def test_a_blank_cell_is_missing_without_original(cell: object) -> None:
    """Nothing came: null, flagged, and there is nothing to quote."""
    reading = reading_of(raw(zone_2_kw=cell))
    assert reading.values["zone_2_kw"] is None
    assert reading.flags == {"zone_2_kw": Flagged(flag="missing", original=None)}


def test_an_absent_cell_is_missing_without_original() -> None:
    """A column that the record lacks is like a blank one."""
    message = record()
    del message["Zone 2  Power Consumption"]
    assert reading_of(json.dumps(message).encode()).flags == {"zone_2_kw": Flagged(flag="missing", original=None)}


@pytest.mark.parametrize(
    ("cell", "original"),
    [
        ('"NAN"', "NAN"),
        ('"?"', "?"),
        ('"error"', "error"),
        ('"inf"', "inf"),
        ('"1_000"', "1_000"),
        ('"14,9 kW"', "14,9 kW"),
        ('"1,2,3"', "1,2,3"),
        ('"\u0661\u0662"', "\u0661\u0662"),
        ('"0x10"', "0x10"),
        ('"1e400"', "1e400"),
        ('"1.5e400"', "1.5e400"),
        ("1e400", "1e400"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("9" * 5000, "9" * 64 + "…"),
        ("true", "true"),
        ("[1.50, null]", '["1.50", null]'),
        ('{"kw": "1"}', '{"kw": "1"}'),
        (r'"\ud800\u0000\n\u202e é"', r"\ud800\x00\n\u202e é"),
        ('"' + "x" * 1000 + '"', "x" * 64 + "…"),
    ],
)
def test_what_is_no_finite_number_is_missing_with_its_original(cell: str, original: str) -> None:
    """The value is null, and the flag quotes what came: bounded, with what cannot be printed escaped."""
    message = raw(zone_2_kw="HERE").replace(b'"HERE"', cell.encode())
    reading = reading_of(message)
    assert reading.values["zone_2_kw"] is None
    assert reading.flags == {"zone_2_kw": Flagged(flag="missing", original=original)}
    assert CleanReading.from_bytes(reading.to_bytes()) == reading


@pytest.mark.parametrize(
    ("message", "reason", "field", "value"),
    [
        (b"", "not_json", None, "no value, as in the tombstone of a compacted topic: send plain JSON in UTF-8"),
        (b"   ", "not_json", None, "no value, as in the tombstone"),
        (b"\xff\xfe{}", "not_utf8", None, r"\xff\xfe{}: it looks like text in UTF-16"),
        (b"\x00\x01", "not_json", None, r"\x00\x01: it looks like bytes of a binary format"),
        (b'{"site": "tetouan"', "not_json", None, '{"site": "tetouan": it looks like an object without its end'),
        (b"{} {}", "not_json", None, "{} {}: it looks like several objects: send one object a record"),
        (b"5", "not_an_object", None, "5: it looks like text, no JSON object"),
        (b'"site"', "not_an_object", None, '"site": it looks like a JSON text'),
        (b"null", "not_an_object", None, "null: it looks like text, no JSON object"),
        (b"[[]]", "not_an_object", None, "[[]]: it looks like a list: send one object a record"),
        (b"[" * 20_000, "too_deep", None, "[" * 64 + "…: nested deeper than 16: send one flat object a record"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "too_deep", None, ('{"a":' * 17)[:64] + "…: nested deeper"),
        (b'"' + b"\\" * 30_001 + b"[" * 17, "not_json", None, '"' + "\\" * 63 + "…: it looks like"),
        (b" " * 65_537, "too_large", None, "65537 bytes, at most 65536 are read: send one reading a record"),
        (b"{}", "unknown_site", "site", "there is none: send the field site, one of tetouan"),
        (b'{"site": null}', "unknown_site", "site", "there is none"),
        (b'{"site": " "}', "unknown_site", "site", "there is none"),
        (b'{"schema": {}, "payload": {}}', "unknown_site", "site", "the reading is in the payload beside its schema"),
        (b'{"before": null, "after": {}}', "unknown_site", "site", "the row is within an event of a change-data"),
        (b'{"site": ["tetouan"]}', "unknown_site", "site", '["tetouan"]: '),
        (b'{"site": "Tetouan"}', "unknown_site", "site", "Tetouan: did you mean tetouan? The sites are tetouan; TETO"),
        (b'{"site": "tetouan"}', "no_time", "DateTime", 'the field "DateTime" is not there: send the time of the'),
        (b'{"site": "tetouan", "site": "tetouan"}', "duplicate_field", "site", "tetouan: the field stands there twice"),
        (b'{"site": "tetouan", "Humidity": {"a": 1, "\\u0061": 2}}', "duplicate_field", "a", "2: the field stands"),
    ],
    ids=lambda part: part[:24] if isinstance(part, bytes) else None,
)
def test_what_is_no_reading_is_refused(message: bytes, reason: str, field: str | None, value: str | None) -> None:
    """Each refusal says its reason, the field at fault where there is one, what stood there, and what to do."""
    refused = refusal_of(message)
    assert (refused.reason, refused.field) == (reason, field)
    assert (refused.value or "").startswith(value or "")


def test_a_byte_order_mark_is_passed_over() -> None:
    """Some programs write one before the JSON; the reading is the same."""
    assert valid(b"\xef\xbb\xbf" + raw()) == valid(raw())


def test_fields_that_the_site_does_not_know_are_passed_over() -> None:
    """New firmware must not end the stream: the reading is the same, beside the names of what is not known."""
    more = valid(json.dumps(record() | {"quality": "A", "Zone 9 Power Consumption": 1.0}).encode())
    assert more.reading == reading_of(raw())
    assert more.unknown == ("quality", "Zone 9 Power Consumption")
    assert more.absent == ()


def test_fields_to_ignore_are_known() -> None:
    """What the table of the site lists under `ignore` is not told as unknown."""
    quiet = {"tetouan": SITES["tetouan"].model_copy(update={"ignore": ("quality",)})}
    outcome = validate(json.dumps(record() | {"quality": "A"}).encode(), quiet)
    assert isinstance(outcome, Valid)
    assert outcome.unknown == ()


def test_columns_that_do_not_come_are_named() -> None:
    """A renamed column is one that is unknown and one that is absent."""
    message = record()
    message["Zone 1 power"] = message.pop("Zone 1 Power Consumption")
    assert valid(json.dumps(message).encode()).absent == ("Zone 1 Power Consumption",)
    assert valid(json.dumps(message).encode()).unknown == ("Zone 1 power",)


def test_brackets_in_a_text_do_not_nest() -> None:
    """Only lists and objects count as depth: a cell full of brackets is just no number."""
    reading = reading_of(raw(zone_2_kw='[{"' * 40))
    assert reading.flags["zone_2_kw"].flag == "missing"


@pytest.mark.parametrize(
    "time",
    [
        "10/19/2017 4:40",
        " 10/19/2017 04:40 ",
        "2017-10-19T04:40:00Z",
        "2017-10-19T04:40:00",
        "2017-10-19 04:40",
        "2017-10-19T05:40+01:00",
        "2017-10-19T00:10:00.000-0430",
    ],
)
def test_a_time_may_come_as_published_or_in_iso_8601(time: str) -> None:
    """Without an offset it is in the site's time zone, which is UTC; the reading's is UTC always."""
    reading = reading_of(raw(time))
    assert reading.time == datetime(2017, 10, 19, 4, 40, tzinfo=UTC)
    assert reading.time.utcoffset() == UTC.utcoffset(None)


def test_a_time_without_offset_is_in_the_time_zone_of_its_site() -> None:
    """Elsewhere the same text is another instant."""
    elsewhere = {"tetouan": SITES["tetouan"].model_copy(update={"time_zone": "Asia/Kolkata"})}
    outcome = validate(raw("10/19/2017 4:40"), elsewhere)
    assert isinstance(outcome, Valid)
    assert outcome.reading.time == datetime(2017, 10, 18, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "time",
    [
        "",
        "now",
        "2017-10-19",
        "19/10/2017 4:40",
        "2/30/2017 4:40",
        "10/19/2017 24:10",
        "10/19/17 4:40",
        "\u0661/19/2017 4:40",
        "2017-10-19T04:40:60Z",
        "2017-10-19T04:40:00+25:00",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:50:00-10:00",
        1508388000,
        True,
        ["2017-10-19T04:40:00Z"],
    ],
)
def test_a_time_that_cannot_be_read_is_refused(time: object) -> None:
    """A date alone, an epoch, a day that does not exist and an instant outside the calendar are no times."""
    refused = refusal_of(raw(time))
    assert (refused.reason, refused.field) == ("no_time", "DateTime")


def test_a_refused_time_says_what_to_set() -> None:
    """The value of the dead letter quotes the time and names the key of the site's table."""
    advice = "the day stands first: set day_first = true in the table of tetouan (TETOUAN_SITES)"
    assert refusal_of(raw("19/10/2017 4:40")) == Rejected("no_time", "DateTime", f"19/10/2017 4:40: {advice}")
    assert refusal_of(raw(1508388000)).value == (
        '1508388000: it counts from 1970 on: set time_format = "epoch_s" in the table of tetouan (TETOUAN_SITES)'
    )


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"datetime": "3/1/2020 0:00"}, "datetime"),
        ({"timestamp": "2020-03-01T00:00Z", "quality": "good"}, "timestamp"),
        ({"ts": 1583020800}, "ts"),
        ({"when": "1.3.2020 0:00"}, "when"),
        ({"Date_Time": "soon"}, "Date_Time"),
        ({"note": "x", "load": 5}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("rest", [{}, {"DateTime": None}, {"DateTime": " "}], ids=["absent", "null", "blank"])
def test_a_message_without_its_time_says_which_field_is_expected(
    fields: dict[str, object], meant: str | None, rest: dict[str, object]
) -> None:
    """The letter names the field that should be there, the one that may have taken its place, and what to set."""
    message = record() | rest
    if not rest:
        del message["DateTime"]
    refused = refusal_of(json.dumps(message | fields).encode())
    assert (refused.reason, refused.field) == ("no_time", "DateTime")
    said = str(refused.value)
    assert said.startswith(f'the field "DateTime" is {"empty" if rest else "not there"}: ')
    assert said.endswith("set time_column in the table of tetouan (TETOUAN_SITES)") or meant is None
    assert (f'did you mean "{meant}"? Send the time as "DateTime", or set time_column' in said) == (meant is not None)
    assert "TETOUAN_SITES" in said


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        *(("14,9", "14.9"), ("1.234,5", "1234.5"), ("1 234,5", "1234.5"), ("1\u00a0234,5", "1234.5")),
        *(("1\u202f234", "1234"), ("1'234.5", "1234.5"), ("1,234.5", "1234.5"), ("-0,25", "-0.25")),
        *(("12.345.678", "12345678"), ("1,23,456", "123456"), ("1234,567", "1234.567"), (" 3,5 ", "3.5")),
        *(("1,234", "1234 or 1.234, whichever is meant"), ("12,345", "12345 or 12.345, whichever is meant")),
    ],
)
@pytest.mark.parametrize("field", ["zone_2_kw", "temperature_c"])
def test_a_number_in_another_notation_is_refused_with_what_to_send(cell: str, meant: str, field: str) -> None:
    """It is never read, and never lost without a word; where it can be two numbers the letter says both."""
    column = {"zone_2_kw": "Zone 2  Power Consumption", "temperature_c": "Temperature"}[field]
    refused = refusal_of(raw(**{field: cell}))
    assert (refused.reason, refused.field) == ("number_format", column)
    assert str(refused.value).endswith(f"a decimal point and nothing between the digits: send {meant}")


def test_a_register_in_another_notation_is_refused_too() -> None:
    """What a meter shows is a number like any other."""
    measures = {"zone_2_kw": Measure(kind="register", unit="kWh")}
    place = {"tetouan": SITES["tetouan"].model_copy(update={"measures": measures})}
    outcome = validate(raw(zone_2_kw="12.345,6"), place)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, str(outcome.value)[-12:]) == ("number_format", "send 12345.6")


def test_a_number_is_a_time_where_the_site_counts_from_1970() -> None:
    """As JSON number or as text."""
    counted = {"tetouan": SITES["tetouan"].model_copy(update={"time_format": "epoch_ms"})}
    for time in (1508388000000, "1508388000000"):
        outcome = validate(raw(time), counted)
        assert isinstance(outcome, Valid)
        assert outcome.reading.time == datetime(2017, 10, 19, 4, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"Day": "19.10.2017", "DateTime": "4:40"}, None),
        ({"Day": "2017-10-19", "DateTime": " 04:40:00"}, None),
        ({"DateTime": "19.10.2017 4:40"}, None),
        ({"DateTime": "2017-10-19T04:40Z"}, None),
        (
            {"DateTime": "4:40"},
            ("Day", 'the field "Day" is not there: send the time of the reading in it, or set date_'),
        ),
        ({"Day": None, "DateTime": "4:40"}, ("Day", 'the field "Day" is empty: ')),
        ({"Day": "19.10.2017"}, ("DateTime", 'the field "DateTime" is not there: ')),
        ({"Day": "x", "DateTime": "4:40"}, ("DateTime", "x 4:40")),
    ],
)
def test_date_and_time_of_day_may_come_in_two_fields(
    fields: dict[str, object], refused: tuple[str, str] | None
) -> None:
    """Where the site's table names both; a time that has its day stands alone, as a replay sends it."""
    place = {"tetouan": SITES["tetouan"].model_copy(update={"date_column": "Day", "day_first": True})}
    message = {name: cell for name, cell in record().items() if name != "DateTime"} | fields
    outcome = validate(json.dumps(message).encode(), place)
    if refused is None:
        assert isinstance(outcome, Valid)
        assert outcome.reading.time == datetime(2017, 10, 19, 4, 40, tzinfo=UTC)
        assert outcome.unknown == ()
    else:
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.field) == ("no_time", refused[0])
        assert str(outcome.value).startswith(refused[1])


def test_a_time_that_the_clock_skips_has_a_reason_of_its_own() -> None:
    """When summer time begins an hour is missing on the clock: the stamp is refused, the true one read."""
    madrid = {"tetouan": SITES["tetouan"].model_copy(update={"time_zone": "Europe/Madrid"})}
    skipped, true = validate(raw("3/31/2019 2:00"), madrid), validate(raw("3/31/2019 3:00"), madrid)
    assert isinstance(skipped, Rejected)
    assert skipped.reason == "skipped_hour"
    assert isinstance(true, Valid)
    assert true.reading.time == datetime(2019, 3, 31, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "time", ["10/19/2017 4:41", "2017-10-19T04:40:01Z", "2017-10-19T04:40:00.000001Z", "2017-10-19T04:40+00:15"]
)
def test_a_time_between_two_steps_is_refused(time: str) -> None:
    """A reading belongs to a step of its site; between steps it is a dead letter that says what to change."""
    refused = refusal_of(raw(time))
    assert (refused.reason, refused.field) == ("off_grid", "DateTime")
    assert refused.value == f"{time}: no multiple of 10 minutes: mend the clock, or step_minutes of tetouan"


@pytest.mark.parametrize(
    "message",
    [
        raw(zone_2_kw="9" * 60_000 + "x"),
        raw(zone_2_kw="9" * 60_000),
        raw("1" * 60_000),
        b'"' + b'\\"' * 30_000 + b"[" * 17,
        json.dumps({f"field {n}": n for n in range(4_000)}).encode(),
        b"{" + b",".join([b'"a":1'] * 10_000) + b"}",
        b"{}" + b" " * 60_000 + b"x",
        b"{" + b"} " * 30_000 + b"}",
        b"\x08" + b"\xff" * 60_000,
        b"\x78\x9c" + b"\0" * 60_000,
        b"a=" * 30_000,
        b"a," * 30_000,
        b"a.b,c=d" * 9_000,
    ],
    ids=["no number", "number", "time", "texts", "fields", "duplicates", *"1234567"],
)
def test_hostile_input_costs_little(message: bytes) -> None:
    """No record that is just small enough to be read takes long: the work grows with its size only."""
    started_s = process_time()
    validate(message, SITES)
    assert process_time() - started_s < 1


def check_outcome(message: bytes) -> None:
    """Fail unless the message has an outcome that is fit for the wire."""
    outcome = validate(message, SITES)
    if isinstance(outcome, Rejected):
        texts = [text for text in (outcome.field, outcome.value) if text is not None]
        assert all(text.isprintable() and len(text) <= 1000 for text in texts)
    else:
        assert CleanReading.from_bytes(outcome.reading.to_bytes()) == outcome.reading


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_have_an_outcome(message: bytes) -> None:
    """Whatever comes is a reading or a refusal, never an exception."""
    check_outcome(message)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["site", "DateTime", *SITES["tetouan"].columns]) | st.text(max_size=10)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.dictionaries(NAMES, JSON_VALUES, max_size=4))
def test_any_cells_have_an_outcome(cells: dict[str, Any]) -> None:
    """Whatever stands in the cells of a record is a reading or a refusal, never an exception."""
    check_outcome(json.dumps(record() | cells).encode())


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data())
def test_any_damage_has_an_outcome(data: st.DataObject) -> None:
    """A good record with bytes cut out and others put in is a reading or a refusal, never an exception."""
    good = raw()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, len(good)))
    check_outcome(good[:start] + data.draw(st.binary(max_size=20)) + good[stop:])
