"""What became of the rows of a file before any forecast: a score is worth what the readings behind it are worth."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from services.ingestor.judging import Accepted, Merged, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from services.ingestor.judging import Outcome

__all__ = ["Books"]


@dataclass(frozen=True)
class Books:
    """How many rows became readings, by what the ingestor said of each.

    Attributes
    ----------
    readings, repeated
        Rows that were accepted, and those whose time had been read already: of several the first counts.
    refused
        Rows that are no reading, by the reason that a dead letter would give.
    load_missing, load_outlier
        Readings whose load of the zone is empty or unreadable, and those in which it cannot be.
    steps_without_reading
        Steps between the first reading and the last for which none was accepted.
    """

    readings: int
    repeated: int
    refused: Mapping[str, int]
    load_missing: int
    load_outlier: int
    steps_without_reading: int

    @classmethod
    def of(cls, outcomes: Iterable[Outcome], zone: int, step: timedelta) -> Self:
        """Count the outcomes, which come in order of time."""
        times, repeated, refused, loads = [], 0, Counter[str](), Counter[str]()
        for outcome in outcomes:
            match outcome:
                case Accepted(reading):
                    times.append(reading.time)
                    flagged = reading.flags.get(f"zone_{zone}_kw")
                    loads[flagged.flag if flagged else "good"] += 1
                case Merged():
                    repeated += 1
                case Rejected(reason):
                    refused[reason] += 1
        steps = (times[-1] - times[0]) // step + 1 if times else 0
        return cls(len(times), repeated, dict(refused), loads["missing"], loads["outlier"], max(0, steps - len(times)))

    def __str__(self) -> str:
        """Say it in one line; what there is none of is left out."""
        counts = {
            "rows repeat a time (the first counts)": self.repeated,
            **{f"rows refused ({reason})": count for reason, count in sorted(self.refused.items())},
            "readings without a load": self.load_missing,
            "readings with a load that cannot be": self.load_outlier,
            "steps without a reading": self.steps_without_reading,
        }
        odd = [f"{count:,} {what}" for what, count in counts.items() if count]
        return ", ".join((f"{self.readings:,} readings", *(odd or ["nothing missing, repeated or refused"])))

    def to_json(self) -> dict[str, Any]:
        """Return the counts for machines."""
        return asdict(self)
