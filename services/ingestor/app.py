"""The wiring of the ingestor: raw records in, clean readings or dead letters out."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Accepted, Merged, Rejected, Valid
from services.ingestor.load_doubts import LoadDoubts
from services.ingestor.metrics import IngestorMetrics
from services.ingestor.series import IngestorSeries
from services.ingestor.unknown_fields import UnknownFields
from services.ingestor.validation import EPOCH, excerpt
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime.clock import now
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.service import Service
from shared.runtime.site_table import served_sites
from shared.runtime.state import OutdatedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from services.ingestor.judging import Outcome
    from services.ingestor.settings import IngestorSettings
    from shared.runtime.records import Record

__all__ = ["IngestorCore", "build"]

FORMAT = "5"
"""Of the state; it goes up when an array of the same name and shape comes to mean something else."""


def build(settings: IngestorSettings) -> Service:
    """Return the ingestor of all sites of the table."""
    registry, health = new_registry(), Health()
    metrics, letters = IngestorMetrics(registry), DeadLetters(registry)
    unknown = UnknownFields(metrics.unknown_fields, health.notes)
    doubts = LoadDoubts(metrics.doubts, health.notes)
    sites, max_gap = served_sites(settings, health), timedelta(days=settings.max_gap_days)

    def make_core() -> IngestorCore:
        return IngestorCore(Ingestor(sites.values(), max_gap, sites.refused), metrics, letters, unknown, doubts)

    return Service(
        "ingestor",
        (topics.RAW,),
        make_core,
        registry,
        health,
        restores=(topics.CLEAN, topics.RAW),
        publishes=(topics.CLEAN, topics.REJECTED),
    )


class IngestorCore:
    """Gives each raw record its outcome: a clean reading, a dead letter, or merged and counted."""

    def __init__(
        self,
        ingestor: Ingestor,
        metrics: IngestorMetrics,
        letters: DeadLetters,
        unknown: UnknownFields,
        doubts: LoadDoubts,
    ) -> None:
        self._letters = letters
        self._ingestor = ingestor
        self._metrics = metrics
        self._unknown = unknown
        self._doubts = doubts
        self._is_spread = True
        self._shown: dict[str, IngestorSeries] = {}

    def close(self) -> None:
        """Show nothing more of the sites, but for those that another core shows by now."""
        for name, series in self._shown.items():
            if self._metrics.forget(series):
                self._unknown.forget(name)
                self._doubts.forget(name)
        self._shown = {}

    def know_partitions(self, counts: Mapping[str, int]) -> None:
        """Take note of how many partitions each topic has: where there is one, a record's key does not matter."""
        self._is_spread = any(count > 1 for name, count in counts.items() if name.endswith(topics.RAW.name))

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to; its sites are in the state."""
        return {"format": FORMAT}

    def parts(self) -> dict[str, int]:
        """Return the parts of the state, and how often each has changed."""
        return self._ingestor.parts()

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays of a part by name; 170 kB a site of eight fields."""
        return self._ingestor.state(part)

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Go on from what :meth:`state` returned of each part; only of a core that has folded nothing.

        A site that is no longer in the table is dropped. Raises ``ValueError`` that names what does not fit,
        ``OutdatedError`` where a site was another, or there were records of it before the table had it: its past is on
        the topics. Then nothing has changed.
        """
        if changed := next(self._ingestor.changed(parts), None):
            raise OutdatedError(changed)
        self._ingestor.resume(parts)

    def restore(self, records: Sequence[Record]) -> None:
        """Take note of what was published, and of the raw records that had an outcome.

        A raw record was accepted exactly if its time stands on the topic of clean readings, which comes before it: what
        the clock was when it was judged, nobody knows.
        """
        for record in records:
            if record.topic.endswith(topics.RAW.name):
                valid = self._admit(record)
                if isinstance(valid, Valid):
                    self._ingestor.recall(valid)
                continue
            with suppress(ValidationError):  # somebody else's, refused by those who read it
                self._ingestor.remember(CleanReading.from_bytes(record.value or b""))

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Judge each record of the batch in turn."""
        answers = (self._answer(record) for record in records)
        return [answer for answer in answers if answer is not None]

    def _answer(self, record: Record) -> Outgoing | None:
        outcome = self._outcome(record)
        if isinstance(outcome, Accepted):
            self._account(outcome.reading)
            return Outgoing(topics.CLEAN.name, outcome.reading.site.encode(), outcome.reading.to_bytes())
        if isinstance(outcome, Merged):
            self._metrics_of(outcome.reading.site).merged.inc()
            return None
        return self._letters.of(record, outcome.reason, outcome.field, outcome.value)

    def _outcome(self, record: Record) -> Outcome:
        valid = self._admit(record)
        if isinstance(valid, Rejected):
            return valid
        self._unknown.note(valid)
        return self._ingestor.place(valid, _came(record))

    def _admit(self, record: Record) -> Valid | Rejected:
        """Return the reading in a record that stands where those of its site do, or why there is none."""
        valid = self._ingestor.read(record.value or b"")
        if isinstance(valid, Rejected) or not self._is_spread or record.key == valid.reading.site.encode():
            return valid
        site = valid.reading.site
        advice = f'set the key of each record to its site, here "{site}": else its readings lose their order'
        if not record.key:
            return Rejected("no_key", "key", f"there is none: {advice}")
        shown = excerpt(record.key.decode(errors="backslashreplace"))
        return Rejected("key_is_not_the_site", "key", f"{shown}: {advice}")

    def _account(self, reading: CleanReading) -> None:
        site = self._ingestor.sites[reading.site]
        self._doubts.note(site.site, site.doubts)
        self._metrics_of(reading.site).accept(reading)

    def _metrics_of(self, name: str) -> IngestorSeries:
        if name not in self._shown:
            self._shown[name] = IngestorSeries(self._metrics, self._ingestor.sites[name].site)
        return self._shown[name]


def _came(record: Record) -> datetime:
    """Return when the record came at the latest: the later of its own time, which may be any, and the wall clock."""
    wall_clock = now()
    try:
        return max(wall_clock, EPOCH + timedelta(milliseconds=record.timestamp))  # -1 where the sender writes none
    except OverflowError:
        return wall_clock
