"""Which readings of a year a command streams or scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from shared.data.hints import Hints
    from shared.data.year import Year

__all__ = ["ReplayWindow"]


@dataclass(frozen=True)
class ReplayWindow:
    """Which readings: from ``start`` (None: the last 20 %) to ``until`` (None: ``days`` on, or the end).

    ``hints`` is what the user says about their file; None where it must be that of the configured site.
    """

    start: datetime | None
    until: datetime | None
    days: int | None
    hints: Hints | None = None

    def of(self, year: Year) -> tuple[datetime, datetime]:
        """Return the stretch of the year, its end not included; raises ``Refused`` where it holds no reading."""
        first, last = year.span
        end = last + year.site.grid.length
        start = self.start or year.test_start
        until = self.until or (end if self.days is None else start + timedelta(days=self.days))
        begins = f"{start:%Y-%m-%d %H:%M}"
        if self.until is not None and self.until <= start:
            advice = f"--from {begins}: swap them" if self.start else f"{begins}, the last 20 %: give --from as well"
            raise Refused(f"--until {self.until:%Y-%m-%d %H:%M} is not after {advice}")
        if not first <= start < min(until, end):
            wrong = f"--from {begins} is before the first" if start < first else f"no reading from {begins} on"
            held = f"{year.label} has those from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
            raise Refused(f"{wrong}: {held}, choose --from there")
        return start, min(until, end)
