"""What the topic of model events wants to run: of each model of a site the newest version that was promoted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from shared.contracts.messages import ModelEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Counter

    from shared.runtime.records import Record

__all__ = ["Changes"]

log = structlog.get_logger()


@dataclass(frozen=True)
class _Change:
    zone: int
    version: str
    partition: int
    timestamp: int


class Changes:
    """The changes of champions that stand on the topic; all cores of a process share them.

    Parameters
    ----------
    hear
        Is told of which sites a batch of records wanted other versions, once all that stood there at the start is read.
    invalid
        Counts the records that are no model events.
    """

    def __init__(self, hear: Callable[[set[str]], None], invalid: Counter) -> None:
        self._hear = hear
        self._invalid = invalid
        self._wanted: dict[str, dict[str, _Change]] = {}
        self.read = asyncio.Event()
        """Set as soon as all that stood there at the start is read."""

    def take(self, records: Sequence[Record]) -> None:
        """Note which versions are promoted, or rolled back to."""
        changed = {site for record in records if (site := self._take(record)) is not None}
        if changed and self.read.is_set():
            self._hear(changed)

    def _take(self, record: Record) -> str | None:
        try:
            event = ModelEvent.from_bytes(record.value or b"")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            self._invalid.inc()
            log.warning(
                "a record is no model event, it is passed over",
                partition=record.partition,
                offset=record.offset,
                field=".".join(map(str, first["loc"])),
                value=repr(first["input"])[:200],
            )
            return None
        if event.change not in ("promoted", "rolled_back") or event.role != "champion" or event.version is None:
            return None
        of_site = self._wanted.setdefault(event.site, {})
        before = of_site.get(event.model)
        if before and before.partition != record.partition and before.timestamp > record.timestamp:
            return None  # its key was another, or the topic had fewer partitions
        of_site[event.model] = _Change(event.zone, event.version, record.partition, record.timestamp)
        return event.site if before is None or before.version != event.version else None

    def versions_of(self, site: str) -> dict[str, str]:
        """Return the version that is wanted of each model of a site, by its name."""
        return {model: change.version for model, change in self._wanted.get(site, {}).items()}

    def zones_of(self, site: str) -> set[int]:
        """Return the zones of a site of which a change was ever told."""
        return {change.zone for change in self._wanted.get(site, {}).values()}
