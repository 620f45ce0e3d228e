"""All sites of a monitor: each begins with its first message, and none depends on another."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.reports.order import Calendar
from services.monitor.verification import SiteScores, weather_of
from shared.contracts.messages import CleanReading, Scores
from shared.forecasting.state import refuse_misfit
from shared.runtime.state import OutdatedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from services.monitor.verification import Finding
    from shared.contracts.messages import Forecast
    from shared.sites.site import Site

__all__ = ["SitesScores", "named"]

State = dict[str, "NDArray[Any]"]

_SITE = re.compile(rb'"site"\s*:\s*"([^"\\]*)"')
_TABLE = ("sites", "described", "passed_over")


class SitesScores:
    """The scores of all sites whose messages come, and when their reports are due.

    Parameters
    ----------
    sites
        Those that may come, by name.
    patience
        How far readings may run ahead of the forecasts in event time.
    report_every_hours
        See `Calendar`.

    Attributes
    ----------
    begun
        The sites of which something has come, by name.
    """

    def __init__(self, sites: Mapping[str, Site], patience: timedelta, report_every_hours: int) -> None:
        self._sites = sites
        self._patience = patience
        self._calendar = Calendar(report_every_hours)
        self._passed_over: set[str] = set()
        self.begun: dict[str, SiteScores] = {}

    def site(self, name: str) -> SiteScores:
        """Return a site of the table, which begins now if it has not."""
        if name not in self.begun:
            self.begun[name] = SiteScores(self._sites[name], patience=self._patience)
        return self.begun[name]

    def pass_over(self, name: str) -> None:
        """Take note of a site that is not in the table: where it comes to be in it, its past is missing here."""
        self._passed_over.add(name)

    def take(self, message: CleanReading | Forecast) -> list[tuple[Finding, list[int]]]:
        """Take a message of a site of the table; return what it completes, each with the reports that are due then.

        Raises ``ValueError``, which names field and value, where the message does not fit its site.
        """
        site = self.site(message.site)
        found = site.on_reading(message) if isinstance(message, CleanReading) else site.on_forecast(message)
        return [(finding, self._due(site, finding)) for finding in found]

    def _due(self, site: SiteScores, finding: Finding) -> list[int]:
        if not isinstance(finding, Scores):
            return []
        recent = site.zones[finding.zone].recent
        return self._calendar.due(finding, recent.grid.step_of(finding.time), recent)

    def state(self) -> State:
        """Return copies of the arrays that hold all that is known: of a site by its name, a slash, and their own."""
        begun = dict(sorted(self.begun.items()))
        return {
            "sites": np.array(list(begun), np.str_),
            "described": np.array([_described(site.site) for site in begun.values()], np.str_),
            "passed_over": np.array(sorted(self._passed_over), np.str_),
            **{f"{name}/{key}": array for name, site in begun.items() for key, array in self._state_of(site).items()},
        }

    def _state_of(self, site: SiteScores) -> State:
        return {"reports.made_s": self._calendar.made_s(site.site.name, site.site.zones), **site.state()}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned; only where nothing has come.

        A site that is no longer in the table is dropped. Raises ``ValueError`` that names what does not fit,
        ``OutdatedError`` where a site was another or none. Then nothing has changed.
        """
        refuse_misfit({name: array for name, array in state.items() if "/" not in name}, SitesScores.state(self))
        held = dict(zip(state["sites"].tolist(), state["described"].tolist(), strict=False))
        self._refuse_outdated(held, state["passed_over"].tolist())
        if odd := sorted(name for name in state if "/" in name and name.partition("/")[0] not in held):
            raise ValueError(f"lacks or adds {odd[0]}")
        begun = {name: SiteScores(self._sites[name], patience=self._patience) for name in held if name in self._sites}
        arrays = {name: _of_site(state, name) for name in begun}
        for name, site in begun.items():
            blank = {f"{name}/{key}": array for key, array in self._state_of(site).items()}
            refuse_misfit({f"{name}/{key}": array for key, array in arrays[name].items()}, blank)
            try:
                site.resume(arrays[name])
            except ValueError as error:
                raise ValueError(f"{name}/{error}") from error
        for name, site in begun.items():
            self._calendar.resume(arrays[name]["reports.made_s"], name, site.site.zones)
        self.begun = begun
        self._passed_over = set(state["passed_over"].tolist())

    def _refuse_outdated(self, held: Mapping[str, str], passed_over: Sequence[str]) -> None:
        for name, described in held.items():
            if name in self._sites and described != (now := _described(self._sites[name])):
                raise OutdatedError(f"{name} is {described}, by the table of sites it is {now}")
        for name in passed_over:
            if name in self._sites:
                raise OutdatedError(f"{name} was passed over, by now it is in the table of sites")


def _of_site(state: Mapping[str, NDArray[Any]], name: str) -> State:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}


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
