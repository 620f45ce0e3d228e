"""The ingestor's pure core: raw bytes in, one of three outcomes out, the readings of each site in event-time order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.ingestor.ordering import Timeline
from services.ingestor.validation import EPOCH, Rejected, validate
from shared.forecasting.state import resume_parts, states_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading
    from shared.data.sites import Site

__all__ = ["Accepted", "Ingestor", "Merged", "Outcome", "Rejected"]

WINDOW = timedelta(days=16)
AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reading to publish."""

    reading: CleanReading


@dataclass(frozen=True, slots=True)
class Merged:
    """A reading whose time was published already: it is dropped, the first one stands."""

    reading: CleanReading


Outcome = Accepted | Rejected | Merged


class Ingestor:
    """Judges each raw record once; its state is which times of each site were published in the last 16 days.

    Parameters
    ----------
    sites : Iterable[Site]
        The known sites.
    max_gap : timedelta
        How long after a site's last reading the next one may be stamped. When six in a row come from beyond it, in
        order and no further apart, they are the new truth: the meter was away for long, or its clock was wrong.
    """

    def __init__(self, sites: Iterable[Site], max_gap: timedelta) -> None:
        self._sites = {site.name: site for site in sites}
        self._max_gap = max_gap
        self._timelines = {
            name: Timeline(WINDOW // _step_of(site), max_gap // _step_of(site)) for name, site in self._sites.items()
        }

    def judge(self, raw: bytes, came: datetime) -> Outcome:
        """Return what becomes of the record; no bytes make it raise.

        Parameters
        ----------
        raw : bytes
            What the meter has sent.
        came : datetime
            When it came, aware: no meter reads more than an hour ahead of that.
        """
        reading = validate(raw, self._sites)
        return reading if isinstance(reading, Rejected) else self._in_order(reading, came)

    def remember(self, reading: CleanReading) -> None:
        """Take note of a reading that was published before; one of an unknown site or out of order says nothing."""
        timeline = self._timelines.get(reading.site)
        if timeline is not None and reading.step_minutes == self._sites[reading.site].step_minutes:
            timeline.remember(_step(reading))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of each site's timeline, by the name of the site and their own."""
        return states_of(self._timelines)

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        resume_parts(self._timelines, state)

    def _in_order(self, reading: CleanReading, came: datetime) -> Outcome:
        site, timeline, step = self._sites[reading.site], self._timelines[reading.site], _step(reading)
        stamp = reading.time.isoformat()
        if reading.time > came + AHEAD:
            return Rejected("in_the_future", site.time_column, stamp)
        match timeline.place(step):
            case "next":
                timeline.publish(step)
                return Accepted(reading)
            case "published":
                return Merged(reading)
            case "late":
                return Rejected("too_late", site.time_column, stamp)
            case "ahead":
                why = f"{stamp} is more than {self._max_gap.days} days after the last reading"
                advice = "check the meter's clock; after a real gap the sixth reading in a row is taken"
                return Rejected("too_far_ahead", site.time_column, f"{why}: {advice}")


def _step_of(site: Site) -> timedelta:
    return timedelta(minutes=site.step_minutes)


def _step(reading: CleanReading) -> int:
    return (reading.time - EPOCH) // timedelta(minutes=reading.step_minutes)
