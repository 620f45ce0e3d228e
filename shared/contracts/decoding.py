"""Reads frequent messages (readings, forecasts) in a third of the time that their models take.

A forecast of a day is 6 kB of numbers, and comes with every reading. Here stand the fields that every reader needs, and
how they are read; what a service needs beside them stands in a struct of its own, and what no field of the struct asks
for is passed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec

from shared.contracts.messages import Flag, Message, in_utc

__all__ = [
    "UNREADABLE",
    "Aware",
    "FlagFields",
    "ForecastFields",
    "IntervalFields",
    "MessageReader",
    "ReadingFields",
]

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder of msgspec raises; the last one where JSON is nested too deep."""

T = TypeVar("T")

Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class FlagFields(msgspec.Struct):
    """The fields of ``Flagged``."""

    flag: Flag
    original: str | None = None


class ReadingFields(msgspec.Struct):
    """The fields of ``CleanReading``."""

    schema_version: Literal[1]
    site: str
    time: Aware
    step_minutes: Annotated[int, msgspec.Meta(gt=0)]
    values: dict[str, float | None]
    flags: dict[str, FlagFields] = {}
    revision: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Refuse a null without a flag, a flag without a value, and a time outside the years 1 to 9999 in UTC."""
        self.time = in_utc(self.time)
        if None in self.values.values() and any(
            value is None and field not in self.flags for field, value in self.values.items()
        ):
            raise ValueError("values: a null without a flag")
        if not self.flags.keys() <= self.values.keys():
            raise ValueError("flags: one belongs to no value")


class IntervalFields(msgspec.Struct):
    """The fields of ``Interval``."""

    coverage: Annotated[float, msgspec.Meta(ge=0, le=1)]
    low_kw: list[float]
    high_kw: list[float]


class ForecastFields(msgspec.Struct):
    """What a ``Forecast`` is of, and its numbers; a reader that needs more inherits from it."""

    schema_version: Literal[2]
    site: str
    zone: Annotated[int, msgspec.Meta(ge=1)]
    origin: Aware
    step_minutes: Annotated[int, msgspec.Meta(gt=0)]
    median_kw: list[float]
    intervals: list[IntervalFields]

    def __post_init__(self) -> None:
        """Refuse an interval without one number a lead, and an origin outside the years 1 to 9999 in UTC."""
        self.origin = in_utc(self.origin)
        leads = len(self.median_kw)
        if any(len(one.low_kw) != leads or len(one.high_kw) != leads for one in self.intervals):
            raise ValueError("intervals: not one number a lead")


class MessageReader(Generic[T]):
    """Reads the fields of a struct from messages of one kind, of any version.

    Parameters
    ----------
    fields
        The struct: its fields have the names and meanings that they have in the model.
    model
        Reads what the struct refuses: it knows the older versions, and its words name field and value.
    """

    def __init__(self, fields: type[T], model: type[Message]) -> None:
        self._decoder = msgspec.json.Decoder(fields)
        self._model = model

    def read(self, raw: bytes) -> T:
        """Return the fields in a message; raises ``ValueError`` that names the field."""
        try:
            return self._decoder.decode(raw)
        except UNREADABLE:
            whole = self._model.from_bytes(raw).to_bytes()
        try:
            return self._decoder.decode(whole)
        except UNREADABLE as error:  # the model accepts it, the struct does not
            raise ValueError(str(error)) from None
