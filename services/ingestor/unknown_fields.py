"""Counts and names the fields of readings that their site does not know: one may be a column that was renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from services.ingestor.validation import excerpt
from shared.runtime.names import OTHER, FewNames
from shared.sites.likeness import closest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Counter

    from services.ingestor.validation import Valid

__all__ = ["UnknownFields"]

LIKE = 0.5  # how like a name must be to one that it may have replaced, 0..1

log = structlog.get_logger()


class UnknownFields:
    """What the sites have sent beside their columns.

    Parameters
    ----------
    counter
        Counts them, by site and field.
    notes
        What ``/readyz`` tells, by subject.
    """

    def __init__(self, counter: Counter, notes: dict[str, str]) -> None:
        self._counter = counter
        self._notes = notes
        self._named = FewNames[tuple[str, str]]()
        self._told: set[tuple[str, str, bool]] = set()  # whether a column lacked at the same time

    def note(self, valid: Valid) -> None:
        """Count the unknown fields of a reading; what is new among them goes to log and notes."""
        site = valid.reading.site
        for field in valid.unknown:
            name = excerpt(field)
            if not self._named.admits((site, name)):
                self._counter.labels(site, OTHER).inc()
                continue
            self._counter.labels(site, name).inc()
            if (site, name, bool(valid.absent)) not in self._told:
                self._told.add((site, name, bool(valid.absent)))
                self._tell(site, name, valid.absent)

    def forget(self, site: str) -> None:
        """Say nothing more of a site."""
        for name in {name for of, name, _ in self._told if of == site}:
            self._notes.pop(_subject(site, name), None)
        self._told = {told for told in self._told if told[0] != site}

    def _tell(self, site: str, name: str, absent: Sequence[str]) -> None:
        advice = "give it a field in the columns of the site's table (TETOUAN_SITES), or list it in ignore"
        said = f'"{name}" is no column of {site} and is passed over: {advice}'
        if absent:
            column = closest(name, absent, LIKE)
            lacks = f'did "{name}" replace "{column}"?' if column else f'"{absent[0]}" does not come at the same time'
            said = f"{said}; {lacks}"
        self._notes[_subject(site, name)] = said
        log.warning("an unknown field", why=said)


def _subject(site: str, name: str) -> str:
    return f'field "{name}" of {site}'
