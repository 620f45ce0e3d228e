"""A record as an event."""

from __future__ import annotations

import orjson
import pytest

from services.gateway.live.events import EventId, event_of
from shared.contracts import topics
from tests.unit.consumed import Consumed


def test_an_event_is_the_message_as_it_is_on_the_topic() -> None:
    """Its name is that of the stream, its id says where it stands without the prefix."""
    event = event_of(
        Consumed(topic="north." + topics.CLEAN.name, partition=3, offset=17, value=b'{"site":"a\xc3\xa9"}'),
        "north.",
        1.5,
    )
    assert event is not None
    assert event.frame == 'event: readings\ndata: {"site":"aé"}\nid: readings.clean.v1:3:17\n\n'.encode()
    assert (event.kind, event.site, event.arrived_s) == ("readings", "aé", 1.5)
    assert event.message == '{"site":"aé"}'.encode()


def test_line_breaks_cannot_end_an_event() -> None:
    """JSON over several lines is several lines of data: no message can forge an event or an id."""
    value = b'{"site":\r"a",\n\nevent: forged\n\n"x":1}'.replace(b"event: forged", b"")
    event = event_of(Consumed(topic=topics.DRIFT.name, value=value), "", 0.0)
    assert event is not None
    lines = event.frame.decode().split("\n")
    assert [line for line in lines if line and not line.startswith(("data: ", "event: drift", "id: drift"))] == []
    assert lines[-3:] != ["", "", ""]
    assert orjson.loads(event.message) == {"site": "a", "x": 1}


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"site": 1}',
        b'{"site": "a"',
        b'{"site":"\xff"}',
        b'{"site":"a","x":"\xff"}',
        pytest.param(b'{"site":"a","x":%s%s}' % (b"[" * 10_000, b"]" * 10_000), id="nested"),
    ],
)
def test_what_is_no_message_is_no_event(value: bytes | None) -> None:
    """Also what is no UTF-8 behind the name."""
    assert event_of(Consumed(topic=topics.CLEAN.name, value=value), "", 0.0) is None


def test_an_id_names_a_place() -> None:
    """And only one of the topics that are streamed."""
    assert EventId.parse("readings.clean.v1:3:17") == EventId(topics.CLEAN.name, 3, 17)
    assert str(EventId(topics.CLEAN.name, 3, 17)) == "readings.clean.v1:3:17"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "readings.clean.v1:3",
        "readings.clean.v1:3:-1",
        "readings.clean.v1:³:1",
        "readings.raw.v1:0:1",
        "a:b:c:d",
        ":0:0",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """It is named."""
    with pytest.raises(ValueError, match=r"event id|values to unpack"):
        EventId.parse(text)
