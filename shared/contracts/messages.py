"""The messages on the topics, one frozen model each, pinned by the golden files in ``tests/contract``.

Times are aware and in UTC, demand is kW with one decimal, shares are ratios 0..1. A value that is absent or was refused
is null with a flag; every field is there from version 1 on.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CleanReading",
    "DeadLetter",
    "DriftEvent",
    "Flag",
    "Flagged",
    "Forecast",
    "Interval",
    "ModelEvent",
    "ModelNames",
    "RungSpan",
    "Score",
    "Scores",
]

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
SiteName = Annotated[str, Field(description="Name of the site.")]
ZoneNumber = Annotated[int, Field(ge=1, description="Number of the zone at its site.")]
StepMinutes = Annotated[int, Field(gt=0, description="Minutes from one reading of the site to the next: one lead.")]
Flag = Literal["missing", "outlier", "stuck", "unit", "repaired"]
Rung = Literal["adapted", "frozen", "weather", "analogue", "climatology"]
LeadGroup = Literal["1", "6", "36", "144", "mean"]
Ratio = Annotated[float, Field(ge=0, le=1)]
Kw = tuple[float, ...]


class Message(BaseModel):
    """What all messages share: frozen, closed, finite numbers only."""

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
        """Read the wire form, a number only as a number; raises ``ValidationError``, which names field and value."""
        return cls.model_validate_json(raw, strict=True)


class Flagged(Message):
    """Why a value of a clean reading is not what the meter sent; ``original`` is the text that came, if one did."""

    flag: Flag
    """``missing``: no number came; ``outlier``: beyond what the quantity can be; ``stuck``: the meter repeats itself;
    ``unit``: it came in another unit; ``repaired``: filled in."""
    original: str | None = None
    """The text that came, its head where it was long."""


class CleanReading(Message):
    """One judged reading of a site; ``values`` holds every field of the site, null where missing or refused."""

    schema_version: Literal[1] = 1
    site: SiteName
    time: UtcTime
    """When it was measured, in UTC."""
    step_minutes: StepMinutes
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
    """The share of demands that is meant to lie within: 0.9 is the 90 % interval."""
    low_kw: Kw
    """Lower bounds, one a lead as in ``median_kw``."""
    high_kw: Kw
    """Upper bounds, one a lead as in ``median_kw``."""


class RungSpan(Message):
    """Which rung of the ladder answered ``from_lead`` to ``to_lead`` (both included; 1 is the next step), and why."""

    from_lead: Annotated[int, Field(ge=1)]
    """First lead, in steps after the origin."""
    to_lead: Annotated[int, Field(ge=1)]
    """Last lead, in steps after the origin."""
    rung: Rung
    """Best first: ``adapted`` (the model, learning from every reading), ``frozen`` (the model as its training left it),
    ``weather`` (weather and calendar alone), ``analogue`` (similar days), ``climatology`` (the usual demand)."""
    reason: str | None = None
    """Why it is not the best rung, or what the model had to do without."""


class ModelNames(Message):
    """The models behind a forecast, each as ``name/version`` of the registry; null where none answered."""

    demand: str | None
    """The model behind ``median_kw`` and ``intervals``."""
    weather: str | None
    """The model behind ``weather_estimate_kw``."""


class Forecast(Message):
    """One issue for one zone: an origin and every lead time; ``median_kw[h - 1]`` is the demand at origin + h steps."""

    schema_version: Literal[1] = 1
    site: SiteName
    zone: ZoneNumber
    origin: UtcTime
    """Time of the last reading that the forecast knows, in UTC."""
    step_minutes: StepMinutes
    median_kw: Kw
    """The demand that is as likely exceeded as not, one number a lead, to 24 hours."""
    intervals: tuple[Interval, ...]
    """One for each coverage."""
    rungs: tuple[RungSpan, ...]
    """By rising lead."""
    weather_estimate_kw: float | None
    """What weather and calendar alone say the load is at the origin: a virtual meter; null where weather is missing."""
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


class Score(Message):
    """The rolling scores of one lead group and window; null where nothing can be computed yet."""

    group: LeadGroup
    """Lead in steps, or ``mean``: the mean of the figures of all leads."""
    window_days: Annotated[int, Field(gt=0)]
    """Length of the window, which ends with the hour."""
    rmse_kw: float | None
    """Root mean square error of the median."""
    mae_kw: float | None
    """Mean absolute error of the median."""
    mape: float | None
    """Mean absolute error as a share of the demand: 0.016 is 1.6 %."""
    bias_kw: float | None
    """Mean of forecast less demand: positive where forecasts are too high."""
    coverage: Ratio | None
    """Share of demands within the 90 % interval."""
    pinball_kw: float | None
    """Mean of the pinball losses at the two ends of the 90 % interval."""
    skill_vs_same_time_yesterday: float | None
    """1 - RMSE / RMSE of repeating yesterday: 1 is perfect, 0 no better, below 0 worse."""


class Scores(Message):
    """The rolling scores of one zone at a full hour of event time."""

    schema_version: Literal[1] = 1
    site: SiteName
    zone: ZoneNumber
    time: UtcTime
    """The hour, in UTC: the last target that is scored."""
    scores: tuple[Score, ...]
    """One for each lead group and window."""


class DriftEvent(Message):
    """One finding of the monitor; sent again with the same ``id`` when the episode grows or ends."""

    schema_version: Literal[1] = 1
    id: str
    """Names the episode; of several messages with one ``id`` the last holds."""
    site: SiteName
    zone: Annotated[int, Field(ge=1)] | None
    """Number of the zone; null where the whole site is concerned."""
    kind: Literal["sensor", "data", "model"]
    """What to look at: the meter (``sensor``), what it measures (``data``), or the forecasts (``model``)."""
    feature: str
    """The field of the clean reading, or the figure, that drifts."""
    detector: str
    """Name of the detector that found it."""
    score: float
    """What the detector found, in a unit of its own."""
    threshold: float
    """The score from which on it is a finding, calibrated on history."""
    severity: Literal["info", "warning", "critical"]
    """``info``: for the record; ``warning``: look at it today; ``critical``: at once."""
    started: UtcTime
    """Event time, in UTC."""
    ended: UtcTime | None
    """Event time, in UTC; null while it lasts."""
    report: str | None
    """Where the drift report lies; null where there is none."""


class ModelEvent(Message):
    """A change of a registered model and the origin from which it is in force."""

    schema_version: Literal[1] = 1
    model: str
    """Name of the registered model, also the key of the record."""
    version: str
    """Its version in the registry."""
    change: Literal["registered", "promoted", "rolled_back"]
    """``registered``: there to choose; ``promoted``: the champion; ``rolled_back``: the champion once more."""
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

    reason: str
    """Why it was refused: one word in snake_case."""
    field: str | None
    """The field at fault; null where it is the record as a whole."""
    value: str | None
    """What stood there, its head where it was long."""
    topic: str
    """Topic of the original."""
    partition: int
    """Partition of the original."""
    offset: int
    """Offset of the original."""
    received: UtcTime
    """When it was refused, in UTC by the wall clock."""

    def to_headers(self) -> list[tuple[str, bytes]]:
        """Return Kafka headers, each value as JSON."""
        return [(name, json.dumps(value).encode()) for name, value in self.model_dump(mode="json").items()]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Read what :meth:`to_headers` wrote, whatever other headers stand beside it; raises ``ValueError``."""
        return cls.model_validate({name: json.loads(value) for name, value in headers if name in cls.model_fields})
