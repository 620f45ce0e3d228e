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
Flag = Literal["missing", "outlier", "stuck", "unit", "repaired"]
Rung = Literal["adapted", "frozen", "weather", "analogue", "climatology"]
LeadGroup = Literal["1", "6", "36", "144", "mean"]
Ratio = Annotated[float, Field(ge=0, le=1)]
Kw = tuple[float, ...]


class Message(BaseModel):
    """What all messages share: frozen, closed, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
    original: str | None = None


class CleanReading(Message):
    """One judged reading of a site; ``values`` holds every field of the site, null where missing or refused."""

    schema_version: Literal[1] = 1
    site: str
    time: UtcTime
    step_minutes: Annotated[int, Field(gt=0)]
    values: dict[str, float | None]
    flags: dict[str, Flagged] = Field(default_factory=dict)

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
    low_kw: Kw
    high_kw: Kw


class RungSpan(Message):
    """Which rung of the ladder answered ``from_lead`` to ``to_lead`` (both included; 1 is the next step), and why."""

    from_lead: Annotated[int, Field(ge=1)]
    to_lead: Annotated[int, Field(ge=1)]
    rung: Rung
    reason: str | None = None


class ModelNames(Message):
    """The models behind a forecast, each as ``name/version`` of the registry; null where none answered."""

    demand: str | None
    weather: str | None


class Forecast(Message):
    """One issue for one zone: an origin and every lead time; ``median_kw[h - 1]`` is the demand at origin + h steps."""

    schema_version: Literal[1] = 1
    site: str
    zone: Annotated[int, Field(ge=1)]
    origin: UtcTime
    step_minutes: Annotated[int, Field(gt=0)]
    median_kw: Kw
    intervals: tuple[Interval, ...]
    rungs: tuple[RungSpan, ...]
    weather_estimate_kw: float | None
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
    window_days: Annotated[int, Field(gt=0)]
    rmse_kw: float | None
    mae_kw: float | None
    mape: float | None
    bias_kw: float | None
    coverage: Ratio | None
    pinball_kw: float | None
    skill_vs_same_time_yesterday: float | None


class Scores(Message):
    """The rolling scores of one zone at a full hour of event time."""

    schema_version: Literal[1] = 1
    site: str
    zone: Annotated[int, Field(ge=1)]
    time: UtcTime
    scores: tuple[Score, ...]


class DriftEvent(Message):
    """One finding of the monitor; sent again with the same ``id`` when the episode grows or ends."""

    schema_version: Literal[1] = 1
    id: str
    site: str
    zone: Annotated[int, Field(ge=1)] | None
    kind: Literal["sensor", "data", "model"]
    feature: str
    detector: str
    score: float
    threshold: float
    severity: Literal["info", "warning", "critical"]
    started: UtcTime
    ended: UtcTime | None
    report: str | None


class ModelEvent(Message):
    """A change of a registered model and the origin from which it is in force."""

    schema_version: Literal[1] = 1
    model: str
    version: str
    change: Literal["registered", "promoted", "rolled_back"]
    origin: UtcTime
    reason: str
    evidence: dict[str, float | int | str | None]


class DeadLetter(Message):
    """The headers of a refused record; the record's value is the original bytes.

    ``topic``, ``partition`` and ``offset`` say where the original stands, ``received`` when it was refused (wall
    clock).
    """

    reason: str
    field: str | None
    value: str | None
    topic: str
    partition: int
    offset: int
    received: UtcTime

    def to_headers(self) -> list[tuple[str, bytes]]:
        """Return Kafka headers, each value as JSON."""
        return [(name, json.dumps(value).encode()) for name, value in self.model_dump(mode="json").items()]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Read what :meth:`to_headers` wrote, whatever other headers stand beside it; raises ``ValueError``."""
        return cls.model_validate({name: json.loads(value) for name, value in headers if name in cls.model_fields})
