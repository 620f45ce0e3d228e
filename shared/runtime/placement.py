"""Where the records of each site stand: on one partition, or their order and their state are torn apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.runtime.health import Health
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.records import Record

__all__ = ["Placement"]

MOST_KEYS = 100_000  # whoever sends a key of its own with each record must not fill the memory
SHOWN = 5

log = structlog.get_logger()


class Placement:
    """Notes on which partition number each key stands, and says so where one stands on two.

    Parameters
    ----------
    health, metrics
        Where it is told and counted.
    """

    def __init__(self, health: Health, metrics: PipelineMetrics) -> None:
        self._health = health
        self._metrics = metrics
        self._numbers: dict[bytes, int] = {}
        self._misplaced: dict[bytes, set[int]] = {}

    def note(self, records: Sequence[Record]) -> None:
        """Note where these stand."""
        for key, number in {(record.key, record.partition) for record in records}:
            if key and self._first(key, number) != number:
                self._tell(key, number)

    def _first(self, key: bytes, number: int) -> int:
        if key not in self._numbers and len(self._numbers) >= MOST_KEYS:
            return number
        return self._numbers.setdefault(key, number)

    def _tell(self, key: bytes, number: int) -> None:
        seen = self._misplaced.setdefault(key, {self._numbers[key]})
        if number in seen:
            return
        seen.add(number)
        self._metrics.misplaced_sites.set(len(self._misplaced))
        shown = ", ".join(
            f"{name.decode(errors='backslashreplace')} on {', '.join(map(str, sorted(numbers)))}"
            for name, numbers in list(self._misplaced.items())[:SHOWN]
        )
        note = (
            f"{len(self._misplaced)} sites have records on more than one partition ({shown}): each is two sites to us; "
            "let all senders use the same partitioner, such as murmur2_random"
        )
        self._health.notes["placement"] = note
        log.warning("a site stands on two partitions", why=note)
