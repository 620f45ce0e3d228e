"""Counts and names the loads whose values speak against the unit or kind that the table of their site gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Counter

    from shared.data.load_watch import Doubt
    from shared.sites.site import Site

__all__ = ["LoadDoubts"]

log = structlog.get_logger()


class LoadDoubts:
    """What is suspected of the loads of the sites, as of their last readings.

    Parameters
    ----------
    counter
        Counts what comes to be suspected, by site, field and kind.
    notes
        What ``/readyz`` tells, by subject.
    """

    def __init__(self, counter: Counter, notes: dict[str, str]) -> None:
        self._counter = counter
        self._notes = notes
        self._told: dict[tuple[str, str], Doubt] = {}

    def note(self, site: Site, doubts: Mapping[str, Doubt]) -> None:
        """Tell log and notes what is suspected of a site by field, where that is new or over."""
        for field in [field for name, field in self._told if name == site.name and field not in doubts]:
            del self._told[site.name, field]
            self._notes.pop(_subject(site, field), None)
        for field, doubt in doubts.items():
            if self._told.get((site.name, field)) != doubt:
                self._told[site.name, field] = doubt
                self._tell(site, field, doubt)

    def _tell(self, site: Site, field: str, doubt: Doubt) -> None:
        said = doubt.text(field, site, site.grid.time_of(doubt.since_step))
        self._counter.labels(site.name, field, doubt.kind).inc()
        self._notes[_subject(site, field)] = said
        log.warning("a load in doubt", why=said)


def _subject(site: Site, field: str) -> str:
    return f"{field} of {site.name}"
