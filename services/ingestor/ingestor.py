"""The ingestor's pure core: raw bytes in, one of three outcomes out; each site begins with its first reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    Parts = Mapping[str, Mapping[str, NDArray[Any]]]

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

    def parts(self) -> dict[str, int]:
        """Return the parts of the state, each site and what is known of others, and how often each has changed."""
        return {UNSERVED: self._unserved.changes, **{name: site.changes for name, site in self.sites.items()}}

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays of a part."""
        return self._unserved.state() if part == UNSERVED else self.sites[part].state()

    def changed(self, parts: Parts) -> Iterator[str]:
        """Yield what a state does not hold as the table has it now; raises ``ValueError`` where it is no state."""
        for name, state in parts.items():
            if name in self._known and str(state.get("site")) != (now := self._fresh(name).described()):
                yield f"{name}: site is {state.get('site')}, by the table of sites it is {now}"
        unserved = Unserved()
        unserved.resume(parts)
        if site := unserved.first_in(self._known):
            yield f"there were records of {site} before the table of sites had it"

    def resume(self, parts: Parts) -> None:
        """Go on from what :meth:`state` returned of each part, without the sites that are no longer known.

        Raises ``ValueError`` that names what does not fit, and stays as it was.
        """
        held, unserved = parts.keys() - {UNSERVED}, Unserved()
        unserved.resume(parts, held - self._known.keys())
        sites = {name: self._fresh(name) for name in parts if name in self._known}
        for name, site in sites.items():
            try:
                refuse_misfit(parts[name], site.state())
                site.resume(parts[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        self.sites, self._unserved = sites, unserved

    def _fresh(self, name: str) -> SiteReadings:
        return SiteReadings(self._known[name], self._max_gap)
