"""Messages that come in numbers are read by their fields alone; what these refuse is read by the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from shared.contracts.decoding import ForecastFields, MessageReader, ReadingFields
from shared.contracts.messages import CleanReading, Forecast, Message

GOLDEN = Path(__file__).parent / "golden" / "v2"
READINGS, FORECASTS = sorted(GOLDEN.glob("readings.clean*.json")), sorted(GOLDEN.glob("forecasts*.json"))
Fields = type[ReadingFields] | type[ForecastFields]


class Unasked(Message):
    """A model that nobody may ask."""

    @classmethod
    def from_bytes(cls, raw: bytes) -> NoReturn:
        """Fail."""
        raise AssertionError(f"the model was asked for {raw!r}")


@pytest.mark.parametrize(
    ("fields", "model", "path"),
    [
        *((ReadingFields, CleanReading, path) for path in READINGS),
        *((ForecastFields, Forecast, path) for path in FORECASTS),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_a_message_of_the_present_version_is_read_without_its_model(
    fields: Fields, model: type[Message], path: Path
) -> None:
    """Each field is as in the model, and one that a later release adds is passed over."""
    raw = json.dumps({**json.loads(path.read_bytes()), "added_later": [1]}).encode()
    read, whole = MessageReader(fields, Unasked).read(raw), model.from_bytes(raw)
    told = msgspec.to_builtins(read)
    expected = whole.model_dump(mode="json", include=set(fields.__struct_fields__))
    assert told == expected


def test_what_the_fields_alone_refuse_is_refused() -> None:
    """A struct may be stricter than the model."""

    class Small(ForecastFields):
        model: str

    with pytest.raises(ValueError, match="model"):
        MessageReader(Small, Forecast).read(FORECASTS[0].read_bytes())
