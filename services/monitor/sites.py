"""All sites of a monitor: each begins with its first message, and none depends on another."""

from __future__ import annotations

import json
import re
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.reports.request import ReportSchedule
from services.monitor.verification import ScoredHour, SiteScores, weather_of
from shared.contracts.decoding import ReadingFields
from shared.contracts.messages import CleanReading
from shared.forecasting.state import refuse_misfit
from shared.runtime.state import OutdatedError
from shared.sites.unserved import UNSERVED, Unserved

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from numpy.typing import NDArray

    from services.monitor.decoding import ScorableForecast
    from services.monitor.verification import Finding
    from shared.contracts.messages import Forecast
    from shared.sites.site import Site

__all__ = ["SitesScores", "named"]

State = dict[str, "NDArray[Any]"]

_SITE = re.compile(rb'"site"\s*:\s*"([^"\\]*)"')
_READINGS = (ReadingFields, CleanReading)
_TABLE = "table"
"""The array of a site's state that says of which table of the site it is."""


class SitesScores:
    """The scores of all sites whose messages come, and when their reports are due.

    Parameters
    ----------
    sites
        Those that may come, by name.
    patience
        How far readings may run ahead of the forecasts in event time.
    report_every_hours
        See `ReportSchedule`.

    Attributes
    ----------
    begun
        The sites of which something has come, by name.
    """

    def __init__(self, sites: Mapping[str, Site], patience: timedelta, report_every_hours: int) -> None:
        self._sites = sites
        self._patience = patience
        self._schedule = ReportSchedule(report_every_hours)
        self._unserved = Unserved()
        self._changes: Counter[str] = Counter()
        self.begun: dict[str, SiteScores] = {}

    def site(self, name: str) -> SiteScores:
        """Return a site of the table, which begins now if it has not."""
        if name not in self.begun:
            self.begun[name] = SiteScores(self._sites[name], patience=self._patience)
        return self.begun[name]

    def pass_over(self, name: str) -> None:
        """Take note of a site that is not in the table: where it comes to be in it, its past is missing here."""
        self._unserved.add(name)

    def take(
        self, message: CleanReading | ReadingFields | Forecast | ScorableForecast
    ) -> list[tuple[Finding, list[int]]]:
        """Take a message of a site of the table; return what it completes, each with the reports that are due then.

        Raises ``ValueError``, which names field and value, where the message does not fit its site.
        """
        site = self.site(message.site)
        self._changes[message.site] += 1
        found = site.on_reading(message) if isinstance(message, _READINGS) else site.on_forecast(message)
        return [(finding, self._due(site, finding)) for finding in found]

    def _due(self, site: SiteScores, finding: Finding) -> list[int]:
        if not isinstance(finding, ScoredHour):
            return []
        recent = site.zones[finding.zone].recent
        return self._schedule.due(finding, recent.grid.step_of(finding.time), recent)

    def parts(self) -> dict[str, int]:
        """Return the parts of the state, each site and what is known of others, and how often each has changed."""
        return {UNSERVED: self._unserved.changes, **{name: self._changes[name] for name in self.begun}}

    def state(self, part: str) -> State:
        """Return copies of the arrays of a part, which hold all that is known."""
        return self._unserved.state() if part == UNSERVED else self._state_of(self.begun[part])

    def _state_of(self, site: SiteScores) -> State:
        made_s = self._schedule.made_s(site.site.name, site.site.zones)
        return {_TABLE: np.array(_described(site.site)), "reports.made_s": made_s, **site.state()}

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Go on from what :meth:`state` returned of each part; only where nothing has come.

        A site that is no longer in the table is dropped. Raises ``ValueError`` that names what does not fit,
        ``OutdatedError`` where a site was another or none. Then nothing has changed.
        """
        unserved = Unserved()
        unserved.resume(parts, parts.keys() - {UNSERVED} - self._sites.keys())
        if passed_over := unserved.first_in(self._sites):
            raise OutdatedError(f"there were messages of {passed_over} before the table of sites had it")
        begun = {name: self._resumed(self._sites[name], state) for name, state in parts.items() if name in self._sites}
        for name, site in begun.items():
            self._schedule.resume(parts[name]["reports.made_s"], name, site.site.zones)
        self.begun, self._unserved = begun, unserved
        self._changes.clear()

    def _resumed(self, chosen: Site, state: Mapping[str, NDArray[Any]]) -> SiteScores:
        held, now = state.get(_TABLE), _described(chosen)
        if held is None or str(held) != now:
            raise OutdatedError(f"{chosen.name}: {_TABLE} is {held}, by the table of sites it is {now}")
        site = SiteScores(chosen, patience=self._patience)
        try:
            refuse_misfit(state, self._state_of(site))
            site.resume(state)
        except ValueError as error:
            raise ValueError(f"{chosen.name}: {error}") from error
        return site


def _described(site: Site) -> str:
    """Return what the numbers of a site's state depend on."""
    calendar = json.dumps([site.country, site.time_zone, site.holidays.model_dump(mode="json")], sort_keys=True)
    zones, weather = (",".join(map(str, names)) for names in (site.zones, weather_of(site)))
    digest = sha256(calendar.encode()).hexdigest()[:8]
    return f"step {site.step_minutes}, zones {zones}, weather {weather}, {site.time_zone}, calendar {digest}"


def named(value: bytes | None) -> str | None:
    """Return the site that a message names, before it is decoded; None where it names none."""
    found = _SITE.search(value or b"")
    return found[1].decode(errors="replace") if found else None
