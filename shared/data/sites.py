"""The sites whose readings we know: what their meters publish, and where they stand.

Those of the package stand in ``sites.toml`` beside this module; a file of a user's own adds others, or changes these.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from shared.data.likeness import closest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = [
    "BUILT_IN",
    "EPOCHS",
    "POWER_KW",
    "STEPS_MINUTES",
    "WEATHER",
    "Kind",
    "Measure",
    "Site",
    "StepMinutes",
    "Unit",
    "in_its_country",
    "known_sites",
    "site",
]

BUILT_IN = "tetouan"
WEATHER = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
"""The fields of a clean reading beside the loads; a site may lack any of them."""

LOAD = re.compile(r"zone_[1-9][0-9]*_kw")
EPOCHS = {"epoch_s": 1_000_000_000, "epoch_ms": 1_000_000, "epoch_us": 1_000, "epoch_ns": 1}
"""The words for a ``time_format`` of numbers counted from 1970 on, in UTC, with the nanoseconds of one."""

YEARS = range(2000, 2051)
"""The years whose holidays of a subdivision are known."""

StepMinutes = Literal[5, 10, 15, 30, 60]
"""From one reading to the next."""

STEPS_MINUTES: tuple[StepMinutes, ...] = get_args(StepMinutes)

Unit = Literal["W", "kW", "MW", "Wh", "kWh", "MWh"]
"""Of the numbers in a column; of energy, ``kW`` means ``kWh``, and likewise ``W`` and ``MW``."""

Kind = Literal["power", "energy", "register"]
"""What a column holds, see `Measure`."""

SHORT = 3
"""Letters that a code of a country has at most."""

SURE = 0.8
"""How like, 0..1, the name of a country or a zone must be to one that is known to be hinted at."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Dates = Annotated[tuple[date, ...], Field(strict=False)]  # an array of TOML is a list
Spells = Annotated[tuple[Annotated[tuple[date, date], Field(strict=False)], ...], Field(strict=False)]
Limits = Annotated[tuple[float, float], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


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
    add: Dates = ()
    remove: Dates = ()
    ramadan: Spells = ()

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
    kind: Kind = "power"
    unit: Unit = "kW"

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
        return {"W": 1e-3, "kW": 1.0, "MW": 1e3}[self.unit.removesuffix("h")]


POWER_KW = Measure()


class Column(Measure):
    """A column as the table of a site describes it where its name alone does not do."""

    field: str

    @property
    def measure(self) -> Measure:
        """What it holds."""
        return Measure(kind=self.kind, unit=self.unit)


class Site(BaseModel):
    """What one site publishes; ``columns`` maps published names to the fields of a clean reading, in their order.

    A field is the load of a zone, ``zone_1_kw``, or one of ``WEATHER``; ``measures`` tells by field which loads do not
    come as power in kW. ``ignore`` are columns to pass over. ``limits`` are the lowest and highest value that a field
    can have, in the unit that ends its name. ``time_zone`` is that of times without an offset, and of the calendar.
    ``date_column`` holds the dates where ``time_column`` holds but times of day: the two are read as one text with a
    blank between. ``day_first`` and ``time_format`` tell how times are written, see :mod:`shared.data.times`. Without
    a ``country`` no public holidays are known; ``holidays`` holds what sets the site apart from its country, that of
    the ``subdivision`` included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Name
    step_minutes: StepMinutes
    country: str | None = None
    subdivision: str | None = None
    time_zone: str
    time_column: str
    date_column: str | None = None
    day_first: bool = False
    time_format: str | None = None
    columns: dict[str, str]
    measures: dict[str, Measure] = {}
    ignore: Names = ()
    limits: dict[str, Limits] = {}
    holidays: Overrides = Overrides()

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, time_zone: str) -> str:
        try:
            return ZoneInfo(time_zone).key
        except (ZoneInfoNotFoundError, OSError, ValueError):
            meant = _zone_like(time_zone)
            advice = f"did you mean {meant}? Use" if meant else "use"
            raise ValueError(f"no such time zone: {advice} an IANA name like Europe/Madrid") from None

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
        loads = [field for field in columns.values() if field not in WEATHER]
        if unknown := [field for field in loads if not LOAD.fullmatch(field)]:
            raise ValueError(f"no field {unknown[0]!r}: use zone_1_kw, zone_2_kw, ... or {', '.join(WEATHER)}")
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
        loads = [field for field in info.data.get("columns", {}).values() if field not in WEATHER]
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
    def calendar(self) -> dict[str, Any]:
        """What a `shared.forecasting.calendar.Calendar` of the site is made of."""
        return {"country": self.country, "time_zone": self.time_zone, **dict(self.holidays)}

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
        limits = self.limits.get(f"zone_{zone}_kw")
        return limits[0] if limits else None

    @property
    def weather(self) -> tuple[str, ...]:
        """The fields of ``WEATHER`` that the site publishes, in their order."""
        return tuple(field for field in WEATHER if field in self.fields)

    @property
    def registers(self) -> tuple[str, ...]:
        """The loads that come as the register of a meter, in the order of the columns."""
        return tuple(field for field in self.fields if self.measure(field).kind == "register")

    @property
    def zones(self) -> tuple[int, ...]:
        """The numbers of the zones whose load the site publishes."""
        return tuple(int(field.split("_")[1]) for field in self.fields if field.startswith("zone_"))


def _tells(time_format: str, step_minutes: int) -> bool:
    """Tell whether a time can be read again from what the format makes of it."""
    time = datetime(2033, 11, 22, 15, 0 if step_minutes == 60 else 45, tzinfo=UTC)
    try:
        return datetime.strptime(time.strftime(time_format), time_format).replace(tzinfo=UTC) == time
    except (ValueError, re.error):  # a directive that stands twice
        return False


def site(name: str, file: Path | None = None) -> Site:
    """Return the site of that name; raises ``ValueError`` that lists the known ones, and as `known_sites` does."""
    known = known_sites(file)
    if name not in known:
        raise ValueError(f"site {name!r} is not known: choose one of {', '.join(known)}")
    return known[name]


@cache
def known_sites(file: Path | None = None) -> Mapping[str, Site]:
    """Return the sites of the package by name, and those of a TOML file with one table a site.

    A table of a known name replaces what it gives, key by key, and leaves the rest as it is. What was read once holds
    as long as the process lives.

    Raises
    ------
    ValueError
        If the file cannot be read or a site is not one: one line that names field and value and says what to change.
    """
    tables = _tables(files(__package__).joinpath("sites.toml").read_bytes())
    own = _tables(_read(file)) if file else {}
    known = {name: _site(name, table) for name, table in tables.items() if name not in own}
    return known | {name: in_its_country(_site(name, tables.get(name, {}) | table)) for name, table in own.items()}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{error.strerror}: give the path of a TOML file that can be read") from None


def _tables(raw: bytes) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 at byte {error.start}: save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"no TOML: {error}: mend it there") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{name} = {_shown(table)} belongs to no site: write [NAME], its name, above it")  # noqa: TRY004 - a file is at fault, no caller
    return tables


def _site(name: str, table: dict[str, Any]) -> Site:
    described = {path: cell for path, cell in _columns(table).items() if isinstance(cell, dict)}
    read = {column: _column(f"{name}.columns.{column}", cell) for column, cell in described.items()}
    if read:
        fields = {column: described.field for column, described in read.items()}
        measures = {column.field: column.measure for column in read.values()}
        table = {**table, "columns": _columns(table) | fields, "measures": table.get("measures", {}) | measures}
    try:
        return Site(**{"name": name, **table})
    except ValidationError as error:
        _refuse(name, error.errors(include_url=False), Site)


def _columns(table: dict[str, Any]) -> dict[str, Any]:
    columns = table.get("columns")
    return columns if isinstance(columns, dict) else {}


def _column(path: str, cell: dict[str, Any]) -> Column:
    try:
        column = Column(**cell)
    except ValidationError as error:
        _refuse(path, error.errors(include_url=False), Column)
    if column.field in WEATHER:
        raise ValueError(f'{path} = {_shown(cell)}: weather has no unit and no kind: write "{column.field}" alone')
    return column


def _refuse(above: str, errors: Sequence[ErrorDetails], table: type[BaseModel]) -> NoReturn:
    """Raise as one line what is wrong first below that path, where such a table stands.

    A key that is not known comes before one that is missing: it may be that one, misspelt.
    """
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    *inner, field = error["loc"]
    path = ".".join(str(part) for part in (above, *inner, field))
    if error["type"] == "missing":
        raise ValueError(f"{path} is missing: give it")
    if error["type"] == "extra_forbidden":
        known: type[BaseModel] = table
        if inner:
            known = Overrides if inner[0] == "holidays" else Measure
        meant = closest(str(field), known.model_fields)
        hint = f"did you mean {meant}? Use" if meant else "use"
        raise ValueError(f"{path} is no field: {hint} one of {', '.join(known.model_fields)}")
    raise ValueError(f"{path} = {_shown(error['input'])}: {error['msg'].removeprefix('Value error, ')}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


@cache
def _countries() -> Mapping[str, str]:
    """Return the codes of the countries whose holidays are known, by what else a country is called."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415 - as in `in_its_country`

    names = {name.replace("_", " "): code for name, (_, code, *_) in COUNTRIES.items()}
    codes = {other: code for _, code, *others in COUNTRIES.values() for other in (code, *others)}
    return names | codes


def _is_country(text: str) -> bool:
    """Tell whether a text is a code of two or three letters of a country whose holidays are known."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415 - as above

    return any(text in codes[1:3] for codes in COUNTRIES.values())


def _country_like(country: str) -> str | None:
    """Return code and name of the country that is probably meant: by its code in lower case, its name, or one alike."""
    known = _countries()
    if len(country.strip()) <= SHORT:  # any two letters are like two others
        code = known.get(country.strip().upper())
    else:
        meant = closest(country, known, SURE)
        code = known[meant] if meant else None
    return code and f"{code} ({next(name for name, of in known.items() if of == code).title()})"


def _zone_like(time_zone: str) -> str | None:
    """Return the IANA name that is probably meant: by the name of its city, or one like it."""
    zones = sorted(zone for zone in available_timezones() if not re.search(r"\d|^Etc/", zone))
    cities = {zone.rpartition("/")[2]: zone for zone in reversed(zones)}
    whole, city = closest(time_zone, zones, SURE), closest(time_zone.rpartition("/")[2], cities, SURE)
    return whole or (cities[city] if city else None)


def in_its_country(place: Site) -> Site:
    """Return the site with the holidays of its subdivision; raises ``ValueError`` where its country is not known."""
    import holidays  # noqa: PLC0415 - it takes a third of a second, which the sites of the package need not wait for

    if place.country is None:
        if place.subdivision is not None:
            raise ValueError(f"{place.name}.country is missing: give that of {place.subdivision}")
        return place
    if not _is_country(place.country):
        meant = _country_like(place.country)
        hint = f"did you mean {meant}? Use" if meant else "use"
        advice = f"no holidays are known of it: {hint} an ISO 3166-1 code like ES"
        raise ValueError(f"{place.name}.country = {_shown(place.country)}: {advice}")
    known = holidays.country_holidays(place.country).subdivisions
    if place.subdivision is None:
        return place
    if place.subdivision not in known:
        advice = f"no part of {place.country}: " + (f"use one of {', '.join(known)}" if known else "leave it out")
        raise ValueError(f"{place.name}.subdivision = {_shown(place.subdivision)}: {advice}")
    national, regional = (
        set(holidays.country_holidays(place.country, subdiv=part, years=YEARS)) for part in (None, place.subdivision)
    )
    add, remove = set(place.holidays.add), set(place.holidays.remove)
    add, remove = add | (regional - national - remove), remove | (national - regional - add)
    dates = {"add": tuple(sorted(add)), "remove": tuple(sorted(remove))}
    return place.model_copy(update={"holidays": place.holidays.model_copy(update=dates)})
