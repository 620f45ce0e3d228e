"""A site: what its meters publish, how that is written, and where it stands."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from shared.sites.country import zone_like
from shared.sites.grid import Grid, grid_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from shared.sites.calendar import Calendar

__all__ = [
    "EPOCHS",
    "POWER_KW",
    "STEPS_MINUTES",
    "WEATHER_FIELDS",
    "Column",
    "Kind",
    "Measure",
    "Overrides",
    "Site",
    "StepMinutes",
    "Unit",
    "load_field",
    "zones_in",
]

WEATHER_FIELDS = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
"""The fields of a clean reading beside the loads; a site may lack any of them."""

LOAD = re.compile(r"zone_[1-9][0-9]*_kw")
EPOCHS = {"epoch_s": 1_000_000_000, "epoch_ms": 1_000_000, "epoch_us": 1_000, "epoch_ns": 1}
"""The words for a ``time_format`` of numbers counted from 1970 on, in UTC, with the nanoseconds of one."""

StepMinutes = Literal[5, 10, 15, 30, 60]
"""From one reading to the next."""

STEPS_MINUTES: tuple[StepMinutes, ...] = get_args(StepMinutes)

Unit = Literal["W", "kW", "MW", "Wh", "kWh", "MWh"]
"""Of the numbers in a column; of energy, ``kW`` means ``kWh``, and likewise ``W`` and ``MW``."""

_KILO: dict[str, float] = {
    unit: kilo for word, kilo in (("W", 1e-3), ("kW", 1.0), ("MW", 1e3)) for unit in (word, f"{word}h")
}

Kind = Literal["power", "energy", "register"]
"""What a column holds, see `Measure`."""

LONGEST_RAMADAN_DAYS = 31  # a month of the moon has 29 or 30; tables of several years differ by one

_DATES = "dates in brackets, without quotes, such as [2019-08-06]"

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Dates = Annotated[tuple[date, ...], Field(strict=False)]  # an array of TOML is a list
Spells = Annotated[tuple[Annotated[tuple[date, date], Field(strict=False)], ...], Field(strict=False)]
Limits = Annotated[tuple[float, float], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Zones = Annotated[tuple[int, ...], Field(strict=False)]


def load_field(zone: int) -> str:
    """Return the field of a clean reading that holds the load of a zone."""
    return f"zone_{zone}_kw"


class Overrides(BaseModel):
    """What the country's calendar does not say of the load.

    Attributes
    ----------
    add, remove
        Dates that are holidays although the calendar does not say so, and the other way round.
    ramadan
        The first and the last day of each Ramadan, where the days then have another shape.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    add: Dates = Field(default=(), description=_DATES)
    remove: Dates = Field(default=(), description=_DATES)
    ramadan: Spells = Field(
        default=(), description="the first and the last day of each in brackets, such as [[2019-05-06, 2019-06-03]]"
    )

    @field_validator("remove")
    @classmethod
    def _not_added(cls, remove: Dates, info: ValidationInfo) -> Dates:
        if both := set(remove) & set(info.data.get("add", ())):
            raise ValueError(f"{min(both)} is added too: keep one of the two")
        return remove

    @field_validator("ramadan")
    @classmethod
    def _in_order(cls, ramadan: Spells) -> Spells:
        for first, last in ramadan:
            if first > last:
                raise ValueError(f"{first} is after {last}: give the first day, then the last")
            if (days := (last - first).days + 1) > LONGEST_RAMADAN_DAYS:
                raise ValueError(f"{first} to {last} are {days} days: give each Ramadan, of 29 or 30 days, on its own")
        for (_, last), (first, _) in pairwise(sorted(ramadan)):
            if first <= last:
                raise ValueError(f"one begins on {first} and another ends on {last}: keep one, or mend the dates")
        return ramadan


class Measure(BaseModel):
    """What a column of load holds.

    Attributes
    ----------
    kind
        ``power``: the mean power of the interval; ``energy``: the energy of the interval; ``register``: the energy
        since the meter was mounted, which only rises.
    unit
        Of the numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: Kind = Field(default="power", description='"power", "energy" or "register"')
    unit: Unit = Field(default="kW", description='"W", "kW" or "MW", of energy also "Wh", "kWh" or "MWh"')

    @field_validator("unit")
    @classmethod
    def _fits_the_kind(cls, unit: str, info: ValidationInfo) -> str:
        if unit.endswith("h") and info.data.get("kind") == "power":
            advice = 'set kind = "energy" for that of an interval, "register" for that since the meter was mounted'
            raise ValueError(f"{unit} is energy, no power: {advice}")
        return unit

    @property
    def kilo(self) -> float:
        """What one of the unit is in kW, or in kWh."""
        return _KILO[self.unit]


POWER_KW = Measure()


class Column(Measure):
    """A column as the table of a site describes it where its name alone does not do."""

    field: str = Field(description='the field of the column, such as "zone_1_kw"')

    @property
    def measure(self) -> Measure:
        """What it holds."""
        return Measure(kind=self.kind, unit=self.unit)


class Site(BaseModel):
    """What one site publishes; ``columns`` maps published names to the fields of a clean reading, in their order.

    A field is the load of a zone, ``zone_1_kw``, or one of ``WEATHER_FIELDS``; ``measures`` tells by field which loads
    do not come as power in kW. ``ignore`` are columns to pass over, ``zones`` those to forecast: by default all with a
    load. ``limits`` are the lowest and highest value that a field can have, in the unit that ends its name.
    ``time_zone`` is that of times without an offset, and of the calendar.
    ``date_column`` holds the dates where ``time_column`` holds but times of day: the two are read as one text with a
    blank between. ``day_first`` and ``time_format`` tell how times are written, see :mod:`shared.data.times`. Without
    a ``country`` no public holidays are known; ``holidays`` holds what sets the site apart from its country, that of
    the ``subdivision`` included. The descriptions of the fields say what to write in a file.

    Examples
    --------
    >>> site = Site.model_validate(
    ...     {
    ...         "name": "alcala",
    ...         "step_minutes": 15,
    ...         "country": "ES",
    ...         "time_zone": "Europe/Madrid",
    ...         "time_column": "time",
    ...         "columns": {"Load": "zone_1_kw", "Temp": "temperature_c"},
    ...     }
    ... )
    >>> site.zones, site.weather, site.grid
    ((1,), ('temperature_c',), Grid(step_minutes=15))
    >>> site.measure("zone_1_kw").unit
    'kW'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Name = Field(description="a name of letters, digits, dots, dashes and underscores")
    step_minutes: StepMinutes = Field(description="5, 10, 15, 30 or 60, without quotes")
    country: str | None = Field(default=None, description='an ISO 3166-1 code, such as "ES"')
    subdivision: str | None = Field(default=None, description='a code of the `holidays` package, such as "MD"')
    time_zone: str = Field(description='an IANA name, such as "Europe/Madrid"')
    time_column: str = Field(description='the name of a column, such as "time"')
    date_column: str | None = Field(default=None, description='the name of a column, such as "date"')
    day_first: bool = Field(default=False, description="true or false, without quotes")
    time_format: str | None = Field(
        default=None, description=f'a format of strptime, such as "%d.%m.%Y %H:%M", or one of {", ".join(EPOCHS)}'
    )
    columns: dict[str, str] = Field(description='each column with its field, such as "Load" = "zone_1_kw"')
    measures: dict[str, Measure] = Field(
        default={}, description='each field with what it holds, such as zone_1_kw = {kind = "energy", unit = "kWh"}'
    )
    ignore: Names = Field(default=(), description='names of columns in brackets, such as ["note"]')
    zones: Zones = Field(
        default_factory=lambda given: zones_in(given["columns"].values()),
        description="numbers of zones in brackets, such as [1, 2]",
    )
    limits: dict[str, Limits] = Field(
        default={}, description="each field with its lowest and highest value, such as zone_1_kw = [0, 40_000]"
    )
    holidays: Overrides = Field(
        default=Overrides(), description="a table of add, remove and ramadan, such as add = [2019-08-06]"
    )

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, time_zone: str) -> str:
        try:
            return ZoneInfo(time_zone).key
        except (ZoneInfoNotFoundError, OSError, ValueError):
            meant = zone_like(time_zone)
            advice = f"did you mean {meant}? Use" if meant else "use"
            raise ValueError(f"no such time zone: {advice} an IANA name like Europe/Madrid") from None

    @field_validator("time_column")
    @classmethod
    def _no_site(cls, time_column: str) -> str:
        if time_column == "site":
            raise ValueError("a message names its site there: give the times a column of another name")
        return time_column

    @field_validator("date_column")
    @classmethod
    def _another_column(cls, date_column: str | None, info: ValidationInfo) -> str | None:
        if date_column is not None and date_column in {"site", info.data.get("time_column")}:
            raise ValueError("it is another column already: leave it out where one column holds date and time of day")
        return date_column

    @field_validator("time_format")
    @classmethod
    def _tells_a_time(cls, time_format: str | None, info: ValidationInfo) -> str | None:
        if time_format is None or time_format in EPOCHS:
            pass
        elif "%Z" in time_format:  # strptime knows those of this machine, and of all others none
            raise ValueError("names of time zones are not read: write %z for an offset, or set time_zone")
        elif not _tells(time_format, info.data.get("step_minutes", 1)):
            advice = f"use one like %d.%m.%Y %H:%M (strptime), or {', '.join(EPOCHS)}"
            raise ValueError(f"it does not tell year, month, day, hour and minute: {advice}")
        if time_format is not None and info.data.get("day_first"):
            raise ValueError("day_first is set too: keep one of the two")
        return time_format

    @field_validator("columns")
    @classmethod
    def _fields_of_a_reading(cls, columns: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        loads = [field for field in columns.values() if field not in WEATHER_FIELDS]
        if unknown := [field for field in loads if not LOAD.fullmatch(field)]:
            raise ValueError(f"no field {unknown[0]!r}: use zone_1_kw, zone_2_kw, ... or {', '.join(WEATHER_FIELDS)}")
        if not loads:
            raise ValueError("no load: name a column zone_1_kw")
        (field, times), *_ = Counter(columns.values()).most_common(1)
        if times > 1:
            raise ValueError(f"{field} stands for {times} columns: keep one of them")
        if taken := {"site", info.data.get("time_column"), info.data.get("date_column")} & columns.keys():
            raise ValueError(f"{taken.pop()!r} is no load and no weather: take it out of the columns")
        return columns

    @field_validator("measures")
    @classmethod
    def _measures_of_loads(cls, measures: dict[str, Measure], info: ValidationInfo) -> dict[str, Measure]:
        loads = [field for field in info.data.get("columns", {}).values() if field not in WEATHER_FIELDS]
        if loads and (unknown := measures.keys() - set(loads)):
            raise ValueError(f"no load is {min(unknown)!r}: use {', '.join(loads)}")
        return measures

    @field_validator("ignore")
    @classmethod
    def _not_read(cls, ignore: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        times = {info.data.get("time_column"), info.data.get("date_column")}
        read = {"site", *times, *info.data.get("columns", {})}
        if both := read & set(ignore):
            raise ValueError(f"{min(both)!r} is read: take it out here, or out of the columns")
        return ignore

    @field_validator("zones")
    @classmethod
    def _zones_of_loads(cls, zones: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        known = zones_in(info.data.get("columns", {}).values())
        if known and (not zones or len(set(zones)) < len(zones) or not set(zones) <= set(known)):
            raise ValueError(f"name one or more different zones of {', '.join(map(str, known))}; all: leave it out")
        return zones

    @field_validator("limits")
    @classmethod
    def _limits_of_fields(cls, limits: dict[str, Limits], info: ValidationInfo) -> dict[str, Limits]:
        fields = info.data.get("columns", {}).values()
        for field, (low, high) in limits.items():
            if fields and field not in fields:
                raise ValueError(f"no column is {field!r}: use {', '.join(fields)}")
            if not low < high:
                raise ValueError(f"{field} from {low:g} to {high:g} lets nothing through: give the lower one first")
        return limits

    @property
    def grid(self) -> Grid:
        """The arithmetic of its steps."""
        return grid_of(self.step_minutes)

    @property
    def calendar(self) -> Calendar:
        """Its wall clock, weekdays and public holidays."""
        return _calendar(self.country, self.time_zone, self.holidays)

    @property
    def time_columns(self) -> tuple[str, ...]:
        """The columns that make up the time: that of the dates, where there is one, and that of the times."""
        return (self.time_column,) if self.date_column is None else (self.date_column, self.time_column)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a clean reading, in the order of the columns."""
        return tuple(self.columns.values())

    def measure(self, field: str) -> Measure:
        """Return what the column of a field holds: power in kW where the site says nothing else."""
        return self.measures.get(field, POWER_KW)

    def floor_kw(self, zone: int) -> float | None:
        """Return what no load of a zone can be below, None where its limits do not say."""
        limits = self.limits.get(load_field(zone))
        return limits[0] if limits else None

    @property
    def weather(self) -> tuple[str, ...]:
        """The fields of ``WEATHER_FIELDS`` that the site publishes, in their order."""
        return tuple(field for field in WEATHER_FIELDS if field in self.fields)

    @property
    def registers(self) -> tuple[str, ...]:
        """The loads that come as the register of a meter, in the order of the columns."""
        return tuple(field for field in self.fields if self.measure(field).kind == "register")

    @property
    def load_zones(self) -> tuple[int, ...]:
        """The numbers of the zones whose load the site publishes."""
        return zones_in(self.fields)

    def narrowed(self, columns: Container[str]) -> Self:
        """Return the site with no other columns than these, and with what it says of them."""
        kept = {column: field for column, field in self.columns.items() if column in columns}
        fields = set(kept.values())
        return self.model_copy(
            update={
                "columns": kept,
                "measures": {field: measure for field, measure in self.measures.items() if field in fields},
                "zones": tuple(zone for zone in self.zones if load_field(zone) in fields),
                "limits": {field: limits for field, limits in self.limits.items() if field in fields},
            }
        )


@cache
def _calendar(country: str | None, time_zone: str, holidays: Overrides) -> Calendar:
    from shared.sites.calendar import Calendar  # noqa: PLC0415 - `holidays` takes a third of a second to import

    return Calendar(country, time_zone, **dict(holidays))


def zones_in(fields: Iterable[str]) -> tuple[int, ...]:
    """Return the zones whose load is among the fields of a reading."""
    return tuple(int(field.split("_")[1]) for field in fields if LOAD.fullmatch(field))


def _tells(time_format: str, step_minutes: int) -> bool:
    """Tell whether a time can be read again from what the format makes of it."""
    time = datetime(2033, 11, 22, 15, 0 if step_minutes == 60 else 45, tzinfo=UTC)
    try:
        return datetime.strptime(time.strftime(time_format), time_format).replace(tzinfo=UTC) == time
    except (ValueError, re.error):  # a directive that stands twice
        return False
