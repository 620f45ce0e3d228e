"""The messages on the topics, one frozen model each, pinned by the golden files in ``tests/contract``.

Times are aware and in UTC, demand is in kW, shares are ratios 0..1. A value that is absent or was refused is null with
a flag. Writers are strict: a message takes no field that it does not have. Readers ignore such fields, so that a later
release may add some, and read every version ever written.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "LARGEST_KW",
    "CleanReading",
    "DeadLetter",
    "DriftEvent",
    "DriftKind",
    "Flag",
    "Flagged",
    "Forecast",
    "Interval",
    "LeadMinutes",
    "LevelSpan",
    "Message",
    "ModelEvent",
    "ModelNames",
    "Moved",
    "MovedGroup",
    "Note",
    "Score",
    "Scores",
    "Severity",
    "in_utc",
]

LARGEST_KW = 1e9
"""The largest size of a load. Some meters send a larger number for a missing value; it would outweigh all sums."""


def in_utc(time: datetime) -> datetime:
    """Return an aware time in UTC; raises ``ValueError`` where the calendar ends before."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is beyond the calendar in UTC: give a time of the years 1 to 9999") from None


UtcTime = Annotated[AwareDatetime, AfterValidator(in_utc)]
SiteName = Annotated[str, Field(description="Name of the site.")]
ZoneNumber = Annotated[int, Field(ge=1, description="Number of the zone at its site.")]
StepMinutes = Annotated[int, Field(gt=0, description="Minutes from one reading of the site to the next: one lead.")]
Flag = Literal["missing", "outlier", "stuck", "unit", "repaired"]
Level = Literal["adapted", "frozen", "weather", "analogue", "climatology"]
LeadMinutes = Literal[10, 60, 360, 1440]
DriftKind = Literal["sensor", "data", "model", "transfer", "revision", "limit"]
Severity = Literal["info", "warning", "critical"]
Ratio = Annotated[float, Field(ge=0, le=1)]
Kw = tuple[float, ...]


class Message(BaseModel):
    """The base of all messages: frozen, with finite numbers only.

    An unknown field is an error where a message is made, and is ignored where one is read. A message at version 2
    overrides ``_of_version_1``, which converts an object of version 1 to version 2.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,  # a default is sent like any other value
    )

    def to_bytes(self) -> bytes:
        """Return the wire form: compact UTF-8 JSON with the fields in the declared order."""
        return self.__pydantic_serializer__.to_json(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read the wire form of any version, a number only as a number; fields that are not known are ignored.

        Raises ``ValidationError``, which names field and value.
        """
        try:
            return cls.model_validate_json(raw, strict=True, extra="ignore")
        except ValidationError as error:
            if not _is_version_1(error):
                raise
        renewed = json.loads(raw, object_hook=cls._of_version_1)
        return cls.model_validate_json(json.dumps({**renewed, "schema_version": 2}), strict=True, extra="ignore")

    @classmethod
    def _of_version_1(cls, part: dict[str, Any]) -> dict[str, Any]:
        """Convert one JSON object of a message of version 1, nested or the whole, to version 2."""
        return part


def _is_version_1(error: ValidationError) -> bool:
    """Tell whether the message was refused as one of version 1."""
    return any(found["loc"] == ("schema_version",) and found["input"] == 1 for found in error.errors())


class Flagged(Message):
    """Why a value of a clean reading is not what the meter sent; ``original`` is the text that came, if one did."""

    flag: Flag
    """``missing``: no number came; ``outlier``: beyond what the quantity can be; ``stuck``: the meter repeats itself;
    ``unit``: it came in another unit; ``repaired``: filled in. The last three are reserved: nobody sends them yet."""
    original: str | None = None
    """The text that came, its head where it was long."""


class CleanReading(Message):
    """One judged reading of a site; ``values`` holds every field of the site, null where missing or refused."""

    schema_version: Literal[1] = 1
    site: SiteName
    time: UtcTime
    """When it was measured, in UTC."""
    step_minutes: StepMinutes
    revision: Annotated[int, Field(ge=0)] = 0
    """0: the first reading of its time; above 0: a correction. The highest revision is valid."""
    values: dict[str, float | None]
    """By field, whose name ends in its unit: degrees Celsius, per cent, m/s, W/m2 or kW."""
    flags: dict[str, Flagged] = Field(default_factory=dict)
    """By field of ``values``; a field without a flag is as it came."""

    @model_validator(mode="after")
    def _every_null_has_its_flag(self) -> Self:
        for field, value in self.values.items():
            if value is None and field not in self.flags:
                raise ValueError(f"values.{field} is null without a flag: say in flags why it is")
        for field in self.flags:
            if field not in self.values:
                raise ValueError(f"flags.{field} belongs to no value: name a field of values")
        return self


class Interval(Message):
    """A central prediction interval for every lead time, in kW; ``coverage`` is its nominal probability."""

    coverage: Ratio
    """The share of loads that is meant to lie within: 0.9 is the 90 % interval."""
    low_kw: Kw
    """Lower bounds, one a lead as in ``median_kw``."""
    high_kw: Kw
    """Upper bounds, one a lead as in ``median_kw``."""


class LevelSpan(Message):
    """Which fallback level answered ``from_lead`` to ``to_lead`` (both included; 1 is the next step), and why."""

    from_lead: Annotated[int, Field(ge=1)]
    """First lead, in steps after the origin."""
    to_lead: Annotated[int, Field(ge=1)]
    """Last lead, in steps after the origin."""
    level: Level
    """Best first: ``adapted`` (the model, learning from every reading), ``frozen`` (the model as its training left it),
    ``weather`` (weather and calendar alone), ``analogue`` (similar days), ``climatology`` (the usual demand)."""
    reason: str | None = None
    """Why it is not the best level, or what the model had to do without."""


class ModelNames(Message):
    """The models behind a forecast, each as ``name/version`` of the registry; null where none answered."""

    demand: str | None
    """The model behind ``median_kw`` and ``intervals``."""
    weather: str | None
    """The model behind ``weather_estimate_kw``."""


class Note(Message):
    """What an operator should know of the load behind a forecast."""

    kind: Literal["transfer", "shift", "outage", "model"]
    """``transfer``: load moved between zones; ``shift``: the load changed its level for good; ``outage``: load is cut
    off; ``model``: other models answer."""
    text: str
    """What happened, in words."""
    since: UtcTime
    """When it began, event time in UTC."""


class MovedGroup(Message):
    """By how much the forecast of one lead group has moved, and why."""

    lead_minutes: LeadMinutes | None
    """Name of the lead group as in ``scores.v1``; null: the mean of all leads."""
    change_kw: float
    """This forecast less the earlier one, for the same targets."""
    parts_kw: dict[str, float]
    """What the change is made of, by cause; the parts add up to it."""


class Moved(Message):
    """Why a forecast has moved against an earlier one of the same targets. Reserved: nobody sends it yet."""

    against: UtcTime
    """Origin of the earlier forecast, in UTC."""
    groups: tuple[MovedGroup, ...]
    """One for each lead group."""


class Forecast(Message):
    """One forecast for one zone: ``median_kw[h - 1]`` is the demand at the origin + h steps."""

    schema_version: Literal[2] = 2
    site: SiteName
    zone: ZoneNumber
    origin: UtcTime
    """Time of the last reading that the forecast knows, in UTC."""
    step_minutes: StepMinutes
    median_kw: Kw
    """The median of the demand, one number a lead, up to 24 hours."""
    intervals: tuple[Interval, ...]
    """One for each coverage."""
    levels: tuple[LevelSpan, ...]
    """Who answered, by rising lead."""
    weather_estimate_kw: float | None
    """What weather and calendar alone say the load is at the origin, corrected with labels at least 24 hours old: a
    virtual meter; null without weather."""
    weather_model_kw: float | None
    """The same uncorrected, as the weather model was trained; null without weather."""
    notes: tuple[Note, ...] = ()
    """What to know of the load; empty where there is nothing."""
    moved: Moved | None = None
    """Why it moved against an earlier forecast; null where that is not said."""
    models: ModelNames

    @model_validator(mode="after")
    def _one_number_a_lead(self) -> Self:
        leads = len(self.median_kw)
        for interval in self.intervals:
            if len(interval.low_kw) != leads or len(interval.high_kw) != leads:
                raise ValueError(
                    f"intervals: {len(interval.low_kw)} low and {len(interval.high_kw)} high numbers for {leads} leads",
                )
        return self

    @classmethod
    def _of_version_1(cls, part: dict[str, Any]) -> dict[str, Any]:
        """Rename the fallback levels; version 1 did not say what the weather model says uncorrected."""
        renamed = {_NAMES_SINCE_VERSION_1.get(name, name): value for name, value in part.items()}
        return {**renamed, "weather_model_kw": None} if "levels" in renamed else renamed


class Score(Message):
    """The rolling scores of one lead group and window; null where nothing can be computed yet."""

    lead_minutes: LeadMinutes | None
    """Name of the lead group; null: the mean of the figures of all leads."""
    scored_minutes: Annotated[int, Field(gt=0)] | None
    """The lead that was scored: the nearest that the step of the site allows and that is not shorter; null for the
    mean."""
    window_days: Annotated[int, Field(gt=0)]
    """Length of the window, which ends with the hour."""
    rmse_kw: float | None
    """Root mean square error of the median."""
    mae_kw: float | None
    """Mean absolute error of the median."""
    mape: float | None
    """Mean absolute error as a share of the load: 0.016 is 1.6 %; null where some of the load is next to zero."""
    bias_kw: float | None
    """Mean of forecast less load: positive where forecasts are too high."""
    coverage: Ratio | None
    """Share of demands within the 90 % interval."""
    pinball_kw: float | None
    """Mean of the pinball losses at the two ends of the 90 % interval."""
    skill_vs_same_time_yesterday: float | None
    """1 - RMSE / RMSE of repeating yesterday: 1 is perfect, 0 no better, below 0 worse."""


class Scores(Message):
    """The rolling scores of one zone at a full hour of event time."""

    schema_version: Literal[2] = 2
    site: SiteName
    zone: ZoneNumber
    time: UtcTime
    """The hour, in UTC: the last target that is scored."""
    scores: tuple[Score, ...]
    """One for each lead group and window."""

    @classmethod
    def _of_version_1(cls, part: dict[str, Any]) -> dict[str, Any]:
        """Name the lead groups in minutes.

        Version 1 counted them in steps and did not say how long a step is: they are read as steps of 10 minutes.
        """
        group = part.get("group")
        if not isinstance(group, str) or group not in _GROUPS_OF_VERSION_1:
            return part
        minutes = _GROUPS_OF_VERSION_1[group]
        return {**part, "lead_minutes": minutes, "scored_minutes": minutes}


class DriftEvent(Message):
    """One finding of the monitor; sent again with the same ``id`` when it grows or ends."""

    schema_version: Literal[1] = 1
    id: str
    """Identifies the drift event: of several messages with one ``id`` the last is valid."""
    site: SiteName
    zone: Annotated[int, Field(ge=1)] | None
    """Number of the zone; null where the whole site is concerned."""
    kind: DriftKind
    """What to look at: the meter (``sensor``), what it measures (``data``), or the forecasts (``model``); load
    that moved between zones (``transfer``), a forecast that moved (``revision``), a limit that may be crossed
    (``limit``)."""
    feature: str
    """The field of the clean reading, or the figure, that drifts."""
    detector: str
    """Name of the detector that found it."""
    score: float
    """What the detector found, in a unit of its own."""
    threshold: float
    """The score from which on there is a drift event, calibrated on history."""
    severity: Severity
    """``info``: for the record; ``warning``: look at it today; ``critical``: at once."""
    started: UtcTime
    """Event time, in UTC."""
    ended: UtcTime | None
    """Event time, in UTC; null while it lasts."""
    report: str | None
    """Where the drift report lies. Reserved: nobody says it yet."""
    text: str = ""
    """What was found and what to check, in words."""


class ModelEvent(Message):
    """A change of a registered model and the origin from which it is in force."""

    schema_version: Literal[1] = 1
    site: SiteName
    zone: ZoneNumber
    model: str
    """Name of the registered model."""
    version: str | None
    """Its version in the registry; null where the zone runs without a registered model."""
    role: Literal["champion", "challenger"]
    """``champion``: its forecasts are sent; ``challenger``: it is scored beside the champion."""
    change: Literal["registered", "promoted", "rolled_back", "in_force"]
    """``registered``: added to the registry; ``promoted``: made the champion; ``rolled_back``: an older one made the
    champion again; ``in_force``: the forecaster runs it."""
    origin: UtcTime
    """The first forecast origin for which it holds, in UTC."""
    reason: str
    """Why, in words."""
    evidence: dict[str, float | int | str | None]
    """The figures behind the reason."""


class DeadLetter(Message):
    """The headers of a refused record; the record's value is the original bytes.

    ``topic``, ``partition`` and ``offset`` say where the original stands, ``received`` when it was refused (wall
    clock).
    """

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Why it was refused: one word in snake_case."""
    field: str | None = None
    """The field at fault; its header is empty where it is the record as a whole."""
    value: str | None = None
    """What stood there, its head where it was long; its header is empty where nothing did."""
    topic: str
    """Topic of the original."""
    partition: int
    """Partition of the original."""
    offset: int
    """Offset of the original."""
    received: UtcTime
    """When it was refused, in UTC by the wall clock."""

    def to_headers(self) -> list[tuple[str, bytes]]:
        """Return Kafka headers, each value as plain UTF-8 with control characters escaped; that of None is empty."""
        said = self.model_dump(mode="json")
        return [(name, b"" if value is None else printable(str(value)).encode()) for name, value in said.items()]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Read what :meth:`to_headers` wrote, whatever other headers stand beside it; raises ``ValidationError``.

        Letters of earlier releases held JSON in each header; a reason in quotes tells them.
        """
        known = ((name, value) for name, value in headers if name in cls.model_fields and value)
        said = {name: value.decode(errors="backslashreplace") for name, value in known}
        if not said.get("reason", "").startswith('"'):
            return cls.model_validate(said)
        return cls.model_validate({name: _of_json(text) for name, text in said.items()})


def _of_json(text: str) -> object:
    """Return what the text says as JSON, itself where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def printable(text: str) -> str:
    """Return the text with control characters, surrogates and the like escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


_NAMES_SINCE_VERSION_1: Mapping[str, str] = {"rungs": "levels", "rung": "level"}
_GROUPS_OF_VERSION_1: Mapping[str, int | None] = {"1": 10, "6": 60, "36": 360, "144": 1440, "mean": None}
