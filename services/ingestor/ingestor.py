"""The ingestor's pure core: raw bytes in, one of three outcomes out; each site begins with its first reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.ingestor.judging import SiteReadings
from services.ingestor.validation import Rejected, validate
from shared.forecasting.state import refuse_misfit
from shared.sites.unserved import UNSERVED, Unserved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from services.ingestor.judging import Outcome
    from services.ingestor.validation import Valid
    from shared.contracts.messages import CleanReading
    from shared.sites.site import Site

__all__ = ["Ingestor"]


class Ingestor:
    """Judges each raw record once; its state is that of the sites of which there were readings.

    Parameters
    ----------
    sites : Iterable[Site]
        The known sites.
    max_gap : timedelta
        As of `SiteReadings`.
    refused : Mapping[str, str] | None
        Of the entries of the table that are no sites, why.
    """

    def __init__(self, sites: Iterable[Site], max_gap: timedelta, refused: Mapping[str, str] | None = None) -> None:
        self._known = {site.name: site for site in sites}
        self._refused = refused or {}
        self._max_gap = max_gap
        self._unserved = Unserved()
        self.sites: dict[str, SiteReadings] = {}
        """Those that have begun."""

    def judge(self, raw: bytes, came: datetime) -> Outcome:
        """Return what becomes of the record; no bytes make it raise. See `read` and `place`."""
        valid = self.read(raw)
        return valid if isinstance(valid, Rejected) else self.place(valid, came)

    def read(self, raw: bytes) -> Valid | Rejected:
        """Return the reading in the bytes that a meter has sent, or why there is none; knows nothing of other ones."""
        valid = validate(raw, self._known, self._refused)
        if isinstance(valid, Rejected) and valid.site is not None:
            self._unserved.add(valid.site)
        return valid

    def place(self, valid: Valid, came: datetime) -> Outcome:
        """Return what becomes of a reading beside those that its site has published, see `SiteReadings.place`."""
        return self._begun(valid.reading.site).place(valid, came)

    def remember(self, reading: CleanReading) -> None:
        """Take note of a reading that was published before; one of an unknown site or out of order says nothing."""
        site = self._known.get(reading.site)
        if site is None:
            self._unserved.add(reading.site)
        elif reading.step_minutes == site.step_minutes:
            self._begun(site.name).remember(reading)

    def recall(self, valid: Valid) -> None:
        """Take note of a reading that was placed before, see `SiteReadings.recall`."""
        self._begun(valid.reading.site).recall(valid)

    def _begun(self, name: str) -> SiteReadings:
        if name not in self.sites:
            self.sites[name] = SiteReadings(self._known[name], self._max_gap)
        return self.sites[name]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays of each site, such as ``tetouan/values``, and of what is known of others."""
        states = {f"{name}/{array}": held for name, site in self.sites.items() for array, held in site.state().items()}
        return {UNSERVED: self._unserved.state(), **states}

    def changed(self, state: Mapping[str, NDArray[Any]]) -> Iterator[str]:
        """Yield what a state does not hold as the table has it now."""
        for name, held in _by_site(state).items():
            if name in self._known and str(held.get("site")) != (now := self._fresh(name).described()):
                yield f"{name}/site is {held.get('site')}, by the table of sites it is {now}"
        unserved = Unserved()
        if UNSERVED in state:
            unserved.resume(state[UNSERVED])
        if site := unserved.first_in(self._known):
            yield f"there were records of {site} before the table of sites had it"

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned, without the sites that are no longer known.

        Raises ``ValueError`` that names what does not fit, and stays as it was.
        """
        by_site, unserved = _by_site(state), Unserved()
        sites = {name: self._fresh(name) for name in by_site if name in self._known}
        blank = {f"{name}/{array}": held for name, site in sites.items() for array, held in site.state().items()}
        gone = by_site.keys() - sites.keys()
        kept = {key: array for key, array in state.items() if key.partition("/")[0] not in gone}
        refuse_misfit(kept, {UNSERVED: np.zeros(0, np.uint8), **blank})
        unserved.resume(state[UNSERVED], gone)
        for name, site in sites.items():
            try:
                site.resume(by_site[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        self.sites, self._unserved = sites, unserved

    def _fresh(self, name: str) -> SiteReadings:
        return SiteReadings(self._known[name], self._max_gap)


def _by_site(state: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each site by their own names."""
    by_site: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in state.items():
        name, slash, own = key.partition("/")
        if slash:
            by_site.setdefault(name, {})[own] = array
    return by_site
