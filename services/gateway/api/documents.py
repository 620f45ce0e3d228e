"""What the answers say, for the OpenAPI document; the routes write the same from the rows of the history."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.messages import (
    DriftKind,
    Flagged,
    Interval,
    LevelSpan,
    ModelNames,
    Moved,
    Note,
    Score,
    Severity,
    UtcTime,
)

__all__ = [
    "DeadLetterCountDocument",
    "DeadLetterPage",
    "DriftEventDocument",
    "DriftEventPage",
    "ForecastPage",
    "ModelPage",
    "PageDocument",
    "ReadingDocument",
    "ReadingPage",
    "ScoresPage",
    "SiteDocument",
    "SitePage",
    "StoredForecastDocument",
    "TargetDocument",
    "ZoneDocument",
    "ZonesOfSite",
]

T = TypeVar("T")

Kw = Annotated[float, Field(description="kW")]


class Document(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


class PageDocument(Document, Generic[T]):
    """Some of a list."""

    items: list[T]
    next: str | None
    """The cursor of the next page; null at the end."""


class SiteDocument(Document):
    """A site of which readings have come."""

    site: str
    step_minutes: int
    """Minutes from one reading to the next."""
    first: UtcTime
    """Time of the first reading."""
    last: UtcTime
    """Time of the newest record, which is the newest reading, whatever it holds: what ages are counted from."""


class ZoneDocument(Document):
    """A zone of which there are forecasts."""

    zone: int
    first_origin: UtcTime
    last_origin: UtcTime


class ZonesOfSite(SiteDocument):
    """A site, and its zones of which there are forecasts."""

    zones: list[ZoneDocument]


class ReadingDocument(Document):
    """A reading as the services took it: of each time that of the highest revision."""

    time: UtcTime
    step_minutes: int
    revision: int
    """0: the first reading of its time; above 0: a correction."""
    values: dict[str, float | None]
    """By field, whose name ends in its unit; null where missing or refused."""
    flags: dict[str, Flagged]
    """Why a value is null, by field."""


class Provenance(Document):
    """Where a forecast comes from."""

    site: str
    zone: int
    origin: UtcTime
    """Time of the last reading that the forecast knew."""
    age_s: int | None
    """How much later the newest record of the site is, in seconds; null where there is none."""
    models: ModelNames


class StoredForecastDocument(Provenance):
    """A forecast, as on the topic, with its age."""

    product: str
    """``rolling``: a forecast with every reading."""
    step_minutes: int
    leads: list[int] | None
    """The leads that are kept, in steps after the origin, one a number of the arrays; null: 1, 2, 3 and so on."""
    median_kw: list[float]
    intervals: list[Interval]
    levels: list[LevelSpan]
    weather_estimate_kw: float | None
    """What weather and calendar alone say the load is at the origin, corrected; null without weather."""
    weather_model_kw: float | None
    """The same uncorrected."""
    notes: list[Note]
    moved: Moved | None


class LeadInterval(Document):
    """An interval of one lead."""

    coverage: float
    low_kw: Kw
    high_kw: Kw


class View(Document):
    """What one forecast said of the time."""

    origin: UtcTime
    age_s: int | None
    """How much later the newest record of the site is, in seconds."""
    lead_minutes: int
    """From the origin to the time."""
    median_kw: Kw
    intervals: list[LeadInterval]
    level: str | None
    """The fallback level that answered."""
    reason: str | None
    """Why it is not the best level, or what the model had to do without."""
    models: ModelNames


class TargetDocument(Document):
    """All that was forecast for one time, by rising origin, and what came."""

    site: str
    zone: int
    target: UtcTime
    demand_kw: float | None
    """The load that came; null where it has not, or was refused."""
    forecasts: list[View]


class HourScores(Document):
    """The rolling scores of a zone at an hour."""

    time: UtcTime
    """The last target that is scored."""
    scores: list[Score]


class DriftEventDocument(Document):
    """A finding of the monitor, as it was told last."""

    schema_version: Literal[1]
    id: str
    site: str
    zone: int | None
    """Null where the whole site is concerned."""
    kind: DriftKind
    feature: str
    """The field of the reading, or the figure, that drifts."""
    detector: str
    score: float
    """What the detector found, in a unit of its own."""
    threshold: float
    """The score from which on there is a drift event."""
    severity: Severity
    """``info``: for the record; ``warning``: look at it today; ``critical``: at once."""
    started: UtcTime
    ended: UtcTime | None
    """Null while it lasts."""
    text: str
    """What was found and what to check."""


class VersionChange(Document):
    """What became of a version."""

    role: Literal["champion", "challenger"]
    change: Literal["registered", "promoted", "rolled_back", "in_force"]
    origin: UtcTime
    """The first forecast origin for which it holds."""
    reason: str


class ModelDocument(Document):
    """A version of a registered model."""

    zone: int
    model: str
    version: str | None
    """Null where the zone ran without a registered model."""
    is_champion: bool
    """Whether it was promoted last, or rolled back to; where nobody has promoted any, as in a demo: whether it answers
    now."""
    in_force_since: UtcTime | None
    """The first origin that it answered, where it is the one that answers now; null where it is not."""
    metrics: dict[str, float | int | str | None]
    """Its figures when it was registered; none while the registry has not told them yet."""
    changes: list[VersionChange]


class DeadLetterCountDocument(Document):
    """How many records were refused for one reason."""

    topic: str
    """Where the originals stand."""
    reason: str
    field: str | None
    """The field at fault; null where it is the record as a whole."""
    count: int
    last_received: UtcTime
    """When the last one was refused, by the wall clock."""


SitePage = PageDocument[SiteDocument]
ReadingPage = PageDocument[ReadingDocument]
ForecastPage = PageDocument[StoredForecastDocument]
ScoresPage = PageDocument[HourScores]
DriftEventPage = PageDocument[DriftEventDocument]
ModelPage = PageDocument[ModelDocument]
DeadLetterPage = PageDocument[DeadLetterCountDocument]
