"""Counts and names what the readings say against the table of their site: unit, kind or limits of a field, the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Counter

    from shared.data.load_watch import Doubt
    from shared.data.step_watch import StepDoubt
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
        self._told: dict[str, dict[str, Doubt | StepDoubt]] = {}  # by site and field

    def note(self, site: Site, doubts: Mapping[str, Doubt | StepDoubt]) -> None:
        """Tell log and notes what is suspected of a site by field, where that is new or over."""
        told = self._told.get(site.name)
        if not doubts and not told:
            return
        told = self._told.setdefault(site.name, {})
        for field in [field for field in told if field not in doubts]:
            del told[field]
            self._notes.pop(_subject(site.name, field), None)
        for field, doubt in doubts.items():
            if told.get(field) != doubt:
                told[field] = doubt
                self._tell(site, field, doubt)

    def forget(self, site: str) -> None:
        """Say nothing more of a site."""
        for field in self._told.pop(site, {}):
            self._notes.pop(_subject(site, field), None)

    def _tell(self, site: Site, field: str, doubt: Doubt | StepDoubt) -> None:
        said = doubt.text(field, site, site.grid.time_of(doubt.since_step))
        self._counter.labels(site.name, field, doubt.kind).inc()
        self._notes[_subject(site.name, field)] = said
        log.warning("the table of a site is in doubt", why=said)


def _subject(site: str, field: str) -> str:
    return f"{field} of {site}"
