"""What became of the rows of a file before any forecast: a score is worth what the readings behind it are worth."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from services.ingestor.judging import Accepted, Merged, Rejected
from shared.data.errors import DataError
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from services.ingestor.judging import Outcome

__all__ = ["Accounting", "RefusedRow"]

TOLERATED = 0.01  # of the rows may be refused; with more, a score or a model is worth nothing


@dataclass(frozen=True)
class RefusedRow:
    """A row that is no reading: its line in the file, and what a dead letter would say of it."""

    line: int
    reason: str
    field: str | None
    value: str | None

    def __str__(self) -> str:
        """Say it in a few words."""
        cell = f", {self.field} {self.value!r}" if self.field else ""
        return f"line {self.line}{cell}: {self.reason}"


@dataclass(frozen=True)
class Accounting:
    """How many rows became readings, by what the ingestor said of each.

    Attributes
    ----------
    readings, repeated
        Rows that were accepted, and those that add nothing to an accepted one; one that contradicts it is refused.
    refused
        Rows that are no reading, by the reason that a dead letter would give.
    load_missing, load_outlier
        Readings whose load of the zone is flagged ``missing``, and those where it is flagged ``outlier``.
    steps_without_reading
        Steps between the first reading and the last for which none was accepted.
    first_refused
        The first refused row in order of time; None if no row was refused.
    """

    readings: int
    repeated: int
    refused: Mapping[str, int]
    load_missing: int
    load_outlier: int
    steps_without_reading: int
    first_refused: RefusedRow | None = None

    @classmethod
    def of(cls, outcomes: Iterable[tuple[int, Outcome]], zone: int, step: timedelta) -> Self:
        """Count the outcomes, each beside the line of its row; they come in order of time."""
        first_time = last_time = first_refused = None
        readings, repeated, refused, loads = 0, 0, Counter[str](), Counter[str]()
        for line, outcome in outcomes:
            match outcome:
                case Accepted(reading):
                    readings += 1
                    first_time, last_time = first_time or reading.time, reading.time
                    flagged = reading.flags.get(load_field(zone))
                    loads[flagged.flag if flagged else "good"] += 1
                case Merged():
                    repeated += 1
                case Rejected(reason, field, value):
                    refused[reason] += 1
                    first_refused = first_refused or RefusedRow(line, reason, field, value)
        steps = (last_time - first_time) // step + 1 if first_time and last_time else 0
        absent = max(0, steps - readings)
        return cls(readings, repeated, dict(refused), loads["missing"], loads["outlier"], absent, first_refused)

    def require_few_refused(self, label: str) -> None:
        """Raise `DataError` if more than 1 % of the rows were refused."""
        refused = sum(self.refused.values())
        rows = self.readings + self.repeated + refused
        if refused > TOLERATED * rows:
            found = f"{label}: {refused:,} of {rows:,} rows are no readings, the first is {self.first_refused}"
            raise DataError(f"{found}: mend the file, or go on without them with --accept-refused")

    def __str__(self) -> str:
        """Say it in one line; what there is none of is left out."""
        counts = {
            "rows that repeat a reading": self.repeated,
            **{f"rows refused ({reason})": count for reason, count in sorted(self.refused.items())},
            "readings without a load": self.load_missing,
            "readings with an impossible load": self.load_outlier,
            "steps without a reading": self.steps_without_reading,
        }
        odd = [f"{count:,} {what}" for what, count in counts.items() if count]
        return ", ".join((f"{self.readings:,} readings", *(odd or ["nothing missing, repeated or refused"])))

    def to_json(self) -> dict[str, Any]:
        """Return the counts for machines."""
        return asdict(self)
